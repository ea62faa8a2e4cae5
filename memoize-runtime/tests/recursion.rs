//! How deep an async function may call itself: what a level takes of the stack.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_memoize::{Runtime, cache_memoize};

/// Where the stack was in the innermost call and in the one that was `LEVELS` around it.
static INNERMOST: AtomicUsize = AtomicUsize::new(0);
static OUTERMOST: AtomicUsize = AtomicUsize::new(0);

const LEVELS: u64 = 32;

#[inline(never)]
fn note(place: &AtomicUsize) {
    let local = 0_u8;
    place.store(std::ptr::from_ref(&local).addr(), Ordering::Relaxed);
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

/// The bytes of stack that one level takes.
fn a_level_of<T>(calls: impl Future<Output = T>) -> usize {
    let runtime = Runtime::builder().build().expect("valid settings");
    smol::block_on(runtime.scope_async(calls));
    let bytes = OUTERMOST
        .load(Ordering::Relaxed)
        .abs_diff(INNERMOST.load(Ordering::Relaxed));
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
