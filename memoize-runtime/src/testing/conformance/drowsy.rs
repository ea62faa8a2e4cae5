//! An async backend whose answers take a moment, and what can be wrong with one that is not with a blocking one.

use std::future::{pending, poll_fn};
use std::mem;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use super::bugs::Bug;
use super::sketch::Sketch;
use crate::backend::{
    Answer, AsyncBackend, Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slip {
    None,
    NeverAnswers,
    GoesOn,
    DroppedAnswersStay,
    ReleaseDoesNothing,
    DiscardsAll,
    SharesAnswers,
    ChecksThenStores,
    LooksThenGrants,
    OthersBefore,
}

pub(super) struct Drowsy {
    slip: Slip,
    sketch: Sketch,
    /// What was answered last.
    shared: Mutex<Option<Bytes>>,
    written: Mutex<Vec<String>>,
}

impl Drowsy {
    pub(super) fn new(slip: Slip) -> Self {
        Self {
            slip,
            sketch: Sketch::new(Bug::None),
            shared: Mutex::default(),
            written: Mutex::default(),
        }
    }

    fn has(&self, slip: Slip) -> bool {
        self.slip == slip
    }

    /// Nothing is asked before the answer is awaited.
    fn answer<'a, T: Send + 'a>(
        &'a self,
        deadline: Deadline,
        question: impl FnOnce(&Sketch) -> Result<T, BackendError> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            let passed = deadline.remaining() == Some(Duration::ZERO);
            if self.has(Slip::NeverAnswers) || passed && self.has(Slip::GoesOn) {
                pending::<()>().await;
            }
            let left = LeftBehind(self);
            a_moment().await;
            mem::forget(left);
            question(&self.sketch)
        })
    }
}

async fn a_moment() {
    let mut waited = false;
    poll_fn(|context| {
        if mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// An answer that is dropped when it was asked for.
struct LeftBehind<'a>(&'a Drowsy);

impl Drop for LeftBehind<'_> {
    fn drop(&mut self) {
        if self.0.has(Slip::DroppedAnswersStay) {
            self.0.sketch.leave_an_answer();
        }
    }
}

impl AsyncBackend for Drowsy {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        let answer = self.answer(deadline, move |sketch| sketch.get(key, deadline));
        if !self.has(Slip::SharesAnswers) {
            return answer;
        }
        Box::pin(async move {
            let found = answer.await?;
            self.shared
                .lock()
                .expect("nothing panics")
                .clone_from(&found);
            a_moment().await;
            Ok(self.shared.lock().expect("nothing panics").clone())
        })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        if self.has(Slip::DiscardsAll) {
            let mut written = self.written.lock().expect("nothing panics");
            written.push(key.to_owned());
        }
        self.answer(deadline, move |sketch| {
            sketch.set(key, value, life, deadline)
        })
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        self.answer(deadline, move |sketch| sketch.delete(key, deadline))
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
        if !self.has(Slip::LooksThenGrants) {
            return self.answer(deadline, move |sketch| {
                sketch.get_or_lease(key, life, deadline)
            });
        }
        Box::pin(async move {
            // Whether it is busy is asked with a lease that is over at once.
            let asked = self.answer(deadline, move |sketch| {
                sketch.get_or_lease(key, Duration::ZERO, deadline)
            });
            let lookup = asked.await?;
            if let Lookup::Granted(_) = lookup {
                return Ok(Lookup::Granted(self.lease(key, life, deadline).await?));
            }
            Ok(lookup)
        })
    }

    fn get_many_or_lease<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, (Lookup, Vec<Option<Bytes>>)> {
        Box::pin(async move {
            if self.has(Slip::OthersBefore) {
                let found = self.get_many(others, deadline).await?;
                // As long as two questions take.
                a_moment().await;
                a_moment().await;
                return Ok((self.get_or_lease(key, life, deadline).await?, found));
            }
            let lookup = self.get_or_lease(key, life, deadline).await?;
            Ok((lookup, self.get_many(others, deadline).await?))
        })
    }

    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        self.answer(deadline, move |sketch| sketch.lease(key, life, deadline))
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, bool> {
        if !self.has(Slip::ChecksThenStores) {
            return self.answer(deadline, move |sketch| {
                sketch.fill(key, lease, value, life, deadline)
            });
        }
        Box::pin(async move {
            let checked = value.clone();
            let filled = self.answer(deadline, move |sketch| {
                sketch.fill(key, lease, checked, life, deadline)
            });
            let stands = filled.await?;
            if stands {
                a_moment().await;
                self.set(key, value, life, deadline).await?;
            }
            Ok(stands)
        })
    }

    fn release(&self, key: &str, lease: Lease) {
        if !self.has(Slip::ReleaseDoesNothing) {
            let released = self.sketch.release(key, lease, Deadline::NEVER);
            released.expect("a sound sketch releases");
        }
    }

    fn discard(&self, keys: &[&str]) {
        let written = self.written.lock().expect("nothing panics");
        let all = written.iter().map(String::as_str);
        let removed: Vec<&str> = keys.iter().copied().chain(all).collect();
        let removed = self.sketch.delete_many(&removed, Deadline::NEVER);
        removed.expect("a sound sketch removes");
    }
}
