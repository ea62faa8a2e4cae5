//! A process that is forked while its threads compute: its child, which has none of these, waits for none of them.

#![cfg(unix)]

#[path = "common/child.rs"]
mod child;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Limits, Memo, Memory, Runtime, cache_memoize,
};
use child::in_child;
use futures::executor::block_on;

/// Longer than a child may take.
const LONG: Duration = Duration::from_secs(3600);

/// Forks while a thread of this process computes, which has begun when it says so, and ends when nobody holds the gate any more.
fn forked_meanwhile(
    runtime: &Runtime,
    compute: impl FnOnce(&dyn Fn()) + Send,
    in_the_child: impl FnOnce(),
) -> bool {
    let gate = Mutex::new(());
    let (say, heard) = mpsc::channel();
    thread::scope(|scope| {
        let held = gate.lock().expect("nobody panics here");
        let gate = &gate;
        scope.spawn(move || {
            let wait = || {
                say.send(()).expect("it is waited for");
                drop(gate.lock());
            };
            runtime.scope(|| compute(&wait));
        });
        heard.recv().expect("it begins");
        let done = in_child(|| runtime.scope(in_the_child));
        drop(held);
        done
    })
}

fn runtime() -> Runtime {
    let builder = Runtime::builder().backend(Memory::new(16 << 20));
    builder.longest_wait(LONG).build().expect("valid settings")
}

fn value(compute: impl FnOnce() -> u8) -> u8 {
    Memo::new("value").get_or_compute(compute)
}

/// One test: what another did on a thread of its own, in the middle of it, a child would find so for ever.
#[test]
fn a_child_waits_for_none_of_its_parents_threads() {
    a_child_computes_what_its_parent_is_computing();
    a_child_stores_the_stream_that_its_parent_is_writing();
    a_child_has_threads_of_its_own_that_ask_a_backend();
    a_child_has_entries_of_its_own();
    a_child_waits_for_no_entry_that_its_parent_was_writing();
}

fn a_child_computes_what_its_parent_is_computing() {
    let runtime = runtime();
    let compute = |wait: &dyn Fn()| {
        let waiting = || {
            wait();
            1
        };
        assert_eq!(value(waiting), 1);
    };
    let done = forked_meanwhile(&runtime, compute, || {
        assert_eq!(value(|| 2), 2);
        assert_eq!(value(|| 3), 2, "it was stored");
    });
    assert!(done);
    assert_eq!(runtime.scope(|| value(|| 4)), 1, "the parent's own");
}

fn items(first: impl FnOnce() -> u8) -> Vec<u8> {
    let items = Memo::new("items").iter(|| std::iter::once_with(first).chain(7..9));
    items.collect()
}

fn a_child_stores_the_stream_that_its_parent_is_writing() {
    let runtime = runtime();
    let compute = |wait: &dyn Fn()| {
        let waiting = || {
            wait();
            1
        };
        assert_eq!(items(waiting), [1, 7, 8]);
    };
    let done = forked_meanwhile(&runtime, compute, || {
        assert_eq!(items(|| 2), [2, 7, 8]);
        assert_eq!(items(|| 3), [2, 7, 8], "it was stored");
    });
    assert!(done);
    assert_eq!(runtime.scope(|| items(|| 4)), [1, 7, 8]);
}

/// A backend that locks nothing, and may block as far as it says.
struct Empty;

impl Backend for Empty {
    fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Ok(None)
    }
    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        Ok(())
    }
    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        Ok(())
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
}

/// Forks while tasks ask: what they have locked in that moment, if anything, stays so in a child.
fn a_child_has_threads_of_its_own_that_ask_a_backend() {
    const CHILDREN: u64 = 150;
    let builder = Runtime::builder().backend(Empty);
    let runtime = builder.build().expect("valid settings");
    let call = |id: u64| {
        let call = async { Memo::new((id,)).get_or_compute_async(async || id).await };
        assert_eq!(block_on(runtime.scope_async(call)), id);
    };
    let ends = AtomicBool::new(false);
    let hung = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    (0..8).for_each(&call);
                }
            });
        }
        let hung = (0..CHILDREN).any(|_| !in_child(|| (0..8).for_each(&call)));
        ends.store(true, Ordering::Relaxed);
        hung
    });
    assert!(!hung);
}

#[cache_memoize(key = "double:<n>", skip(computed))]
fn double(n: u64, computed: &Cell<u64>) -> u64 {
    computed.set(computed.get() + 1);
    2 * n
}

/// How often the function ran for this argument.
fn computations(n: u64) -> u64 {
    let computed = Cell::new(0);
    assert_eq!(double(n, &computed), 2 * n);
    computed.get()
}

/// By the process's own runtime, and in a scope.
fn a_child_has_entries_of_its_own() {
    let scoped = runtime();
    let both = |test: &dyn Fn()| {
        test();
        scoped.scope(test);
    };
    both(&|| assert_eq!((computations(1), computations(1)), (1, 0)));
    let done = in_child(|| {
        both(&|| assert_eq!(computations(1), 0, "what its parent left"));
        // What it writes is its own, and nothing else is from then on.
        both(&|| {
            assert_eq!((computations(2), computations(2)), (1, 0));
            assert_eq!(computations(1), 1);
            assert!(double::invalidate(1));
            assert_eq!((computations(1), computations(1)), (1, 0));
        });
    });
    assert!(done);
    let done = in_child(|| {
        both(&|| {
            assert!(double::invalidate(1));
            assert_eq!(computations(1), 1, "not what its parent left");
        });
    });
    assert!(done);
    both(&|| assert_eq!((computations(1), computations(2)), (0, 1)));
}

/// Forks while threads write values: each of them has a table locked most of the time.
fn a_child_waits_for_no_entry_that_its_parent_was_writing() {
    const CHILDREN: u64 = 150;
    let memory = Memory::new(1 << 20);
    let runtime = Runtime::builder().backend(memory.clone()).build();
    let runtime = runtime.expect("valid settings");
    let write = |n| {
        runtime.scope(|| computations(n));
        let set = memory.set("bytes", Bytes::new(), LONG, Deadline::NEVER);
        set.expect("it is in memory");
        memory.sweep();
    };
    let ends = AtomicBool::new(false);
    let hung = thread::scope(|scope| {
        for thread in 1..=4 {
            let (ends, write) = (&ends, &write);
            scope.spawn(move || {
                let keys = (0..1000).cycle().map(|n| thread * 1_000_000 + n);
                keys.take_while(|_| !ends.load(Ordering::Relaxed))
                    .for_each(write);
            });
        }
        let hung = (0..CHILDREN).any(|_| !in_child(|| (0..8).for_each(&write)));
        ends.store(true, Ordering::Relaxed);
        hung
    });
    assert!(!hung);
}
