//! What the rules have in common: questions that must be answered, keys, waiting.

use std::collections::BTreeSet;
use std::fmt;
use std::future::pending;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::Subject;
use crate::backend::{Answer, Bytes, Deadline};
use crate::locks::lock;
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
        debug_assert!(key.len() <= self.subject.limits().key_bytes);
        let mut used = lock(&self.used);
        used.insert(key.clone());
        key
    }

    /// The longest key of this run that ends so.
    pub(super) fn longest_key(&self, last: char) -> String {
        let longest = self.subject.limits().key_bytes.min(4096);
        let rest = longest - self.key("longest:").len() - 1;
        self.key(format_args!("longest:{}{last}", "k".repeat(rest)))
    }

    /// Removes what was written.
    pub(super) async fn clear(&self) {
        let used = std::mem::take(&mut *lock(&self.used));
        for key in used {
            self.delete(&key).await;
        }
    }

    /// What a backend answers that is up and has time.
    pub(super) async fn answer<T>(&self, question: &str, answer: Answer<'_, T>) -> T {
        let until = Instant::now() + self.patience;
        match timeout(Some(until), answer).await {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => panic!(
                "`{question}` failed ({error}); a backend that can be reached and has time answers whatever is within its limits"
            ),
            None => broken(format_args!(
                "`{question}` is never answered; wake the task that awaits it, and answer with an error when the deadline has passed"
            )),
        }
    }

    pub(super) async fn get(&self, key: &str) -> Option<Bytes> {
        self.answer("get", self.subject.get(key, soon())).await
    }

    pub(super) async fn get_many(&self, keys: &[&str]) -> Vec<Option<Bytes>> {
        let get_many = self.subject.get_many(keys, soon());
        self.answer("get_many", get_many).await
    }

    pub(super) async fn set(&self, key: &str, value: impl Into<Bytes>) {
        self.set_for(key, value, HOUR).await;
    }

    pub(super) async fn set_for(&self, key: &str, value: impl Into<Bytes>, life: Duration) {
        let set = self.subject.set(key, value.into(), life, soon());
        self.answer("set", set).await;
    }

    pub(super) async fn set_many(&self, entries: &[(&str, Bytes)], life: Duration) {
        let set_many = self.subject.set_many(entries, life, soon());
        self.answer("set_many", set_many).await;
    }

    pub(super) async fn delete(&self, key: &str) {
        self.answer("delete", self.subject.delete(key, soon()))
            .await;
    }

    pub(super) async fn delete_many(&self, keys: &[&str]) {
        let delete_many = self.subject.delete_many(keys, soon());
        self.answer("delete_many", delete_many).await;
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

pub(super) async fn pause(time: Duration) {
    timeout(Some(Instant::now() + time), pending::<()>()).await;
}

/// A rule of the contract, and what to do where it is broken.
#[track_caller]
pub(super) fn rule(holds: bool, text: impl fmt::Display) {
    if !holds {
        broken(text);
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "it is how a broken rule is told")]
pub(super) fn broken(text: impl fmt::Display) -> ! {
    panic!("the backend breaks its contract: {text}")
}
