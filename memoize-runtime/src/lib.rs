//! The engine of [`cache-memoize`](https://docs.rs/cache-memoize); use it through that crate.
//!
//! A call of a memoized function goes down through these modules: `site` (the function), `key`, `call` (the drivers),
//! `engine` (the decisions, pure), `entry` (bytes), `backend` (where they live).

#[doc(hidden)]
pub mod __private;
mod backend;
mod breaker;
mod cacheable;
#[allow(
    missing_debug_implementations,
    reason = "only generated code meets its types"
)]
mod call;
mod clock;
mod config;
mod crypto;
mod engine;
mod entry;
mod error;
mod flight;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod hidden;
mod instance;
mod key;
mod local;
mod locks;
mod memo;
mod observe;
mod process;
mod progress;
mod seat;
mod secret;
mod shards;
mod shim;
mod site;
mod sleepers;
#[cfg(feature = "testing")]
pub mod testing;
mod timer;
mod unleased;

#[cfg(feature = "redis")]
pub use backend::Redis;
pub use backend::{
    Answer, AsyncBackend, Backend, BackendError, BlockOn, Bytes, Changes, Deadline, Lease, Limits,
    Lookup, Memory, Unblock,
};
pub use cacheable::Cacheable;
pub use call::{Memoized, MemoizedStream};
pub use clock::Clock;
pub use config::{Runtime, RuntimeBuilder};
pub use error::ConfigError;
pub use key::{CacheKey, KeyOptions, KeyParts, make_cache_key};
pub use memo::{Memo, SharingErrors};
pub use observe::Stats;
pub use secret::Secret;
