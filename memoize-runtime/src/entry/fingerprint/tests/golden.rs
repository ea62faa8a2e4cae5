//! Texts and fingerprints as they were released: should one change, all entries of such types become misses.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::ops::{Bound, Range};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::{fingerprint, text};

macro_rules! golden {
    ($($name:ident: $type:ty => $fingerprint:literal, $text:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(text::<$type>(), $text);
            assert_eq!(format!("{:016x}", fingerprint::<$type>()), $fingerprint);
        }
    )*};
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
    byte: u8 => "22fbfa3a17a6d084", "u8";
    text_of_all_kinds: (String, Box<str>, Cow<'static, str>, PathBuf, char) => "c684bbe0f9f43172", "tuple (str * 4, char)";
    numbers: (i8, i16, i32, i64, i128, u16, u32, u64, u128, f32, f64, usize, NonZeroU8, bool) => "b448f6c6a8998ef4", "tuple (i8, i16, i32, i64, i128, u16, u32, u64, u128, f32, f64, u64, u8, bool)";
    unit: ((), Unit) => "855b7bea2f75e95b", r#"tuple (unit, unit "Unit")"#;
    newtypes: (Newtype, Transparent) => "2039f36b0ebf4408", r#"tuple (newtype "Newtype" u8, u8)"#;
    pair: Pair => "b1b72bee51e2b11a", r#"tuple "Pair" (u8, str)"#;
    user: User => "841b42d690214886", r#"struct "User" {"id": u64, "name"|"nick": str, "tags": [str], "boss": option #0}"#;
    renamed: Renamed => "f4c2465236827174", r#"struct "renamed" {"firstName": u8, "x": u8}"#;
    kind: Kind => "0d4a31a5e75a7e4a", r#"enum "Kind" {"unit", "newtype": newtype u8, "tuple": tuple (u8, #0), "other"|"struct": struct {"x": u8, "y": [#0]}, "struct_too": struct {"x": u16}}"#;
    never: Option<Never> => "10dc4ce3d7c76acf", r#"option enum "Never" {}"#;
    generic: (Generic<u8>, Generic<Generic<char>>) => "37cf447d5c5a1779", r#"tuple (struct "Generic" {"value": u8}, struct "Generic" {"value": struct "Generic" {"value": char}})"#;
    lists: (Vec<u8>, BTreeSet<u8>, [u8; 32], [[u16; 2]; 2]) => "93f40f213302e126", "tuple ([u8] * 2, tuple (u8 * 32), tuple (tuple (u16 * 2) * 2))";
    maps: (BTreeMap<String, u8>, HashMap<u8, Vec<User>>) => "267f9e29fa9b1a08", r#"tuple (map {str: u8}, map {u8: [struct "User" {"id": u64, "name"|"nick": str, "tags": [str], "boss": option #4}]})"#;
    results: Result<Option<u8>, String> => "f9532ff2df1ddae7", r#"enum "Result" {"Ok": newtype option u8, "Err": newtype str}"#;
    addresses: (IpAddr, SocketAddr) => "68b09d1bf189077c", r#"tuple (enum "IpAddr" {"V4": newtype tuple (u8 * 4), "V6": newtype tuple (u8 * 16)}, enum "SocketAddr" {"V4": newtype tuple (#2, u16), "V6": newtype tuple (#3, u16)})"#;
    times: (Duration, SystemTime) => "d80fb3a9f5afcd6e", r#"tuple (struct "Duration" {"secs": u64, "nanos": u32}, struct "SystemTime" {"secs_since_epoch": u64, "nanos_since_epoch": u32})"#;
    ranges: (Range<u8>, Bound<u8>) => "27a35cc365eb8606", r#"tuple (struct "Range" {"start": u8, "end": u8}, enum "Bound" {"Unbounded", "Included": newtype u8, "Excluded": newtype u8})"#;
}
