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

#[cache_memoize]
fn inside(count: u64) -> Option<Box<dyn Iterator<Item = u64>>> {
    Some(Box::new(0..count))
}

#[cache_memoize]
fn fallible(count: u64) -> Result<impl Iterator<Item = u64>, std::fmt::Error> {
    Ok(0..count)
}

fn main() {
    let _ = fallible::refresh(1).map(|items| items.count());
    nameless::stats();
    backwards::refresh(1).count();
    conditional::uncached(1).count();
}
