//! Lookups, and what becomes of those that are never answered: the server may have granted a lease, and nobody knows of it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::Value;

use super::command::{self, Request};
use super::exchange::Exchange;
use super::router::Router;
use super::slot::slot;
use crate::backend::{BackendError, Bytes, Lease, Lookup};

/// Past so many all are forgotten: the leases run out by themselves.
const MOST: usize = 1024;

/// So many are given up with one lookup, for which it need not wait.
const MOST_GIVEN_UP: usize = 16;

/// Leases that may have been granted, by key. Whoever looks a key up next takes over its lease, and need not wait for it to run out; for
/// other processes, which would have to, they are given up with the next lookup that asks the same server.
#[derive(Default)]
pub(super) struct Unanswered {
    leases: Mutex<HashMap<String, Lease>>,
    /// Looked at without the lock, as there are hardly ever any.
    any: AtomicBool,
}

/// A lookup's answer, and the values of the names that were read with it.
pub(super) type Found = (Lookup, Vec<Option<Bytes>>);

/// A lookup that is on its way. Dropped before it was answered, it is noted.
pub(super) struct Looking<'a> {
    unanswered: &'a Unanswered,
    key: &'a str,
    /// As its answer refers to it.
    lease: Lease,
    /// What it may be granted.
    asked: Lease,
    request: Request,
    /// The names that are read with it.
    others: &'a [&'a str],
    /// What else may have been granted, and is given up with it.
    given_up: Vec<(String, Lease)>,
    is_answered: bool,
}

impl Unanswered {
    /// A lookup of `key`, and of others that are only read.
    ///
    /// # Errors
    /// The system gave no random number.
    pub(super) fn look<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        router: &Router,
    ) -> Result<Looking<'a>, BackendError> {
        let (lease, asked, request) = if let Some(lease) = self.take(key) {
            let request = Request::take_over_if_absent(key, lease, life);
            (lease, command::second(lease), request)
        } else {
            let lease = command::new_lease()?;
            (lease, lease, Request::lease_if_absent(key, lease, life))
        };
        Ok(Looking {
            unanswered: self,
            key,
            lease,
            asked,
            request,
            others,
            given_up: self.take_near(key, router),
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

    /// Some of those on the server that is asked for `key`.
    fn take_near(&self, key: &str, router: &Router) -> Vec<(String, Lease)> {
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let (Ok(server), Ok(mut leases)) = (router.route(slot(key)), self.leases.try_lock()) else {
            return Vec::new();
        };
        let is_near = |key: &String| router.route(slot(key)).is_ok_and(|other| other == server);
        let near = leases.keys().filter(|key| is_near(key));
        let near: Vec<String> = near.take(MOST_GIVEN_UP).cloned().collect();
        let taken = near.iter().filter_map(|key| leases.remove_entry(key));
        let taken = taken.collect();
        self.any.store(!leases.is_empty(), Ordering::Relaxed);
        taken
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
    /// The lease, then what is read: before it was granted, that could be older than an invalidation. Behind these is what is given up: nobody
    /// waits for the answers to that alone.
    pub(super) fn exchange(&self) -> Exchange {
        // Where the connection was lost under it, the second one was asked for.
        let leases = |lease: Lease| [lease, command::second(lease)];
        let released = self
            .given_up
            .iter()
            .flat_map(|(key, lease)| leases(*lease).map(|lease| Request::release(key, lease)));
        let read = [self.key].into_iter().chain(self.others.iter().copied());
        let first = [self.request.clone()].into_iter();
        Exchange::new(first.chain(read.map(Request::get)).chain(released)).first_leads()
    }

    /// What the server has said to it; nothing if it is to be asked once more, as the value went between the two questions.
    ///
    /// # Errors
    /// It makes no sense.
    pub(super) fn answered(mut self, answers: Vec<Value>) -> Result<Option<Found>, BackendError> {
        self.is_answered = true;
        let mut answers = answers.into_iter();
        let (Some(leased), Some(value)) = (answers.next(), answers.next()) else {
            return Err(BackendError::new("the server's answer makes no sense"));
        };
        let Some(lookup) = command::looked_up(leased, value, self.lease)? else {
            return Ok(None);
        };
        // Behind them nothing is said.
        let others = answers.take(self.others.len()).map(command::found);
        Ok(Some((lookup, others.collect::<Result<_, _>>()?)))
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.unanswered.note(self.key, self.asked);
            for (key, lease) in &self.given_up {
                self.unanswered.note(key, *lease);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use redis::Value;

    use super::super::url::Target;
    use super::{Lookup, MOST, Router, Unanswered, command};

    const LIFE: Duration = Duration::from_secs(1);

    fn router() -> Router {
        let target = Target::parse("redis://localhost").expect("it is valid");
        Router::new(target.servers)
    }

    #[test]
    fn what_is_not_answered_is_taken_over_once() {
        let (all, router) = (Unanswered::default(), router());
        let look = |key| {
            let looking = all.look(key, &[], LIFE, &router);
            looking.expect("there are random numbers")
        };
        let unanswered = |key| look(key).asked;
        let first = unanswered("a");
        let second = unanswered("a");
        assert_eq!(second, command::second(first));
        assert_ne!(unanswered("b"), command::second(second), "another key's");
        let third = look("a");
        assert_eq!(third.asked, command::second(second));
        third
            .answered(vec![Value::Int(0), Value::Nil])
            .expect("it makes sense");
        let anew = unanswered("a");
        assert_ne!(anew, command::second(command::second(second)));
        assert_eq!(look("a").lease, anew);
    }

    #[test]
    fn what_comes_between_its_two_questions_is_noticed() {
        let (all, router) = (Unanswered::default(), router());
        let answered = |leased, value| {
            let looking = all.look("a", &["b"], LIFE, &router);
            let looking = looking.expect("there are random numbers");
            let lease = looking.asked;
            let found = looking.answered(vec![leased, value, Value::Nil]);
            (lease, found)
        };
        let value = || Value::BulkString(b"value".to_vec());
        let none = Value::Nil;
        for leased in [0, 1, 3].map(Value::Int) {
            let (_, found) = answered(leased, value());
            let found = found.expect("it makes sense");
            assert!(matches!(found, Some((Lookup::Found(_), others)) if others == [None]));
        }
        let (_, busy) = answered(Value::Int(0), none.clone());
        assert!(matches!(busy, Ok(Some((Lookup::Busy, _)))));
        let (lease, granted) = answered(Value::Int(1), none.clone());
        let granted = granted.expect("it makes sense");
        assert!(matches!(granted, Some((Lookup::Granted(granted), _)) if granted == lease));
        let (_, gone) = answered(Value::Int(3), none);
        assert!(matches!(gone, Ok(None)), "it is to be asked once more");
        for (leased, found) in [
            (value(), value()),
            (value(), Value::Int(3)),
            (Value::Int(3), Value::Int(3)),
            (Value::Int(4), value()),
        ] {
            let (_, mixed_up) = answered(leased, found);
            mixed_up.expect_err("it makes no sense");
        }
    }

    #[test]
    fn they_are_bounded() {
        let (all, router) = (Unanswered::default(), router());
        for key in 0..2 * MOST {
            drop(all.look(&key.to_string(), &[], LIFE, &router));
            assert!(all.leases.lock().expect("no test panics").len() <= MOST);
        }
    }
}
