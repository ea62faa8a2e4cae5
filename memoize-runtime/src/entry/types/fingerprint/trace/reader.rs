//! Whether a value is read as it is: by serde's own code or by derived code, for just the type that it becomes.
//!
//! All other code may make something else of what it asks for: clamp, trim, sort, convert. Which it is shows in the names that Rust gives to
//! the type that is to be read, to the visitor that asks, and to what that visitor makes.

use std::any::type_name;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::super::shape::Facts;
use super::access::Inside;
use super::draft::Content;
use super::follow::stateless;
use super::foreign::is_type_of_std;
use super::order::{Place, inside_of, is_read_with};
use super::stop::Stop;

/// Types of other crates that are just the bytes that are read.
const OF_BYTES: [&str; 2] = ["bytes::bytes::Bytes", "serde_bytes::bytebuf::ByteBuf"];

/// Where the visitors are that serde has for what it reads itself.
const OF_SERDE: &str = "serde_core::de::impls::";

/// What the names of derived visitors have in them, before the type that they are for.
const DERIVED: &str = "::_::<impl serde_core::de::Deserialize";

/// Whether what `V` makes is what was read, and the value of the type of this name.
pub(super) fn is_plain<'de, V: Visitor<'de>>(expected: &'static str) -> bool {
    let (visitor, made) = (type_name::<V>(), type_name::<V::Value>());
    let made_by_serde = visitor.starts_with(OF_SERDE).then_some(made);
    let expected = content(expected, made_by_serde);
    is_read_by_serde(expected) || expected == made && is_derived(visitor, expected)
}

/// What is in the types of the standard library that are read as what they hold, but for one that is itself `made`.
fn content(mut name: &'static str, made: Option<&str>) -> &'static str {
    while made != Some(name)
        && is_type_of_std(name)
        && let Some(inner) = inside_of(name)
    {
        name = inner;
    }
    name
}

/// Whether nobody but serde can have said how a type is read, and it is read as it is.
fn is_read_by_serde(name: &str) -> bool {
    let path = name.split('<').next().unwrap_or_default();
    let is_builtin = name.starts_with(['(', '[']) || !path.is_empty() && !path.contains("::");
    is_builtin || is_type_of_std(name) && !is_weak(name) || OF_BYTES.contains(&name)
}

/// What a `Weak` points to is written, and read as one that points to nothing.
fn is_weak(name: &str) -> bool {
    ["alloc::rc::Weak<", "alloc::sync::Weak<"]
        .iter()
        .any(|weak| name.starts_with(weak))
}

/// Whether the visitor is the one that `#[derive(Deserialize)]` writes for the type of this name, or for a variant of it. With
/// `remote`, it writes one that is called much the same, for a `Deserialize` that may go on with what that makes.
fn is_derived(visitor: &str, name: &str) -> bool {
    let path = without_last_arguments(name);
    visitor.match_indices(DERIVED).any(|(at, derived)| {
        let rest = &visitor[at + derived.len()..];
        // Older compilers don't show the lifetime.
        let of = rest.strip_prefix("<'_>").unwrap_or(rest);
        let rest = of
            .strip_prefix(" for ")
            .and_then(|of| of.strip_prefix(path));
        // The arguments of a derived impl are names, without any of their own.
        let rest = rest.map(|rest| match rest.split_once('>') {
            Some((arguments, rest)) if arguments.starts_with('<') => rest,
            _ => rest,
        });
        rest.is_some_and(|rest| rest.starts_with(">::deserialize::__Visitor"))
    })
}

/// The name of a type without the arguments at its end: of one in the body of an impl's function, there are others before.
fn without_last_arguments(name: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in name.char_indices().rev() {
        match c {
            '>' => depth += 1,
            '<' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return if c == '<' { &name[..at] } else { name };
        }
    }
    name
}

/// Finds out what is in a newtype: a derived visitor asks a sequence for it by its type, and reads it directly elsewhere.
pub(super) struct Probe<'g>(pub(super) Inside<'g>);

impl<'de> SeqAccess<'de> for Probe<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let place = Place {
            facts: Facts::of::<S::Value>(),
            seed: stateless::<S>(),
        };
        self.0.answer(seed, |_| {
            let mut graph = self.0.graph.borrow_mut();
            graph.has_readers |= is_read_with(place.facts);
            graph.draft(self.0.id).content = Content::Is(place);
            Err(Stop)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::rc::Rc;

    use super::*;

    struct Own;

    #[test]
    fn what_is_in_a_type_of_std_is_found() {
        let own = type_name::<Own>();
        let of = |name| content(name, None);
        assert_eq!(of(type_name::<Option<Box<Own>>>()), own);
        assert_eq!(of(type_name::<Rc<Own>>()), own);
        assert_eq!(of(type_name::<Cow<'_, str>>()), "str");
        assert_eq!(of(own), own);
        assert_eq!(of(type_name::<Vec<Own>>()), type_name::<Vec<Own>>());
        let optional = type_name::<Option<Own>>();
        assert_eq!(
            content(type_name::<Box<Option<Own>>>(), Some(optional)),
            optional
        );
    }

    #[test]
    fn the_crate_that_a_type_is_of_says_who_reads_it() {
        for name in [
            type_name::<u8>(),
            type_name::<str>(),
            type_name::<(Own, u8)>(),
            type_name::<[Own; 3]>(),
            type_name::<Vec<Own>>(),
            type_name::<std::time::Duration>(),
            type_name::<crate::Bytes>(),
        ] {
            assert!(is_read_by_serde(name), "{name}");
        }
        // A crate may have a name of std's.
        let weak = type_name::<std::sync::Weak<u8>>();
        for name in [
            type_name::<Own>(),
            weak,
            "core::Own",
            "std::string::Strings",
            "",
        ] {
            assert!(!is_read_by_serde(name), "{name}");
        }
    }

    #[test]
    fn a_derived_visitor_is_known_by_the_type_that_it_is_for() {
        let derived = |of: &str| format!("a::_::<impl serde_core::de::Deserialize{of}");
        for (of, name) in [
            ("<'_> for a::B>::deserialize::__Visitor<'_>", "a::B"),
            (" for a::B>::deserialize::__Visitor", "a::B"),
            (
                "<'_> for a::B<_, N>>::deserialize::__Visitor<'_, a::C<u8>, 3>",
                "a::B<a::C<u8>, 3>",
            ),
            (
                "<'_> for <a::T<u8> as a::F>::f::B>::deserialize::__Visitor<'_>",
                "<a::T<u8> as a::F>::f::B",
            ),
        ] {
            assert!(is_derived(&derived(of), name), "{of}");
        }
        let of_variant = derived(
            "<'_> for a::B>::deserialize::__Visitor<'_> as serde_core::de::Visitor<'_>>::visit_enum::__Visitor<'_>",
        );
        assert!(is_derived(&format!("<{of_variant}"), "a::B"));
        let within = derived("<'_> for a::B>::deserialize::_::<impl ");
        for visitor in [
            "a::_::<impl serde_models::B>::deserialize::__Visitor<'_>".to_owned(),
            format!(
                "{within}{}",
                derived("<'_> for a::B>::deserialize::C>::deserialize::__Visitor<'_>")
            ),
            derived("<'_> for a::Bc>::deserialize::__Visitor<'_>"),
        ] {
            assert!(!is_derived(&visitor, "a::B"), "{visitor}");
        }
    }
}
