//! Lookups and other questions for a lease, and what becomes of leases that nobody will use: the server may have granted one in an answer
//! that never came, or was not heard when one was given up.

use std::collections::HashMap;
use std::mem::take;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use redis::Value;

use super::command::{self, Request, nonsense};
use super::exchange::Exchange;
use super::only;
use super::router::Router;
use super::slot::slot;
use crate::backend::{BackendError, Bytes, Lease, Lookup};
use crate::locks::lock;
use crate::process::PerProcess;

/// Past so many keys no more are noted: the leases run out by themselves.
const MOST: usize = 1024;

/// So many questions for one key are noted, the last ones.
const MOST_OF_ONE: usize = 32;

/// So many keys are given up with one lookup.
const MOST_GIVEN_UP: usize = 16;

/// Leases that may stand and are of no use, by key. Whoever asks for a key next takes them over, and need not wait for them to run out; for
/// other processes, which would have to, they are given up with the next question for a lease that goes to the same server.
#[derive(Default)]
pub(super) struct Unanswered {
    leases: PerProcess<Mutex<Leases>>,
    /// Looked at without the lock, as there are hardly ever any.
    any: AtomicBool,
}

type Leases = HashMap<String, Vec<Lease>>;

/// A lookup's answer, and the values of the names that were read with it.
pub(super) type Found = (Lookup, Vec<Option<Bytes>>);

/// A lookup that is on its way. Dropped before it was answered, it is noted.
pub(super) struct Looking<'a> {
    unanswered: &'a Unanswered,
    key: &'a str,
    /// The lease, then what is read: before it was granted, that could be older than an invalidation. Beside these is what is given up.
    pub(super) exchange: Exchange,
    /// What else may have been granted, and is given up with it.
    given_up: Vec<(String, Vec<Lease>)>,
    is_answered: bool,
}

/// The question for a lease whatever is there, on its way. Dropped before it was answered, it is noted.
pub(super) struct Taking<'a> {
    unanswered: &'a Unanswered,
    key: &'a str,
    lease: Lease,
    /// The lease; beside it is what is given up.
    pub(super) exchange: Exchange,
    /// What may have been granted for the same key, in whose place it comes.
    replaced: Vec<Lease>,
    given_up: Vec<(String, Vec<Lease>)>,
    is_answered: bool,
}

/// A lease that is about to end, as it is used or given up. Dropped before that was answered, it is noted.
pub(super) struct Ending<'a> {
    unanswered: &'a Unanswered,
    key: &'a str,
    lease: Lease,
    is_answered: bool,
}

