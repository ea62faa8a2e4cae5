//! While secrets are rotated: processes that write under different names see one value, the newest.
#![cfg(feature = "encrypt")]

mod beside;
mod chunks;
#[path = "../common/forward.rs"]
mod forward;
mod lives;
mod own_secret;
mod sides;
mod unanswered;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Lease, Limits, Memo, Memory, Runtime, RuntimeBuilder,
    Secret, cache_memoize,
};
use forward::forward;
use memoize_runtime::testing::ManualClock;

type Entries = BTreeMap<String, Bytes>;
type Hook = Box<dyn FnOnce() + Send>;

/// A shared backend, and what another process does just before the next write.
#[derive(Clone, Default)]
struct Shared {
    entries: Arc<Mutex<Entries>>,
    before_set: Arc<Mutex<Option<Hook>>>,
    /// The life that was given with each write.
    lives: Arc<Mutex<Vec<Duration>>>,
    /// After so many more writes each fails.
    sets_left: Arc<Mutex<Option<usize>>>,
    /// Whether a write that fails is made all the same, so that only its answer is lost.
    loses_answers: Arc<AtomicBool>,
}

impl Shared {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().expect("no test panics in here")
    }

    fn before_set(&self, hook: impl FnOnce() + Send + 'static) {
        *self.before_set.lock().expect("no test panics in here") = Some(Box::new(hook));
    }

    /// Has all but the next few writes fail, or none.
    fn fail_after(&self, sets: Option<usize>) {
        *self.sets_left.lock().expect("no test panics in here") = sets;
    }

    fn sets(&self) -> usize {
        self.lives().len()
    }

    fn lives(&self) -> Vec<Duration> {
        let lives = self.lives.lock().expect("no test panics in here");
        lives.clone()
    }
}

impl Backend for Shared {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Ok(self.entries().get(key).cloned())
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        _: Deadline,
    ) -> Result<(), BackendError> {
        let hook = self.before_set.lock().expect("not poisoned").take();
        if let Some(hook) = hook {
            hook();
        }
        if let Some(left) = &mut *self.sets_left.lock().expect("not poisoned") {
            let Some(fewer) = left.checked_sub(1) else {
                if self.loses_answers.load(Relaxed) {
                    self.entries().insert(key.to_owned(), value);
                }
                return Err(BackendError::new("it was told to fail"));
            };
            *left = fewer;
        }
        self.lives.lock().expect("not poisoned").push(life);
        self.entries().insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.entries().remove(key);
        Ok(())
    }

    fn limits(&self) -> Limits {
        // Little, so that streams and long texts have chunks.
        let limits = Limits::new().blocking(false);
        limits.value_bytes(4096)
    }
}

fn secret(number: u8) -> Secret {
    let mut bytes = *b"\x9f\x3c\x5d\x0b\xe2\xa1\x47\x86\xb1\xe0\xc7\xd2\xf4\xa8\x93\x5e\x6c\x1b\x7d\x20\xa4\xe8\xf3\x91\x15\x9a\x42\x77\xcc\x08\xed\0";
    bytes[31] = number;
    Secret::from_bytes(bytes).expect("it is long enough")
}

/// Two processes in the middle of a deployment, and one before it, on one backend and with one clock.
struct Fleet {
    backend: Shared,
    clock: ManualClock,
    before: Runtime,
    behind: Runtime,
    ahead: Runtime,
}

impl Fleet {
    fn new() -> Self {
        let (backend, clock) = (Shared::default(), ManualClock::new());
        let runtime = |builder: RuntimeBuilder| {
            let builder = builder.backend(backend.clone()).clock(clock.clone());
            builder.build().expect("valid settings")
        };
        let of = |current, previous| {
            let builder = Runtime::builder().secret(secret(current));
            runtime(builder.previous_secret(secret(previous)))
        };
        Self {
            before: runtime(Runtime::builder().secret(secret(1))),
            behind: of(1, 2),
            ahead: of(2, 1),
            backend,
            clock,
        }
    }

    fn tick(&self) {
        self.clock.advance(Duration::from_secs(1));
    }

