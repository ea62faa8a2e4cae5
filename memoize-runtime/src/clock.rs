//! The time that entries are dated with, as a part that tests can replace.

use std::sync::Arc;

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
    #[inline]
    fn unix_millis(&self) -> u64 {
        // A clock before 1970 reads as 0: everything stored since is then "from the future" and a miss, which is
        // slow and right.
        system_millis()
    }
}

/// The time of the last tick, which is a few milliseconds ago: telling it to the nanosecond takes as long as a lookup.
#[cfg(target_os = "linux")]
#[inline]
fn system_millis() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let (Ok(seconds), Ok(nanos)) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec)) else {
        return 0;
    };
    seconds * 1000 + nanos / 1_000_000
}

#[cfg(not(target_os = "linux"))]
fn system_millis() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, millis)
}

/// A duration in whole milliseconds, at most `u64::MAX`.
pub(crate) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
