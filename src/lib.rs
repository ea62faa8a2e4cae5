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
    MemoizedStream, Memory, Runtime, RuntimeBuilder, Secret, SharingErrors, Stats, Unblock,
    make_cache_key,
};

/// The pages of `docs/`, whose examples are compiled with those of the README.
pub mod guide {
    #[doc = include_str!("../docs/attribute.md")]
    pub mod attribute {}

    #[doc = include_str!("../docs/concurrency.md")]
    pub mod concurrency {}

    #[doc = include_str!("../docs/encryption.md")]
    pub mod encryption {}

    #[doc = include_str!("../docs/promises.md")]
    pub mod promises {}

    #[doc = include_str!("../docs/redis.md")]
    pub mod redis {}

    #[doc = include_str!("../docs/runtime.md")]
    pub mod runtime {}

    #[doc = include_str!("../docs/streams.md")]
    pub mod streams {}

    #[doc = include_str!("../docs/types.md")]
    pub mod types {}
}
