//! Questions to the backend, awaited; as [`ask`](crate::call::ask) for those that block.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::backend::{Answer, AsyncBackend, BackendError, Deadline};
use crate::breaker::Permit;
use crate::call::ask::{NoAnswer, admit, panicked, told};
use crate::call::request::Request;
use crate::guard::guard;
use crate::timer::{Sleep, sleep_until};

/// A question on its way. Dropped, nothing is known of the answer.
///
/// Written by hand since all awaited cache work is made of these: an `async fn` would keep each of its arguments twice.
#[must_use = "an answer has to be awaited"]
pub(in crate::call) struct Asking<'r, T> {
    request: &'r Request,
    operation: &'static str,
    deadline: Deadline,
    /// The end of the wait; none without a deadline.
    until: Option<Sleep>,
    state: State<'r, T>,
}

enum State<'r, T> {
    /// None where the backend panicked.
    Asked(Option<Answer<'r, T>>, Option<Permit<'r>>),
    NotAsked(NoAnswer),
}

/// Asks the backend; its answer is waited for as long as there is time.
pub(in crate::call) fn ask<'r, T>(
    request: &'r Request,
    operation: &'static str,
    deadline: Deadline,
    question: impl FnOnce(&'r dyn AsyncBackend) -> Answer<'r, T>,
) -> Asking<'r, T> {
    let state = match admit(request, operation, deadline) {
        Ok(permit) => {
            let answer = guard(|| question(request.runtime.async_backend()));
            State::Asked(answer, permit)
        }
        Err(why) => State::NotAsked(why),
    };
    Asking {
        request,
        operation,
        deadline,
        until: deadline.moment().map(sleep_until),
        state,
    }
}

impl<T> Future for Asking<'_, T> {
    type Output = Result<T, NoAnswer>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (answer, permit) = match &mut this.state {
            State::Asked(answer, permit) => (answer, permit),
            State::NotAsked(why) => return Poll::Ready(Err(*why)),
        };
        let mut poll = |context: &mut Context<'_>| {
            let answer = answer.as_mut()?;
            guard(|| answer.as_mut().poll(context))
        };
        let mut polled = poll(context);
        if let (Some(Poll::Pending), Some(until)) = (&polled, &mut this.until) {
            ready!(Pin::new(until).poll(context));
            // It knows best why it comes to nothing.
            polled = poll(context);
        }
        let answer = match polled {
            Some(Poll::Ready(answer)) => answer,
            None => Err(panicked()),
            Some(Poll::Pending) if this.until.is_none() => return Poll::Pending,
            Some(Poll::Pending) => Err(BackendError::new("no answer in time")),
        };
        // One that is there is not waited for any more: where it is late, its task was polled late.
        let deadline = match answer {
            Ok(_) => Deadline::NEVER,
            Err(_) => this.deadline,
        };
        let permit = permit.take();
        this.request.lateness.note(this.deadline);
        Poll::Ready(told(this.request, this.operation, deadline, permit, answer))
    }
}
