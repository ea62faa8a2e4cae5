//! Values to bytes and back, with postcard.
//!
//! The user's `Serialize` and `Deserialize` run in here, on behalf of a function that must not fail because
//! of the cache. So a panic in them ends here (where panics unwind), and an error is nothing but that:
//! its text may quote the value, and does not leave this module.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::bounded::Budget;
use super::reject::Reject;
use crate::guard::guard;

/// The value cannot be encoded: its `Serialize` failed or panicked, or is not for a binary format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodecError;

/// Appends the encoded `value` to `out`.
///
/// # Errors
///
/// [`CodecError`]; `out` is then as it was.
pub(crate) fn encode<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let start = out.len();
    let encoded = guard(|| postcard::serialize_with_flavor(value, Append(out)));
    if let Some(Ok(())) = encoded {
        return Ok(());
    }
    // A panic may have left the start of a value.
    out.truncate(start);
    Err(CodecError)
}

/// The value that `bytes` encode, all of them.
///
/// The bytes may be anyone's. What decoding them takes is in proportion to their number, see
/// [`bounded`](super::bounded). A value of more than 128 options, enums, sequences, and maps within one
/// another can be encoded but not decoded: such an entry is always a miss.
///
/// # Errors
///
/// `Undecodable`, also where the value's `Deserialize` panics.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reject> {
    let mut decoded = Err(Reject::Undecodable);
    guard(|| {
        let budget = Budget::new(bytes.len());
        let mut postcard = postcard::Deserializer::from_bytes(bytes);
        if let Ok(value) = T::deserialize(budget.bound(&mut postcard))
            && postcard.finalize().is_ok_and(<[u8]>::is_empty)
        {
            decoded = Ok(value);
        }
    });
    decoded
}

