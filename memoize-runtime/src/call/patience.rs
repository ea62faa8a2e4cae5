//! How long one call waits for others, and how often it asks whether they are done.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use crate::call::request::Request;

/// How long one call waits for others.
pub(super) struct Patience {
    longest: Duration,
    /// When it began to wait: most calls never do, and asking for the time takes longer than much else on a miss.
    since: Option<Instant>,
    /// The same for the one that relieved a leader.
    renewed: Option<Instant>,
    pause: Duration,
}

/// Pauses between asking for what another process computes: short at first, for what is computed quickly.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl Patience {
    pub(super) fn new(request: &Request) -> Self {
        Self {
            longest: request.runtime.longest_wait(),
            since: None,
            renewed: None,
            pause: FIRST_PAUSE,
        }
    }

    /// The end of waiting for others in this process; none where the clock can't tell it.
    pub(super) fn until(&mut self) -> Option<Instant> {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.renewed.unwrap_or(since).checked_add(self.longest)
    }

    /// Waits as long again, for the one that relieved the leader.
    pub(super) fn renew(&mut self) {
        self.renewed = Some(Instant::now());
    }

    /// Until when to wait before asking again; none when it has been long enough.
    pub(super) fn next_pause(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        // Waiting for another process ends earlier, so that those who wait for this call get something of it.
        if now.duration_since(since) >= self.longest / 2 {
            return None;
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        Some(now + spread(pause, RandomState::new().hash_one(now)))
    }
}

/// The pause, or up to a fifth more or less: processes that began to wait at one time are not to ask in step.
fn spread(pause: Duration, chance: u64) -> Duration {
    // Pauses are short.
    let range = u64::try_from((pause * 2 / 5).as_micros()).unwrap_or(u64::MAX - 1) + 1;
    pause * 4 / 5 + Duration::from_micros(chance % range)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{FIRST_PAUSE, LONGEST_PAUSE, Patience, spread};

    #[test]
    fn pauses_are_spread_by_a_fifth() {
        let pauses = (0..50_000).map(|chance| spread(LONGEST_PAUSE, chance));
        let (least, most) = (Duration::from_millis(80), Duration::from_millis(120));
        assert_eq!(
            (pauses.clone().min(), pauses.max()),
            (Some(least), Some(most))
        );
    }

    #[test]
    fn who_waits_asks_less_and_less_often() {
        let longest = Duration::from_secs(3600);
        let mut patience = Patience {
            longest,
            since: None,
            renewed: None,
            pause: FIRST_PAUSE,
        };
        let mut nominal = FIRST_PAUSE;
        for _ in 0..20 {
            let before = Instant::now();
            let until = patience.next_pause().expect("an hour has not passed");
            assert!(until >= before + nominal * 4 / 5);
            assert!(until <= Instant::now() + nominal * 6 / 5);
            nominal = (nominal * 2).min(LONGEST_PAUSE);
        }
        patience.since = Instant::now().checked_sub(longest / 2);
        assert!(patience.since.is_none() || patience.next_pause().is_none());
    }
}
