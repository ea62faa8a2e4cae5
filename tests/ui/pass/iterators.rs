//! Functions and methods that return an iterator, in each of the forms that one can have.

#![deny(warnings)]

use std::collections::BTreeMap;
use std::fmt::Display;
use std::marker::PhantomData;

use cache_memoize::{Cacheable, cache_memoize};

mod free {
    use super::*;

    #[cache_memoize]
    pub fn numbers(count: u64) -> impl Iterator<Item = u64> {
        0..count
    }

    #[cache_memoize(key = "lines:<text>", compress = false)]
    pub fn lines(text: &str) -> impl Iterator<Item = String> + use<'_> {
        text.lines().map(str::to_owned)
    }

    #[cache_memoize(key = "words:<text>", skip(separator))]
    pub fn words<'t>(
        text: &'t str,
        separator: &'t str,
    ) -> impl Iterator<Item = String> + Send + 't {
        text.split(separator).map(String::from)
    }

    #[cache_memoize]
    pub fn boxed(text: &str) -> Box<dyn Iterator<Item = char> + '_> {
        if text.is_empty() {
            return Box::new(std::iter::empty());
        }
        Box::new(text.chars())
    }

    #[cache_memoize]
    pub fn boxed_for_all(count: u8) -> Box<dyn Iterator<Item = Option<u8>> + Send> {
        Box::new((0..count).map(|n| n.checked_sub(1)))
    }

    #[cache_memoize]
    pub fn parsed<'t>(
        text: &'t str,
    ) -> impl Iterator<Item = Result<u32, std::num::ParseIntError>> + use<'t> {
        text.split(',').map(str::parse)
    }

    /// An error may borrow: it isn't stored.
    #[cache_memoize(key = "<text>")]
    pub fn refused(text: &str) -> Box<dyn Iterator<Item = Result<u32, &str>> + '_> {
        Box::new(text.split(',').map(|part| part.parse().map_err(|_| part)))
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
    ) -> impl Iterator<Item = T> {
        again = !again;
        let _ = (again, shown);
        items.into_iter()
    }
}

struct Tables {
    tables: BTreeMap<String, Vec<u32>>,
}

impl Tables {
    #[cache_memoize(key = "rows:<table>", skip(self))]
    pub fn rows<'s>(&'s self, table: &'s str) -> impl Iterator<Item = u32> + use<'s> {
        self.tables[table].iter().copied()
    }

    #[cache_memoize(key = "private:<table>", skip(self))]
    fn private<'s>(&'s self, table: &'s str) -> impl Iterator<Item = u64> + use<'s> {
        let rows = &self.tables[table];
        rows.iter().map(|row| (*row).into())
    }

    #[cache_memoize(key = "owned", skip(self))]
    pub fn owned(self) -> Box<dyn Iterator<Item = (String, Vec<u32>)>> {
        Box::new(self.tables.into_iter())
    }
}

trait Rows<T> {
    fn rows<'s>(&'s self, table: &'s str) -> Box<dyn Iterator<Item = T> + 's>;

    fn all(&self, _: PhantomData<T>) -> impl Iterator<Item = u64>;

    #[cache_memoize(key = "default:<count>", skip(self))]
    fn default_rows(&self, count: u64) -> impl Iterator<Item = u64> {
        0..count
    }
}

impl Rows<u32> for Tables {
    #[cache_memoize(key = "trait:<table>", skip(self))]
    fn rows<'s>(&'s self, table: &'s str) -> Box<dyn Iterator<Item = u32> + 's> {
        match self.tables.get(table) {
            None => return Box::new(std::iter::empty()),
            Some(rows) => Box::new(rows.iter().copied()),
        }
    }

    #[cache_memoize(key = "all", skip(self))]
    fn all(&self, _: PhantomData<u32>) -> impl Iterator<Item = u64> {
        self.tables.values().flatten().map(|row| (*row).into())
    }
}

fn twice<T: PartialEq + std::fmt::Debug, I: Iterator<Item = T>>(iter: impl Fn() -> I) -> Vec<T> {
    let first: Vec<T> = iter().collect();
    assert_eq!(iter().collect::<Vec<T>>(), first);
    first
}

fn is_send<T: Send>(item: T) -> T {
    item
}

fn main() {
    assert_eq!(twice(|| free::numbers(3)), [0, 1, 2]);
    assert_eq!(free::numbers::stats().hits, 1);
    assert_eq!(free::numbers::refresh(3).count(), 3);
    assert_eq!(free::numbers::uncached(3).count(), 3);
    assert!(free::numbers::key(3).as_str().ends_with("numbers:3"));
    assert!(free::numbers::invalidate(3));
    assert_eq!(is_send(free::numbers(3)).last(), Some(2));
    assert_eq!(free::numbers::stats().absent, 2);

    let text = String::from("1,2,3");
    assert_eq!(twice(|| free::lines(&text)), ["1,2,3"]);
    assert_eq!(twice(|| is_send(free::words(&text, ","))), ["1", "2", "3"]);
    assert_eq!(twice(|| free::boxed("ab")), ['a', 'b']);
    assert_eq!(twice(|| free::boxed("")), Vec::<char>::new());
    assert_eq!(twice(|| is_send(free::boxed_for_all(2))), [None, Some(0)]);
    assert_eq!(twice(|| free::parsed(&text)), [Ok(1), Ok(2), Ok(3)]);
    assert_eq!(free::parsed::stats().hits, 1);
    assert_eq!(twice(|| free::refused("1,x")), [Ok(1), Err("x")]);
    assert_eq!(free::refused::stats().declined, 2);
    assert_eq!(
        twice(|| free::generic([true, false], 7, false)),
        [true, false]
    );
    assert_eq!(free::generic([1_u8], 7, true).count(), 1);
    assert_eq!(free::generic::stats().forced, 1);

    let tables = Tables {
        tables: BTreeMap::from([("a".to_owned(), vec![1, 2, 3])]),
    };
    assert_eq!(twice(|| tables.rows("a")), [1, 2, 3]);
    assert_eq!(twice(|| tables.private("a")), [1, 2, 3]);
    assert_eq!(twice(|| Rows::rows(&tables, "a")), [1, 2, 3]);
    assert_eq!(twice(|| Rows::rows(&tables, "b")), []);
    assert_eq!(twice(|| tables.all(PhantomData)), [1, 2, 3]);
    assert_eq!(twice(|| tables.default_rows(2)), [0, 1]);
    assert!(Tables::rows_invalidate("a"));
    assert_eq!(tables.owned().count(), 1);
}
