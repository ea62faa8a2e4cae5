//! What a call costs while the breaker is open, beside the bare body: the least of some rounds, in nanoseconds.
//!
//! `cargo bench -p memoize-runtime --bench open_breaker`

use std::hint::black_box;
use std::time::{Duration, Instant};

use cache_memoize::{Backend, BackendError, Bytes, Deadline, Limits, Memo, Runtime};

const ROUNDS: usize = 50;
const CALLS: u32 = 2_000;

/// A server that is down.
struct Down;

impl Backend for Down {
    fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Err(BackendError::new("connection refused"))
    }
    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        Err(BackendError::new("connection refused"))
    }
    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        Err(BackendError::new("connection refused"))
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
}

fn least(mut call: impl FnMut(u32) -> u64) -> u128 {
    let round = |_| {
        let began = Instant::now();
        for n in 0..CALLS {
            black_box(call(black_box(n)));
        }
        began.elapsed().as_nanos() / u128::from(CALLS)
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}

fn main() {
    let runtime = Runtime::builder().backend(Down).build();
    let runtime = runtime.expect("valid settings");
    runtime.scope(|| {
        let call = |n: u32| Memo::new(("k", n)).get_or_compute(|| u64::from(n));
        for n in 0..5 {
            black_box(call(n));
        }
        let open = least(call);
        let skipped = runtime.stats().skipped;
        println!("open breaker: {open} ns a call ({skipped} were not asked)");
        println!("bare body:    {} ns", least(u64::from));
    });
}
