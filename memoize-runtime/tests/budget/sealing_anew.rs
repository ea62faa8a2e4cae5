//! What is sealed anew with the same budget as the lookup, at each question in turn.

use std::future::{pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::{
    Answer, AsyncBackend, Backend, Bytes, Deadline, Lease, Limits, Lookup, Memo, Memory, Runtime,
    RuntimeBuilder, Secret,
};

use super::{BUDGET, Server, build, settings};

const STORED: usize = 3;
/// Ten chunks.
const LONG: usize = 40_000;

fn memo() -> Memo {
    Memo::new("k").encrypt()
}

fn short() -> Vec<u8> {
    vec![7; STORED]
}

fn long() -> Vec<u8> {
    vec![7; LONG]
}

type Form = (fn() -> Vec<u8>, fn() -> Vec<u8>, &'static [&'static str]);

/// What writes, what reads it or nothing, and what it asks when it seals anew.
const FORMS: [Form; 4] = [
    (short, || memo().get_or_compute(Vec::new), &["fill"]),
    (
        short,
        || smol::block_on(memo().get_or_compute_async(nothing)),
        &["fill"],
    ),
    (long, || memo().get_or_compute(Vec::new), &["set", "fill"]),
    (
        long,
        || smol::block_on(memo().get_or_compute_async(nothing)),
        &["set", "fill"],
    ),
];

async fn nothing() -> Vec<u8> {
    Vec::new()
}

fn secret(number: u8) -> Secret {
    let mut bytes = *b"\x9f\x3c\x5d\x0b\xe2\xa1\x47\x86\xb1\xe0\xc7\xd2\xf4\xa8\x93\x5e\x6c\x1b\x7d\x20\xa4\xe8\xf3\x91\x15\x9a\x42\x77\xcc\x08\xed\0";
    bytes[31] = number;
    Secret::from_bytes(bytes).expect("it is long enough")
}

fn ahead(backend: impl Backend) -> RuntimeBuilder {
    let settings = Runtime::builder().backend(backend);
    settings.secret(secret(2)).previous_secret(secret(1))
}

const LITTLE: Duration = Duration::from_millis(1500);

/// A server with what was stored there, stuck where it is sealed anew, and what has read it meanwhile.
fn stuck_at(
    question: &'static str,
    value: fn() -> Vec<u8>,
    read: fn() -> Vec<u8>,
) -> (Server, Runtime) {
    let mut server = Server::new();
    let before = build(settings(&server).secret(secret(1)));
    before.scope(|| memo().get_or_compute(value));
    server.asked();
    server.stuck_at = Some(question);
    let runtime = build(ahead(server.clone()).budget(LITTLE));
    let read = runtime.scope(read);
    assert_eq!(read.len(), value().len(), "{question}: a hit stays one");
    let stats = runtime.stats();
    assert_eq!((stats.hits, stats.resealed, stats.faults), (1, 0, 1));
    server.stuck_at = None;
    (server, runtime)
}

#[test]
fn sealing_anew_is_on_the_budget_of_the_call() {
    for (value, read, asks) in FORMS {
        for question in asks {
            let (server, runtime) = stuck_at(question, value, read);
            let asked = server.times();
            let writes = |name| ["set", "fill"].contains(name);
            let after = asked.iter().skip_while(|(name, _)| !writes(name));
            let after: Vec<_> = after.map(|(name, _)| *name).collect();
            // Half of the time is for reading, as long as there is something to read.
            match *question {
                "set" => assert_eq!(after, ["set", "get_many", "get_many", "get_many"]),
                _ => assert_eq!(after.last(), Some(&"fill")),
            }
            let left = |name| asked.iter().find(|(asked, _)| *asked == name);
            if let (Some((_, first)), Some((_, set))) = (asked.first(), left("set")) {
                assert!(*first <= LITTLE && *set <= *first / 2, "{asked:?}");
            }
            is_free(&server, &runtime);
            let runtime = build(ahead(server).budget(BUDGET));
            assert_eq!(runtime.scope(read), value(), "{question}");
            assert_eq!(runtime.stats().resealed, 1, "{question}");
        }
    }
}

/// Nobody has to wait for the lease to run out; it is given up without being waited for.
fn is_free(server: &Server, runtime: &Runtime) {
    let name = runtime.scope(|| memo().key());
    let (name, memory) = (name.as_str(), &server.memory);
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let lookup = memory.get_or_lease(name, BUDGET, Deadline::NEVER);
        if let Ok(Lookup::Granted(lease)) = lookup {
            let released = memory.release(name, lease, Deadline::NEVER);
            return released.expect("it is in this process");
        }
        assert!(Instant::now() < patience, "the lease was not given up");
        thread::yield_now();
    }
}

/// Where no time is over and no answer comes.
struct NeverFills(Memory, Arc<AtomicBool>);

impl AsyncBackend for NeverFills {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        Box::pin(ready(self.0.get(key, deadline)))
    }
    fn set<'a>(&'a self, _: &'a str, _: Bytes, _: Duration, _: Deadline) -> Answer<'a, ()> {
        Box::pin(pending())
    }
    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(ready(self.0.delete(key, deadline)))
    }
    fn limits(&self) -> Limits {
        Limits::new().value_bytes(4096)
    }
    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        Box::pin(ready(self.0.get_or_lease(key, life, deadline)))
    }
    fn fill<'a>(
        &'a self,
        _: &'a str,
        _: Lease,
        _: Bytes,
        _: Duration,
        _: Deadline,
    ) -> Answer<'a, bool> {
        Box::pin(pending())
    }
    fn release(&self, key: &str, lease: Lease) {
        let released = self.0.release(key, lease, Deadline::NEVER);
        self.1.store(released.is_ok(), SeqCst);
    }
}

#[test]
fn who_is_dropped_while_it_seals_anew_gives_its_lease_up() {
    for value in [short, long] {
        let (server, released) = (Server::new(), Arc::new(AtomicBool::new(false)));
        let before = build(settings(&server).secret(secret(1)));
        before.scope(|| memo().get_or_compute(value));
        let never = NeverFills(server.memory.clone(), Arc::clone(&released));
        let settings = Runtime::builder().async_backend(never).budget(BUDGET);
        let runtime = build(settings.secret(secret(2)).previous_secret(secret(1)));
        let mut call = Box::pin(runtime.scope(|| memo().get_or_compute_async(nothing)));
        let context = &mut Context::from_waker(Waker::noop());
        let polled = runtime.scope(|| call.as_mut().poll(context));
        assert!(polled.is_pending(), "it waits for what it stores");
        assert!(!released.load(SeqCst));
        drop(call);
        assert!(released.load(SeqCst));
    }
}