impl Unanswered {
    /// The question for the lease of `key`.
    ///
    /// # Errors
    /// The system gave no random number.
    pub(super) fn lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        router: &Router,
    ) -> Result<Taking<'a>, BackendError> {
        let lease = command::new_lease()?;
        let replaced = self.take(key);
        let given_up = self.take_near(key, router);
        let exchange = Exchange::new([Request::lease(key, lease, life)]);
        Ok(Taking {
            unanswered: self,
            key,
            lease,
            exchange: exchange.beside(releases(&given_up)),
            replaced,
            given_up,
            is_answered: false,
        })
    }

    /// The end of a lease, as long as nobody knows of it.
    pub(super) fn ending<'a>(&'a self, key: &'a str, lease: Lease) -> Ending<'a> {
        Ending {
            unanswered: self,
            key,
            lease,
            is_answered: false,
        }
    }

    /// A lookup of `key`, and of others that are only read.
    ///
    /// # Errors
    /// The system gave no random number.
    pub(super) fn look<'a>(
        &'a self,
        key: &'a str,
        others: &[&str],
        life: Duration,
        router: &Router,
    ) -> Result<Looking<'a>, BackendError> {
        let lease = command::new_lease()?;
        let lookup = Request::lease_if_absent(key, lease, &self.take(key), life);
        let read = [key].into_iter().chain(others.iter().copied());
        let requests = [lookup].into_iter().chain(read.map(Request::get));
        let given_up = self.take_near(key, router);
        let exchange = Exchange::new(requests).first_leads();
        Ok(Looking {
            unanswered: self,
            key,
            exchange: exchange.beside(releases(&given_up)),
            given_up,
            is_answered: false,
        })
    }

    fn take(&self, key: &str) -> Vec<Lease> {
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut leases = self.lock();
        let taken = leases.remove(key).unwrap_or_default();
        self.any.store(!leases.is_empty(), Ordering::Relaxed);
        taken
    }

    /// Some of those on the server that is asked for `key`.
    fn take_near(&self, key: &str, router: &Router) -> Vec<(String, Vec<Lease>)> {
        if !self.any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let Ok(server) = router.route(slot(key)) else {
            return Vec::new();
        };
        let mut leases = self.lock();
        let is_near = |key: &String| router.route(slot(key)).is_ok_and(|other| other == server);
        let near = leases.keys().filter(|key| is_near(key));
        let near: Vec<String> = near.take(MOST_GIVEN_UP).cloned().collect();
        let taken = near.iter().filter_map(|key| leases.remove_entry(key));
        let taken = taken.collect();
        self.any.store(!leases.is_empty(), Ordering::Relaxed);
        taken
    }

    /// Notes leases of a key, the last one first.
    fn note(&self, key: &str, mut asked: Vec<Lease>) {
        let mut leases = self.lock();
        let is_full = leases.len() >= MOST && !leases.contains_key(key);
        if is_full || asked.is_empty() {
            return;
        }
        let noted = leases.entry(key.to_owned()).or_default();
        asked.append(noted);
        asked.truncate(MOST_OF_ONE);
        *noted = asked;
        self.any.store(true, Ordering::Relaxed);
    }

    /// Notes what was to be given up beside the exchange and was not.
    fn note_given_up(&self, exchange: &Exchange, given_up: &mut Vec<(String, Vec<Lease>)>) {
        for (index, (key, leases)) in given_up.drain(..).enumerate() {
            if !exchange.beside_is_answered(index) {
                self.note(&key, leases);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Leases> {
        let leases = self.leases.get_or_make(Mutex::default);
        lock(leases)
    }
}

fn releases(given_up: &[(String, Vec<Lease>)]) -> impl Iterator<Item = Request> {
    given_up
        .iter()
        .map(|(key, leases)| Request::release(key, leases))
}

impl Looking<'_> {
    /// What the server has said to it; nothing if it is to be asked once more, as the value went between the two questions.
    ///
    /// # Errors
    /// It makes no sense.
    pub(super) fn answered(mut self, answers: Vec<Value>) -> Result<Option<Found>, BackendError> {
        self.is_answered = true;
        let mut answers = answers.into_iter();
        let (Some(request), Some(leased), Some(value)) =
            (self.exchange.first(), answers.next(), answers.next())
        else {
            return Err(nonsense());
        };
        let Some(lookup) = command::looked_up(request, leased, value)? else {
            return Ok(None);
        };
        let others = answers.map(command::found);
        Ok(Some((lookup, others.collect::<Result<_, _>>()?)))
    }

    /// The leases that it may have been granted.
    fn asked(&self) -> Vec<Lease> {
        let mut leases = self.exchange.first().map_or(Vec::new(), Request::leases);
        if !self.exchange.first_was_sent() && !leases.is_empty() {
            leases.remove(0);
        }
        leases
    }
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.unanswered.note(self.key, self.asked());
        }
        self.unanswered
            .note_given_up(&self.exchange, &mut self.given_up);
    }
}

impl Taking<'_> {
    /// The lease, as the server has said so.
    ///
    /// # Errors
    /// It has not.
    pub(super) fn answered(mut self, answers: Vec<Value>) -> Result<Lease, BackendError> {
        self.is_answered = true;
        command::done(only(answers)?)?;
        Ok(self.lease)
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            let mut asked = take(&mut self.replaced);
            if self.exchange.first_was_sent() {
                asked.insert(0, self.lease);
            }
            self.unanswered.note(self.key, asked);
        }
        self.unanswered
            .note_given_up(&self.exchange, &mut self.given_up);
    }
}

