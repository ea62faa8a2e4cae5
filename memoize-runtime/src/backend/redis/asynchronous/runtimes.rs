//! Runtimes in which no connection can be opened.

use std::collections::HashSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::runtime::{Handle, Id};

use crate::backend::BackendError;
use crate::guard::guard;
use crate::locks::lock;
use crate::process::PerProcess;

/// So many are remembered; then one or the other is tried again.
const MOST: usize = 1024;

/// Those that were built without I/O: whether it is there, tokio only says by a panic.
#[derive(Default)]
pub(super) struct WithoutIo {
    /// Looked at without the lock, as there are hardly ever any.
    any: AtomicBool,
    ids: PerProcess<Mutex<HashSet<Id>>>,
}

impl WithoutIo {
    pub(super) fn has(&self, runtime: &Handle) -> bool {
        self.any.load(Ordering::Relaxed) && self.with_ids(|ids| ids.contains(&runtime.id()))
    }

    /// What `opening` gives, in a task of the runtime. One in which it panics is not asked for it again.
    pub(super) async fn open<T>(
        &self,
        opening: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        let runtime = current()?;
        // Others may have waited for the one who found it out.
        if self.has(&runtime) {
            return Err(without_io());
        }
        let mut opening = pin!(opening);
        poll_fn(|context| {
            guard(|| opening.as_mut().poll(context)).unwrap_or_else(|| {
                self.with_ids(|ids| {
                    if ids.len() >= MOST {
                        ids.clear();
                    }
                    ids.insert(runtime.id());
                });
                self.any.store(true, Ordering::Relaxed);
                Poll::Ready(Err(without_io()))
            })
        })
        .await
    }

    fn with_ids<T>(&self, act: impl FnOnce(&mut HashSet<Id>) -> T) -> T {
        let ids = self.ids.get_or_make(Mutex::default);
        act(&mut lock(ids))
    }
}

/// The runtime of whoever polls just now. It may be another one than the last time, or none.
pub(super) fn current() -> Result<Handle, BackendError> {
    Handle::try_current().map_err(|_| {
        BackendError::unasked("a future that began in a tokio runtime is polled outside of it")
    })
}

/// What becomes of a task that didn't come to its end.
pub(super) fn ended() -> BackendError {
    BackendError::unasked("the tokio runtime has ended")
}

/// The server is not to blame.
fn without_io() -> BackendError {
    BackendError::unasked(
        "the tokio runtime has no I/O, so that the server is asked from other threads; build it with `enable_io`",
    )
}
