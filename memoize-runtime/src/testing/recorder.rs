//! What the cache did, event by event.

use std::future::Future;
use std::sync::{Arc, Mutex};

use super::isolated::fresh;
use crate::config::Runtime;
use crate::locks::lock;
use crate::observe::{Event, Function, Log};

/// Something that the cache did for a function. It holds neither key nor value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// The function's path with its type and generic arguments, as logs have it: `shop::prices::price`, `shop::Shop::price`; `memo` for what goes without the attribute.
    pub function: String,
    /// What happened.
    pub event: Event,
}

/// Writes down what the cache does on one runtime, from when it is made until it is dropped.
///
/// ```
/// use cache_memoize::{Memo, Runtime, testing::{Event, Recorder}};
///
/// let runtime = Runtime::builder().build()?;
/// let recorder = Recorder::of(&runtime);
/// runtime.scope(|| Memo::new("answer").get_or_compute(|| 42));
/// assert_eq!(recorder.events(), [Event::Absent, Event::Computed, Event::Stored]);
/// # Ok::<(), cache_memoize::ConfigError>(())
/// ```
///
/// Events of one call are in their order; those of calls that run side by side are mixed as they came.
#[derive(Debug)]
pub struct Recorder(Arc<Mutex<Vec<Recorded>>>);

impl Recorder {
    /// A recorder of what happens on `runtime` from now on.
    pub fn of(runtime: &Runtime) -> Self {
        let records = Arc::new(Mutex::new(Vec::new()));
        runtime.journal().keep(&records);
        Self(records)
    }

    /// What happened so far, with the functions it happened for.
    pub fn records(&self) -> Vec<Recorded> {
        lock(&self.0).clone()
    }

    /// What happened so far.
    pub fn events(&self) -> Vec<Event> {
        let records = lock(&self.0);
        records.iter().map(|recorded| recorded.event).collect()
    }
}

impl Log for Mutex<Vec<Recorded>> {
    fn write(&self, function: Function, event: Event) {
        let mut records = lock(self);
        records.push(Recorded {
            function: function.to_string(),
            event,
        });
    }
}

/// Runs `body` as [`isolated`](super::isolated()) does; gives what it returned and what the cache did. What awaits goes to
/// [`recorded_async`].
///
/// # Panics
/// Only where `body` does.
pub fn recorded<T>(body: impl FnOnce() -> T) -> (T, Vec<Recorded>) {
    let runtime = fresh();
    let recorder = Recorder::of(&runtime);
    let output = runtime.scope(body);
    (output, recorder.records())
}

/// The same for a future, as [`isolated_async`](super::isolated_async) runs it.
///
/// # Panics
/// Only where `body` does.
pub async fn recorded_async<F: Future>(body: F) -> (F::Output, Vec<Recorded>) {
    let runtime = fresh();
    let recorder = Recorder::of(&runtime);
    let output = runtime.scope_async(body).await;
    (output, recorder.records())
}
