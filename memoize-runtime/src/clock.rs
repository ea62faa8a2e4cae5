//! The time that entries are dated with, as a part that tests can replace.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a runtime reads the time from.
///
/// It dates entries, so it is wall-clock time, which processes that share a cache agree on. It may jump: an entry's
/// life is then cut short, or prolonged by the jump at most. Waits never depend on it.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    ///
    /// Called on every lookup, so it should cost nanoseconds. It must not panic.
    fn unix_millis(&self) -> u64;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn unix_millis(&self) -> u64 {
        (**self).unix_millis()
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn unix_millis(&self) -> u64 {
        // A clock before 1970 reads as 0: everything stored since is then "from the future" and a miss, which is
        // slow and right.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, millis)
    }
}

/// A duration in whole milliseconds, at most `u64::MAX`.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
