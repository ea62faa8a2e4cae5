//! Whether a value is read as it is: by serde's own code or by derived code, for just the type that it becomes.
//!
//! All other code may make something else of what it asks for: clamp, trim, sort, convert. Which it is shows in the names that Rust gives to
//! the type that is to be read, to the visitor that asks, and to what that visitor makes.

use std::any::type_name;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::super::shape::Facts;
use super::access::Inside;
use super::draft::Content;
use super::foreign::is_type_of_std;
use super::order::{inside_of, is_read_with};
use super::stop::Stop;

/// Types of other crates that are just the bytes that are read.
const OF_BYTES: [&str; 2] = ["bytes::bytes::Bytes", "serde_bytes::bytebuf::ByteBuf"];

/// Whether what `V` makes is what was read, and the value of the type of this name.
pub(super) fn is_plain<'de, V: Visitor<'de>>(expected: &'static str) -> bool {
    let expected = content(expected);
    is_read_by_serde(expected)
        || expected == type_name::<V::Value>() && is_derived(type_name::<V>())
}

/// What is in the types of the standard library that are read as what they hold.
fn content(mut name: &'static str) -> &'static str {
    while is_type_of_std(name)
        && let Some(inner) = inside_of(name)
    {
        name = inner;
    }
    name
}

/// Whether nobody but serde can have said how a type is read.
fn is_read_by_serde(name: &str) -> bool {
    let path = name.split('<').next().unwrap_or_default();
    let is_builtin = name.starts_with(['(', '[']) || !path.is_empty() && !path.contains("::");
    is_builtin || is_type_of_std(name) || OF_BYTES.contains(&name)
}

/// Whether the visitor is one that `#[derive(Deserialize)]` writes.
fn is_derived(visitor: &str) -> bool {
    visitor.contains("::_::<impl serde") && visitor.contains("::deserialize::__Visitor")
}

/// Finds out what is in a newtype: a derived visitor asks a sequence for it by its type, and reads it directly elsewhere.
pub(super) struct Probe<'g>(pub(super) Inside<'g>);

impl<'de> SeqAccess<'de> for Probe<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let facts = Facts::of::<S::Value>();
        self.0.answer(seed, |_| {
            let mut graph = self.0.graph.borrow_mut();
            graph.has_readers |= is_read_with(facts);
            graph.draft(self.0.id).content = Content::Is(facts.name);
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
        assert_eq!(content(type_name::<Option<Box<Own>>>()), own);
        assert_eq!(content(type_name::<Rc<Own>>()), own);
        assert_eq!(content(type_name::<Cow<'_, str>>()), "str");
        assert_eq!(content(own), own);
        assert_eq!(content(type_name::<Vec<Own>>()), type_name::<Vec<Own>>());
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
        for name in [type_name::<Own>(), "core::Own", "std::string::Strings", ""] {
            assert!(!is_read_by_serde(name), "{name}");
        }
    }
}
