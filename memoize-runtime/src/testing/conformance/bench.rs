//! What the rules have in common: questions that must be answered, keys, waiting.

use std::collections::BTreeSet;
use std::fmt;
use std::future::pending;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Subject;
use crate::backend::{Answer, Bytes, Deadline};
use crate::timer::timeout;

/// Long enough to outlast any test.
pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// How long a question may take. What is asked here is small, and the machine may be busy.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

pub(super) struct Bench<'b> {
    pub(super) subject: &'b dyn Subject,
    pub(super) patience: Duration,
    /// Begins each key, so that runs on one server don't meet.
    run: String,
    used: Mutex<BTreeSet<String>>,
}

impl<'b> Bench<'b> {
    pub(super) fn new(subject: &'b dyn Subject, patience: Duration) -> Self {
        let run = getrandom::u64().expect("the system has random bytes");
        Self {
            subject,
            patience,
            run: format!("conformance:{run:016x}:"),
            used: Mutex::default(),
        }
    }

    /// A key of this run; the same for the same name.
    pub(super) fn key(&self, name: impl fmt::Display) -> String {
        let key = format!("{}{name}", self.run);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(key.clone());
        key
    }

    /// Removes what was written.
    pub(super) async fn clear(&self) {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        for key in used {
            self.delete(&key).await;
        }
    }

    pub(super) async fn get(&self, key: &str) -> Option<Bytes> {
        answer("get", self.subject.get(key, soon())).await
    }

    pub(super) async fn set(&self, key: &str, value: impl Into<Bytes>) {
        self.set_for(key, value, HOUR).await;
    }

    pub(super) async fn set_for(&self, key: &str, value: impl Into<Bytes>, life: Duration) {
        answer("set", self.subject.set(key, value.into(), life, soon())).await;
    }

    pub(super) async fn delete(&self, key: &str) {
        answer("delete", self.subject.delete(key, soon())).await;
    }

    /// Asks until `done`, as long as patience lasts; says whether it was.
    pub(super) async fn until<F: Future<Output = bool>>(&self, done: impl Fn() -> F) -> bool {
        let start = Instant::now();
        loop {
            if done().await {
                return true;
            }
            if start.elapsed() > self.patience {
                return false;
            }
            pause(Duration::from_millis(5)).await;
        }
    }
}

pub(super) fn soon() -> Deadline {
    Deadline::after(ANSWERS_WITHIN)
}

/// What a backend answers that is up and has time.
pub(super) async fn answer<T>(question: &str, answer: Answer<'_, T>) -> T {
    answer.await.unwrap_or_else(|error| {
        panic!(
            "`{question}` failed ({error}); a backend that can be reached and has time answers whatever is within its limits"
        )
    })
}

pub(super) async fn pause(time: Duration) {
    timeout(Some(Instant::now() + time), pending::<()>()).await;
}

/// A rule of the contract, and what to do where it is broken.
#[track_caller]
pub(super) fn rule(holds: bool, broken: &str) {
    assert!(holds, "the backend breaks its contract: {broken}");
}
