//! What a generic function was instantiated with.
//!
//! Two instantiations must never read each other's entries. Within a process they are told apart by the identity of a
//! closure's type. Across processes identities mean nothing, so the fingerprint has the type's name instead, which carries all
//! type and const arguments of the functions and impls around the closure:
//!
//! ```text
//! app::load::__of::{{closure}}                          a function's companions
//! app::count::__of<app::Users>::{{closure}}             a generic function
//! app::Repo<app::Order>::__get_of::{{closure}}          a method of a generic impl
//! <app::Csv as app::Table>::rows::{{closure}}             a method of a trait
//! ```
//!
//! The arguments enter without the function's own path, so that two services may share an entry. Names are not quite
//! unique: all closures in a function have one, and so do two types of one name in two blocks. An instantiation whose name
//! says a closure, or was met with another identity before, runs without the cache.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, RwLock};

use once_cell::sync::OnceCell;

use crate::config::{Current, Runtime};
use crate::entry::{Codec, Shape, StoredType};
use crate::local::{Copied, Front};
use crate::locks::unpoisoned;
use crate::observe::{self, Function};
use crate::process;
use crate::site::Site;

/// How the name of a closure's type ends.
const CLOSURE: &str = "::{{closure}}";

/// One instantiation of an annotated function.
pub(crate) struct Instance {
    id: TypeId,
    name: &'static str,
    /// Whether the name stands for this instantiation alone.
    is_named: bool,
    /// Where the function stands, as a key without a template begins.
    path: String,
    /// So much of it is there without a line and column, which change as the file is edited.
    function_len: usize,
    stored: OnceCell<StoredType>,
    /// Where calls find their values, on the first of the process's own runtimes that kept any.
    front: OnceCell<First>,
}

/// The values of one instantiation on one runtime, in the process that came first.
struct First {
    tier: u64,
    process: u32,
    front: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({:?})", self.name)
    }
}

/// The instantiations of one function that were called so far. They are never freed: there are no more than the compiler
/// made.
#[derive(Debug)]
pub(crate) struct Instances {
    /// A function that isn't generic has no other.
    first: OnceCell<Instance>,
    others: RwLock<Vec<&'static Instance>>,
}

impl Instances {
    pub(crate) const fn new() -> Self {
        Self {
            first: OnceCell::new(),
            others: RwLock::new(Vec::new()),
        }
    }

    /// The instantiation that the closure whose type is `id`, called `name`, stands in.
    #[inline]
    pub(crate) fn of(
        &'static self,
        site: &Site,
        id: TypeId,
        name: &'static str,
    ) -> &'static Instance {
        match self.first.get() {
            Some(first) if first.id == id => first,
            _ => self.of_others(site, id, name),
        }
    }

    /// What it takes is passed by value, so that a call which is one of the first instantiation needn't have it in memory.
    #[cold]
    #[inline(never)]
    fn of_others(&'static self, site: &Site, id: TypeId, name: &'static str) -> &'static Instance {
        let first = self
            .first
            .get_or_init(|| Instance::new(site, id, name, &[]));
        if first.id == id {
            return first;
        }
        let known = unpoisoned(self.others.read());
        if let Some(found) = known.iter().find(|instance| instance.id == id) {
            return found;
        }
        drop(known);
        let mut others = unpoisoned(self.others.write());
        // Another thread may have come first; one of them is enough.
        if let Some(found) = others.iter().find(|instance| instance.id == id) {
            return found;
        }
        let names = others.iter().map(|instance| instance.name);
        let taken: Vec<&str> = names.chain([first.name]).collect();
        let made: &'static Instance = Box::leak(Box::new(Instance::new(site, id, name, &taken)));
        others.push(made);
        made
    }
}

impl Instance {
    fn new(site: &Site, id: TypeId, name: &'static str, taken: &[&str]) -> Self {
        let (path, function_len) = path(site, name);
        Self {
            id,
            name,
            is_named: !arguments(name).contains("{{closure}}") && !taken.contains(&name),
            path,
            function_len,
            stored: OnceCell::new(),
            front: OnceCell::new(),
        }
    }

