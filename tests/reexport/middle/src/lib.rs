//! What a framework might offer.

pub use cache_memoize::*;

/// The same at a path of its own.
pub mod caching {
    pub use ::cache_memoize;
}
