//! Functions and methods that return a stream, in each of the forms that one can have.

#![deny(warnings)]

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;

use cache_memoize::{Cacheable, cache_memoize};
use futures::executor::block_on;
use futures::stream::{self, BoxStream, LocalBoxStream, Stream, StreamExt};

mod free {
    use super::*;

    #[cache_memoize]
    pub fn numbers(count: u64) -> impl Stream<Item = u64> {
        stream::iter(0..count)
    }

    #[cache_memoize(key = "lines:<text>", compress = false)]
    pub fn lines(text: &str) -> impl Stream<Item = String> + use<'_> {
        stream::iter(text.lines().map(str::to_owned))
    }

    #[cache_memoize(key = "words:<text>", skip(separator))]
    pub async fn words<'t>(
        text: &'t str,
        separator: &'t str,
    ) -> impl Stream<Item = String> + Send + 't {
        stream::iter(text.split(separator).map(String::from))
    }

    #[cache_memoize]
    pub fn boxed(text: &str) -> Pin<Box<dyn Stream<Item = char> + Send + '_>> {
        if text.is_empty() {
            return Box::pin(stream::empty());
        }
        Box::pin(stream::iter(text.chars()))
    }

    #[cache_memoize]
    pub fn named(text: &str) -> BoxStream<'_, char> {
        stream::iter(text.chars()).boxed()
    }

    #[cache_memoize]
    pub async fn local(text: &str) -> LocalBoxStream<'_, char> {
        stream::iter(text.chars()).boxed_local()
    }

    #[cache_memoize]
    pub fn parsed<'t>(
        text: &'t str,
    ) -> impl Stream<Item = Result<u32, std::num::ParseIntError>> + use<'t> {
        stream::iter(text.split(',').map(str::parse))
    }

    #[cache_memoize]
    pub fn later(count: u64) -> impl Future<Output = impl Stream<Item = u64>> {
        async move { stream::iter(0..count) }
    }

    #[cache_memoize]
    pub fn boxed_later(
        count: u64,
    ) -> Pin<Box<dyn Future<Output = BoxStream<'static, u64>> + Send>> {
        Box::pin(async move { stream::iter(0..count).boxed() })
    }

    #[cache_memoize(
        key = "<T>:<shown>",
        skip(items, again),
        force_overwrite = again,
        version = 3,
        expiration = "1h"
    )]
    pub fn generic<T: Cacheable + Clone, const N: usize>(
        items: [T; N],
        shown: impl Display,
        #[allow(unused_mut)] mut again: bool,
    ) -> impl Stream<Item = T> {
        again = !again;
        let _ = (again, shown);
        stream::iter(items)
    }
}

struct Tables {
    tables: BTreeMap<String, Vec<u32>>,
}

impl Tables {
    #[cache_memoize(key = "rows:<table>", skip(self))]
    pub fn rows<'s>(&'s self, table: &'s str) -> impl Stream<Item = u32> + use<'s> {
        stream::iter(self.tables[table].iter().copied())
    }

    #[cache_memoize(key = "awaited:<table>", skip(self))]
    pub async fn awaited<'s>(&'s self, table: &'s str) -> impl Stream<Item = u32> + use<'s> {
        let rows = async { self.tables[table].iter().copied() };
        stream::iter(rows.await)
    }
}

trait Rows<T> {
    fn rows<'s>(&'s self, table: &'s str) -> BoxStream<'s, T>;

    fn all(&self) -> impl Future<Output = impl Stream<Item = u64>> + Send;

    #[cache_memoize(key = "default:<count>", skip(self))]
    fn default_rows(&self, count: u64) -> impl Stream<Item = u64> {
        stream::iter(0..count)
    }
}

impl Rows<u32> for Tables {
    #[cache_memoize(key = "trait:<table>", skip(self))]
    fn rows<'s>(&'s self, table: &'s str) -> BoxStream<'s, u32> {
        match self.tables.get(table) {
            None => return stream::empty().boxed(),
            Some(rows) => stream::iter(rows.iter().copied()).boxed(),
        }
    }

    #[cache_memoize(key = "all", skip(self))]
    async fn all(&self) -> impl Stream<Item = u64> {
        stream::iter(self.tables.values().flatten().map(|row| (*row).into()))
    }
}

fn twice<T: PartialEq + std::fmt::Debug, S: Stream<Item = T>>(call: impl Fn() -> S) -> Vec<T> {
    twice_awaited(async || call())
}

fn twice_awaited<T, S>(call: impl AsyncFn() -> S) -> Vec<T>
where
    T: PartialEq + std::fmt::Debug,
    S: Stream<Item = T>,
{
    block_on(async {
        let first: Vec<T> = call().await.collect().await;
        assert_eq!(call().await.collect::<Vec<T>>().await, first);
        first
    })
}

fn is_send<T: Send>(item: T) -> T {
    item
}

fn main() {
    assert_eq!(twice(|| free::numbers(3)), [0, 1, 2]);
    assert_eq!(free::numbers::stats().hits, 1);
    assert_eq!(block_on(free::numbers::refresh(3).count()), 3);
    assert_eq!(block_on(free::numbers::uncached(3).count()), 3);
    assert!(free::numbers::key(3).as_str().ends_with("numbers:3"));
    assert!(block_on(free::numbers::invalidate(3)));
    assert_eq!(block_on(is_send(free::numbers(3)).count()), 3);
    assert_eq!(free::numbers::stats().absent, 2);

    let text = String::from("1,2,3");
    assert_eq!(twice(|| free::lines(&text)), ["1,2,3"]);
    assert_eq!(
        twice_awaited(async || is_send(is_send(free::words(&text, ",")).await)),
        ["1", "2", "3"]
    );
    assert_eq!(free::words::stats().hits, 1);
    assert_eq!(
        block_on(async { free::words::refresh(&text, ",").await.count().await }),
        3
    );
    assert_eq!(twice(|| is_send(free::boxed("ab"))), ['a', 'b']);
    assert_eq!(twice(|| free::boxed("")), Vec::<char>::new());
    assert_eq!(twice(|| is_send(free::named("ab"))), ['a', 'b']);
    assert_eq!(twice_awaited(async || free::local("ab").await), ['a', 'b']);
    assert_eq!(twice(|| free::parsed(&text)), [Ok(1), Ok(2), Ok(3)]);
    assert_eq!(free::parsed::stats().hits, 1);
    assert_eq!(twice_awaited(async || free::later(2).await), [0, 1]);
    assert_eq!(twice_awaited(async || free::boxed_later(2).await), [0, 1]);
    assert_eq!(free::boxed_later::stats().hits, 1);
    assert_eq!(
        twice(|| free::generic([true, false], 7, false)),
        [true, false]
    );
    assert_eq!(block_on(free::generic([1_u8], 7, true).count()), 1);
    assert_eq!(free::generic::stats().forced, 1);

    let tables = Tables {
        tables: BTreeMap::from([("a".to_owned(), vec![1, 2, 3])]),
    };
    assert_eq!(twice(|| tables.rows("a")), [1, 2, 3]);
    assert_eq!(twice_awaited(async || tables.awaited("a").await), [1, 2, 3]);
    assert_eq!(twice(|| Rows::rows(&tables, "a")), [1, 2, 3]);
    assert_eq!(twice(|| Rows::rows(&tables, "b")), []);
    assert_eq!(twice_awaited(async || tables.all().await), [1, 2, 3]);
    assert_eq!(twice(|| tables.default_rows(2)), [0, 1]);
    assert!(block_on(Tables::rows_invalidate("a")));
    assert!(block_on(Tables::awaited_invalidate("a")));
}
