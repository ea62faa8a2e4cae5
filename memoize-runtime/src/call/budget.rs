//! The time that the cache work of one call may take.

use std::time::{Duration, Instant};

use crate::backend::Deadline;

/// What is left of a call's time. It runs while the cache is asked, and stands while the body runs or another is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Budget {
    /// For a backend that never waits, for which not even the time is asked.
    Endless,
    Standing(Duration),
    Running(Instant),
}

impl Budget {
    /// The moment by which the cache work from now on must be over, unless the budget is stopped before.
    pub(super) fn deadline(&mut self) -> Deadline {
        match *self {
            Self::Endless => Deadline::NEVER,
            Self::Running(until) => Deadline::at(until),
            Self::Standing(left) => {
                let now = Instant::now();
                // One that the clock can't tell is as good as none.
                let Some(until) = now.checked_add(left) else {
                    return Deadline::NEVER;
                };
                *self = Self::Running(until);
                Deadline::at(until)
            }
        }
    }

    /// What is done from now on doesn't count.
    pub(super) fn stop(&mut self) {
        if let Self::Running(until) = *self {
            *self = Self::Standing(until.saturating_duration_since(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::Budget;

    #[test]
    fn stands_while_it_is_stopped() {
        let mut budget = Budget::Standing(Duration::from_secs(3600));
        let first = budget.deadline().moment().expect("it runs");
        assert_eq!(
            budget.deadline().moment(),
            Some(first),
            "one moment and not one a step"
        );
        budget.stop();
        let Budget::Standing(left) = budget else {
            panic!("it was stopped")
        };
        thread::sleep(Duration::from_millis(2));
        let second = budget.deadline().moment().expect("it runs again");
        assert!(
            second >= first + Duration::from_millis(2),
            "the time between doesn't count"
        );
        assert!(left <= Duration::from_secs(3600));
    }

    #[test]
    fn without_an_end_there_is_no_deadline() {
        for mut budget in [Budget::Endless, Budget::Standing(Duration::MAX)] {
            budget.stop();
            assert_eq!(budget.deadline().moment(), None);
        }
    }
}
