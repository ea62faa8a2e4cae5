//! A future of which nothing is on the stack while another one is polled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A future in a box, polled in a frame of its own: what it takes of the stack would else be added to the caller's, for as long as
/// the caller polls anything.
#[must_use = "a future does nothing unless it is polled"]
pub(super) struct Apart<F>(Pin<Box<F>>);

impl<F> Apart<F> {
    pub(super) fn new(future: F) -> Self {
        Self(Box::pin(future))
    }
}

impl<F: Future> Future for Apart<F> {
    type Output = F::Output;

    #[inline(never)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().poll(context)
    }
}
