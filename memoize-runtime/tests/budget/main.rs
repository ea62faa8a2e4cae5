//! What the cache may cost a call: round trips, and time.

mod answers;
#[path = "../../../tests/common/forward.rs"]
mod forward;
mod round_trips;
#[cfg(feature = "encrypt")]
mod sealing_anew;
mod time;
mod unheard;

use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Memo, Memory, Runtime,
    RuntimeBuilder, cache_memoize,
};

const BUDGET: Duration = Duration::from_secs(600);

/// A memory that says it blocks, and notes what it is asked and how much time there is for it.
#[derive(Clone)]
struct Server {
    memory: Memory,
    asked: Arc<Mutex<Vec<(&'static str, Duration)>>>,
    /// Uses up the time that it is given by this question, and fails.
    stuck_at: Option<&'static str>,
    /// How often it answers that before.
    answers: Arc<AtomicUsize>,
}

impl Server {
    fn new() -> Self {
        Self {
            memory: Memory::new(1 << 20),
            asked: Arc::default(),
            stuck_at: None,
            answers: Arc::default(),
        }
    }

    fn note(&self, question: &'static str, deadline: Deadline) -> Result<(), BackendError> {
        let left = match deadline.remaining() {
            Some(left) => left,
            // Nobody waits for what is undone.
            None if ["release", "delete_many"].contains(&question) => return Ok(()),
            None => panic!("each question has a deadline"),
        };
        let mut asked = self.asked.lock().expect("no panic");
        asked.push((question, left));
        drop(asked);
        let is_over = || {
            let left = self.answers.load(SeqCst).checked_sub(1);
            left.map(|left| self.answers.store(left, SeqCst)).is_none()
        };
        if self.stuck_at == Some(question) && is_over() {
            while let Some(left) = deadline.remaining().filter(|left| !left.is_zero()) {
                thread::sleep(left);
            }
            return Err(BackendError::new("no answer in time"));
        }
        Ok(())
    }

    /// The questions since the last time.
    fn asked(&self) -> Vec<&'static str> {
        self.times()
            .into_iter()
            .map(|(question, _)| question)
            .collect()
    }

    fn has_asked(&self, question: &'static str) -> bool {
        let asked = self.asked.lock().expect("no panic");
        asked.iter().any(|(name, _)| *name == question)
    }

    fn times(&self) -> Vec<(&'static str, Duration)> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl Backend for Server {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.note("get", deadline)?;
        self.memory.get(key, deadline)
    }
    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.note("set", deadline)?;
        self.memory.set(key, value, life, deadline)
    }
    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.note("delete", deadline)?;
        self.memory.delete(key, deadline)
    }
    fn limits(&self) -> Limits {
        Limits::new().value_bytes(4096)
    }
    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        self.note("get_many", deadline)?;
        self.memory.get_many(keys, deadline)
    }
    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<(), BackendError> {
        self.note("delete_many", deadline)?;
        self.memory.delete_many(keys, deadline)
    }
    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        self.note("get_or_lease", deadline)?;
        self.memory.get_or_lease(key, life, deadline)
    }
    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        self.note("lease", deadline)?;
        self.memory.lease(key, life, deadline)
    }
    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        self.note("fill", deadline)?;
        self.memory.fill(key, lease, value, life, deadline)
    }
    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        self.note("release", deadline)?;
        self.memory.release(key, lease, deadline)
    }
}

fn settings(server: &Server) -> RuntimeBuilder {
    Runtime::builder().backend(server.clone()).budget(BUDGET)
}

fn build(settings: RuntimeBuilder) -> Runtime {
    settings.build().expect("valid settings")
}

/// The ways to make a call that computes `value`.
const CALLS: [fn(u32) -> u32; 2] = [
    |value| Memo::new("k").get_or_compute(|| value),
    |value| smol::block_on(Memo::new("k").get_or_compute_async(|| ready(value))),
];

#[cache_memoize(key = "plain")]
fn plain() -> u32 {
    7
}
