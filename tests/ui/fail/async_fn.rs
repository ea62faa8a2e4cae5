use cache_memoize::cache_memoize;

use std::future::Future;
use std::pin::Pin;

#[cache_memoize]
async fn rows(id: u64) -> impl Iterator<Item = u64> {
    0..id
}

#[cache_memoize]
async fn nothing(id: u64) {
    drop(id);
}

#[cache_memoize]
fn futures(id: u64) -> impl Future<Output = impl Future<Output = u64>> {
    async move { async move { id } }
}

#[cache_memoize]
fn unpinned(id: u64) -> Box<dyn Future<Output = u64> + Unpin> {
    Box::new(std::future::ready(id))
}

#[cache_memoize]
async fn borrowed(id: &str) -> &str {
    id
}

async fn all() {
    rows(1).await;
    rows::uncached(1).await;
    nothing(1).await;
    nothing::refresh(1).await;
    futures(1).await.await;
    unpinned(1).await;
    unpinned::refresh(1).await;
    borrowed("1").await;
}

#[cache_memoize]
fn boxed_future(id: u64) -> Pin<Box<dyn Future<Output = u64>>> {
    Box::pin(async move { id })
}

fn main() {
    drop(all());
    drop(boxed_future(1));
    rows::key(1);
}
