//! What an entry takes, by counting what is allocated, beside what the store takes it for. A program of its own, as counting takes time.
//!
//! Tables double, so it varies with how many entries there are.

use std::alloc::System;

use cache_memoize::{Memo, Memory, Runtime, cache_memoize};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const COUNTS: [usize; 5] = [3_000, 40_000, 60_000, 131_000, 1_000_000];

#[cache_memoize(key = "number:<n>")]
fn number(n: usize) -> usize {
    n
}

#[cache_memoize(key = "text:<name>")]
fn text(name: &str) -> String {
    format!("{name:>100}")
}

fn bytes(n: usize) -> usize {
    Memo::new(("bytes", n)).get_or_compute(|| n)
}

fn main() {
    measure("u64 -> u64", |n| _ = number(n));
    measure("&str -> String", |n| drop(text(&n.to_string())));
    measure("u64 as bytes", |n| _ = bytes(n));
}

fn measure(what: &str, store: impl Fn(usize)) {
    for count in COUNTS {
        let memory = Memory::new(4 << 30);
        let runtime = Runtime::builder().backend(memory.clone());
        runtime.build().expect("valid settings").scope(|| {
            // What there is one of for all.
            store(0);
            let before = (ALLOCATOR.allocated(), memory.bytes());
            (1..=count).for_each(&store);
            let takes = (ALLOCATOR.allocated() - before.0) / count;
            let weighs = (memory.bytes() - before.1) / count;
            println!("{what}, {count} of them: each takes {takes} bytes, and weighs {weighs}");
        });
    }
}
