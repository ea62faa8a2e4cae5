use cache_memoize::cache_memoize;

use std::fmt::Display;
use std::pin::Pin;

use futures::stream::{self, BoxStream, FusedStream, Stream, StreamExt};

struct Unstorable;

#[cache_memoize]
fn unstorable(count: u64) -> impl Stream<Item = Unstorable> {
    stream::iter((0..count).map(|_| Unstorable))
}

#[cache_memoize]
fn borrowed(text: &str) -> impl Stream<Item = &str> {
    stream::iter(text.lines())
}

#[cache_memoize]
fn fused(count: u64) -> impl FusedStream<Item = u64> {
    stream::once(async move { count })
}

#[cache_memoize]
fn nameless() -> impl Stream {
    stream::iter(0..3)
}

#[cache_memoize]
async fn opaque(count: u64) -> impl Stream<Item = impl Display> {
    stream::iter(0..count)
}

#[cache_memoize]
fn unpinned(count: u64) -> Box<dyn Stream<Item = u64> + Unpin> {
    Box::new(stream::iter(0..count))
}

#[cache_memoize(cache_if = |count| *count > 1, share_errors)]
fn conditional(count: u64) -> Pin<Box<dyn Stream<Item = u64>>> {
    Box::pin(stream::iter(0..count))
}

#[cache_memoize]
async fn inside(count: u64) -> Option<impl Stream<Item = u64>> {
    Some(stream::iter(0..count))
}

#[cache_memoize]
fn fallible(count: u64) -> Result<impl Stream<Item = u64>, std::fmt::Error> {
    Ok(stream::iter(0..count))
}

#[cache_memoize]
async fn boxed_inside(count: u64) -> std::io::Result<BoxStream<'static, u64>> {
    Ok(stream::iter(0..count).boxed())
}

type Rows = BoxStream<'static, u64>;

#[cache_memoize]
fn aliased(count: u64) -> Rows {
    stream::iter(0..count).boxed()
}

fn main() {
    let _ = fallible(1).map(|rows| rows.count());
    nameless::stats();
    let _ = fused::refresh(1);
    let _ = conditional::uncached(1);
}
