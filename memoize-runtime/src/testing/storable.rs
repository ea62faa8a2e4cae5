//! Whether a type can be stored, and a value of it, as a test of the type asks.

use std::convert::identity;

use crate::Cacheable;
use crate::backend::Deadline;
use crate::entry::{Codec, Panics, Refusal, StoredType, shape_of, shape_where};

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
/// It looks at `Deserialize` alone. What is written, and comes back, is seen by [`storable_value`] only. It answers for programs whose
/// panics unwind, as those of tests do; for others there is [`storable_where_panics_abort`].
///
/// # Errors
/// The field that can't be stored, why, and what to write instead, as the log has it.
///
/// # Panics
/// Where there is no such codec, or this build is without the feature `msgpack`.
pub fn storable<T: Cacheable>(codec: &str) -> Result<(), String> {
    held(StoredType::of::<T>(named(codec)))
}

/// Whether this `value` can be stored with this `codec`: it is written, held against what its type reads, and read back, as a
/// function's first value is. So it sees a field that `skip_serializing_if` leaves out, and a `Serialize` and `Deserialize` that
/// disagree about this value.
///
/// ```
/// use cache_memoize::testing::{storable, storable_value};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct User { id: u64, #[serde(skip_serializing_if = "Option::is_none")] email: Option<String> }
///
/// assert_eq!(storable::<User>("postcard"), Ok(()));
/// let user = User { id: 7, email: None };
/// assert!(storable_value(&user, "postcard").unwrap_err().contains("`skip_serializing_if` left it out"));
/// ```
///
/// # Errors
/// The field that can't be stored, why, and what to write instead, as the log has it.
///
/// # Panics
/// As [`storable`].
pub fn storable_value<T: Cacheable>(value: &T, codec: &str) -> Result<(), String> {
    let codec = named(codec);
    // One that was proved would not read the value back.
    let stored = shape_of::<T>(codec).map(|shape| StoredType::new(shape, codec, identity));
    let stored = stored.as_ref().unwrap_or(StoredType::unstored());
    held(stored)?;
    stored
        .encode(value, &mut Vec::new(), &|| Deadline::NEVER)
        .map_err(|fault| {
            let refusal = Refusal {
                path: fault.path().to_owned(),
                why: fault.why().into(),
            };
            refusal.to_string()
        })
}

/// As [`storable`], for a program that is built with `panic = "abort"`, where less can be found out about a type: cargo builds tests
/// without it, whatever the profile says.
///
/// # Errors
/// As [`storable`].
///
/// # Panics
/// As [`storable`].
pub fn storable_where_panics_abort<T: Cacheable>(codec: &str) -> Result<(), String> {
    let codec = named(codec);
    let shape = shape_where::<T>(codec, Panics::Abort);
    let stored = shape.map(|shape| StoredType::new(shape, codec, identity));
    held(stored.as_ref().unwrap_or(StoredType::unstored()))
}

fn held(stored: &StoredType) -> Result<(), String> {
    stored
        .refusal()
        .map_or(Ok(()), |refusal| Err(refusal.to_string()))
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

    #[cfg(feature = "msgpack")]
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Behind(Order, u8);

    #[test]
    #[cfg(feature = "msgpack")]
    fn where_panics_abort_less_is_held() {
        assert_eq!(storable::<Behind>("msgpack"), Ok(()));
        let refused =
            storable_where_panics_abort::<Behind>("msgpack").expect_err("none is tried out");
        assert!(refused.starts_with("field `1`: "), "{refused}");
        assert_eq!(storable_where_panics_abort::<Order>("msgpack"), Ok(()));
        assert_eq!(
            storable_where_panics_abort::<(Option<Order>, u8)>("msgpack"),
            Ok(())
        );
    }

    /// Is no inverse, but for zero.
    #[derive(serde::Deserialize)]
    struct Negated(i8);

    impl serde::Serialize for Negated {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct("Negated", &-self.0)
        }
    }

    #[test]
    fn each_value_is_read_back() {
        for _ in 0..2 {
            assert_eq!(storable_value(&vec![Negated(0)], "postcard"), Ok(()));
            let refused =
                storable_value(&vec![Negated(1)], "postcard").expect_err("it comes back as -1");
            assert!(refused.contains("it was another value"), "{refused}");
        }
        let refused = storable_value(&Price::Number(1), "postcard").expect_err("no value is");
        assert!(refused.contains("codec = \"msgpack\""), "{refused}");
    }

    #[test]
    #[should_panic(expected = "there is no codec")]
    fn a_codec_has_to_exist() {
        let _ = storable::<u8>("json");
    }
}
