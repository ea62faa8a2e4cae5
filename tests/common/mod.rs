//! What several tests need.

#![allow(dead_code, reason = "each test is a program, and none uses all of it")]

use std::fmt::Debug;

use cache_memoize::{Cacheable, Runtime};

/// A value that can be stored and compared.
pub(crate) trait Stored: Cacheable + Clone + PartialEq + Debug {}

impl<T: Cacheable + Clone + PartialEq + Debug> Stored for T {}

pub(crate) mod prelude {
    #![allow(unused_imports, reason = "not all types have maps")]

    pub(crate) use std::collections::BTreeMap;

    pub(crate) use serde::{Deserialize, Serialize};
}

/// A cache of its own.
pub(crate) fn runtime() -> Runtime {
    Runtime::builder().build().expect("the defaults are valid")
}

/// How many random values a test takes: `CACHE_MEMOIZE_TEST_VALUES`, or a few that are quick.
pub(crate) fn values() -> u64 {
    let asked = std::env::var("CACHE_MEMOIZE_TEST_VALUES");
    asked.map_or(2_000, |asked| asked.parse().expect("a number of values"))
}

/// Random numbers from a seed, `CACHE_MEMOIZE_TEST_SEED` or a fixed one.
#[derive(Debug)]
pub(crate) struct Random(test_servers::Random);

impl Random {
    pub(crate) fn seeded() -> Self {
        let asked = std::env::var("CACHE_MEMOIZE_TEST_SEED");
        let seed = asked.map_or(1, |asked| asked.parse().expect("a seed"));
        Self(test_servers::Random::new(seed))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.number()
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// Small, so that defaults and neighbours are met often.
    pub(crate) fn byte(&mut self) -> u8 {
        self.below(4).to_le_bytes()[0]
    }

    /// One of so many.
    pub(crate) fn choice(&mut self, of: u8) -> usize {
        usize::from(self.next().to_le_bytes()[7] % of)
    }
}
