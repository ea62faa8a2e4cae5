//! All that a signature may have.

#![deny(warnings, missing_docs)]

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cache_memoize::cache_memoize;

#[cache_memoize(key = "<a>:<b>", skip(c))]
fn destructured<'a>(&(ref a, b): &'a (String, u8), Point { x: mut c, .. }: Point, _: u8) -> String {
    c += 1;
    format!("{a}{b}{c}")
}

struct Point {
    x: u8,
    #[expect(dead_code)]
    y: u8,
}

#[cache_memoize(key = "<T>:<N>:<id>", skip(db, numbers))]
fn generic<D, T, const N: usize>(
    db: D,
    numbers: [T; N],
    id: impl Display + Copy,
    mut limit: PhantomData<T>,
) -> Result<HashMap<String, usize>, impl_free::Error>
where
    D: FnOnce() -> usize,
    T: Default,
{
    let _ = (limit, numbers);
    limit = PhantomData;
    let _ = limit;
    Ok(HashMap::from([(id.to_string(), db())]))
}

mod impl_free {
    #[derive(Debug, PartialEq)]
    pub(super) struct Error;
}

#[cache_memoize]
fn borrowing_error(text: &str, other: &str) -> Result<usize, ParseError<'static>> {
    let _ = other;
    text.parse().map_err(|_| ParseError("static"))
}

#[cache_memoize]
fn elided_error<'a>(text: &'a str, other: &str) -> Result<usize, ParseError<'a>> {
    let _ = other;
    text.parse().map_err(|_| ParseError(text))
}

#[cache_memoize]
fn elided(text: &str) -> Result<usize, ParseError<'_>> {
    text.parse().map_err(|_| ParseError(text))
}

#[derive(Debug, PartialEq)]
struct ParseError<'a>(&'a str);

type Fallible<T> = Result<T, io::Error>;

#[cache_memoize]
fn aliased(id: u64) -> Fallible<u64> {
    if id == 0 {
        Err(io::Error::other("zero"))
    } else {
        Ok(id)
    }
}

#[cache_memoize]
fn io_result(id: u64) -> io::Result<u64> {
    Ok(id)
}

#[cache_memoize(skip(pointer))]
unsafe fn dangerous(pointer: *const u8, id: u64) -> u64 {
    unsafe { u64::from(*pointer) + id }
}

#[cache_memoize(key = "c:<id>")]
extern "C" fn foreign(id: u64) -> u64 {
    id
}

#[cfg(any())]
#[cache_memoize]
fn not_there(id: NoSuchType) -> NoSuchType {}

#[cache_memoize]
#[cfg(any())]
fn not_there_either(id: NoSuchType) -> NoSuchType {}

#[cache_memoize]
#[expect(unused_variables)]
#[must_use]
fn expecting(id: u64) -> u64 {
    1
}

#[cache_memoize(key = "<id>", expiration = ttl(*scale, id), force_overwrite = client > 1, cache_if = |n| *n > 5, skip(client, scale))]
fn with_expressions(client: Client<'_>, id: u64, (scale, _): (u64, u8)) -> u64 {
    id * client.0 * 10
}

#[derive(Clone, Copy)]
struct Client<'a>(&'a u64);

impl PartialOrd<u64> for Client<'_> {
    fn partial_cmp(&self, other: &u64) -> Option<std::cmp::Ordering> {
        self.0.partial_cmp(other)
    }
}

impl PartialEq<u64> for Client<'_> {
    fn eq(&self, other: &u64) -> bool {
        self.0 == other
    }
}

fn ttl(scale: u64, id: u64) -> Duration {
    Duration::from_secs(60 * scale + id)
}

#[derive(serde::Serialize)]
struct Receivers<T> {
    tenant: T,
}

impl<T: Display + serde::Serialize, const N: usize> Table<N> for Receivers<T> {
    #[cache_memoize(key = "<self.tenant>:<N>:<T>:<Self>:<id>")]
    fn of_a_trait(&self, id: u64) -> u64 {
        id + N as u64
    }
}

trait Table<const N: usize> {
    fn of_a_trait(&self, id: u64) -> u64;

    #[cache_memoize(key = "default:<N>:<id>", skip(self))]
    fn by_default(&self, mut id: u64) -> Result<u64, String> {
        id += 1;
        if id > 100 {
            return Err("large".to_owned());
        }
        let parsed: u64 = id.to_string().parse().map_err(|_| "parse")?;
        Ok(parsed)
    }
}

impl<T: Display + serde::Serialize> Receivers<T> {
    #[cache_memoize(key = "shared:<self.tenant>")]
    pub(crate) fn shared(&self) -> String {
        self.tenant.to_string()
    }

    #[cache_memoize(key = "unique:<self.tenant>")]
    pub(crate) fn unique(&mut self) -> String {
        self.tenant.to_string()
    }

    #[cache_memoize(key = "owned:<self.tenant>")]
    pub(crate) fn owned(mut self) -> String {
        let tenant = &mut self.tenant;
        tenant.to_string()
    }

