//! A cache of a test's own, and none at all.

use std::future::Future;

use crate::config::Runtime;

/// Runs `body` with a cache of its own: empty, in memory, with the defaults of [`RuntimeBuilder`](crate::RuntimeBuilder).
///
/// So tests run side by side, and in any order. It is [`Runtime::scope`] on a fresh runtime, and holds where that does: on this
/// thread, until `body` returns or panics: what awaits goes to [`isolated_async`], as a closure that returns a future has returned before
/// anything is looked up. Counters of a function, `load_user::stats()` say, still count for all tests; those of
/// `Runtime::current().stats()` are this body's own. For other settings, build a runtime and enter its scope.
///
/// ```
/// use cache_memoize::{Memo, testing::isolated};
///
/// let answer = |value: u32| Memo::new("answer").get_or_compute(|| value);
/// assert_eq!(isolated(|| (answer(1), answer(2))), (1, 1));
/// assert_eq!(isolated(|| answer(3)), 3);
/// ```
///
/// # Panics
/// Only where `body` does.
pub fn isolated<T>(body: impl FnOnce() -> T) -> T {
    fresh().scope(body)
}

/// The same for a future, as [`Runtime::scope_async`]: whenever it is polled.
///
/// # Panics
/// Only where `body` does.
pub async fn isolated_async<F: Future>(body: F) -> F::Output {
    fresh().scope_async(body).await
}

/// Runs `body` with caching off: memoized functions run as if they were not.
///
/// It is [`RuntimeBuilder::caching`](crate::RuntimeBuilder::caching) switched off, and holds where [`isolated`] does; what awaits goes to [`uncached_async`].
///
/// ```
/// use cache_memoize::{Memo, testing::uncached};
///
/// let answer = |value: u32| Memo::new("answer").get_or_compute(|| value);
/// assert_eq!(uncached(|| (answer(1), answer(2))), (1, 2));
/// ```
///
/// # Panics
/// Only where `body` does.
pub fn uncached<T>(body: impl FnOnce() -> T) -> T {
    without_cache().scope(body)
}

/// The same for a future, as [`Runtime::scope_async`]: whenever it is polled.
///
/// # Panics
/// Only where `body` does.
pub async fn uncached_async<F: Future>(body: F) -> F::Output {
    without_cache().scope_async(body).await
}

pub(super) fn fresh() -> Runtime {
    Runtime::builder().build().expect("the defaults are valid")
}

fn without_cache() -> Runtime {
    Runtime::builder()
        .caching(false)
        .build()
        .expect("the defaults are valid")
}
