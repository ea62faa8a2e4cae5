//! Running code that isn't ours, where its panic must not get further.

use std::mem::{self, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// What `foreign` returns, or nothing if it panics.
///
/// The panic's payload is forgotten and not dropped, since its `Drop` may panic in turn. Whether what `foreign` borrows is
/// still whole after a panic is for the caller to see to. Where panics abort, nothing is caught.
pub(crate) fn guard<T>(foreign: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(foreign))
        .map_err(mem::forget)
        .ok()
}

/// Drops a value of the user's that is the cache's own copy; says whether its `Drop` returned.
pub(crate) fn discard<T>(copy: T) -> bool {
    if needs_drop::<T>() {
        guard(|| drop(copy)).is_some()
    } else {
        true
    }
}

/// A copy that is the cache's own, if there is one: [discarded](discard) by whoever has it last.
pub(crate) struct Own<T>(pub(crate) Option<T>);

impl<T: Clone> Own<T> {
    /// Another one, for the user; none where its `Clone` panics.
    #[inline]
    pub(crate) fn copy(&self) -> Option<T> {
        let copy = self.0.as_ref()?;
        guard(|| copy.clone())
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if let Some(copy) = self.0.take() {
            discard(copy);
        }
    }
}

/// Wakes them all: a waker is its executor's code, and one that panics doesn't cost the others their wake-up.
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        guard(|| waker.wake());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    struct Counts {
        woken: AtomicU32,
        panics: bool,
    }

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.woken.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics, "a bug in an executor");
        }
    }

    #[test]
    fn a_waker_that_panics_costs_nobody_else_the_wake_up() {
        let sleepers = [true, false, true, false].map(|panics| {
            let woken = AtomicU32::new(0);
            Arc::new(Counts { woken, panics })
        });
        wake_all(sleepers.iter().cloned().map(Waker::from));
        let woken = sleepers.map(|sleeper| sleeper.woken.load(Ordering::Relaxed));
        assert_eq!(woken, [1; 4]);
    }

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a payload that panics when it is dropped");
        }
    }

    #[test]
    fn nothing_of_a_panic_gets_out() {
        assert_eq!(guard(|| 1), Some(1));
        assert_eq!(guard(|| -> u8 { panic_any(Bomb) }), None);
        assert!(discard(String::new()) && !discard(Bomb));
        drop(Own(Some(Bomb)));
    }
}