    #[cache_memoize]
    pub(crate) fn arc(self: Arc<Self>, id: u64) -> String {
        format!("{}{id}", self.tenant)
    }

    #[cache_memoize(key = "rc:<self.tenant>")]
    pub(crate) fn rc(self: &Rc<Self>) -> String {
        self.tenant.to_string()
    }

    #[cache_memoize(key = "pin:<self.tenant>")]
    pub(crate) fn pin(self: Pin<&mut Self>) -> String {
        self.tenant.to_string()
    }

    #[cache_memoize(companions = "functions")]
    pub(crate) fn associated(id: u64) -> u64 {
        id
    }

    #[cache_memoize(key = "inline:<self.tenant>:<a>", skip(b))]
    fn inline(self: Box<Self>, (a, mut b): (u8, u8)) -> String {
        b += 1;
        format!("{}{a}{b}", self.tenant)
    }
}

fn main() {
    let pair = ("a".to_owned(), 1);
    assert_eq!(destructured(&pair, Point { x: 1, y: 0 }, 0), "a12");
    assert_eq!(destructured(&pair, Point { x: 5, y: 0 }, 0), "a12");
    assert_eq!(destructured::peek(&pair).as_deref(), Some("a12"));
    assert_eq!(destructured::refresh(&pair, Point { x: 5, y: 0 }, 0), "a16");

    let expected = HashMap::from([("7".to_owned(), 3)]);
    assert_eq!(generic(|| 3, [1, 2], 7, PhantomData), Ok(expected.clone()));
    assert_eq!(generic(|| 4, [1, 2], 7, PhantomData), Ok(expected.clone()));
    assert_eq!(generic::peek::<i32, 2>(7), Some(expected));
    assert_eq!(generic::peek::<i32, 3>(7), None);

    assert_eq!(borrowing_error("x", ""), Err(ParseError("static")));
    assert_eq!(elided_error("x", ""), Err(ParseError("x")));
    assert_eq!(elided("x"), Err(ParseError("x")));
    assert_eq!(elided("1"), Ok(1));
    assert_eq!(elided::peek("1"), Some(1));
    assert!(aliased(0).is_err());
    assert!(aliased::peek(0).is_none());
    assert_eq!(aliased(1).unwrap(), 1);
    assert_eq!(aliased::peek(1).unwrap().unwrap(), 1);
    assert_eq!(io_result(2).unwrap(), 2);
    assert_eq!(io_result::peek(2), Some(2));

    assert_eq!(unsafe { dangerous(&5, 1) }, 6);
    assert_eq!(unsafe { dangerous::refresh(&6, 1) }, 7);
    assert_eq!(dangerous::peek(1), Some(7));
    assert_eq!(foreign(3), 3);
    assert_eq!(expecting(3), 1);

    assert_eq!(with_expressions(Client(&1), 1, (1, 0)), 10);
    assert_eq!(with_expressions(Client(&1), 1, (2, 0)), 10);
    assert_eq!(with_expressions(Client(&2), 1, (2, 0)), 20);
    assert!(with_expressions::prime(1, (1, 0), 30));
    assert_eq!(with_expressions::peek(1), Some(30));
    assert_eq!(with_expressions::refresh(Client(&0), 1, (1, 0)), 0);
    assert_eq!(with_expressions::uncached(Client(&3), 1, (1, 0)), 30);
    assert!(with_expressions::invalidate(1));

    let new = || Receivers { tenant: "t" };
    assert_eq!(Table::<3>::of_a_trait(&new(), 1), 4);
    assert_eq!(Table::<4>::of_a_trait(&new(), 1), 5);
    assert_eq!(Table::<4>::by_default(&new(), 1), Ok(2));
    assert_eq!(Table::<4>::by_default(&new(), 100), Err("large".to_owned()));
    assert_eq!(new().shared(), "t");
    assert_eq!(new().shared_peek().as_deref(), Some("t"));
    assert_eq!(new().unique(), "t");
    assert!(new().unique_invalidate());
    assert_eq!(new().owned(), "t");
    assert_eq!(new().owned_refresh(), "t");
    assert_eq!(Arc::new(new()).arc(1), "t1");
    assert_eq!(new().arc_peek(1).as_deref(), Some("t1"));
    assert_eq!(Rc::new(new()).rc(), "t");
    assert_eq!(Pin::new(&mut new()).pin(), "t");
    assert_eq!(Pin::new(&mut new()).pin_refresh(), "t");
    assert_eq!(Receivers::<u8>::associated(1), 1);
    assert_eq!(Receivers::<u8>::associated_stats().misses(), 1);
    assert_eq!(Box::new(new()).inline((1, 2)), "t13");
    assert_eq!(Box::new(new()).inline((1, 5)), "t13");

    fn nested() -> u64 {
        #[cache_memoize]
        fn inner(id: u64) -> u64 {
            id
        }
        inner(1) + inner::peek(1).unwrap()
    }
    assert_eq!(nested(), 2);
}