    /// The names that `runtime` writes the value under, and its chunks.
    fn stored_by(&self, runtime: &Runtime) -> Vec<String> {
        let name = runtime.scope(rights::key);
        let entries = self.backend.entries();
        let own = |stored: &&String| stored.starts_with(name.as_str());
        entries.keys().filter(own).cloned().collect()
    }
}

#[cache_memoize(key = "rights", encrypt)]
fn rights() -> String {
    COMPUTED.to_owned()
}

fn memo() -> Memo {
    Memo::new("rights").encrypt()
}

/// How a value is written and read: whole, in chunks, or as a stream.
struct Form {
    name: &'static str,
    refresh: fn(&str),
    read: fn() -> String,
}

const COMPUTED: &str = "computed";

fn long(text: &str) -> String {
    format!("{text:<9000}")
}

fn stream(text: &str) -> impl Iterator<Item = String> + use<> {
    let items = [text.to_owned(), long(text)];
    items.into_iter()
}

const FORMS: [Form; 4] = [
    Form {
        name: "a computed value",
        refresh: |text| {
            memo()
                .force_overwrite(true)
                .get_or_compute(|| text.to_owned());
        },
        read: || memo().get_or_compute(|| COMPUTED.to_owned()),
    },
    Form {
        name: "a primed value",
        refresh: |text| assert!(rights::prime(text.to_owned())),
        read: rights,
    },
    Form {
        name: "a value in chunks",
        refresh: |text| {
            memo().force_overwrite(true).get_or_compute(|| long(text));
        },
        read: || {
            let value = memo().get_or_compute(|| long(COMPUTED));
            value.trim_end().to_owned()
        },
    },
    Form {
        name: "a stream",
        refresh: |text| {
            let items = memo().force_overwrite(true).iter(|| stream(text));
            assert_eq!(items.count(), 2);
        },
        read: || {
            let items: Vec<String> = memo().iter(|| stream(COMPUTED)).collect();
            items[0].clone()
        },
    },
];

#[test]
fn what_was_written_last_is_read_under_whichever_secret() {
    for Form {
        name,
        refresh,
        read,
    } in FORMS
    {
        let fleet = Fleet::new();
        fleet.ahead.scope(|| refresh("old"));
        fleet.tick();
        // It knows of no name but its own, so that both stay.
        fleet.before.scope(|| refresh("new"));
        for runtime in [&fleet.behind, &fleet.ahead] {
            assert_eq!(runtime.scope(read), "new", "{name}");
        }
    }
}

#[test]
fn what_was_replaced_does_not_come_back() {
    for Form {
        name,
        refresh,
        read,
    } in FORMS
    {
        let fleet = Fleet::new();
        for (first, second) in [(&fleet.behind, &fleet.ahead), (&fleet.ahead, &fleet.behind)] {
            first.scope(|| refresh("old"));
            fleet.tick();
            second.scope(|| refresh("new"));
            assert_eq!(fleet.stored_by(first), [""; 0], "{name}: chunks included");

            for evicted in fleet.stored_by(second) {
                fleet.backend.entries().remove(&evicted);
            }
            assert_eq!(first.scope(read), COMPUTED, "{name}");
            fleet.tick();
        }
    }
}

#[test]
fn of_two_as_new_the_current_is_read() {
    let fleet = Fleet::new();
    let text = |text: &str| rights::prime(text.to_owned());
    assert!(fleet.ahead.scope(|| text("under the new")));
    assert!(fleet.before.scope(|| text("under the old")));
    assert_eq!(fleet.ahead.scope(rights), "under the new");
    assert_eq!(fleet.behind.scope(rights), "under the old");
    assert_eq!(fleet.backend.sets(), 2, "nothing is to be sealed anew");
}

#[test]
fn sealing_anew_does_not_undo_an_invalidation() {
    let fleet = Fleet::new();
    assert!(fleet.before.scope(|| rights::prime("old".to_owned())));
    let other = fleet.ahead.clone();
    fleet
        .backend
        .before_set(move || assert!(other.scope(rights::invalidate)));
    assert_eq!(fleet.ahead.scope(rights), "old", "read before it");
    assert!(fleet.backend.entries().is_empty());
    assert_eq!(fleet.ahead.stats().resealed, 0);
    assert_eq!(fleet.ahead.scope(rights), COMPUTED);
}

