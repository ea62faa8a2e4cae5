//! Which types a codec can't hold, and what to write instead.

use std::borrow::Cow;
use std::fmt;

use super::fingerprint::shape::{Node, Shape, Unseen, Why};
use crate::entry::header::Codec;

const UNREACHED: &str = "a change of it could not be seen, as no value is known that could stand before it; \
                         write `codec = \"msgpack\"`, or make it a named field of a struct";

/// Why no value of a type is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The way to the part that can't be held, by the names of fields and variants; empty for the type itself.
    pub(crate) path: String,
    pub(crate) why: Cow<'static, str>,
}

impl Refusal {
    /// Why no value of this shape is stored by `codec`, if that is so.
    pub(super) fn of(shape: &Shape, codec: Codec) -> Option<Self> {
        refused_by_all(shape).or_else(|| match codec {
            Codec::Postcard => refused_by_postcard(shape),
            Codec::Msgpack => None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "the value itself: {}", self.why)
        } else {
            write!(f, "field `{}`: {}", self.path, self.why)
        }
    }
}

fn refused_by_all(shape: &Shape) -> Option<Refusal> {
    let found = shape.find(|node| match node {
        // It is written as a struct, and read as a newtype, which only serde_json undoes.
        Node::Newtype("$serde_json::private::RawValue", _) => {
            Some("only JSON can hold a `RawValue`; use a `String`, or a `serde_json::Value`")
        }
        Node::Unseen(Unseen {
            why: Why::Large, ..
        }) => {
            Some("it is too large to be read on a thread's stack; use a `Vec` instead of an array")
        }
        Node::Unseen(Unseen { why: Why::Wide, .. }) => {
            Some("it is one of more than 4096 in a row; use a `Vec` instead of an array")
        }
        Node::Unseen(Unseen {
            why: Why::Untried, ..
        }) => Some(
            "a change of it could not be seen, as what stands before it can't be tried out where a panic ends the process; \
             make it a named field of a struct, or move it to the front",
        ),
        _ => None,
    });
    found.map(|(path, why)| Refusal {
        path,
        why: Cow::Borrowed(why),
    })
}

fn refused_by_postcard(shape: &Shape) -> Option<Refusal> {
    let found = shape.find(|node| match node {
        Node::Unseen(Unseen { why, .. }) => match why {
            Why::Any => Some(
                "it takes a value of any kind, as `untagged`, `tag` and `serde_json::Value` do; write `codec = \"msgpack\"`",
            ),
            Why::Buffered | Why::Identifier => {
                Some("it uses `untagged`, `tag` or `flatten`; write `codec = \"msgpack\"`")
            }
            Why::Ignored => {
                Some("it takes a value of any kind, and ignores it; write `codec = \"msgpack\"`")
            }
            Why::Unreached => Some(UNREACHED),
            Why::Beyond => Some(
                "a change of it could not be seen, as the type around it is too large to be looked at as a whole; \
                 write `codec = \"msgpack\"`, or use a `Vec` instead of an array",
            ),
            Why::Panicked => Some(
                "a change of it could not be seen, as the type's `Deserialize` panics; let it return errors instead, \
                 or write `codec = \"msgpack\"`",
            ),
            Why::Untried | Why::Large | Why::Wide => None,
        },
        Node::Struct {
            by_order: false, ..
        } => Some("its fields can only be told by their names; write `codec = \"msgpack\"`"),
        Node::Enum {
            by_number: false, ..
        } => Some("its variants can only be told by their names; write `codec = \"msgpack\"`"),
        _ => None,
    });
    found.map(|(path, why)| {
        let path = without_key(path);
        let before = (why == UNREACHED).then(|| element_before(&path)).flatten();
        let why = before.map_or(Cow::Borrowed(why), |before| {
            let named = format!(
                "field `{before}`, which stands before it, refused every value that was tried"
            );
            Cow::Owned(why.replace("no value is known that could stand before it", &named))
        });
        Refusal { path, why }
    })
}

/// The way to the element before the one at the end of this way, if that is one of a tuple: all elements before it were looked at,
/// so it is the one that let nothing behind it be reached.
fn element_before(path: &str) -> Option<String> {
    let start = path.rfind('.').map_or(0, |dot| dot + 1);
    let index: usize = path[start..].parse().ok()?;
    Some(format!("{}{}", &path[..start], index.checked_sub(1)?))
}

/// `flatten` shows in the keys of the map that its struct is read as, and who wrote the struct knows of no map.
pub(super) fn without_key(path: String) -> String {
    match path.strip_suffix("{key}") {
        Some(of_map) => of_map.to_owned(),
        None => path,
    }
}
