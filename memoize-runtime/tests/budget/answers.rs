//! Who is asked by whom, and what an answer leaves behind.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use cache_memoize::{
    AsyncBackend, Backend, BackendError, Bytes, Deadline, Limits, Lookup, Memo, Memory, Runtime,
};

use super::forward::forward;
use super::{BUDGET, build};

/// A backend whose async twin is another one, to tell the two apart.
struct Twofold {
    own: Memory,
    twin: Memory,
}

impl Backend for Twofold {
    forward!(own => get, set, delete);

    fn limits(&self) -> Limits {
        Limits::new()
    }
    fn async_twin(self: Arc<Self>) -> Option<Arc<dyn AsyncBackend>> {
        Some(Arc::new(cache_memoize::Unblock::new(self.twin.clone())))
    }
}

#[test]
fn an_async_twin_is_asked_by_async_functions_alone() {
    let (own, twin) = (Memory::new(1 << 20), Memory::new(1 << 20));
    let backend = Twofold {
        own: own.clone(),
        twin: twin.clone(),
    };
    build(Runtime::builder().backend(backend).budget(BUDGET)).scope(|| {
        assert_eq!(
            smol::block_on(Memo::new("k").get_or_compute_async(|| ready(1_u8))),
            1
        );
        assert_eq!((own.len(), twin.len()), (0, 1));
        assert_eq!(Memo::new("k").get_or_compute(|| 2_u8), 2);
        assert_eq!((own.len(), twin.len()), (1, 1));
    });
}

/// Fails where it is asked for the others.
struct Halfway(Memory);

impl Backend for Halfway {
    forward!(0 => get, set, delete, limits, get_or_lease, release);

    fn get_many(&self, _: &[&str], _: Deadline) -> Result<Vec<Option<Bytes>>, BackendError> {
        Err(BackendError::new("connection refused"))
    }
}

#[test]
fn a_lease_beside_a_failure_is_given_up() {
    let life = Duration::from_secs(60);
    let halfway = Halfway(Memory::new(1 << 20));
    for _ in 0..2 {
        let answer = halfway.get_many_or_lease("k", &["other"], life, Deadline::NEVER);
        assert!(answer.is_err());
    }
    let lookup = halfway.get_or_lease("k", life, Deadline::NEVER);
    assert!(matches!(lookup, Ok(Lookup::Granted(_))));
}

#[expect(dead_code, reason = "that it compiles is the test")]
fn futures_of_a_server_are_send(value: Memo) -> impl Future<Output = u8> + Send {
    value.get_or_compute_async(|| ready(1_u8))
}
