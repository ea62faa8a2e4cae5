//! Questions to the backend, awaited; as [`ask`](crate::call::ask) for those that block.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::backend::{Answer, AsyncBackend, BackendError, Deadline};
use crate::call::ask::{NoAnswer, panicked, told, too_late};
use crate::call::request::Request;
use crate::guard::guard;
use crate::timer::{Sleep, sleep_until};

/// Asks the backend; its answer is waited for as long as there is time.
///
/// Written by hand since all awaited cache work is made of these: an `async fn` would keep each of its arguments twice.
#[must_use = "an answer has to be awaited"]
pub(super) struct Asking<'r, T> {
    request: &'r Request,
    operation: &'static str,
    answer: Result<Answer<'r, T>, Option<BackendError>>,
    until: Option<Sleep>,
}

pub(super) fn ask<'r, T>(
    request: &'r Request,
    operation: &'static str,
    deadline: Deadline,
    question: impl FnOnce(&'r dyn AsyncBackend) -> Answer<'r, T>,
) -> Asking<'r, T> {
    let answer = if deadline.has_passed() {
        Err(Some(too_late()))
    } else {
        guard(|| question(request.runtime.async_backend())).ok_or_else(|| Some(panicked()))
    };
    Asking {
        request,
        operation,
        answer,
        until: deadline.moment().map(sleep_until),
    }
}

impl<T> Asking<'_, T> {
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<T, BackendError>> {
        let answer = match &mut self.answer {
            Ok(answer) => guard(|| answer.as_mut().poll(context)),
            Err(error) => return Poll::Ready(Err(error.take().unwrap_or_else(panicked))),
        };
        match (answer, &mut self.until) {
            (Some(Poll::Pending), Some(until)) => Pin::new(until)
                .poll(context)
                .map(|()| Err(BackendError::new("no answer in time"))),
            (Some(polled), _) => polled,
            (None, _) => Poll::Ready(Err(panicked())),
        }
    }
}

impl<T> Future for Asking<'_, T> {
    type Output = Result<T, NoAnswer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let (request, operation) = (self.request, self.operation);
        self.poll_answer(context)
            .map(|answer| told(request, operation, answer))
    }
}
