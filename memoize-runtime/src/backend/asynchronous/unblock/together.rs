//! One lookup for all who ask the same before it begins.
//!
//! One that has begun answers nobody else: what it finds may have been changed since, by whoever asks now.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex};

use super::pool::{Job, Pool};
use super::reply::{Promise, Reply, promise};
use crate::backend::{BackendError, Deadline};
use crate::guard::guard;
use crate::locks::lock;

/// The lookups that wait for a thread.
pub(super) struct Together<T>(Arc<Table<T>>);

type Table<T> = Mutex<Waiting<T>>;

/// By their key.
type Waiting<T> = HashMap<String, Arc<Askers<T>>>;

type Askers<T> = Mutex<Vec<Asker<T>>>;

struct Asker<T> {
    promise: Promise<Result<T, BackendError>>,
    latest: Deadline,
    deadline: Deadline,
}

impl<T: Send + 'static> Together<T> {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// Has `question` asked, unless it isn't begun by `latest`, with the latest `deadline` of those who want to know; `copy` is for all but
    /// the first of them.
    ///
    /// # Errors
    /// As for [`Pool::write`].
    pub(super) fn ask(
        &self,
        pool: &Arc<Pool>,
        key: &str,
        (latest, deadline): (Deadline, Deadline),
        question: impl FnOnce(&str, Deadline) -> Result<T, BackendError> + Send + 'static,
        copy: fn(&T) -> T,
    ) -> Result<Reply<Result<T, BackendError>>, BackendError> {
        let (promise, reply) = promise();
        let asker = Asker {
            promise,
            latest,
            deadline,
        };
        let mut table = lock(&self.0);
        if let Some(askers) = table.get(key) {
            lock(askers).push(asker);
            return Ok(reply);
        }
        let askers = Arc::new(Mutex::new(vec![asker]));
        table.insert(key.to_owned(), Arc::clone(&askers));
        drop(table);
        let lookup = LookUp {
            table: Arc::clone(&self.0),
            key: key.to_owned(),
            askers: Arc::clone(&askers),
            question,
            copy,
        };
        if let Err(error) = pool.queue_lookup(lookup) {
            close(&mut lock(&self.0), key, &askers);
            return Err(error);
        }
        Ok(reply)
    }
}

struct LookUp<T, Q> {
    table: Arc<Table<T>>,
    key: String,
    askers: Arc<Askers<T>>,
    question: Q,
    copy: fn(&T) -> T,
}

impl<T, Q> Job for LookUp<T, Q>
where
    T: Send,
    Q: FnOnce(&str, Deadline) -> Result<T, BackendError> + Send,
{
    fn is_wanted(&self) -> bool {
        let mut table = lock(&self.table);
        let is_wanted = lock(&self.askers).iter().any(Asker::is_wanted);
        if !is_wanted {
            close(&mut table, &self.key, &self.askers);
        }
        is_wanted
    }

    fn run(self: Box<Self>) {
        close(&mut lock(&self.table), &self.key, &self.askers);
        let mut askers = mem::take(&mut *lock(&self.askers));
        askers.retain(Asker::is_wanted);
        let Some(deadline) = askers
            .iter()
            .map(|asker| asker.deadline)
            .reduce(Deadline::later)
        else {
            return;
        };
        for asker in &askers {
            asker.promise.begin();
        }
        let Self {
            key,
            question,
            copy,
            ..
        } = *self;
        let answer = guard(|| question(&key, deadline));
        // Whoever left meanwhile would only hand the lease back.
        let first = askers.iter().position(|asker| asker.promise.is_awaited());
        let first = askers.swap_remove(first.unwrap_or(0));
        let copy = |answer: &Result<T, BackendError>| match answer {
            Ok(answer) => Ok(copy(answer)),
            Err(error) => Err(error.copy()),
        };
        let copies: Vec<_> = askers.iter().map(|_| answer.as_ref().map(copy)).collect();
        first.promise.keep(answer);
        for (asker, copy) in askers.into_iter().zip(copies) {
            asker.promise.keep(copy);
        }
    }
}

/// From now on nobody joins them.
fn close<T>(table: &mut Waiting<T>, key: &str, askers: &Arc<Askers<T>>) {
    if table
        .get(key)
        .is_some_and(|those| Arc::ptr_eq(those, askers))
    {
        // Nothing of them is dropped here, with the lock: `askers` has them.
        table.remove(key);
    }
}

impl<T> Asker<T> {
    fn is_wanted(&self) -> bool {
        self.promise.is_awaited() && !self.latest.has_passed()
    }
}
