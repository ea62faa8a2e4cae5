//! Which threads there are: a binary of its own, since it counts those of the whole process.
#![cfg(target_os = "linux")]

use std::fs;

use cache_memoize::cache_memoize;
use futures::executor::block_on;

#[cache_memoize(key = "value:<x>")]
fn value(x: u64) -> u64 {
    x
}

#[cache_memoize(key = "awaited:<x>")]
async fn awaited(x: u64) -> u64 {
    x
}

#[cache_memoize(key = "failing:<x>")]
fn failing(x: u64) -> Result<u64, u64> {
    Err(x)
}

fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux tells of threads");
    tasks.count()
}

#[test]
fn none_is_started_before_there_is_an_entry_and_then_one() {
    let before = threads();
    assert_eq!(value::key(1).as_str(), "cache:value:1");
    assert_eq!(value::peek(1), None);
    assert!(value::invalidate(1));
    assert_eq!(block_on(awaited::peek(1)), None);
    assert_eq!(failing(1), Err(1));
    assert_eq!(threads(), before);

    // Expired entries leave without being asked for: that is the thread.
    for _ in 0..3 {
        assert_eq!(value(1), 1);
        assert_eq!(block_on(awaited(2)), 2);
    }
    assert_eq!(threads(), before + 1);
}