#[test]
fn sealing_anew_does_not_outlive_a_newer_value() {
    let writers: [fn(&Fleet) -> Runtime; 2] =
        [|fleet| fleet.before.clone(), |fleet| fleet.ahead.clone()];
    for writer in writers {
        let fleet = Fleet::new();
        assert!(fleet.before.scope(|| rights::prime("old".to_owned())));
        fleet.tick();
        let writer = writer(&fleet);
        fleet
            .backend
            .before_set(move || assert!(writer.scope(|| rights::prime("new".to_owned()))));
        assert_eq!(fleet.ahead.scope(rights), "old", "read before it");
        assert_ne!(fleet.ahead.scope(rights), "old");
        assert_ne!(fleet.behind.scope(rights), "old");
    }
}

#[test]
fn nothing_is_sealed_anew_over_what_is_there() {
    let fleet = Fleet::new();
    assert!(fleet.ahead.scope(|| rights::prime("old".to_owned())));
    fleet.tick();
    assert!(fleet.before.scope(|| rights::prime("new".to_owned())));
    assert_eq!(fleet.ahead.scope(rights), "new");
    assert_eq!(fleet.backend.sets(), 2);
}

#[test]
fn to_peek_writes_nothing() {
    let fleet = Fleet::new();
    assert!(fleet.before.scope(|| rights::prime("old".to_owned())));
    let peeked = fleet.ahead.scope(rights::peek);
    assert_eq!(peeked.as_deref(), Some("old"));
    assert_eq!(fleet.backend.sets(), 1);
}

/// A backend with leases, and what another process does just before the next fill.
#[derive(Clone)]
struct Leased {
    memory: Memory,
    before_fill: Arc<Mutex<Option<Hook>>>,
    /// What happens just before the last of so many removals.
    before_delete: Arc<Mutex<Option<(usize, Hook)>>>,
    /// What is to happen before a later one.
    then: Arc<Mutex<Option<(usize, Hook)>>>,
}

impl Leased {
    fn new() -> Self {
        Self {
            memory: Memory::new(1 << 20),
            before_fill: Arc::default(),
            before_delete: Arc::default(),
            then: Arc::default(),
        }
    }
}

impl Backend for Leased {
    forward!(memory => get, set, get_or_lease, lease, release);

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        let mut slot = self.before_delete.lock().expect("not poisoned");
        let hook = match slot.take() {
            Some((left, hook)) if left > 1 => {
                *slot = Some((left - 1, hook));
                None
            }
            now => {
                *slot = self.then.lock().expect("not poisoned").take();
                now
            }
        };
        drop(slot);
        if let Some((_, hook)) = hook {
            hook();
        }
        self.memory.delete(key, deadline)
    }

    fn limits(&self) -> Limits {
        self.memory.limits().value_bytes(4096)
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        let hook = self.before_fill.lock().expect("not poisoned").take();
        if let Some(hook) = hook {
            hook();
        }
        self.memory.fill(key, lease, value, life, deadline)
    }
}

/// Nothing has to be taken back: it is never there.
#[test]
fn with_leases_sealing_anew_stores_nothing_after_an_invalidation() {
    let backend = Leased::new();
    let runtime = |builder: RuntimeBuilder| {
        let runtime = builder.backend(backend.clone()).build();
        runtime.expect("valid settings")
    };
    let before = runtime(Runtime::builder().secret(secret(1)));
    let ahead = || {
        runtime(
            Runtime::builder()
                .secret(secret(2))
                .previous_secret(secret(1)),
        )
    };
    let (ahead, other) = (ahead(), ahead());
    assert!(before.scope(|| rights::prime("old".to_owned())));
    let hook = move || assert!(other.scope(rights::invalidate));
    *backend.before_fill.lock().expect("not poisoned") = Some(Box::new(hook));
    assert_eq!(ahead.scope(rights), "old", "read before it");
    assert_eq!((backend.memory.len(), ahead.stats().resealed), (0, 0));
    assert_eq!(ahead.scope(rights), COMPUTED);

    assert!(ahead.scope(rights::invalidate));
    assert!(before.scope(|| rights::prime("older".to_owned())));
    assert_eq!(ahead.scope(rights), "older");
    assert_eq!((backend.memory.len(), ahead.stats().resealed), (2, 1));
}
