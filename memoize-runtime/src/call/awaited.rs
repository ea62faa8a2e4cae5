//! What can be done with a call, for functions that are awaited.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use futures_core::Stream;

use super::future;
use super::stream::{MemoizedStream, begun};
use super::{AnyCall, Call};

impl<R> Call<R> {
    /// As [`run`](Self::run).
    pub async fn run_async<F: Future<Output = R>>(self, body: impl FnOnce() -> F) -> R {
        self.call.run_if_async(|_| true, body).await
    }

    /// Returns the items from the cache, or those of the stream that `body` returns, which are stored as they are consumed.
    pub fn stream<S: Stream<Item = R>>(
        self,
        body: impl FnOnce() -> S,
    ) -> MemoizedStream<R, impl FnOnce() -> Ready<S>, Ready<S>, S> {
        MemoizedStream::new(self.call.request(), (self.call.outcome)(), || ready(body()))
    }

    /// The same in a box, for a function that returns a `Pin<Box<dyn Stream>>`.
    pub fn boxed_stream<S: Stream<Item = R>>(
        self,
        body: impl FnOnce() -> S,
    ) -> Pin<Box<impl Stream<Item = R>>> {
        Box::pin(self.stream(body))
    }

    /// As [`stream`](Self::stream), for a function that is awaited: so is the lookup.
    pub async fn stream_async<F, B, S>(
        self,
        body: F,
    ) -> MemoizedStream<R, impl FnOnce() -> Pin<Box<B>>, Pin<Box<B>>, S>
    where
        F: FnOnce() -> B,
        B: Future<Output = S>,
        S: Stream<Item = R>,
    {
        begun(self.call.request(), (self.call.outcome)(), body).await
    }

    /// The same in a box.
    pub async fn boxed_stream_async<F, B, S>(self, body: F) -> Pin<Box<impl Stream<Item = R>>>
    where
        F: FnOnce() -> B,
        B: Future<Output = S>,
        S: Stream<Item = R>,
    {
        Box::pin(self.stream_async(body).await)
    }

    /// As [`peek`](Self::peek).
    pub async fn peek_async(self) -> Option<R> {
        future::peek(&self.call.request(), &(self.call.outcome)()).await
    }

    /// As [`prime`](Self::prime).
    pub async fn prime_async(self, value: R) -> bool {
        future::prime(&self.call.request(), &(self.call.outcome)(), value).await
    }

    /// As [`invalidate`](Self::invalidate).
    pub async fn invalidate_async(self) -> bool {
        future::invalidate(&self.call.request()).await
    }
}

impl<T, E> Call<Result<T, E>> {
    /// As [`peek_ok`](Self::peek_ok).
    pub async fn peek_ok_async(self) -> Option<T> {
        self.peek_async().await.and_then(Result::ok)
    }

    /// As [`prime_ok`](Self::prime_ok).
    pub async fn prime_ok_async(self, value: T) -> bool {
        self.prime_async(Ok(value)).await
    }

    #[doc(hidden)]
    pub async fn __run_if_async<F: Future<Output = Result<T, E>>>(
        &self,
        cache_if: impl FnOnce(&T) -> bool,
        body: impl FnOnce() -> F,
    ) -> Result<T, E> {
        let accept = |result: &Result<T, E>| result.as_ref().is_ok_and(cache_if);
        self.call.run_if_async(accept, body).await
    }
}

impl<R> AnyCall<R> {
    #[doc(hidden)]
    pub async fn __run_if_async<F: Future<Output = R>>(
        &self,
        cache_if: impl FnOnce(&R) -> bool,
        body: impl FnOnce() -> F,
    ) -> R {
        self.run_if_async(cache_if, body).await
    }

    async fn run_if_async<F: Future<Output = R>>(
        &self,
        accept: impl FnOnce(&R) -> bool,
        body: impl FnOnce() -> F,
    ) -> R {
        if let Some(value) = self.copy() {
            return value;
        }
        self.run_slowly_async(accept, body).await
    }

    #[inline(never)]
    fn run_slowly_async<F: Future<Output = R>>(
        &self,
        accept: impl FnOnce(&R) -> bool,
        body: impl FnOnce() -> F,
    ) -> Pin<Box<impl Future<Output = R>>> {
        future::get_or_compute(self.request(), self.sharing_outcome(), accept, body)
    }
}
