//! A clock that tests turn by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, millis};

/// A clock that is turned by hand. Clones are the same clock.
///
/// A runtime [has it](crate::RuntimeBuilder::clock) for what entries say of themselves, and the embedded backend for theirs. A backend that is
/// given goes by its own: [`Memory::with_clock`](crate::Memory::with_clock), or a server's.
///
/// ```
/// use cache_memoize::{Memo, Runtime, testing::ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let runtime = Runtime::builder().clock(clock.clone()).build()?;
/// runtime.scope(|| {
///     let answer = |n| Memo::new("answer").expiration(Duration::from_secs(60)).get_or_compute(|| n);
///     assert_eq!(answer(1), 1);
///     assert_eq!(answer(2), 1);
///     clock.advance(Duration::from_secs(60));
///     assert_eq!(answer(3), 3);
/// });
/// # Ok::<(), cache_memoize::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that stands at the start of the year 2026.
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_767_225_600_000)))
    }

    /// Turns it forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::Relaxed);
    }

    /// Turns it back, as when a machine's time is set, at most to 1970.
    pub fn turn_back(&self, by: Duration) {
        let by = millis(by);
        let earlier = |now: u64| Some(now.saturating_sub(by));
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, earlier);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn unix_millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
