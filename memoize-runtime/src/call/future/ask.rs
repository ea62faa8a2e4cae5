//! Questions to the backend, awaited; as [`ask`](crate::call::ask) for those that block.

use std::future::poll_fn;
use std::task::Poll;

use crate::backend::{Answer, AsyncBackend, BackendError, Deadline};
use crate::call::ask::{NoAnswer, panicked, told, too_late};
use crate::call::request::Request;
use crate::guard::guard;
use crate::timer::timeout;

/// Asks the backend, and waits for its answer as long as there is time.
pub(super) async fn ask<'r, T>(
    request: &'r Request,
    operation: &'static str,
    deadline: Deadline,
    question: impl FnOnce(&'r dyn AsyncBackend) -> Answer<'r, T>,
) -> Result<T, NoAnswer> {
    let backend = request.runtime.async_backend();
    let answer = if deadline.has_passed() {
        Err(too_late())
    } else {
        match guard(|| question(backend)) {
            Some(answer) => timeout(deadline.moment(), guarded(answer))
                .await
                .unwrap_or_else(|| Err(BackendError::new("no answer in time"))),
            None => Err(panicked()),
        }
    };
    told(request, operation, answer)
}

/// The answer, whose panic is an error.
async fn guarded<T>(mut answer: Answer<'_, T>) -> Result<T, BackendError> {
    poll_fn(|context| {
        guard(|| answer.as_mut().poll(context)).unwrap_or_else(|| Poll::Ready(Err(panicked())))
    })
    .await
}
