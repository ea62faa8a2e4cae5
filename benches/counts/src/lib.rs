//! What is counted: calls of memoized functions. The counting is in `benches/counts.rs`.

use std::hint::black_box;
use std::sync::Arc;
use std::vec;

use cache_memoize::{Memo, cache_memoize};
use serde::{Deserialize, Serialize};

/// Each count is one of so many calls, so that what differs from run to run, as the seeds of hashes do, is little of it.
pub const CALLS: u64 = 1000;

pub const ROWS: u32 = 1000;

/// Bytes of a large value.
pub const LARGE: usize = 16 << 20;

#[cache_memoize(key = "square:<n>")]
fn square(n: u64) -> u64 {
    n * n
}

#[cache_memoize(key = "greet:<name>")]
fn greet(name: &str) -> String {
    format!("Hello, {name}, and welcome")
}

#[cache_memoize(key = "shared:<n>")]
fn shared(n: u64) -> Arc<Vec<u64>> {
    Arc::new((n..n + 16).collect())
}

#[cache_memoize(key = "user:<id>", encrypt)]
fn user(id: u64) -> (u64, String, bool) {
    (id, "Ada Lovelace".to_owned(), true)
}

#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    id: u32,
    name: String,
    city: String,
    amount: i32,
    active: bool,
}

pub fn rows() -> Vec<Row> {
    let row = |id: u32| Row {
        id,
        name: format!("name {id:06}"),
        city: format!("city {}", id % 100),
        amount: id.wrapping_mul(7919).cast_signed() % 1_000_000,
        active: id.is_multiple_of(3),
    };
    (0..ROWS).map(row).collect()
}

pub fn hit_u64() {
    for _ in 0..CALLS {
        black_box(square(black_box(7)));
    }
}

pub fn hit_str() {
    for _ in 0..CALLS {
        black_box(greet(black_box("Ada Lovelace")));
    }
}

pub fn hit_arc() {
    for _ in 0..CALLS {
        black_box(shared(black_box(7)));
    }
}

pub fn hit_sealed() {
    for _ in 0..CALLS {
        black_box(user(black_box(7)));
    }
}

/// Keys from `first` on, which are to be new.
pub fn misses(first: u64) {
    for n in 0..CALLS {
        black_box(square(black_box(first + n)));
    }
}

/// Takes several chunks.
#[cache_memoize(key = "large", encrypt)]
fn bytes() -> Vec<u8> {
    vec![7; LARGE]
}

pub fn large() {
    black_box(bytes());
}

pub fn forget_large() {
    assert!(bytes::invalidate());
}

/// What is done once, at the first call, belongs to no count.
pub fn warm() {
    square(7);
    greet("Ada Lovelace");
    shared(7);
    user(7);
}

fn memo(sealed: bool) -> Memo {
    let memo = Memo::new(("rows", sealed)).compress(sealed);
    if sealed { memo.encrypt() } else { memo }
}

pub fn write(sealed: bool, source: vec::IntoIter<Row>) {
    memo(sealed)
        .iter(|| source)
        .for_each(|row| drop(black_box(row)));
}

pub fn forget(sealed: bool) {
    memo(sealed).invalidate();
}

pub fn read(sealed: bool) {
    let never = || -> vec::IntoIter<Row> { panic!("it was written") };
    memo(sealed)
        .iter(never)
        .for_each(|row| drop(black_box(row)));
}

/// A stream of another key first, so that the type is known.
pub fn before_writing(sealed: bool) -> (bool, vec::IntoIter<Row>) {
    write(!sealed, rows().into_iter());
    (sealed, rows().into_iter())
}

pub fn before_reading(sealed: bool) -> bool {
    write(sealed, rows().into_iter());
    read(sealed);
    sealed
}
