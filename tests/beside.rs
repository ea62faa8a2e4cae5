//! Copies beside a backend that others write too: what they save, and what ends them.
#![cfg(feature = "encrypt")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Changes, Deadline, Lease, Limits, Lookup, Memory, Runtime,
    RuntimeBuilder, Secret, cache_memoize,
};
use memoize_runtime::testing::ManualClock;

/// A server that tells of changes when the test says so.
#[derive(Clone)]
struct Server(Arc<Inner>);

struct Inner {
    memory: Memory,
    tells: bool,
    asked: AtomicU64,
    /// By what the names begin with.
    changes: Mutex<BTreeMap<String, Changes>>,
    /// Before an answer is looked for, and before it is given.
    first: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Server {
    fn new(tells: bool) -> Self {
        Self::with(Memory::new(1 << 20), tells)
    }

    /// The same as who is told nothing sees it.
    fn untold(&self) -> Self {
        Self::with(self.0.memory.clone(), false)
    }

    fn with(memory: Memory, tells: bool) -> Self {
        Self(Arc::new(Inner {
            memory,
            tells,
            asked: AtomicU64::new(0),
            changes: Mutex::default(),
            first: Mutex::new(None),
            meanwhile: Mutex::new(None),
        }))
    }

    fn runtime(&self, clock: &ManualClock) -> Runtime {
        self.settings(clock).build().expect("valid settings")
    }

    fn settings(&self, clock: &ManualClock) -> RuntimeBuilder {
        Runtime::builder()
            .namespace("n")
            .secret(secret(1))
            .backend(self.clone())
            .clock(clock.clone())
    }

    /// How often it was asked for something since the last time.
    fn asked(&self) -> u64 {
        self.0.asked.swap(0, Ordering::SeqCst)
    }

    fn tell(&self, what: impl FnOnce(&Changes)) {
        self.tell_of("n:", what);
    }

    fn tell_of(&self, prefix: &str, what: impl FnOnce(&Changes)) {
        let changes = self.0.changes.lock().expect("no panic");
        what(changes.get(prefix).expect("it was to tell"));
    }

    fn first(&self, what: impl FnOnce() + Send + 'static) {
        *self.0.first.lock().expect("no panic") = Some(Box::new(what));
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
        let first = self.0.first.lock().expect("no panic").take();
        if let Some(first) = first {
            first();
        }
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

    fn watch(&self, prefix: &str, changes: Changes) {
        if self.0.tells {
            changes.stand();
            let mut all = self.0.changes.lock().expect("no panic");
            let before = all.insert(prefix.to_owned(), changes);
            assert!(before.is_none(), "it was asked to already");
        }
    }
}

fn secret(number: u8) -> Secret {
    let mut bytes = *b"\x9f\x3c\x5d\x0b\xe2\xa1\x47\x86\xb1\xe0\xc7\xd2\xf4\xa8\x93\x5e\x6c\x1b\x7d\x20\xa4\xe8\xf3\x91\x15\x9a\x42\x77\xcc\x08\xed\0";
    bytes[31] = number;
    Secret::from_bytes(bytes).expect("it is long enough")
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

#[cache_memoize(key = "sealed:<id>", encrypt)]
fn sealed(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "sealed-tracked:<id>", encrypt, local = true)]
fn sealed_tracked(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "sealed-bounded:<id>", encrypt, local = "5s")]
fn sealed_bounded(id: u64) -> Result<u64, String> {
    id.checked_sub(1).map_or(Err(String::new()), |_| Ok(id))
}

static SECRETS: LazyLock<[Secret; 2]> = LazyLock::new(|| [secret(3), secret(4)]);

static SECRET: AtomicUsize = AtomicUsize::new(0);

#[cache_memoize(key = "own:<id>", encryption_key = &SECRETS[SECRET.load(Ordering::SeqCst)], local = "5s")]
fn with_one_of_two_secrets(id: u64) -> (u64, usize) {
    (id, SECRET.load(Ordering::SeqCst))
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

/// Its news may still be on its way. Who was answered with the newer one may have asked first.
#[test]
fn what_one_has_seen_is_the_oldest_that_others_see() {
    let server = Server::new(true);
    let here = server.runtime(&ManualClock::default());
    let there = server.untold().runtime(&ManualClock::default());
    let call = |here: &Runtime| here.scope(|| tracked(5));
    assert_eq!(call(&here), 5);
    // Asked within one another's questions: the outer one is answered last, and then first.
    let (inner, change) = (here.clone(), there.clone());
    server.first(move || {
        assert_eq!(call(&inner), 5);
        assert!(change.scope(|| tracked::prime(5, 6)));
    });
    assert_eq!(call(&here), 6);
    assert_eq!(call(&here), 6);
    server.tell(|changes| changes.changed("n:tracked:5"));
    let inner = here.clone();
    server.meanwhile(move || {
        assert!(there.scope(|| tracked::prime(5, 7)));
        assert_eq!(call(&inner), 7);
    });
    assert_eq!(call(&here), 6, "it was answered before");
    assert_eq!(call(&here), 7);
}

/// A crowd keeps a copy as one does.
#[test]
fn the_same_answer_to_two_is_kept() {
    let server = Server::new(true);
    let here = server.runtime(&ManualClock::default());
    assert_eq!(here.scope(|| tracked(1)), 1);
    let other = here.clone();
    server.first(move || assert_eq!(other.scope(|| tracked(1)), 1));
    assert_eq!(here.scope(|| tracked(1)), 1);
    assert_eq!(server.asked(), 3);
    assert_eq!(here.scope(|| tracked(1)), 1);
    assert_eq!(server.asked(), 0, "it is kept");
}

#[test]
fn what_this_process_changes_is_seen_at_once() {
    let server = Server::new(true);
    server.runtime(&ManualClock::default()).scope(|| {
        (0..3).for_each(|_| assert_eq!(tracked(5), 5));
        assert!(tracked::prime(5, 50));
        (0..3).for_each(|_| assert_eq!(tracked(5), 50));
        assert_eq!(tracked::refresh(5), 5);
        assert_eq!(tracked(5), 5);
        assert!(tracked::invalidate(5));
        assert_eq!(tracked(5), 5);
    });
}

#[test]
fn without_being_told_a_copy_is_used_as_long_as_its_bound_allows() {
    let (server, clock) = (Server::new(false), ManualClock::default());
    server.runtime(&clock).scope(|| {
        // What is stored is kept at once.
        (0..5).for_each(|_| assert_eq!(bounded(1), 1));
        assert_eq!(server.asked(), 1);
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
        clock.advance(Duration::from_secs(5));
        assert_eq!(bounded(1), 1);
        assert_eq!(server.asked(), 1);
    });
}

#[test]
fn what_is_computed_anew_takes_the_place_of_a_copy() {
    let (server, clock) = (Server::new(false), ManualClock::default());
    server.runtime(&clock).scope(|| {
        assert_eq!(bounded(2), 2);
        assert!(bounded::prime(2, 20));
        assert_eq!((bounded(2), bounded(2)), (20, 20));
        assert_eq!(bounded::refresh(2), 2);
        assert_eq!((bounded(2), bounded(2)), (2, 2));
        assert!(bounded::invalidate(2));
        server.asked();
        assert_eq!(bounded(2), 2);
        assert_eq!(server.asked(), 1);
    });
}

#[test]
fn what_was_asked_while_another_value_was_stored_is_not_kept() {
    let (server, clock) = (Server::new(false), ManualClock::default());
    let runtime = server.runtime(&clock);
    runtime.scope(|| {
        assert!(bounded::prime(3, 30));
        let same = runtime.clone();
        // It is answered with 30 before this, and hears of it after.
        server.meanwhile(move || same.scope(|| assert_eq!(bounded::refresh(3), 3)));
        assert_eq!(bounded(3), 30);
        assert_eq!(bounded(3), 3);
    });
}

/// The backend's word may come later than the answer to who stored it.
#[test]
fn what_was_asked_while_another_value_was_stored_is_not_kept_before_that_is_told() {
    let (server, clock) = (Server::new(true), ManualClock::default());
    let runtime = server.runtime(&clock);
    runtime.scope(|| {
        assert!(tracked::prime(7, 70));
        let same = runtime.clone();
        server.meanwhile(move || same.scope(|| assert_eq!(tracked::refresh(7), 7)));
        assert_eq!(tracked(7), 70);
        assert_eq!(tracked(7), 7);
    });
}

#[test]
fn what_is_sealed_is_kept_where_that_is_asked_for() {
    let server = Server::new(true);
    server.runtime(&ManualClock::default()).scope(|| {
        (0..5).for_each(|_| assert_eq!(sealed(1), 1));
        assert_eq!(server.asked(), 5, "nothing is said about it");
        (0..5).for_each(|_| assert_eq!(sealed_tracked(1), 1));
        assert_eq!(server.asked(), 2);
        server.tell_of("cm1e:", |changes| {
            changes.changed(sealed_tracked::key(1).as_str());
        });
        (0..5).for_each(|_| assert_eq!(sealed_tracked(1), 1));
        assert_eq!(server.asked(), 1);
        (0..5).for_each(|_| assert_eq!(sealed_bounded(1), Ok(1)));
        assert_eq!(server.asked(), 1);
        server.tell_of("cm1e:", Changes::lost);
        (0..5).for_each(|_| assert_eq!(sealed_tracked(1), 1));
        assert_eq!(server.asked(), 5);
    });
}

#[test]
fn each_secret_has_copies_of_its_own() {
    let server = Server::new(false);
    server.runtime(&ManualClock::default()).scope(|| {
        let calls = || {
            for secret in [0, 1] {
                SECRET.store(secret, Ordering::SeqCst);
                assert_eq!(with_one_of_two_secrets(7), (7, secret));
            }
        };
        calls();
        assert_eq!(server.asked(), 2);
        calls();
        assert_eq!(server.asked(), 0);
    });
}

/// Another process may write under a name that is a previous one here.
#[test]
fn nothing_sealed_is_kept_while_secrets_are_rotated() {
    let (server, clock) = (Server::new(true), ManualClock::default());
    let settings = server.settings(&clock).previous_secret(secret(2));
    settings.build().expect("valid settings").scope(|| {
        (0..5).for_each(|_| assert_eq!((sealed_tracked(2), sealed_bounded(2)), (2, Ok(2))));
    });
    assert_eq!(server.asked(), 10);
}
