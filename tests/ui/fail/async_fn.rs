use cache_memoize::cache_memoize;

use std::future::Future;
use std::pin::Pin;

#[cache_memoize]
async fn load(id: u64) -> u64 {
    id
}

#[cache_memoize]
async fn rows(id: u64) -> impl Iterator<Item = u64> {
    0..id
}

#[cache_memoize]
fn future(id: u64) -> impl Future<Output = u64> {
    async move { id }
}

#[cache_memoize]
fn boxed_future(id: u64) -> Pin<Box<dyn Future<Output = u64>>> {
    Box::pin(async move { id })
}

async fn all() {
    load(1).await;
    load::peek(1).await;
    load::refresh(1).await;
    rows(1).await;
    rows::uncached(1).await;
    future(1).await;
    future::refresh(1).await;
    boxed_future::refresh(1).await;
}

fn main() {
    drop(all());
    load::key(1);
}
