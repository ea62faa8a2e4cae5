//! Whether a type can be stored, as a test of the type asks.

use crate::Cacheable;
use crate::entry::{Codec, StoredType};

/// Whether values of `T` can be stored with this `codec`, `"postcard"` or `"msgpack"`, as the attribute has it. It is what a
/// function that returns a `T` finds out at its first call.
///
/// ```
/// use cache_memoize::testing::storable;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Order { id: u64, #[serde(flatten)] rest: Rest }
///
/// #[derive(Serialize, Deserialize)]
/// struct Rest { total: u64 }
///
/// assert_eq!(storable::<Rest>("postcard"), Ok(()));
/// assert!(storable::<Order>("postcard").unwrap_err().contains("write `codec = \"msgpack\"`"));
/// ```
///
/// What depends on the value is not seen here, such as a field that `skip_serializing_if` leaves out: call the function in
/// [`recorded`](super::recorded()), and look for [`Event::Unstorable`](super::Event::Unstorable).
///
/// # Errors
/// The field that can't be stored, why, and what to write instead, as the log has it.
///
/// # Panics
/// Where there is no such codec, or this build is without the feature `msgpack`.
pub fn storable<T: Cacheable>(codec: &str) -> Result<(), String> {
    let refusal = StoredType::of::<T>(named(codec)).refusal();
    refusal.map_or(Ok(()), |refusal| Err(refusal.to_string()))
}

fn named(codec: &str) -> Codec {
    match codec {
        "postcard" => Codec::Postcard,
        "msgpack" if cfg!(feature = "msgpack") => Codec::Msgpack,
        "msgpack" => panic!("this build has no `msgpack`; enable the feature of that name"),
        _ => panic!("there is no codec of that name; write `postcard` or `msgpack`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Order {
        id: u8,
        price: Price,
    }

    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(untagged)]
    enum Price {
        Number(u64),
        Text(String),
    }

    #[test]
    fn the_field_is_told() {
        assert_eq!(storable::<(u8, String)>("postcard"), Ok(()));
        let refused = storable::<Order>("postcard").expect_err("a part is `untagged`");
        assert!(refused.starts_with("field `price`: "), "{refused}");
        let refused = storable::<Price>("postcard").expect_err("it is `untagged`");
        assert!(refused.starts_with("the value itself: "), "{refused}");
    }

    #[test]
    #[cfg(feature = "msgpack")]
    fn the_other_codec_holds_it() {
        assert_eq!(storable::<Order>("msgpack"), Ok(()));
    }

    #[test]
    #[should_panic(expected = "there is no codec")]
    fn a_codec_has_to_exist() {
        let _ = storable::<u8>("json");
    }
}
