use cache_memoize::cache_memoize;

use std::fmt::Display;

struct Unstorable;

#[cache_memoize]
fn unstorable(count: u64) -> impl Iterator<Item = Unstorable> {
    (0..count).map(|_| Unstorable)
}

#[cache_memoize]
fn borrowed(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
}

#[cache_memoize]
fn backwards(count: u64) -> impl DoubleEndedIterator<Item = u64> {
    0..count
}

#[cache_memoize]
fn nameless() -> impl Iterator {
    0..3
}

#[cache_memoize]
fn opaque(count: u64) -> impl Iterator<Item = impl Display> {
    0..count
}

#[cache_memoize(cache_if = |count| *count > 1)]
fn conditional(count: u64) -> Box<dyn Iterator<Item = u64>> {
    Box::new(0..count)
}

#[cache_memoize]
async fn asynchronous(count: u64) -> impl Iterator<Item = u64> {
    0..count
}

fn main() {
    nameless::stats();
    backwards::refresh(1).count();
    conditional::uncached(1).count();
}
