//! Whether the order of a list or map is part of the value that it is read into.
//!
//! Serde tells a hash set from a list as little as a hash map from a list of pairs, so Rust's names and sizes of types have to. What
//! asks for the elements need not be what they end up in: `deserialize_with` may read a set and make a list of it, which is then
//! in another order each time, and that is another value. The field's own type is the one that counts; where a derive hides its
//! name, its size is known.

use std::any::TypeId;
use std::collections::HashSet;

use super::super::shape::{Facts, Hashed, Order, Shown};

/// What derived code reads a field into that has a `with` or `deserialize_with`.
const READ_WITH: &str = "::__DeserializeWith";

/// Whether it is read by a function of the user's, which may make something else of what it asks for.
pub(super) fn is_read_with(facts: Facts) -> bool {
    facts.name.contains(READ_WITH)
}

/// What is read becomes this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) facts: Facts,
    /// What it is read by, if that holds nothing: two places of one seed are read alike.
    pub(super) seed: Option<TypeId>,
}

impl Place {
    pub(super) fn of_itself(facts: Facts) -> Self {
        Self { facts, seed: None }
    }

    /// Where what is inside of an option or newtype stands that is read here.
    pub(super) fn inside(self, read: Facts) -> Self {
        let facts = if content(self.facts.name).name == read.name {
            read
        } else {
            self.facts
        };
        Self { facts, ..self }
    }
}

/// What is known of the order of what is read as a value of one type, and becomes a `place`.
pub(super) fn order(place: Place, read: Facts) -> Order {
    let hashed = is_hashed(place.facts, read);
    let shown = if content(place.facts.name).name == read.name && is_of_std(read.name) {
        Shown::Few
    } else if is_sorted(read.name) {
        Shown::EachOnce
    } else if hashed != Hashed::Yes && becomes_a_list(place.facts, read) {
        Shown::Each
    } else {
        Shown::Values(place.seed)
    };
    Order { hashed, shown }
}

fn is_hashed(place: Facts, read: Facts) -> Hashed {
    let of_place = content(place.name);
    if has_name_of_hash(read.name) {
        let is_it = of_place.name == read.name || of_place.is_behind_pointer;
        return if is_it || have_one_size(place, read) {
            Hashed::Yes
        } else {
            Hashed::No
        };
    }
    // A type that is read by itself knows whether it has an order. Of another one it is known whether it can be hashed.
    if of_place.name == read.name || have_one_size(place, Facts::of::<HashSet<u8>>()) {
        Hashed::Perhaps
    } else {
        Hashed::No
    }
}

pub(super) fn is_of_std(name: &str) -> bool {
    ["alloc::", "core::", "std::"]
        .iter()
        .any(|of| name.starts_with(of))
}

/// Whether it is read through a collection that sorts. What this becomes can't be told from a list, as the two are of one size.
fn is_sorted(name: &'static str) -> bool {
    matches!(split(name).0, "BTreeMap" | "BTreeSet")
}

/// Whether it is read through what is hashed, and doesn't become that.
fn becomes_a_list(place: Facts, read: Facts) -> bool {
    let becomes_another = !have_one_size(place, read) || is_read_with(place);
    has_name_of_hash(read.name) && becomes_another && !content(place.name).is_behind_pointer
}

fn has_name_of_hash(name: &'static str) -> bool {
    matches!(split(name).0, "HashSet" | "HashMap" | "DashSet" | "DashMap")
}

fn have_one_size(one: Facts, other: Facts) -> bool {
    (one.size, one.align) == (other.size, other.align)
}

/// What is in a type that reads what it holds in place of itself.
struct Content {
    name: &'static str,
    /// Its size is not that of the type.
    is_behind_pointer: bool,
}

fn content(mut name: &'static str) -> Content {
    let mut is_behind_pointer = false;
    while let Some(inner) = inside_of(name) {
        is_behind_pointer |= split(name).0 != "Option";
        name = inner;
    }
    Content {
        name,
        is_behind_pointer,
    }
}

