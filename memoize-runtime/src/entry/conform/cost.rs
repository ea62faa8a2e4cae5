//! What following the shape costs a write: `cargo test --release -p memoize-runtime --lib conform::cost -- --ignored --nocapture`.
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::fingerprint::trace;
use super::*;

#[derive(Clone, Serialize, Deserialize)]
struct Small {
    id: u64,
    name: String,
    active: bool,
    score: f64,
    tag: Option<u16>,
}

/// The least of many short rounds of `times` each, taken in turn.
fn compare(times: u32, mut one: impl FnMut(), mut other: impl FnMut()) -> (Duration, Duration) {
    let mut least = (Duration::MAX, Duration::MAX);
    for _ in 0..200 {
        let start = Instant::now();
        (0..times).for_each(|_| one());
        least.0 = least.0.min(start.elapsed() / times);
        let start = Instant::now();
        (0..times).for_each(|_| other());
        least.1 = least.1.min(start.elapsed() / times);
    }
    least
}

#[test]
#[ignore = "a measurement"]
fn cost() {
    let small = Small {
        id: 1 << 40,
        name: "a name of a user".into(),
        active: true,
        score: 0.5,
        tag: Some(3),
    };
    measure("a small struct", 1_000, &small);
    measure("1,000 of them", 10, &vec![small; 1_000]);
    measure("10,000 numbers", 10, &(0..10_000_u64).collect::<Vec<_>>());
}

fn measure<T: Serialize + serde::de::DeserializeOwned>(what: &str, times: u32, value: &T) {
    let shape = trace::<T>();
    let (mut plain, mut watched) = (Vec::new(), Vec::new());
    let (bare, checked) = compare(
        times,
        || {
            plain.clear();
            Codec::Postcard
                .encode(black_box(value), &mut plain)
                .expect("it can be encoded");
        },
        || {
            watched.clear();
            let watch = Watch::new(&shape, Codec::Postcard);
            Codec::Postcard
                .encode(&watch.over(black_box(value)), &mut watched)
                .expect("it is read as it is written");
        },
    );
    assert_eq!(plain, watched);
    println!("{what}: {bare:?} bare, {checked:?} watched");
}
