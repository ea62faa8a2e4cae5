//! How deep a function may call itself: what a level takes of the stack.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::thread::{self, LocalKey};

use cache_memoize::testing::flights;
use cache_memoize::{Runtime, cache_memoize};

thread_local! {
    /// Where the stack was in the innermost call and in the one that was `LEVELS` around it.
    static INNERMOST: Cell<usize> = const { Cell::new(0) };
    static OUTERMOST: Cell<usize> = const { Cell::new(0) };
}

const LEVELS: u64 = 32;

#[inline(never)]
fn note(place: &'static LocalKey<Cell<usize>>) {
    let local = 0_u8;
    place.set(std::ptr::from_ref(&local).addr());
}

fn look(n: u64) {
    match n {
        0 => note(&INNERMOST),
        LEVELS => note(&OUTERMOST),
        _ => {}
    }
}

async fn plain(n: u64) -> u64 {
    look(n);
    if n == 0 {
        return 0;
    }
    Box::pin(plain(n - 1)).await + 1
}

#[cache_memoize]
async fn memoized(n: u64) -> u64 {
    look(n);
    if n == 0 {
        return 0;
    }
    Box::pin(memoized(n - 1)).await + 1
}

#[cache_memoize(cache_if = |_| true)]
fn boxed(n: u64) -> Pin<Box<dyn Future<Output = Result<u64, String>> + Send>> {
    Box::pin(async move {
        look(n);
        if n == 0 {
            return Ok(0);
        }
        Ok(boxed(n - 1).await? + 1)
    })
}

fn plain_sync(n: u64) -> u64 {
    look(n);
    if n == 0 { 0 } else { plain_sync(n - 1) + 1 }
}

#[cache_memoize]
fn memoized_sync(n: u64) -> u64 {
    look(n);
    if n == 0 { 0 } else { memoized_sync(n - 1) + 1 }
}

/// The bytes of stack that one level takes.
fn a_level_of<T>(calls: impl Future<Output = T>) -> usize {
    let runtime = Runtime::builder().build().expect("valid settings");
    smol::block_on(runtime.scope_async(calls));
    let bytes = OUTERMOST.get().abs_diff(INNERMOST.get());
    bytes / usize::try_from(LEVELS).expect("few")
}

/// `cargo test -p memoize-runtime --test recursion -- --nocapture` prints the figures of `docs/concurrency.md`.
#[test]
fn a_level_takes_little_of_the_stack() {
    let plain = a_level_of(plain(LEVELS + 2));
    let memoized = a_level_of(memoized(LEVELS + 2));
    let boxed = a_level_of(boxed(LEVELS + 2));
    println!("bytes a level: plain {plain}, memoized {memoized}, boxed with `cache_if` {boxed}");
    assert!(memoized < 6 << 10 && boxed < 6 << 10, "{memoized}, {boxed}");
}

#[test]
fn a_level_of_a_sync_function_takes_less() {
    let plain = a_level_of(async { plain_sync(LEVELS + 2) });
    let memoized = a_level_of(async { memoized_sync(LEVELS + 2) });
    println!("bytes a level: plain {plain}, memoized {memoized}");
    assert!(memoized < 4 << 10, "{memoized}");
}

/// The stack that a thread of Rust's has, unless it is told otherwise.
#[test]
fn hundreds_of_levels_fit_on_the_stack_of_a_thread() {
    const DEPTH: u64 = 500;
    let thread = thread::Builder::new().stack_size(2 << 20);
    let calls = || {
        let runtime = Runtime::builder().build().expect("valid settings");
        assert_eq!(runtime.scope(|| memoized_sync(DEPTH)), DEPTH);
        assert_eq!(smol::block_on(runtime.scope_async(memoized(DEPTH))), DEPTH);
    };
    let done = thread.spawn(calls).expect("a thread").join();
    done.expect("no level fails");
}

/// No level waits for another, however many there are.
#[test]
fn with_enough_of_a_stack_any_depth_works() {
    const DEPTH: u64 = 10_000;
    let thread = thread::Builder::new().stack_size(128 << 20);
    let calls = || {
        let runtime = Runtime::builder().build().expect("valid settings");
        assert_eq!(runtime.scope(|| memoized_sync(DEPTH)), DEPTH);
        assert_eq!(runtime.stats().computations, DEPTH + 1);
        assert_eq!(smol::block_on(runtime.scope_async(memoized(DEPTH))), DEPTH);
        assert_eq!(flights(&runtime), 0);
    };
    let done = thread.spawn(calls).expect("a thread").join();
    done.expect("no level fails");
}
