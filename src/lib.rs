#![doc = include_str!("../README.md")]

pub use memoize_macros::cache_memoize;
#[doc(hidden)]
pub use memoize_runtime::__private;
#[cfg(feature = "redis")]
pub use memoize_runtime::Redis;
#[cfg(feature = "testing")]
pub use memoize_runtime::testing;
pub use memoize_runtime::{
    Answer, AsyncBackend, Backend, BackendError, BlockOn, Bytes, CacheKey, Cacheable, Changes,
    Clock, ConfigError, Deadline, KeyOptions, KeyParts, Lease, Limits, Lookup, Memo, Memoized,
    MemoizedStream, Memory, Runtime, RuntimeBuilder, Secret, Stats, Unblock, make_cache_key,
};

#[doc = include_str!("../docs/concurrency.md")]
pub mod concurrency {}

#[doc = include_str!("../docs/encryption.md")]
pub mod encryption {}

#[doc = include_str!("../docs/types.md")]
pub mod types {}
