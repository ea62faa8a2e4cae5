//! Questions to the backend, whose errors and panics end here. Those that block are asked here.

use super::request::Request;
use crate::backend::{Backend, BackendError, Deadline};
use crate::guard::guard;

/// A question that was not answered. It has been counted and logged.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoAnswer;

/// Asks the backend, unless the time for that is over.
pub(super) fn ask<T>(
    request: &Request,
    operation: &'static str,
    deadline: Deadline,
    question: impl FnOnce(&dyn Backend) -> Result<T, BackendError>,
) -> Result<T, NoAnswer> {
    let backend = request.runtime.backend();
    let answer = if deadline.has_passed() {
        Err(too_late())
    } else {
        guard(|| question(backend)).unwrap_or_else(|| Err(panicked()))
    };
    told(request, operation, answer)
}

/// The answer, where there is one.
pub(super) fn told<T>(
    request: &Request,
    operation: &'static str,
    answer: Result<T, BackendError>,
) -> Result<T, NoAnswer> {
    answer.map_err(|error| {
        request.observer().fault(operation, &error);
        // Its source is anybody's code, which may panic when it is dropped.
        guard(|| drop(error));
        NoAnswer
    })
}

pub(super) fn panicked() -> BackendError {
    BackendError::new("it panicked")
}

pub(super) fn too_late() -> BackendError {
    BackendError::new("the call's budget was used up")
}
