//! A call that waits for another process.

use std::time::{Duration, Instant};

use super::request::Request;

/// What most functions that are worth remembering don't take.
const LONG: Duration = Duration::from_secs(1);

/// Tells, once, that a call waits long: the other process may have ended while it computed, which nobody else tells of.
#[derive(Default)]
pub(super) struct Elsewhere {
    since: Option<Instant>,
    is_told: bool,
}

impl Elsewhere {
    /// The call is about to wait, once more.
    pub(super) fn waits(&mut self, request: &Request) {
        let since = *self.since.get_or_insert_with(Instant::now);
        if !self.is_told && since.elapsed() >= LONG {
            self.is_told = true;
            request.observer().waits_for_another_process();
        }
    }
}
