//! A lease that was granted in an answer that never came.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use cache_memoize::Stats;

use super::*;
use forward::forward;

/// Grants the lease of the first lookup, and loses the answer.
struct LosesTheFirstAnswer {
    memory: Memory,
    has_answered: AtomicBool,
}

impl Backend for LosesTheFirstAnswer {
    forward!(memory => get, set, delete, lease, release);

    fn limits(&self) -> Limits {
        Limits::new()
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        let answer = self.memory.get_or_lease(key, life, deadline);
        if self.has_answered.swap(true, SeqCst) {
            return answer;
        }
        Err(BackendError::new("the answer was lost"))
    }
}

/// Half of the longest wait would be 15 s.
#[test]
fn a_call_waits_for_its_own_lease_no_longer_than_its_budget() {
    for call in CALLS {
        let runtime = build(Runtime::builder().backend(LosesTheFirstAnswer {
            memory: Memory::new(1 << 20),
            has_answered: AtomicBool::new(false),
        }));
        let began = Instant::now();
        assert_eq!(runtime.scope(|| call(7)), 7);
        let took = began.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}");
        let Stats {
            unanswered,
            computations,
            stores,
            ..
        } = runtime.stats();
        assert_eq!((unanswered, computations, stores), (1, 1, 0));
    }
}