/// The name of what is in a type that reads what it holds in place of itself.
pub(super) fn inside_of(name: &'static str) -> Option<&'static str> {
    let (wrapper, inner) = split(name);
    let reads_inner = matches!(
        wrapper,
        "Option"
            | "Box"
            | "Rc"
            | "Arc"
            | "Cow"
            | "Cell"
            | "RefCell"
            | "Mutex"
            | "RwLock"
            | "Reverse"
            | "Wrapping"
            | "Saturating"
    );
    inner.filter(|_| reads_inner)
}

/// The last part of a type's name, and its arguments.
fn split(name: &'static str) -> (&'static str, Option<&'static str>) {
    let (path, arguments) = match name.split_once('<') {
        // Of a type in a function's or an impl's body, the path may have arguments as well.
        Some((path, arguments)) if !path.is_empty() => (path, arguments.strip_suffix('>')),
        _ => (name, None),
    };
    let last = path.rsplit("::").next().unwrap_or_default();
    (
        last,
        arguments.map(|all| all.strip_prefix("'_, ").unwrap_or(all)),
    )
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::{BTreeSet, HashMap};
    use std::rc::Rc;

    use super::*;

    fn read_as<Place, Read>() -> Hashed {
        is_hashed(Facts::of::<Place>(), Facts::of::<Read>())
    }

    /// Ordered, whatever the end of its name says.
    struct LinkedHashMap<V>([V; 3]);

    type Linked = LinkedHashMap<u8>;

    type Set = HashSet<u8>;

    struct Tags(HashSet<u8>);

    struct List(Vec<u8>);

    #[test]
    fn what_is_hashed_itself_is_known_by_its_name() {
        assert_eq!(read_as::<Set, Set>(), Hashed::Yes);
        assert_eq!(read_as::<HashMap<u8, Set>, HashMap<u8, Set>>(), Hashed::Yes);
        assert_eq!(read_as::<Option<Set>, Set>(), Hashed::Yes);
        assert_eq!(read_as::<Option<Box<Set>>, Set>(), Hashed::Yes);
        assert_eq!(read_as::<Rc<Cow<'_, Set>>, Set>(), Hashed::Yes);
        assert_eq!(read_as::<Linked, Linked>(), Hashed::Perhaps);
        assert_eq!(read_as::<Vec<Set>, Vec<Set>>(), Hashed::Perhaps);
        let _ = |linked: Linked| linked.0;
    }

    #[test]
    fn what_it_becomes_has_to_be_as_large() {
        assert_eq!(read_as::<Tags, HashSet<u8>>(), Hashed::Yes);
        assert_eq!(read_as::<Box<Tags>, HashSet<u8>>(), Hashed::Yes);
        for of_list in [
            read_as::<Vec<u8>, HashSet<u8>>(),
            read_as::<List, HashSet<u8>>(),
            read_as::<Option<List>, HashSet<u8>>(),
            read_as::<List, Vec<u8>>(),
            read_as::<List, BTreeSet<u8>>(),
        ] {
            assert_eq!(of_list, Hashed::No);
        }
        assert_eq!(read_as::<HashSet<u8>, Vec<u8>>(), Hashed::Perhaps);
        let _ = |tags: Tags, list: List| (tags.0, list.0);
    }

    fn shown_as<P, Read>() -> Shown {
        order(Place::of_itself(Facts::of::<P>()), Facts::of::<Read>()).shown
    }

    struct Pairs(Vec<(u8, u8)>);

    #[test]
    fn what_is_read_through_another_collection_is_never_proved_by_other_values() {
        let by_values = Shown::Values(None);
        assert_eq!(shown_as::<Vec<u8>, Vec<u8>>(), Shown::Few);
        assert_eq!(shown_as::<Option<Box<Vec<u8>>>, Vec<u8>>(), Shown::Few);
        assert_eq!(shown_as::<List, Vec<u8>>(), by_values);
        assert_eq!(shown_as::<Linked, Linked>(), by_values);
        assert_eq!(shown_as::<Pairs, HashMap<u8, u8>>(), Shown::Each);
        assert_eq!(shown_as::<BTreeSet<u8>, BTreeSet<u8>>(), Shown::Few);
        assert_eq!(shown_as::<List, BTreeSet<u8>>(), Shown::EachOnce);
        assert_eq!(shown_as::<Box<List>, BTreeSet<u8>>(), Shown::EachOnce);
        let _ = |pairs: Pairs| pairs.0;
    }
}