impl Ending<'_> {
    /// The server has said what became of it.
    pub(super) fn answered<T>(
        mut self,
        answer: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        self.is_answered = answer.is_ok();
        answer
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.unanswered.note(self.key, vec![self.lease]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    use redis::Value;

    use super::super::url::Target;
    use super::{Lease, Looking, Lookup, MOST, MOST_OF_ONE, Router, Unanswered};

    const LIFE: Duration = Duration::from_secs(1);

    fn router() -> Router {
        let target = Target::parse("redis://localhost").expect("it is valid");
        Router::new(target.servers)
    }

    fn look<'a>(all: &'a Unanswered, key: &'a str) -> Looking<'a> {
        let looking = all.look(key, &[], LIFE, &router());
        looking.expect("there are random numbers")
    }

    /// The leases that a lookup names, which is sent and never answered.
    fn unanswered(all: &Unanswered, key: &str) -> Vec<Lease> {
        let mut looking = look(all, key);
        for group in looking.exchange.groups(&router()).expect("it is known") {
            looking.exchange.commands(&group);
        }
        looking.exchange.first().expect("it is asked").leases()
    }

    #[test]
    fn all_that_is_not_answered_is_taken_over() {
        let all = Unanswered::default();
        let first = unanswered(&all, "a");
        assert_eq!(first.len(), 1);
        let second = unanswered(&all, "a");
        assert_eq!(second[1..], first);
        // What nobody was asked for can't have been granted.
        for _ in 0..2 {
            let refused = look(&all, "a").exchange.first().map(super::Request::leases);
            assert_eq!(refused.expect("it is asked")[1..], second);
        }
        assert_eq!(unanswered(&all, "b").len(), 1, "another key's");
        let third = look(&all, "a");
        assert_eq!(third.asked(), second, "it was not sent yet");
        third
            .answered(vec![Value::Int(0), Value::Nil])
            .expect("it makes sense");
        assert_eq!(unanswered(&all, "a").len(), 1, "all is known");
    }

    #[test]
    fn what_comes_between_its_two_questions_is_noticed() {
        let all = Unanswered::default();
        let answered = |leased: &dyn Fn(String) -> Value, value| {
            let looking = all.look("a", &["b"], LIFE, &router());
            let looking = looking.expect("there are random numbers");
            let lease = looking.exchange.first().expect("it is asked").leases()[0];
            let leased = leased(lease.token().to_string());
            let found = looking.answered(vec![leased, value, Value::Nil]);
            (lease, found)
        };
        let value = || Value::BulkString(b"value".to_vec());
        let none = Value::Nil;
        let token = |token: String| Value::BulkString(token.into_bytes());
        let [busy, there] = [0, 1].map(|leased| move |_| Value::Int(leased));
        for leased in [&busy as &dyn Fn(_) -> _, &there, &token] {
            let (_, found) = answered(leased, value());
            let found = found.expect("it makes sense");
            assert!(matches!(found, Some((Lookup::Found(_), others)) if others == [None]));
        }
        let (_, is_busy) = answered(&busy, none.clone());
        assert!(matches!(is_busy, Ok(Some((Lookup::Busy, _)))));
        let (lease, granted) = answered(&token, none.clone());
        let granted = granted.expect("it makes sense");
        assert!(matches!(granted, Some((Lookup::Granted(granted), _)) if granted == lease));
        let (_, gone) = answered(&there, none.clone());
        assert!(matches!(gone, Ok(None)), "it is to be asked once more");
        for (leased, found) in [
            (Value::Int(1), Value::Int(1)),
            (Value::Int(2), none.clone()),
            (Value::Nil, none),
        ] {
            let (_, mixed_up) = answered(&|_| leased.clone(), found);
            mixed_up.expect_err("it makes no sense");
        }
    }

    #[test]
    fn none_is_lost_where_many_are_noted_at_one_moment() {
        let (all, keys) = (Unanswered::default(), MOST as u64);
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for first in 0..8 {
                let (all, start) = (&all, &start);
                scope.spawn(move || {
                    start.wait();
                    for key in (first..keys).step_by(8) {
                        all.note(&key.to_string(), vec![Lease::new(key)]);
                    }
                });
            }
        });
        assert_eq!(all.lock().len(), MOST);
        for key in 0..keys {
            assert_eq!(all.take(&key.to_string()), [Lease::new(key)]);
        }
    }

    #[test]
    fn they_are_bounded() {
        let all = Unanswered::default();
        for key in 0..2 * MOST {
            let mut looking = look(&all, "a");
            looking.is_answered = true;
            drop(looking);
            all.note(&key.to_string(), vec![Lease::new(7)]);
            assert!(all.lock().len() <= MOST);
        }
        for _ in 0..2 * MOST_OF_ONE {
            assert!(unanswered(&all, "b").len() <= MOST_OF_ONE + 1);
        }
    }
}
