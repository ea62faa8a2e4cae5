//! Any bytes as values of a dozen types, in both codecs.

#![no_main]

use std::collections::{BTreeMap, BTreeSet};

use libfuzzer_sys::fuzz_target;
use memoize_runtime::fuzzing::decode;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Record {
    id: u64,
    name: String,
    tags: Vec<String>,
    parent: Option<Box<Record>>,
    place: (f32, f64),
}

#[derive(Serialize, Deserialize)]
enum Tree {
    Leaf,
    Number(i128),
    Node(Vec<Tree>),
    Pair { left: Box<Tree>, right: Box<Tree> },
}

#[derive(Serialize, Deserialize)]
struct Unit;

#[derive(Serialize, Deserialize)]
struct Newtype(char);

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    match kind % 12 {
        0 => decode::<u64>(data),
        1 => decode::<(i8, u16, i32, i128, bool)>(data),
        2 => decode::<String>(data),
        3 => decode::<Vec<u8>>(data),
        4 => decode::<Vec<()>>(data),
        5 => decode::<Option<Result<Unit, Newtype>>>(data),
        6 => decode::<Record>(data),
        7 => decode::<Tree>(data),
        8 => decode::<BTreeMap<String, Vec<Option<i64>>>>(data),
        9 => decode::<BTreeSet<(u8, String)>>(data),
        10 => decode::<[Vec<Newtype>; 3]>(data),
        _ => decode::<Vec<Vec<Vec<Unit>>>>(data),
    }
});
