//! Which faults are told of in the log: one that each call meets would fill it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::backend::BackendError;
use crate::locks::lock;
use crate::process::PerProcess;

/// How long after one that was told of, others of its kind are only counted.
const PAUSE: Duration = Duration::from_secs(1);

/// So many kinds are known apart; a backend has a few.
const MOST_KINDS: usize = 64;

/// The faults of one function or one runtime.
pub(super) struct Faults(PerProcess<Mutex<Vec<Kind>>>);

struct Kind {
    operation: &'static str,
    reason: &'static str,
    told: Instant,
    since: u64,
}

impl Faults {
    pub(super) const fn new() -> Self {
        Self(PerProcess::new())
    }

    /// How many faults of its kind there were since the last one that was told of, if this one is to be told of.
    pub(super) fn tell(
        &self,
        operation: &'static str,
        error: &BackendError,
        now: Instant,
    ) -> Option<u64> {
        let kinds = self.0.get_or_make(Mutex::default);
        let mut kinds = lock(kinds);
        let reason = error.reason();
        let is_same = |kind: &&mut Kind| (kind.operation, kind.reason) == (operation, reason);
        let Some(kind) = kinds.iter_mut().find(is_same) else {
            if kinds.len() < MOST_KINDS {
                kinds.push(Kind {
                    operation,
                    reason,
                    told: now,
                    since: 0,
                });
            }
            return Some(1);
        };
        kind.since += 1;
        if now.saturating_duration_since(kind.told) < PAUSE {
            return None;
        }
        kind.told = now;
        Some(std::mem::take(&mut kind.since))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Faults, PAUSE};
    use crate::backend::BackendError;

    #[test]
    fn each_kind_is_told_of_at_once_and_then_a_few_times() {
        let faults = Faults::new();
        let (full, lost) = (BackendError::new("full"), BackendError::new("lost"));
        let start = Instant::now();
        assert_eq!(faults.tell("get", &full, start), Some(1));
        let told: Vec<_> = (1..=3000)
            .filter_map(|ms| faults.tell("get", &full, start + Duration::from_millis(ms)))
            .collect();
        assert_eq!(told, [1000, 1000, 1000]);
        let end = start + 3 * PAUSE;
        assert_eq!(faults.tell("get", &lost, end), Some(1));
        assert_eq!(faults.tell("fill", &full, end), Some(1));
        assert_eq!(faults.tell("get", &full, end + PAUSE / 2), None);
    }
}
