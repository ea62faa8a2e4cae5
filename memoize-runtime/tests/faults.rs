//! What is told of a backend that fails.

mod common;

use std::time::{Duration, Instant};

use cache_memoize::{Backend, BackendError, Bytes, Deadline, Limits, Memo, Runtime};
use common::logged;

/// A server that is full, say, which answers as fast as ever.
struct Refusing;

impl Refusing {
    fn refuse<T>() -> Result<T, BackendError> {
        Err(BackendError::refusal("it is full"))
    }
}

impl Backend for Refusing {
    fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Self::refuse()
    }
    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        Self::refuse()
    }
    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        Self::refuse()
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
}

#[test]
fn a_fault_at_each_call_does_not_fill_the_log() {
    let runtime = Runtime::builder().backend(Refusing).build();
    let runtime = runtime.expect("valid settings");
    let began = Instant::now();
    let log = logged(|| {
        runtime.scope(|| {
            for n in 0..1_000 {
                assert_eq!(Memo::new("k").get_or_compute(|| n), n);
            }
        });
    });
    let faults = runtime.stats().faults;
    assert!(faults >= 1_000, "{faults}");
    let told = log.matches("it is full").count() as u64;
    // Of a lookup and a lease.
    assert!(
        (2..=2 * (began.elapsed().as_secs() + 1)).contains(&told),
        "{log}"
    );
}
