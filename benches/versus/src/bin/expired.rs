//! When the memory of entries is back that expired and that nobody asks for, by counting what is allocated. A program of its own, as
//! counting takes time.
//!
//! `expired COUNT SECONDS` waits for so long at the most, and prints lines of a name and a number.

use std::alloc::System;
use std::env;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::{Memo, Memory, Runtime};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Long enough for all of them to be there at one time.
const LIFE: Duration = Duration::from_secs(10);

fn main() {
    let mut numbers = env::args()
        .skip(1)
        .map(|number| number.parse().expect("a number"));
    let (Some(count), Some(seconds)) = (numbers.next(), numbers.next()) else {
        panic!("`expired COUNT SECONDS` takes two numbers");
    };
    let patience = Duration::from_secs(u64::from(seconds));
    let runtime = Runtime::builder().backend(Memory::new(2 << 30));
    let runtime = runtime.build().expect("valid settings");
    let store = |index: u32| {
        let memo = Memo::new(("key", index)).expiration(LIFE);
        memo.get_or_compute(|| index)
    };
    runtime.scope(|| store(0));
    let before = ALLOCATOR.allocated();
    runtime.scope(|| (1..=count).for_each(|index| assert_eq!(store(index), index)));
    let kept = || ALLOCATOR.allocated().saturating_sub(before);
    let (grown, expire) = (kept(), Instant::now() + LIFE);
    thread::sleep(LIFE);
    while kept() > grown / 10 && expire.elapsed() < patience {
        thread::sleep(Duration::from_millis(100));
    }
    println!("grown {grown}\nkept {}\nresident {}", kept(), resident());
    if kept() <= grown / 10 {
        println!("seconds {}", expire.elapsed().as_secs_f64());
    }
}

fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
