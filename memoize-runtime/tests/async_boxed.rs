//! The attribute on what is in a box: methods of `#[async_trait]`, and the names that `futures` has for boxes.

use std::sync::atomic::{AtomicU64, Ordering};

use cache_memoize::{Memory, Runtime, cache_memoize};
use futures::future::{BoxFuture, FutureExt, LocalBoxFuture};
use futures::stream::{self, BoxStream, LocalBoxStream, Stream, StreamExt};

fn on_smol<T>(body: impl Future<Output = T>) -> T {
    let runtime = Runtime::builder()
        .backend(Memory::new(1 << 20))
        .build()
        .expect("valid settings");
    smol::block_on(runtime.scope_async(body))
}

fn is_send<T: Send>(item: T) -> T {
    item
}

struct Tables {
    rows: Vec<u32>,
    runs: AtomicU64,
}

impl Tables {
    fn new() -> Self {
        Self {
            rows: vec![1, 2, 3],
            runs: AtomicU64::new(0),
        }
    }

    fn read(&self, above: u32) -> impl Stream<Item = u32> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        stream::iter(self.rows.iter().copied().filter(move |row| *row > above))
    }
}

#[async_trait::async_trait]
trait Rows: Sync {
    async fn awaited(&self, above: u32) -> BoxStream<'_, u32>;

    fn at_once(&self, above: u32) -> BoxStream<'_, u32>;

    fn table(&self) -> &Tables;

    #[cache_memoize(key = "by_default:<above>", skip(self))]
    async fn by_default(&self, above: u32) -> BoxStream<'_, u32> {
        self.table().read(above).boxed()
    }
}

#[async_trait::async_trait]
impl Rows for Tables {
    #[cache_memoize(key = "awaited:<above>", skip(self))]
    async fn awaited(&self, above: u32) -> BoxStream<'_, u32> {
        smol::future::yield_now().await;
        if above > 100 {
            return stream::empty().boxed();
        }
        self.read(above).boxed()
    }

    #[cache_memoize(key = "at_once:<above>", skip(self))]
    fn at_once(&self, above: u32) -> BoxStream<'_, u32> {
        self.read(above).boxed()
    }

    fn table(&self) -> &Tables {
        self
    }
}

#[test]
fn methods_of_async_trait_that_give_a_stream() {
    on_smol(async {
        let tables = Tables::new();
        let rows: &dyn Rows = &tables;
        for _ in 0..2 {
            assert_eq!(
                is_send(is_send(rows.awaited(1)).await)
                    .collect::<Vec<_>>()
                    .await,
                [2, 3]
            );
            assert_eq!(rows.awaited(101).await.count().await, 0);
            assert_eq!(rows.at_once(1).collect::<Vec<_>>().await, [2, 3]);
            assert_eq!(rows.by_default(1).await.collect::<Vec<_>>().await, [2, 3]);
        }
        assert_eq!(tables.runs.load(Ordering::Relaxed), 3);
    });
}

#[cache_memoize(key = "sent:<name>", skip(tables))]
fn sent<'a>(tables: &'a Tables, name: &'a str) -> BoxFuture<'a, Result<usize, String>> {
    if name.is_empty() {
        return async { Err("no name".to_owned()) }.boxed();
    }
    async move {
        smol::future::yield_now().await;
        Ok(tables.read(0).count().await + name.len())
    }
    .boxed()
}

#[cache_memoize(key = "kept:<above>", skip(tables), cache_if = |count| *count > 0)]
fn kept(tables: &Tables, above: u32) -> LocalBoxFuture<'_, usize> {
    tables.read(above).count().boxed_local()
}

#[cache_memoize(key = "streamed:<above>", skip(tables))]
fn streamed(tables: &Tables, above: u32) -> BoxFuture<'_, LocalBoxStream<'_, u32>> {
    async move { tables.read(above).boxed_local() }.boxed()
}

#[test]
fn boxes_by_the_names_that_futures_has_for_them() {
    on_smol(async {
        let tables = Tables::new();
        for _ in 0..2 {
            assert_eq!(is_send(sent(&tables, "a")).await, Ok(4));
            assert_eq!(kept(&tables, 1).await, 2);
            assert_eq!(streamed(&tables, 1).await.count().await, 2);
        }
        assert_eq!(tables.runs.load(Ordering::Relaxed), 3);
        assert_eq!(sent(&tables, "").await, Err("no name".to_owned()));
        assert_eq!(is_send(sent::peek("a")).await, Some(4));
        assert_eq!(sent::refresh(&tables, "a").await, Ok(4));
        assert_eq!(sent::uncached(&tables, "a").await, Ok(4));
        assert!(kept::prime(5, 7).await);
        assert_eq!(kept(&tables, 5).await, 7);
        assert!(streamed::invalidate(1).await);
        assert_eq!(streamed(&tables, 1).await.count().await, 2);
    });
}

#[cache_memoize(key = "words:<text>")]
async fn words(text: &str) -> impl Stream<Item = String> {
    smol::future::yield_now().await;
    stream::iter(text.split(' ').map(str::to_owned))
}

#[test]
fn what_an_async_function_gives_need_not_be_pinned() {
    on_smol(async {
        for _ in 0..2 {
            let mut words = words("a b").await;
            assert_eq!(words.next().await.as_deref(), Some("a"));
            assert_eq!(words.count().await, 1);
        }
        assert_eq!(words::stats().hits, 1);
    });
}
