//! Lookups, and what becomes of those that are never answered: the server may have granted a lease, and nobody knows of it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::command::{self, Request};
use crate::backend::{BackendError, Lease};

/// Past so many all are forgotten: the leases run out by themselves.
const MOST: usize = 1024;

/// Leases that may have been granted, by key. Whoever looks a key up next takes over its lease, and need not wait for it to run out.
#[derive(Default)]
pub(super) struct Unanswered {
    leases: Mutex<HashMap<String, Lease>>,
    /// Looked at without the lock, as there are hardly ever any.
    any: AtomicBool,
}

/// A lookup that is on its way. Dropped before it was answered, it is noted.
pub(super) struct Looking<'a> {
    unanswered: &'a Unanswered,
    key: &'a str,
    /// As its answer refers to it.
    lease: Lease,
    /// What it may be granted.
    asked: Lease,
    pub(super) request: Request,
    is_answered: bool,
}

impl Unanswered {
    /// A lookup of `key`.
    ///
    /// # Errors
    /// The system gave no random number.
    pub(super) fn look<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
    ) -> Result<Looking<'a>, BackendError> {
        let (lease, asked, request) = if let Some(lease) = self.take(key) {
            let request = Request::get_or_take_over(key, lease, life);
            (lease, command::second(lease), request)
        } else {
            let lease = command::new_lease()?;
            (lease, lease, Request::get_or_lease(key, lease, life))
        };
        Ok(Looking {
            unanswered: self,
            key,
            lease,
            asked,
            request,
            is_answered: false,
        })
    }

    fn take(&self, key: &str) -> Option<Lease> {
        if !self.any.load(Ordering::Relaxed) {
            return None;
        }
        // The child of a fork may find it locked by a thread that it doesn't have.
        let mut leases = self.leases.try_lock().ok()?;
        let lease = leases.remove(key);
        self.any.store(!leases.is_empty(), Ordering::Relaxed);
        lease
    }

    fn note(&self, key: &str, lease: Lease) {
        let Ok(mut leases) = self.leases.try_lock() else {
            return;
        };
        if leases.len() >= MOST {
            leases.clear();
        }
        leases.insert(key.to_owned(), lease);
        self.any.store(true, Ordering::Relaxed);
    }
}

impl Looking<'_> {
    /// The server has said what it did; gives the lease that its answer refers to.
    pub(super) fn answered(mut self) -> Lease {
        self.is_answered = true;
        self.lease
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.unanswered.note(self.key, self.asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MOST, Unanswered, command};

    const LIFE: Duration = Duration::from_secs(1);

    #[test]
    fn what_is_not_answered_is_taken_over_once() {
        let all = Unanswered::default();
        let look = |key| all.look(key, LIFE).expect("there are random numbers");
        let unanswered = |key| look(key).asked;
        let first = unanswered("a");
        let second = unanswered("a");
        assert_eq!(second, command::second(first));
        assert_ne!(unanswered("b"), command::second(second), "another key's");
        let third = look("a");
        assert_eq!(third.asked, command::second(second));
        third.answered();
        let anew = unanswered("a");
        assert_ne!(anew, command::second(command::second(second)));
        assert_eq!(look("a").lease, anew);
    }

    #[test]
    fn they_are_bounded() {
        let all = Unanswered::default();
        for key in 0..2 * MOST {
            drop(all.look(&key.to_string(), LIFE));
            assert!(all.leases.lock().expect("no test panics").len() <= MOST);
        }
    }
}
