//! A backend that answers at the second poll, and whose content tests can see and lose. Chunks are short there.

#![allow(dead_code, reason = "each of the tests uses a part of it")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, ThreadId};
use std::time::Duration;

use cache_memoize::{
    Answer, AsyncBackend, Backend, BackendError, Bytes, Deadline, Limits, Runtime,
};

#[derive(Clone, Default)]
pub(crate) struct Remote(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    entries: BTreeMap<String, Bytes>,
    askers: Vec<ThreadId>,
    /// After so many questions, each fails.
    left: Option<usize>,
}

impl Remote {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A runtime that awaits it.
    pub(crate) fn runtime(&self) -> Runtime {
        Runtime::builder()
            .async_backend(self.clone())
            // More than any machine is busy with something else.
            .budget(Duration::from_secs(3600))
            .build()
            .expect("valid settings")
    }

    pub(crate) fn len(&self) -> usize {
        self.content().entries.len()
    }

    pub(crate) fn questions(&self) -> usize {
        self.content().askers.len()
    }

    /// The threads that asked.
    pub(crate) fn askers(&self) -> Vec<ThreadId> {
        self.content().askers.clone()
    }

    pub(crate) fn fail_after(&self, questions: usize) {
        self.content().left = Some(questions);
    }

    /// Loses a chunk by its number; `false` if there is none.
    pub(crate) fn lose_chunk(&self, index: usize) -> bool {
        let mut content = self.content();
        let suffix = format!(".{index}");
        let before = content.entries.len();
        content.entries.retain(|name, _| !name.ends_with(&suffix));
        content.entries.len() < before
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().expect("no test panics in here")
    }

    fn ask<T>(&self, answer: impl FnOnce(&mut Content) -> T) -> Result<T, BackendError> {
        let mut content = self.content();
        content.askers.push(thread::current().id());
        if let Some(left) = &mut content.left {
            *left = left
                .checked_sub(1)
                .ok_or(BackendError::new("it was told to fail"))?;
        }
        Ok(answer(&mut content))
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        answer: impl FnOnce(&mut Content) -> T + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            smol::future::yield_now().await;
            self.ask(answer)
        })
    }
}

impl AsyncBackend for Remote {
    fn get<'a>(&'a self, key: &'a str, _: Deadline) -> Answer<'a, Option<Bytes>> {
        self.answer(|content| content.entries.get(key).cloned())
    }
    fn set<'a>(&'a self, key: &'a str, value: Bytes, _: Duration, _: Deadline) -> Answer<'a, ()> {
        self.answer(|content| drop(content.entries.insert(key.to_owned(), value)))
    }
    fn delete<'a>(&'a self, key: &'a str, _: Deadline) -> Answer<'a, ()> {
        self.answer(|content| drop(content.entries.remove(key)))
    }
    fn limits(&self) -> Limits {
        Limits::new().value_bytes(116)
    }
    fn discard(&self, keys: &[&str]) {
        let mut content = self.content();
        content
            .entries
            .retain(|name, _| !keys.contains(&name.as_str()));
    }
}

impl Backend for Remote {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.ask(|content| content.entries.get(key).cloned())
    }
    fn set(&self, key: &str, value: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        self.ask(|content| drop(content.entries.insert(key.to_owned(), value)))
    }
    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.ask(|content| drop(content.entries.remove(key)))
    }
    fn limits(&self) -> Limits {
        Limits::new().value_bytes(116)
    }
}
