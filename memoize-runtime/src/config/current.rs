//! Which runtime a call uses: the one whose scope it is in, else the installed one, else the embedded one.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::pin;

use once_cell::sync::OnceCell;

use super::Runtime;
use crate::error::{ConfigError, ConfigErrorKind};

static INSTALLED: OnceCell<Runtime> = OnceCell::new();
static EMBEDDED: OnceCell<Runtime> = OnceCell::new();

thread_local! {
    /// The scopes this thread is in, the innermost last.
    static SCOPES: RefCell<Vec<Runtime>> = const { RefCell::new(Vec::new()) };
    /// How many those are: what has no destructor is read without asking whether it is there.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// The runtime of one call. The process's own is borrowed, so that a call outside any scope touches no shared count.
#[derive(Clone)]
pub(crate) enum Current {
    Process(&'static Runtime),
    Scoped(Runtime),
}

impl Deref for Current {
    type Target = Runtime;

    #[inline]
    fn deref(&self) -> &Runtime {
        match self {
            Self::Process(runtime) => runtime,
            Self::Scoped(runtime) => runtime,
        }
    }
}

impl Runtime {
    /// The runtime that a call made here and now would use.
    pub fn current() -> Self {
        Self::clone(&Current::get())
    }

    /// Makes this the process's runtime.
    ///
    /// # Errors
    /// One [is installed already](ConfigError::is_already_installed); it stays.
    pub fn install(self) -> Result<(), ConfigError> {
        let cannot_seal = self.lacks_a_secret();
        let key_id = self.given_key_id();
        INSTALLED
            .set(self)
            .map_err(|_| ConfigErrorKind::AlreadyInstalled)?;
        if EMBEDDED.get().is_some() {
            tracing::warn!(
                target: "cache_memoize",
                "memoized functions were called before `install`; what they stored is not seen any more"
            );
        }
        if cannot_seal {
            // Whether there is such a function shows only when one is called, and that warns. With `force_encryption` nothing was built.
            tracing::info!(
                target: "cache_memoize",
                "there is no secret for this shared backend, so functions with `encrypt` would compute every time; \
                 give one to `secret`, or set `CACHE_MEMOIZE_SECRET`"
            );
        }
        if let Some(key_id) = key_id {
            tracing::info!(
                target: "cache_memoize",
                key_id = format_args!("{key_id:08x}"),
                "entries are sealed; processes that show another `key_id` have another secret, and share none of them"
            );
        }
        Ok(())
    }

    /// Runs `body` with this runtime in place of the process's.
    ///
    /// It holds for this thread, until `body` returns or panics: for what awaits there is [`scope_async`](Self::scope_async), as a closure
    /// that returns a future has returned before that is polled. A thread that `body` starts is outside: hand it
    /// [`Runtime::current()`](Self::current), and enter a scope there. In a destructor of a thread's own variables, `body` runs
    /// without it.
    pub fn scope<T>(&self, body: impl FnOnce() -> T) -> T {
        let _scope = Scope::enter(self.clone());
        body()
    }

    /// The same for a future: whenever it is polled, by whichever thread, this runtime is entered.
    ///
    /// Tasks that it spawns are outside: spawn a future of this kind, which borrows no more than `body` does. Dropping the future drops
    /// `body`, also outside.
    ///
    /// ```
    /// # use cache_memoize::{Memo, Runtime};
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let runtime = Runtime::builder().build().expect("the defaults are valid");
    /// let answer = async { Memo::new("answer").get_or_compute_async(|| async { 42 }).await };
    /// let task = tokio::spawn(runtime.scope_async(answer));
    /// assert_eq!(task.await.expect("it doesn't panic"), 42);
    /// # });
    /// ```
    pub fn scope_async<F: Future>(&self, body: F) -> impl Future<Output = F::Output> + use<F> {
        let runtime = self.clone();
        async move {
            let mut body = pin!(body);
            poll_fn(|context| runtime.scope(|| body.as_mut().poll(context))).await
        }
    }
}

impl Current {
    #[inline]
    pub(crate) fn get() -> Self {
        if DEPTH.get() > 0
            && let Some(runtime) = innermost()
        {
            return Self::Scoped(runtime);
        }
        Self::Process(
            INSTALLED
                .get()
                .or_else(|| EMBEDDED.get())
                .unwrap_or_else(embedded),
        )
    }
}

#[cold]
fn innermost() -> Option<Runtime> {
    // A call made while the thread's locals are torn down is outside any scope.
    let scoped = SCOPES.try_with(|scopes| scopes.borrow().last().cloned());
    scoped.unwrap_or(None)
}

#[cold]
fn embedded() -> &'static Runtime {
    EMBEDDED.get_or_init(|| Runtime::builder().build().expect("the defaults are valid"))
}

/// Leaves the scope when dropped, so on a panic as well.
struct Scope;

impl Scope {
    /// Nothing, where the thread's locals are torn down already.
    fn enter(runtime: Runtime) -> Option<Self> {
        SCOPES
            .try_with(|scopes| scopes.borrow_mut().push(runtime))
            .ok()?;
        DEPTH.set(DEPTH.get() + 1);
        Some(Self)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
        // The runtime is dropped outside the borrow: its backend's `Drop` is anybody's code.
        let _left = SCOPES.try_with(|scopes| scopes.borrow_mut().pop());
    }
}
