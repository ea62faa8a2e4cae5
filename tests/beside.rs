//! Copies beside a backend that others write too: what they save, and what ends them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_memoize::testing::ManualClock;
use cache_memoize::{
    Backend, BackendError, Bytes, Changes, Deadline, Lease, Limits, Lookup, Memory, Runtime,
    cache_memoize,
};

/// A server that tells of changes when the test says so.
#[derive(Clone)]
struct Server(Arc<Inner>);

struct Inner {
    memory: Memory,
    tells: bool,
    asked: AtomicU64,
    changes: Mutex<Option<Changes>>,
    /// Before an answer is given.
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Server {
    fn new(tells: bool) -> Self {
        Self(Arc::new(Inner {
            memory: Memory::new(1 << 20),
            tells,
            asked: AtomicU64::new(0),
            changes: Mutex::new(None),
            meanwhile: Mutex::new(None),
        }))
    }

    fn runtime(&self, clock: &ManualClock) -> Runtime {
        let settings = Runtime::builder().namespace("n").backend(self.clone());
        settings
            .clock(clock.clone())
            .build()
            .expect("valid settings")
    }

    /// How often it was asked for something since the last time.
    fn asked(&self) -> u64 {
        self.0.asked.swap(0, Ordering::SeqCst)
    }

    fn tell(&self, what: impl FnOnce(&Changes)) {
        what(
            self.0
                .changes
                .lock()
                .expect("no panic")
                .as_ref()
                .expect("it was to tell"),
        );
    }

    fn meanwhile(&self, what: impl FnOnce() + Send + 'static) {
        *self.0.meanwhile.lock().expect("no panic") = Some(Box::new(what));
    }
}

impl Backend for Server {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.0.memory.get(key, deadline)
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.0.memory.set(key, value, life, deadline)
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.0.memory.delete(key, deadline)
    }

    fn limits(&self) -> Limits {
        self.0.memory.limits().shared(true)
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.memory.get_or_lease(key, life, deadline);
        let meanwhile = self.0.meanwhile.lock().expect("no panic").take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        answer
    }

    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        self.0.memory.lease(key, life, deadline)
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        self.0.memory.fill(key, lease, value, life, deadline)
    }

    fn watch(&self, prefix: &str, changes: Changes) -> bool {
        assert_eq!(prefix, "n:");
        if self.0.tells {
            changes.stand();
            *self.0.changes.lock().expect("no panic") = Some(changes);
        }
        self.0.tells
    }
}

#[cache_memoize(key = "tracked:<id>")]
fn tracked(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "bounded:<id>", local = "5s")]
fn bounded(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "bounded:<id>", local = "2s")]
fn bounded_more(id: u64) -> u64 {
    id
}

#[test]
fn a_copy_is_used_until_it_is_told_to_have_changed() {
    let server = Server::new(true);
    server.runtime(&ManualClock::default()).scope(|| {
        // A miss, a hit that is kept, and hits that ask nobody.
        let calls = || (0..5).for_each(|_| assert_eq!(tracked(1), 1));
        calls();
        assert_eq!(server.asked(), 2);
        server.tell(|changes| changes.changed("n:tracked:2"));
        calls();
        assert_eq!(server.asked(), 0, "another one changed");
        server.tell(|changes| changes.changed("n:tracked:1"));
        calls();
        assert_eq!(server.asked(), 1);
        server.tell(Changes::all_changed);
        calls();
        assert_eq!(server.asked(), 1);
    });
}

#[test]
fn nothing_is_kept_while_changes_are_not_told() {
    let server = Server::new(true);
    server.runtime(&ManualClock::default()).scope(|| {
        let calls = || (0..5).for_each(|_| assert_eq!(tracked(3), 3));
        calls();
        assert_eq!(server.asked(), 2);
        server.tell(Changes::lost);
        calls();
        assert_eq!(server.asked(), 5);
        server.tell(Changes::stand);
        calls();
        assert_eq!(server.asked(), 1);
    });
}

#[test]
fn an_answer_that_was_overtaken_by_a_change_is_not_kept() {
    for what in [
        (|changes: &Changes| changes.changed("n:tracked:4")) as fn(&Changes),
        Changes::all_changed,
        Changes::lost,
        |changes| {
            changes.lost();
            changes.stand();
        },
    ] {
        let server = Server::new(true);
        server.runtime(&ManualClock::default()).scope(|| {
            assert_eq!(tracked(4), 4);
            let told = server.clone();
            server.meanwhile(move || told.tell(what));
            assert_eq!(tracked(4), 4);
            assert_eq!(server.asked(), 2);
            assert_eq!(tracked(4), 4);
            assert_eq!(server.asked(), 1);
        });
    }
}

#[test]
fn what_this_process_changes_is_seen_at_once() {
    let server = Server::new(true);
    server.runtime(&ManualClock::default()).scope(|| {
        (0..3).for_each(|_| assert_eq!(tracked(5), 5));
        assert!(tracked::prime(5, 50));
        assert_eq!(tracked(5), 50);
        assert!(tracked::invalidate(5));
        assert_eq!(tracked(5), 5);
    });
}

#[test]
fn without_being_told_a_copy_is_used_as_long_as_its_bound_allows() {
    let (server, clock) = (Server::new(false), ManualClock::default());
    server.runtime(&clock).scope(|| {
        (0..5).for_each(|_| assert_eq!(bounded(1), 1));
        assert_eq!(server.asked(), 2);
        clock.advance(Duration::from_millis(1_999));
        assert_eq!((bounded(1), bounded_more(1)), (1, 1));
        assert_eq!(server.asked(), 0);
        clock.advance(Duration::from_millis(1));
        assert_eq!(bounded(1), 1);
        assert_eq!(server.asked(), 0);
        assert_eq!(bounded_more(1), 1);
        assert_eq!(server.asked(), 1, "it is too old for this one");
        assert_eq!(tracked(6), 6);
        assert_eq!((tracked(6), tracked(6)), (6, 6));
        assert_eq!(server.asked(), 3, "nobody vouches for these");
        clock.advance(Duration::from_millis(5_000));
        assert_eq!(bounded(1), 1);
        assert_eq!(server.asked(), 1);
    });
}
