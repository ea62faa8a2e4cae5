//! Texts and fingerprints as they were released: should one change, all entries of such types become misses.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::ops::{Bound, Range};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};

use super::super::trace;
use super::{Codec, Fingerprint, text};

/// The fingerprint with each codec, and the text; where msgpack is told another form, as one that people can read, that too.
macro_rules! golden {
    ($($name:ident: $type:ty => $postcard:literal, $msgpack:literal, $text:literal $(, $of_msgpack:literal)?;)*) => {$(
        #[test]
        fn $name() {
            let texts = [$text $(, $of_msgpack)?];
            let of_msgpack = texts.last().expect("there is one at least");
            is_golden::<$type>(Codec::Postcard, $postcard, $text);
            is_golden::<$type>(Codec::Msgpack, $msgpack, of_msgpack);
        }
    )*};
}

fn is_golden<T: DeserializeOwned>(codec: Codec, fingerprint: &str, text: &str) {
    let shape = trace::<T>(
        codec,
        crate::entry::types::fingerprint::Panics::OF_THIS_BUILD,
    );
    let found = Fingerprint::new(&shape, codec).finish();
    assert_eq!(shape.to_string(), text, "{}", codec.name());
    assert_eq!(format!("{found:016x}"), fingerprint, "{}", codec.name());
}

#[derive(Deserialize)]
struct Unit;

#[derive(Deserialize)]
struct Newtype(#[expect(dead_code)] u8);

#[derive(Deserialize)]
#[serde(transparent)]
struct Transparent {
    #[expect(dead_code)]
    inner: u8,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Pair(u8, String);

#[derive(Deserialize)]
#[expect(dead_code)]
struct User {
    id: u64,
    #[serde(alias = "nick")]
    name: String,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(skip)]
    cached: u32,
    boss: Option<Box<User>>,
}

#[derive(Deserialize)]
#[serde(rename = "renamed", rename_all = "camelCase")]
#[expect(dead_code)]
struct Renamed {
    first_name: u8,
    #[serde(rename = "x")]
    last_name: u8,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code)]
enum Kind {
    Unit,
    Newtype(u8),
    Tuple(u8, Box<Kind>),
    #[serde(alias = "other")]
    Struct {
        x: u8,
        y: Vec<Kind>,
    },
    #[serde(skip)]
    Skipped(u8),
    StructToo {
        x: u16,
    },
}

#[derive(Deserialize)]
enum Never {}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Generic<T> {
    value: T,
}