/// Appends postcard's output to a buffer that holds the start of an entry. Postcard's own flavor would take the buffer
/// by value, and a panic would then take it along.
struct Append<'out>(&'out mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        // Most pieces are a few bytes of one integer: a call of `memcpy` for each, which is what `extend_from_slice` makes,
        // takes three times as long on a list of integers, and wins nothing on long strings.
        self.0.extend(data.iter().copied());
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::fmt::Debug;
    use std::net::IpAddr;
    use std::time::Duration;

    use proptest::prelude::*;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Unit;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Newtype(Option<u16>);

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Pair(String, ());

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Unit,
        Newtype(Box<Kind>),
        Tuple(i64, Option<Box<Kind>>),
        Struct {
            many: Vec<Kind>,
            by_name: BTreeMap<String, Kind>,
        },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Everything {
        integers: (u8, u16, u32, u64, u128, i8, i16, i32, i64, i128),
        floats: (f32, f64),
        text: (char, String, Box<str>),
        flag: bool,
        unit: Unit,
        newtype: Newtype,
        pair: Pair,
        kind: Kind,
        nested: Option<Vec<Option<Vec<u32>>>>,
        map: HashMap<(u8, bool), Vec<String>>,
        set: HashSet<i16>,
        array: [u8; 16],
        result: Result<u8, String>,
        time: Duration,
    }

    fn few<S: Strategy>(element: S) -> impl Strategy<Value = Vec<S::Value>> {
        prop::collection::vec(element, 0..4)
    }

    fn kind() -> impl Strategy<Value = Kind> {
        let leaf = Just(Kind::Unit);
        leaf.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                inner.clone().prop_map(|kind| Kind::Newtype(Box::new(kind))),
                (any::<i64>(), prop::option::of(inner.clone()))
                    .prop_map(|(number, kind)| Kind::Tuple(number, kind.map(Box::new))),
                (
                    few(inner.clone()),
                    prop::collection::btree_map(any::<String>(), inner, 0..3)
                )
                    .prop_map(|(many, by_name)| Kind::Struct { many, by_name }),
            ]
        })
    }

    fn everything() -> impl Strategy<Value = Everything> {
        (
            any::<(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128)>(),
            any::<((f32, f64), (char, String, Box<str>))>(),
            any::<(bool, Option<u16>, String)>(),
            kind(),
            prop::option::of(few(prop::option::of(few(any::<u32>())))),
            (
                prop::collection::hash_map(any::<(u8, bool)>(), few(any::<String>()), 0..4),
                any::<HashSet<i16>>(),
            ),
            any::<[u8; 16]>(),
            any::<(Result<u8, String>, Duration)>(),
        )
            .prop_map(
                |(
                    integers,
                    (floats, text),
                    (flag, inner, name),
                    kind,
                    nested,
                    (map, set),
                    array,
                    (result, time),
                )| {
                    Everything {
                        integers,
                        floats,
                        text,
                        flag,
                        unit: Unit,
                        newtype: Newtype(inner),
                        pair: Pair(name, ()),
                        kind,
                        nested,
                        map,
                        set,
                        array,
                        result,
                        time,
                    }
                },
            )
    }

    fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(value, &mut bytes).expect("the value is one that postcard holds");
        bytes
    }

    fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        assert_eq!(decode(&encoded(&value)), Ok(value));
    }

    /// What no hostile bytes may do is panic here or not come back; a value is as good as a refusal.
    fn withstands<T: DeserializeOwned>(bytes: &[u8]) {
        let _ = decode::<T>(bytes);
    }

    #[test]
    fn the_bytes_are_postcards() {
        let mut out = b"before".to_vec();
        encode(&("alice", 42_u8), &mut out).expect("a tuple can be encoded");
        assert_eq!(out, b"before\x05alice\x2a");
    }

    #[test]
    fn single_values_survive() {
        survives(());
        survives(true);
        survives(u128::MAX);
        survives(i128::MIN);
        survives('ß');
        survives(f64::NEG_INFINITY);
        survives(String::from("text"));
        survives(Some(None::<u8>));
        survives(vec![(); 1000]);
        survives([[(); 30]; 30]);
        // Binary formats get four bytes of an address, others its text.
        assert_eq!(encoded(&IpAddr::from([1, 2, 3, 4])), [0, 1, 2, 3, 4]);
        survives(IpAddr::from([1, 2, 3, 4]));
    }

    /// Fails or panics as it says, in either direction.
    struct Broken {
        panics: bool,
    }

    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            assert!(!self.panics, "secret");
            Err(serde::ser::Error::custom("secret"))
        }
    }

    impl<'de> Deserialize<'de> for Broken {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            assert!(!bool::deserialize(deserializer)?, "secret");
            Err(serde::de::Error::custom("secret"))
        }
    }

    #[test]
    fn a_failing_value_leaves_the_output_as_it_was() {
        for panics in [false, true] {
            let mut out = b"before".to_vec();
            assert_eq!(
                encode(&("text", Broken { panics }), &mut out),
                Err(CodecError)
            );
            assert_eq!(out, b"before");
        }
    }

    #[test]
    fn a_failing_deserialize_is_a_reason_like_any_other() {
        assert!(matches!(decode::<Broken>(&[0]), Err(Reject::Undecodable)));
        assert!(matches!(decode::<Broken>(&[1]), Err(Reject::Undecodable)));
    }

    proptest! {
        #[test]
        fn every_shape_survives(value in everything()) {
            prop_assert_eq!(decode(&encoded(&value)), Ok(value));
        }

        #[test]
        fn a_cut_value_is_refused(value in everything(), len: prop::sample::Index) {
            let bytes = encoded(&value);
            let cut = &bytes[..len.index(bytes.len())];
            prop_assert_eq!(decode::<Everything>(cut), Err(Reject::Undecodable));
        }

        #[test]
        fn a_longer_value_is_refused(value in everything(), more in prop::collection::vec(any::<u8>(), 1..9)) {
            let mut bytes = encoded(&value);
            bytes.extend(more);
            prop_assert_eq!(decode::<Everything>(&bytes), Err(Reject::Undecodable));
        }

        #[test]
        fn changed_bytes_withstand(value in everything(), at: prop::sample::Index, to: u8) {
            let mut bytes = encoded(&value);
            let at = at.index(bytes.len());
            bytes[at] = to;
            withstands::<Everything>(&bytes);
        }

        #[test]
        fn any_bytes_withstand(bytes: Vec<u8>) {
            withstands::<Everything>(&bytes);
            withstands::<Kind>(&bytes);
            withstands::<Vec<Kind>>(&bytes);
            withstands::<HashMap<String, Vec<Kind>>>(&bytes);
            withstands::<BTreeMap<u8, Option<Box<str>>>>(&bytes);
            withstands::<Vec<Vec<Vec<()>>>>(&bytes);
            withstands::<(char, String, f32, f64)>(&bytes);
            withstands::<(u128, i128, bool)>(&bytes);
            withstands::<Result<Duration, IpAddr>>(&bytes);
            withstands::<HashSet<Option<i64>>>(&bytes);
            withstands::<Option<std::path::PathBuf>>(&bytes);
            withstands::<[Option<std::ffi::CString>; 4]>(&bytes);
            withstands::<std::time::SystemTime>(&bytes);
        }
    }
}
