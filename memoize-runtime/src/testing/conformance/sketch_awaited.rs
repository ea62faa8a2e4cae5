//! The same, awaited, with the bugs that only such a one has.

use std::future::ready;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bench::pause;
use super::bugs::Bug;
use super::sketch::{Sketch, TOO_LONG};
use super::ways::Write;
use crate::backend::{Answer, AsyncBackend, Backend, Bytes, Deadline, Lease, Limits, Lookup};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsyncBug {
    None,
    GoesOnAfterDeadline,
    AnswersOthers,
    LooksThenGrants,
    ChecksThenStores,
    AnswersBeforeItWrites,
    ReleaseDoesNothing,
}

pub(super) struct AwaitedSketch {
    bug: AsyncBug,
    sketch: Sketch,
    /// What was asked for last.
    asked: Mutex<String>,
    /// What was answered, and is still to be written.
    unwritten: Mutex<Option<(String, Bytes, Duration)>>,
}

impl AwaitedSketch {
    pub(super) fn new(bug: AsyncBug) -> Self {
        Self {
            bug,
            sketch: Sketch::new(Bug::None),
            asked: Mutex::default(),
            unwritten: Mutex::default(),
        }
    }

    fn has(&self, bug: AsyncBug) -> bool {
        self.bug == bug
    }

    fn asked(&self) -> MutexGuard<'_, String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores what `set` answered for last, and keeps what it is to store now.
    fn write_behind(&self, now: Option<(String, Bytes, Duration)>) {
        let mut unwritten = self
            .unwritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some((key, value, life)) = mem::replace(&mut *unwritten, now) {
            let written = self.sketch.set(&key, value, life, Deadline::NEVER);
            written.expect("a sketch without a bug takes it");
        }
    }
}

/// So that others are polled.
async fn give_way() {
    pause(Duration::from_micros(1)).await;
}

impl AsyncBackend for AwaitedSketch {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        Box::pin(async move {
            if self.has(AsyncBug::GoesOnAfterDeadline) && deadline.has_passed() {
                pause(TOO_LONG).await;
            }
            if self.has(AsyncBug::AnswersOthers) {
                key.clone_into(&mut self.asked());
                give_way().await;
                return self.sketch.get(&self.asked(), deadline);
            }
            let found = self.sketch.get(key, deadline);
            self.write_behind(None);
            found
        })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        if self.has(AsyncBug::AnswersBeforeItWrites) {
            self.write_behind(Some((key.to_owned(), value, life)));
            return Box::pin(ready(Ok(())));
        }
        Box::pin(ready(self.sketch.set(key, value, life, deadline)))
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(ready(self.sketch.delete(key, deadline)))
    }

    fn limits(&self) -> Limits {
        self.sketch.limits()
    }

    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        Box::pin(async move {
            let lookup = self.sketch.get_or_lease(key, life, deadline)?;
            if self.has(AsyncBug::LooksThenGrants)
                && let Lookup::Granted(lease) = lookup
            {
                // As if it had only looked until here.
                self.sketch.release(key, lease, deadline)?;
                give_way().await;
                return self.sketch.lease(key, life, deadline).map(Lookup::Granted);
            }
            Ok(lookup)
        })
    }

    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        Box::pin(ready(self.sketch.lease(key, life, deadline)))
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let stands = self.sketch.stands(&self.sketch.state(), key, lease);
            if self.has(AsyncBug::ChecksThenStores) && stands {
                give_way().await;
                let mut state = self.sketch.state();
                self.sketch.end(&mut state, key);
                self.sketch
                    .insert(&mut state, key, &value, life, Write::Fill);
                return Ok(true);
            }
            self.sketch.fill(key, lease, value, life, deadline)
        })
    }

    fn release(&self, key: &str, lease: Lease) {
        if !self.has(AsyncBug::ReleaseDoesNothing) {
            let released = self.sketch.release(key, lease, Deadline::NEVER);
            released.expect("a sketch without a bug takes it");
        }
    }
}
