//! Running code that isn't ours, where its panic must not get further.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `foreign` returns, or nothing if it panics.
///
/// The panic's payload is forgotten and not dropped, since its `Drop` may panic in turn. Whether what `foreign` borrows is
/// still whole after a panic is for the caller to see to. Where panics abort, nothing is caught.
pub(crate) fn guard<T>(foreign: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(foreign))
        .map_err(mem::forget)
        .ok()
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::guard;

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
    }
}
