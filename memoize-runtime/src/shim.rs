//! The primitives that single flight, following and the breaker are made of. A test compiles the same code with those of `shuttle`
//! in their place (`test-schedules`), which tries out schedules.

pub(crate) use std::sync::atomic::AtomicU64;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread_local;

/// How many parts a table has: more than there are cores on most machines, as one is locked only where something is under way, for a
/// moment.
pub(crate) const SHARDS: usize = 32;

/// Runs a test of what is made of these; under `shuttle`, there.
#[cfg(test)]
pub(crate) fn check(test: impl Fn() + Send + Sync + 'static) {
    test();
}