golden! {
    byte: u8 => "22fbfa3a17a6d084", "8206ecc058fa6e43", "u8";
    text_of_all_kinds: (String, Box<str>, Cow<'static, str>, PathBuf, char) => "c684bbe0f9f43172", "60ad7bb2854983cb", "tuple (str * 4, char)";
    numbers: (i8, i16, i32, i64, i128, u16, u32, u64, u128, f32, f64, usize, NonZeroU8, bool) => "b448f6c6a8998ef4", "0fbfa39bb2e3998b", "tuple (i8, i16, i32, i64, i128, u16, u32, u64, u128, f32, f64, u64, u8, bool)";
    unit: ((), Unit) => "855b7bea2f75e95b", "b7424324380f45d6", r#"tuple (unit, unit "Unit")"#;
    newtypes: (Newtype, Transparent) => "2039f36b0ebf4408", "f6852b833240b61f", r#"tuple (newtype "Newtype" u8, u8)"#;
    pair: Pair => "b1b72bee51e2b11a", "4726c633c3d9266a", r#"tuple "Pair" (u8, str)"#;
    user: User => "841b42d690214886", "3173e9b6a253b1f4", r#"struct "User" {"id": u64, "name"|"nick": str, "tags": [str], "boss": option #0}"#;
    renamed: Renamed => "f4c2465236827174", "00cd1031e760f914", r#"struct "renamed" {"firstName": u8, "x": u8}"#;
    kind: Kind => "0d4a31a5e75a7e4a", "c5b3024a5cc167b0", r#"enum "Kind" {"unit", "newtype": newtype u8, "tuple": tuple (u8, #0), "other"|"struct": struct {"x": u8, "y": [#0]}, "struct_too": struct {"x": u16}}"#;
    never: Option<Never> => "10dc4ce3d7c76acf", "86cf65f8c31ba4d2", r#"option enum "Never" {}"#;
    generic: (Generic<u8>, Generic<Generic<char>>) => "37cf447d5c5a1779", "02bc2499f49ad6fc", r#"tuple (struct "Generic" {"value": u8}, struct "Generic" {"value": struct "Generic" {"value": char}})"#;
    lists: (Vec<u8>, BTreeSet<u8>, [u8; 32], [[u16; 2]; 2]) => "93f40f213302e126", "30a1953b7d999863", "tuple ([u8] * 2, tuple (u8 * 32), tuple (tuple (u16 * 2) * 2))";
    maps: (BTreeMap<String, u8>, HashMap<u8, Vec<User>>) => "267f9e29fa9b1a08", "a7eac2886b6bbb68", r#"tuple (map {str: u8}, map {u8: [struct "User" {"id": u64, "name"|"nick": str, "tags": [str], "boss": option #4}]})"#;
    results: Result<Option<u8>, String> => "f9532ff2df1ddae7", "7371169d8839a351", r#"enum "Result" {"Ok": newtype option u8, "Err": newtype str}"#;
    addresses: (IpAddr, SocketAddr) => "68b09d1bf189077c", "7528098d247d88ce", r#"tuple (enum "IpAddr" {"V4": newtype tuple (u8 * 4), "V6": newtype tuple (u8 * 16)}, enum "SocketAddr" {"V4": newtype tuple (#2, u16), "V6": newtype tuple (#3, u16)})"#, "tuple (str * 2)";
    times: (Duration, SystemTime) => "d80fb3a9f5afcd6e", "49b9e14343357772", r#"tuple (struct "Duration" {"secs": u64, "nanos": u32}, struct "SystemTime" {"secs_since_epoch": u64, "nanos_since_epoch": u32})"#;
    ranges: (Range<u8>, Bound<u8>) => "27a35cc365eb8606", "34c61ba6e4bb7c58", r#"tuple (struct "Range" {"start": u8, "end": u8}, enum "Bound" {"Unbounded", "Included": newtype u8, "Excluded": newtype u8})"#;
}

// What they look like is up to these crates, and may change with a release of one: all such entries are misses then.
golden! {
    dates_of_chrono: (chrono::NaiveDate, chrono::NaiveTime, chrono::NaiveDateTime, u16) => "d597044cfaa7eea9", "02abbb506e6fe0a3", "tuple (str * 3, u16)";
    instants_of_chrono: (chrono::DateTime<chrono::Utc>, chrono::DateTime<chrono::FixedOffset>, u16) => "2c996adea6434511", "884117fddd899ff7", "tuple (str * 2, u16)";
    parts_of_chrono: (chrono::TimeDelta, chrono::Weekday, chrono::Month, u16) => "33e7c9a82ab73299", "f436e67f516403aa", "tuple (tuple (i64, i32), str * 2, u16)";
    dates_of_time: (time::Date, time::Time, time::PrimitiveDateTime, u16) => "54be93daeb00ad9a", "750a409a7702db73", "tuple (tuple (i32, u16), tuple (u8 * 3, u32), tuple (i32, u16, u8 * 3, u32), u16)";
    instants_of_time: (time::OffsetDateTime, time::UtcDateTime, time::UtcOffset, u16) => "75bf7a313aff3b44", "d8427f0535037137", "tuple (tuple (i32, u16, u8 * 3, u32, i8 * 3), tuple (i32, u16, u8 * 3, u32), tuple (i8 * 3), u16)";
    parts_of_time: (time::Duration, time::Weekday, time::Month, u16) => "425fcc074154b3ff", "c06ff7d3efef8c69", "tuple (tuple (i64, i32), u8 * 2, u16)";
    dates_of_jiff: (jiff::civil::Date, jiff::civil::Time, jiff::civil::DateTime, u16) => "d597044cfaa7eea9", "02abbb506e6fe0a3", "tuple (str * 3, u16)";
    instants_of_jiff: (jiff::Timestamp, jiff::Zoned, u16) => "2c996adea6434511", "884117fddd899ff7", "tuple (str * 2, u16)";
    parts_of_jiff: (jiff::SignedDuration, jiff::Span, u16) => "2c996adea6434511", "884117fddd899ff7", "tuple (str * 2, u16)";
    uuids: (uuid::Uuid, uuid::NonNilUuid, u16) => "4bf334e7ccacc4bf", "884117fddd899ff7", "tuple (bytes * 2, u16)", "tuple (str * 2, u16)";
    urls: (url::Url, u16) => "8e888fc68d600223", "1ce6465f4f8e4331", "tuple (str, u16)";
    decimals: (rust_decimal::Decimal, u16) => "8e888fc68d600223", "1ce6465f4f8e4331", "tuple (str, u16)";
    texts_of_bytes: (serde_bytes::ByteBuf, serde_bytes::ByteArray<5>, bytes::Bytes, u16) => "385ced4d0eaeccd0", "750bb9067c3aea17", "tuple (bytes * 3, u16)";
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
#[expect(dead_code)]
enum Tagged {
    Number { value: u8 },
    Nothing,
}

#[derive(Deserialize)]
#[serde(tag = "kind", content = "value")]
#[expect(dead_code)]
enum Adjacent {
    Number(u8),
    Nothing,
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Flattened {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

/// Refuses all samples.
struct Picky;

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refused = || D::Error::custom("it is another text");
        (text == "what nobody guesses")
            .then_some(Self)
            .ok_or_else(refused)
    }
}

/// What is unseen has Rust's names and sizes instead, which compilers and crates may change; what is around them must not.
#[cfg(target_pointer_width = "64")]
#[test]
fn what_is_unseen_says_why() {
    let texts = [
        (
            text::<Untagged>(),
            r#"any "memoize_runtime::entry::types::fingerprint::tests::golden::Untagged" 24/8"#,
        ),
        (
            text::<Tagged>(),
            r#"any "memoize_runtime::entry::types::fingerprint::tests::golden::Tagged" 2/1"#,
        ),
        (
            text::<Adjacent>(),
            r#"struct "Adjacent" {"kind": enum "Adjacent" {"Number", "Nothing"}, "value": buffered "memoize_runtime::entry::types::fingerprint::tests::golden::Adjacent" 2/1}"#,
        ),
        (
            text::<Flattened>(),
            r#"map {identifier "memoize_runtime::entry::types::fingerprint::tests::golden::Flattened" 32/8: buffered "memoize_runtime::entry::types::fingerprint::tests::golden::Flattened" 32/8}"#,
        ),
        (
            text::<Option<serde_json::Value>>(),
            r#"option any "core::option::Option<serde_json::value::Value>" 32/8"#,
        ),
        (
            text::<Vec<IgnoredAny>>(),
            r#"[ignored "serde_core::de::ignored_any::IgnoredAny" 0/1]"#,
        ),
        (
            text::<(Picky, u8, u16)>(),
            r#"tuple (str, unreached "(memoize_runtime::entry::types::fingerprint::tests::golden::Picky, u8, u16)" 4/2 * 2)"#,
        ),
        (
            text::<Option<[[[u64; 32]; 32]; 16]>>(),
            r#"large "core::option::Option<[[[u64; 32]; 32]; 16]>" 131080/8"#,
        ),
    ];
    for (text, golden) in texts {
        assert_eq!(text, golden);
    }
}