    /// The values of this instantiation, where that is the runtime that they were kept on first.
    #[inline]
    pub(crate) fn front_of<T: Copied>(
        &'static self,
        runtime: &'static Runtime,
    ) -> Option<&'static Front<T>> {
        let first = self.front.get()?;
        if first.tier != runtime.tier().id() || first.process != process::recent() {
            return None;
        }
        first.front.downcast_ref()
    }

    /// Where the values of this instantiation on that runtime are found, from now on.
    pub(crate) fn front_or_new<T: Copied>(
        &'static self,
        runtime: &Current,
    ) -> Option<Arc<Front<T>>> {
        let front = runtime.tier().front_or_new::<T>(self)?;
        // Others come and go, and what they keep must go with them.
        if let Current::Process(runtime) = runtime {
            self.front.get_or_init(|| First {
                tier: runtime.tier().id(),
                process: front.process(),
                front: front.clone(),
            });
        }
        Some(front)
    }

    /// Whether entries of this instantiation can be told from those of all others.
    #[inline]
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What logs call the function: the same for all builds.
    pub(crate) fn function(&self) -> &str {
        &self.path[..self.function_len]
    }

    /// What this instantiation stores: always values of one type, of which `shape` tells.
    pub(crate) fn stored(
        &'static self,
        site: &Site,
        shape: fn(Codec) -> Option<Shape>,
    ) -> &'static StoredType {
        if let Some(stored) = self.stored.get() {
            return stored.unless_busy();
        }
        // The user's code runs in `shape`, and may come back to this function: so not inside of `get_or_init`.
        let Some(shape) = shape(site.codec()) else {
            return StoredType::unstored();
        };
        let stored = StoredType::new(shape, site.codec(), |fingerprint| {
            fingerprint
                .instantiated_with(&arguments(self.name))
                .version(site.entry_version())
                .tokens(site.tokens_hash())
        });
        // Another thread may have come first: then it was the one to tell.
        if self.stored.set(stored).is_ok() {
            observe::traced(Function(Some(self)), self.stored.wait());
        }
        self.stored.wait().unless_busy()
    }
}

/// The path that a default key begins with: where the function stands, its name, and its generic arguments.
///
/// It is made to be read, and to tell functions apart as far as names can. A function that stands in another function or a
/// block has its line and column added, since two blocks may each hold one of the same name; its entries are then lost when
/// the file is edited above it. Where two paths coincide all the same, the fingerprint differs by the functions' text.
///
/// How long it is without these comes beside it.
fn path(site: &Site, name: &str) -> (String, usize) {
    let name = name.trim_end_matches(CLOSURE);
    let (parent, hidden) = split_last_segment(name);
    // Companions of a free function stand in a type that has its name.
    let parent = match split_last_segment(parent) {
        (outer, last) if last == site.name() => outer,
        _ => parent,
    };
    let generics = hidden.find('<').map_or("", |at| &hidden[at..]);
    let mut path = format!("{parent}::{}{generics}", site.name());
    let function_len = path.len();
    if parent != site.module() && !is_type_in(site.module(), parent) {
        let (line, column) = (site.location().line(), site.location().column());
        path = format!("{path}:{line}:{column}");
    }
    (path, function_len)
}

/// Whether `path` is that of a type or an impl directly in `module`, as far as the customary capital letter tells.
fn is_type_in(module: &str, path: &str) -> bool {
    let (outer, last) = split_last_segment(path);
    last.starts_with(|c: char| c == '<' || c.is_uppercase())
        && (outer == module || outer.is_empty())
}

/// Splits `a::B<c::D>::e` into `a::B<c::D>` and `e`.
fn split_last_segment(path: &str) -> (&str, &str) {
    with_depth(path)
        .filter(|&(depth, at, character)| {
            depth == 0 && character == ':' && path[at..].starts_with("::")
        })
        .last()
        .map_or(("", path), |(_, at, _)| (&path[..at], &path[at + 2..]))
}

/// The generic arguments in a path: all that stands in its outermost angle brackets.
fn arguments(path: &str) -> String {
    with_depth(path)
        .filter(|&(depth, ..)| depth > 0)
        .map(|(.., character)| character)
        .collect()
}

