//! Many calls that come to nothing leave nothing behind: no flight, no thread, no memory.
//!
//! `SOAK_CALLS` sets how many of each kind; the default is what CI runs.

use std::env;
use std::fs;
use std::future::{Future, pending, ready};
use std::panic::{catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use cache_memoize::testing::flights;
use cache_memoize::{Memo, Memory, Runtime};
use futures::stream::{self, Stream, StreamExt};

/// What the allocator and its arenas may keep for themselves.
const SLACK: u64 = 4 << 20;

/// Repeats a call under keys that are few, so that calls meet; and under many, so that what is forgotten would add up.
fn soak(name: &str, call: impl Fn(String)) {
    let calls: u64 =
        env::var("SOAK_CALLS").map_or(10_000, |count| count.parse().expect("a number"));
    let runtime = Runtime::builder()
        .backend(Memory::new(1 << 20))
        .build()
        .expect("valid settings");
    runtime.scope(|| {
        (0..calls / 10).for_each(|n| call(format!("warm:{n}")));
        let before = (resident(), threads());
        (0..calls).for_each(|n| call(format!("{}", n % 2 * n)));
        let after = (resident(), threads());
        test_servers::shown!(
            "{name}: {calls} calls, bytes and threads {before:?} before, {after:?} after"
        );
        assert!(after.0 <= before.0 + SLACK, "memory grew");
        assert!(after.1 <= before.1, "threads are left");
    });
    assert_eq!(flights(&runtime), 0);
}

fn poll<F: Future>(future: Pin<&mut F>) {
    let _ = future.poll(&mut Context::from_waker(Waker::noop()));
}

/// One test, as what a process takes can't be told apart by its tests.
#[test]
fn what_comes_to_nothing_leaves_nothing() {
    leaders_that_panic();
    leaders_that_are_dropped();
    waiters_that_are_dropped_and_leaders_that_come_to_nothing();
    iterators_that_are_read_by_half();
    streams_that_are_read_by_half();
    followers_of_what_is_read_by_half();
}

fn iterators_that_are_read_by_half() {
    soak("half-read iterators", |key| {
        let mut items = Memo::new(&key).iter(|| 0..10_u64);
        assert_eq!(items.nth(4), Some(4));
    });
}

fn streams_that_are_read_by_half() {
    soak("half-read streams", |key| {
        let mut items = pin!(Memo::new(&key).stream(|| stream::iter(0..10_u64)));
        for n in 0..5 {
            assert_eq!(poll_next(items.as_mut()), Poll::Ready(Some(n)));
        }
    });
}

fn followers_of_what_is_read_by_half() {
    soak("half-read writers with followers", |key| {
        let mut writer =
            pin!(Memo::new(&key).stream(|| stream::iter(0..2_u64).chain(stream::pending())));
        assert_eq!(poll_next(writer.as_mut()), Poll::Ready(Some(0)));
        let mut left = pin!(Memo::new(&key).stream(|| stream::iter(0..10_u64)));
        let mut follower = Memo::new(&key).iter(|| 0..10_u64);
        assert_eq!(poll_next(left.as_mut()), Poll::Ready(Some(0)));
        assert_eq!(follower.next(), Some(0));
    });
}

fn poll_next<S: Stream>(stream: Pin<&mut S>) -> Poll<Option<S::Item>> {
    stream.poll_next(&mut Context::from_waker(Waker::noop()))
}

fn leaders_that_panic() {
    soak("panics", |key| {
        let call = || Memo::new(&key).get_or_compute(|| -> u8 { resume_unwind(Box::new(())) });
        catch_unwind(call).expect_err("it panics");
    });
}

fn leaders_that_are_dropped() {
    soak("dropped leaders", |key| {
        let mut leader = Box::pin(Memo::new(&key).get_or_compute_async(pending::<u8>));
        poll(leader.as_mut());
        drop(leader);
    });
}

fn waiters_that_are_dropped_and_leaders_that_come_to_nothing() {
    soak("dropped waiters", |key| {
        let mut leader = Box::pin(Memo::new(&key).get_or_compute_async(pending::<u8>));
        poll(leader.as_mut());
        let mut first = Box::pin(Memo::new(&key).get_or_compute_async(pending::<u8>));
        let mut second =
            Box::pin(Memo::new(&key).try_get_or_compute_async(|| ready(Err::<u8, _>(()))));
        poll(first.as_mut());
        poll(second.as_mut());
        drop(leader);
        // It has taken over, and goes too.
        poll(first.as_mut());
        drop(first);
        poll(pin!(second).as_mut());
    });
}

/// Linux says; elsewhere the flights are all that is looked at.
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = pages
        .split(' ')
        .nth(1)
        .map_or(0, |pages| pages.parse().expect("a number"));
    pages * 4096
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
