//! What tests of memoized code, and of backends, need (feature `testing`).
//!
//! # Tests of memoized code
//!
//! [`isolated`] gives a test a cache of its own, [`uncached`] runs memoized functions as the plain ones, and [`recorded`] tells
//! what the cache did. With a [`ManualClock`], what expires in an hour does so at once.
//!
//! ```
//! use cache_memoize::{cache_memoize, testing};
//!
//! #[cache_memoize(key = "price:<item>", expiration = "10m")]
//! fn price(item: &str) -> u64 {
//!     item.len() as u64 // imagine a slow query
//! }
//!
//! // No other test sees this cache, and this test sees no other's.
//! let (total, events) = testing::recorded(|| price("tea") + price("tea") + price("coffee"));
//! assert_eq!(total, 3 + 3 + 6);
//! let hits = events.iter().filter(|event| event.event == testing::Event::Hit);
//! assert_eq!(hits.count(), 1);
//!
//! // What is cached must be what would be computed.
//! assert_eq!(testing::uncached(|| price("tea")), testing::isolated(|| price("tea")));
//! ```
//!
//! # Tests of a backend
//!
//! [`conformance`](conformance()) holds a [`Backend`](crate::Backend) of your own against each rule of its contract, and
//! [`Faulty`] makes any backend fail in all the ways that one can.

mod clock;
mod conformance;
mod faulty;
mod isolated;
mod recorder;
mod storable;

pub use clock::ManualClock;
pub use conformance::{conformance, conformance_async};
pub use faulty::{Fault, Faulty, Injected};
pub use isolated::{isolated, isolated_async, uncached, uncached_async};
pub use recorder::{Recorded, Recorder, recorded, recorded_async};
pub use storable::{storable, storable_value, storable_where_panics_abort};

pub use crate::observe::Event;

use crate::config::Runtime;

/// How many computations are going on that other calls on `runtime` would wait for, or follow.
///
/// None is left when all calls have returned, panicked, or been dropped.
pub fn flights(runtime: &Runtime) -> usize {
    runtime.flights().sizes().0 + runtime.writers().len() + runtime.unleased().len()
}