/// Each character with the number of angle brackets it is in, itself included, and where it stands.
///
/// What looks like a bracket and is none: the arrow of a function type, and a `char` that is a const argument.
fn with_depth(path: &str) -> impl Iterator<Item = (usize, usize, char)> {
    let mut depth = 0_usize;
    let mut before = ' ';
    let mut quoted = false;
    path.char_indices().map(move |(at, character)| {
        if character == '\'' && before != '\\' {
            quoted = !quoted && is_char(&path[at + 1..]);
        }
        let opens = !quoted && character == '<';
        let closes = !quoted && character == '>' && before != '-';
        // A backslash behind a backslash escapes nothing.
        let is_escaped = before == '\\' && character == '\\';
        before = if is_escaped { ' ' } else { character };
        depth += usize::from(opens);
        let inside = depth;
        depth = depth.saturating_sub(usize::from(closes));
        (inside, at, character)
    })
}

/// Whether a quote before `rest` begins a `char`: that of a lifetime (`'_`) is never closed.
fn is_char(rest: &str) -> bool {
    rest.starts_with('\\') || rest.chars().nth(1) == Some('\'')
}

#[cfg(test)]
mod tests {
    use super::{Site, arguments, path, split_last_segment};

    static SITE: Site = Site::new("app::users", "load", &[]);

    #[test]
    fn arguments_are_told_without_the_path() {
        for (name, expected) in [
            ("app::load::__of::{{closure}}", ""),
            ("app::count::__of<app::Users>::{{closure}}", "<app::Users>"),
            (
                "app::Repo<app::Order>::__get_of<3>::{{closure}}",
                "<app::Order><3>",
            ),
            (
                "<app::Csv as app::Table>::rows::{{closure}}",
                "<app::Csv as app::Table>",
            ),
            (
                "app::f<fn(u8) -> u16, x::Y<Z>>::{{closure}}",
                "<fn(u8) -> u16, x::Y<Z>>",
            ),
            ("app::f<'_>::{{closure}}", "<'_>"),
            (
                "app::f<'_, '>', x::Y<'_>>::{{closure}}",
                "<'_, '>', x::Y<'_>>",
            ),
            ("app::f<'>', 1>::{{closure}}", "<'>', 1>"),
            ("app::f<'<', 1>::{{closure}}", "<'<', 1>"),
            (r"app::f<'\'', '>'>::{{closure}}", r"<'\'', '>'>"),
            (r"app::f<'\\', '>'>::{{closure}}", r"<'\\', '>'>"),
        ] {
            assert_eq!(arguments(name), expected);
        }
    }

    #[test]
    fn segments_are_split_outside_of_brackets() {
        assert_eq!(
            split_last_segment("a::B<c::D>::e<f::G>"),
            ("a::B<c::D>", "e<f::G>")
        );
        assert_eq!(
            split_last_segment("<a::B as c::D>::e"),
            ("<a::B as c::D>", "e")
        );
        assert_eq!(split_last_segment("<a::B as c::D>"), ("", "<a::B as c::D>"));
    }

    #[test]
    fn paths_of_functions_and_methods_are_short() {
        for (name, expected) in [
            ("app::users::load::__of::{{closure}}", "app::users::load"),
            (
                "app::users::load::__of<u8>::{{closure}}",
                "app::users::load<u8>",
            ),
            ("app::users::load::{{closure}}", "app::users::load"),
            (
                "app::users::Repo<u8>::__load_of::{{closure}}",
                "app::users::Repo<u8>::load",
            ),
            (
                "app::users::<impl app::Repo>::__load_of::{{closure}}",
                "app::users::<impl app::Repo>::load",
            ),
            (
                "<app::Csv as app::users::Table>::load::{{closure}}",
                "<app::Csv as app::users::Table>::load",
            ),
        ] {
            assert_eq!(path(&SITE, name), (expected.to_owned(), expected.len()));
        }
    }

    #[test]
    fn what_stands_in_a_block_has_its_line_added() {
        for name in [
            "app::users::outer::load::__of::{{closure}}",
            "app::users::outer::load::{{closure}}",
            "app::users::_::<impl app::Repo>::__load_of::{{closure}}",
            "app::users::outer::Repo::__load_of::{{closure}}",
        ] {
            let (path, function_len) = path(&SITE, name);
            let (line, column) = (SITE.location().line(), SITE.location().column());
            assert!(path.ends_with(&format!("::load:{line}:{column}")), "{path}");
            assert!(path[..function_len].ends_with("::load"), "{path}");
        }
    }
}
