//! Names of the user's that generated code uses as well.

#![deny(warnings)]
#![allow(dead_code)]

use cache_memoize::cache_memoize;

const SITE: u64 = 100;
const __SITE: u64 = 1000;

struct Value(u64);

#[cache_memoize]
fn arguments(value: u64, __arg0: u64, id: u64, (__arg1, mut call): (u64, u64)) -> u64 {
    call += 1;
    value + __arg0 + id + __arg1 + call + SITE + __SITE
}

// `now` is a parameter of what the companions call.
#[cache_memoize(key = "<now>:<find>:<krate>")]
fn now(now: u64, find: &str, krate: bool) -> String {
    format!("{now} {find} {krate}")
}

struct Repo(Value);

impl Repo {
    #[cache_memoize(skip(self), companions = "functions")]
    fn prime(&self, value: u64, key: u64) -> u64 {
        self.0.0 + value + key + SITE
    }

    // Only `__SITE` is taken in a function without companions.
    #[cache_memoize(skip(self))]
    fn inline(&self, value: u64) -> u64 {
        self.0.0 + value + SITE
    }
}

#[cache_memoize(key = "<type>:<match.fn>:<r>")]
fn r#fn(r#type: u64, r#match: Raw, r: u64) -> u64 {
    r#type + r#match.r#fn + r
}

struct Raw {
    r#fn: u64,
}

// A type has the function's name.
struct Shape {}

#[cache_memoize(companions = ShapeCache)]
#[allow(non_snake_case)]
fn Shape(Width: u64) -> u64 {
    Width
}

macro_rules! memoized {
    ($name:ident, $argument:ident: $ty:ty, $key:literal, $life:expr, $body:expr) => {
        #[cache_memoize(key = $key, expiration = $life)]
        fn $name($argument: $ty, hidden: u64) -> u64 {
            let inner = hidden;
            $body + inner
        }
    };
}

memoized!(by_macro, id: u64, "by_macro:<id>:<hidden>", "1h", id * 2);

fn main() {
    assert_eq!(arguments(1, 2, 3, (4, 5)), 1116);
    assert!(arguments::prime(1, 2, 3, (4, 5), 7));
    assert_eq!(arguments(1, 2, 3, (4, 5)), 7);

    for at in [1, 2, 1] {
        assert_eq!(now(at, "a", at == 1), format!("{at} a {}", at == 1));
    }
    assert_eq!(now::peek(2, "a", false).as_deref(), Some("2 a false"));
    assert_eq!(now::peek(2, "a", true), None);

    let repo = Repo(Value(1));
    assert_eq!(repo.prime(2, 3), 106);
    assert_eq!(Repo::prime_peek(2, 3), Some(106));
    assert_eq!(repo.inline(2), 103);

    assert_eq!(r#fn(1, Raw { r#fn: 2 }, 3), 6);
    assert_eq!(r#fn::peek(1, Raw { r#fn: 2 }, 3), Some(6));

    let _ = Shape {};
    assert_eq!(Shape(2), 2);
    assert_eq!(ShapeCache::peek(2), Some(2));

    assert_eq!(by_macro(2, 1), 5);
    assert_eq!(by_macro::peek(2, 1), Some(5));
}
