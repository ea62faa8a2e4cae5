//! What is kept as it is takes no more memory than it is weighed with, by counting what is allocated.
//!
//! One test in a program of its own: whatever else runs would be counted as well. What an allocator takes beside what it is asked for isn't
//! counted here, so what is weighed is more.

use std::alloc::System;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::num::ParseIntError;
use std::time::Duration;

use cache_memoize::{Memory, Runtime, cache_memoize};
use cap::Cap;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Room for all of them.
const ROOM: usize = 1 << 30;

/// However busy the machine is: what is given up as late isn't written.
const BUDGET: Duration = Duration::from_secs(600);

#[derive(Clone, Serialize, Deserialize)]
struct Boxed {
    id: u8,
    row: Box<[u64; 32]>,
    note: Option<Box<str>>,
}

#[derive(Clone, Serialize, Deserialize)]
enum Part {
    Nothing,
    Number(u8),
    Row([u64; 16]),
    Named { name: String, age: u8 },
}

#[derive(Clone, Serialize, Deserialize)]
struct Event {
    id: u64,
    at: Date,
}

/// A number of days, written as a text that is longer.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Date(u32);

impl From<Date> for String {
    fn from(date: Date) -> Self {
        format!("{} days after 1970-01-01", date.0)
    }
}

impl TryFrom<String> for Date {
    type Error = ParseIntError;

    fn try_from(text: String) -> Result<Self, ParseIntError> {
        let days = text.split(' ').next().unwrap_or_default();
        days.parse().map(Self)
    }
}

/// As many nodes as it can have: a map that is collected fills each.
fn filled_in_order<K: Ord + TryFrom<usize>, V: Default>(count: usize) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    for key in (0..count).map_while(|key| K::try_from(key).ok()) {
        map.insert(key, V::default());
    }
    map
}

/// Functions of a number that return a value of some thousand parts, and a call of each.
macro_rules! values {
    ($($name:ident($n:ident) -> $Type:ty $body:block)*) => {
        $(#[cache_memoize]
        fn $name($n: usize) -> $Type $body)*

        const VALUES: &[(&str, fn(usize))] = &[$((stringify!($Type), |n| drop($name(n)))),*];
    };
}

values! {
    empty_texts(n) -> Vec<String> { vec![String::new(); 1000 + n] }
    texts(n) -> Vec<String> { (0..1000).map(|i| format!("{i} of {n}")).collect() }
    bytes(n) -> Vec<u8> { vec![1; 5000 + n] }
    numbers(n) -> VecDeque<u64> { (0..1000 + n as u64).collect() }
    options(n) -> Vec<Option<u64>> { (0..1000 + n as u64).map(|i| (i % 2 == 0).then_some(i)).collect() }
    pairs(n) -> Vec<(u8, u64)> { (0..1000 + n as u64).map(|i| (1, i)).collect() }
    lists(n) -> Vec<Vec<u8>> { vec![vec![1]; 1000 + n] }
    empty_lists(n) -> Vec<Vec<u8>> { vec![vec![]; 1000 + n] }
    map(n) -> HashMap<u64, u32> { (0..1000 + n as u64).map(|i| (i, 1)).collect() }
    even_map(n) -> HashMap<u64, u64> { (0..1000 + n as u64).map(|i| (i, 1)).collect() }
    small_maps(n) -> Vec<HashMap<u64, u64>> { vec![HashMap::from([(1, 1)]); 1000 + n] }
    empty_maps(n) -> Vec<HashMap<u8, u8>> { vec![HashMap::new(); 1000 + n] }
    small_sorted_maps(n) -> Vec<BTreeMap<u64, u64>> { vec![BTreeMap::from([(1, 1)]); 1000 + n] }
    map_filled_in_order(n) -> BTreeMap<u64, u64> { filled_in_order(1000 + n) }
    small_map_filled_in_order(n) -> BTreeMap<u16, u16> { filled_in_order(1000 + n) }
    maps_filled_in_order(n) -> Vec<BTreeMap<u64, u64>> { vec![filled_in_order(13); 100 + n] }
    sorted_map(n) -> BTreeMap<String, Vec<u8>> { (0..1000 + n).map(|i| (i.to_string(), vec![])).collect() }
    sorted_set(n) -> BTreeSet<String> { (0..1000 + n).map(|i| format!("a longer text: {i}")).collect() }
    events(n) -> Vec<Event> { vec![Event { id: 1, at: Date(20_000) }; 1000 + n] }
    boxed(n) -> Vec<Boxed> {
        let note = Some("a note".into());
        vec![Boxed { id: 1, row: Box::new([n as u64; 32]), note }; 100]
    }
    box_alone(n) -> Box<[u64; 32]> { Box::new([n as u64; 32]) }
    parts(n) -> Vec<Part> {
        let part = |i: usize| match i % 4 {
            0 => Part::Nothing,
            1 => Part::Number(1),
            2 => Part::Row([n as u64; 16]),
            _ => Part::Named { name: i.to_string(), age: 1 },
        };
        (0..1000 + n).map(part).collect()
    }
}

#[cache_memoize(key = "long:<text>")]
fn of_a_long_text(text: &str) -> u64 {
    text.len() as u64
}

fn of_a_text_of(n: usize) {
    of_a_long_text(&"x".repeat(10_000 + n));
}

/// What `count` values take, and what they weigh; and what is left of them, and of 100 more, once all were removed.
fn measure(store: fn(usize), count: usize) -> (usize, usize, usize) {
    let before = ALLOCATOR.allocated();
    let memory = Memory::new(ROOM);
    let runtime = Runtime::builder()
        .backend(memory.clone())
        .budget(BUDGET)
        .build();
    runtime.expect("valid settings").scope(|| {
        // What there is one of for all, and what is found out of the first values.
        (0..100).for_each(store);
        let (allocated, weighed) = (ALLOCATOR.allocated(), memory.bytes());
        (100..100 + count).for_each(store);
        assert_eq!(memory.len(), 100 + count);
        let takes = ALLOCATOR.allocated() - allocated;
        let weighs = memory.bytes() - weighed;
        memory.clear();
        (takes, weighs, ALLOCATOR.allocated().saturating_sub(before))
    })
}

#[test]
fn a_value_weighs_what_it_takes() {
    let all = VALUES.iter().copied();
    for (what, store) in all.chain([("a long text", of_a_text_of as fn(usize))]) {
        let (takes, weighs, _) = measure(store, 60);
        println!("{what}: 60 of them take {takes} bytes, and weigh {weighs}");
        assert!(takes <= weighs + weighs / 20, "{what} takes more");
        assert!(weighs <= 4 * takes, "{what} takes less");
    }

    // What was removed is freed at once where it is worth it, though the table frees others in batches.
    let (takes, _, left) = measure(|n| drop(numbers(100_000 + n)), 30);
    assert!(takes > 30 * 800_000 && left < 800_000, "{left} of {takes}");
}
