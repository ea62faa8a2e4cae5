//! While secrets are rotated: processes that write under different names see one value, the newest.
#![cfg(feature = "encrypt")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Memo, Memory, Runtime,
    RuntimeBuilder, Secret, cache_memoize,
};
use memoize_runtime::testing::ManualClock;

type Entries = BTreeMap<String, Bytes>;
type Hook = Box<dyn FnOnce() + Send>;

/// A shared backend, and what another process does just before the next write.
#[derive(Clone, Default)]
struct Shared {
    entries: Arc<Mutex<Entries>>,
    before_set: Arc<Mutex<Option<Hook>>>,
    sets: Arc<Mutex<usize>>,
    /// After so many more writes each fails.
    sets_left: Arc<Mutex<Option<usize>>>,
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
        *self.sets.lock().expect("no test panics in here")
    }
}

impl Backend for Shared {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Ok(self.entries().get(key).cloned())
    }

    fn set(&self, key: &str, value: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        let hook = self.before_set.lock().expect("not poisoned").take();
        if let Some(hook) = hook {
            hook();
        }
        if let Some(left) = &mut *self.sets_left.lock().expect("not poisoned") {
            *left = left
                .checked_sub(1)
                .ok_or(BackendError::new("it was told to fail"))?;
        }
        *self.sets.lock().expect("not poisoned") += 1;
        self.entries().insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.entries().remove(key);
        Ok(())
    }

    fn limits(&self) -> Limits {
        // Little, so that streams and long texts have chunks.
        Limits::new().shared(true).value_bytes(4096)
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
            // A slow machine is not what is tested.
            let builder = builder.budget(Duration::from_secs(60));
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

/// As [`FORMS`], of what is in chunks: read in windows, and whole.
const IN_CHUNKS: [(&str, fn() -> usize); 3] = [
    ("a stream", || many().count()),
    ("a long value", || {
        memo().get_or_compute(|| "v".repeat(LONG)).len()
    }),
    ("a long value that is awaited", || {
        let value = memo().get_or_compute_async(async || "v".repeat(LONG));
        smol::block_on(value).len()
    }),
];

/// Ten chunks, which are not read at once.
const LONG: usize = 40_000;
const ITEMS: usize = 40;

fn many() -> impl Iterator<Item = String> {
    memo().iter(|| (0..ITEMS).map(|nth| format!("{nth:>1000}")))
}

#[test]
fn what_is_in_chunks_is_sealed_anew_while_it_is_read() {
    for (name, read) in IN_CHUNKS {
        let fleet = Fleet::new();
        let length = fleet.before.scope(read);
        let old: Entries = fleet.backend.entries().clone();
        fleet.tick();
        assert_eq!(fleet.ahead.scope(read), length, "{name}");
        let stats = fleet.ahead.stats();
        assert_eq!((stats.hits, stats.resealed), (1, 1), "{name}");
        let names = |runtime| fleet.stored_by(runtime).len();
        assert_eq!(names(&fleet.ahead), names(&fleet.before), "{name}");

        // Nothing of the old is needed any more, and nothing is written again.
        fleet
            .backend
            .entries()
            .retain(|name, _| !old.contains_key(name));
        let sets = fleet.backend.sets();
        assert_eq!(fleet.ahead.scope(read), length, "{name}");
        let stats = fleet.ahead.stats();
        assert_eq!((stats.hits, stats.computations), (2, 0), "{name}");
        assert_eq!(fleet.backend.sets(), sets, "{name}");
    }
}

#[test]
fn where_sealing_anew_fails_at_any_write_only_the_old_is_left() {
    for (name, read) in IN_CHUNKS {
        let fleet = Fleet::new();
        let length = fleet.before.scope(read);
        let old: Entries = fleet.backend.entries().clone();
        for sets in 0..old.len() {
            fleet.backend.fail_after(Some(sets));
            assert_eq!(fleet.ahead.scope(read), length, "{name}, {sets}");
            assert!(*fleet.backend.entries() == old, "{name}, {sets}");
        }
        let stats = fleet.ahead.stats();
        assert_eq!((stats.resealed, stats.computations), (0, 0), "{name}");

        fleet.backend.fail_after(None);
        assert_eq!(fleet.ahead.scope(read), length, "{name}");
        assert_eq!(fleet.ahead.stats().resealed, 1, "{name}");
    }
}

#[test]
fn a_reader_that_stops_leaves_only_the_old() {
    let fleet = Fleet::new();
    fleet.before.scope(|| assert_eq!(many().count(), ITEMS));
    let old: Entries = fleet.backend.entries().clone();
    for taken in 0..=ITEMS {
        fleet
            .ahead
            .scope(|| assert_eq!(many().take(taken).count(), taken));
        assert!(*fleet.backend.entries() == old, "{taken}");
    }
    assert_eq!(fleet.ahead.stats().resealed, 0);
}

#[test]
fn what_is_lost_while_it_is_sealed_anew_is_computed_and_stored() {
    for taken in 0..ITEMS {
        let fleet = Fleet::new();
        fleet.before.scope(|| assert_eq!(many().count(), ITEMS));
        let whole = fleet.backend.entries().len();
        let last = |name: &String| name.ends_with(&format!(".{}", whole - 2));
        fleet.ahead.scope(|| {
            let mut items = many();
            assert_eq!(items.by_ref().take(taken).count(), taken);
            fleet.backend.entries().retain(|name, _| !last(name));
            assert_eq!(items.count(), ITEMS - taken, "{taken}");
        });
        let stats = fleet.ahead.stats();
        if stats.interrupted == 0 {
            assert_eq!(stats.resealed, 1, "it was read before: {taken}");
            continue;
        }
        assert_eq!((stats.resealed, stats.stores), (0, 1), "{taken}");
        assert_eq!(
            fleet.backend.entries().len(),
            whole,
            "one generation: {taken}"
        );
    }
}

#[test]
fn sealing_chunks_anew_does_not_undo_an_invalidation() {
    for (name, read) in IN_CHUNKS {
        let fleet = Fleet::new();
        let length = fleet.before.scope(read);
        let other = fleet.ahead.clone();
        fleet
            .backend
            .before_set(move || assert!(other.scope(rights::invalidate)));
        assert_eq!(fleet.ahead.scope(read), length, "{name}");
        let left = fleet.backend.entries().len();
        let stats = fleet.ahead.stats();
        // A stream that was read in part is computed, and that is newer.
        let stored = usize::try_from(stats.stores).expect("few");
        assert_eq!((stats.resealed, left > 0), (0, stored > 0), "{name}");
    }
}

/// A backend that knows leases, with chunks that are short.
#[derive(Clone)]
struct Leasing(Memory);

impl Backend for Leasing {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.0.get(key, deadline)
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.0.set(key, value, life, deadline)
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.0.delete(key, deadline)
    }

    fn limits(&self) -> Limits {
        self.0.limits().value_bytes(4096)
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        self.0.get_or_lease(key, life, deadline)
    }

    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        self.0.lease(key, life, deadline)
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        self.0.fill(key, lease, value, life, deadline)
    }

    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        self.0.release(key, lease, deadline)
    }
}

/// One before the deployment, and one behind it, where the backend knows leases.
fn leasing() -> (Runtime, Runtime) {
    let backend = Leasing(Memory::new(1 << 20));
    let build = |builder: RuntimeBuilder| {
        let builder = builder.backend(backend.clone());
        builder.build().expect("valid settings")
    };
    let before = build(Runtime::builder().secret(secret(1)));
    let ahead = Runtime::builder().secret(secret(2));
    (before, build(ahead.previous_secret(secret(1))))
}

#[test]
fn of_those_who_read_it_at_one_time_one_seals_it_anew() {
    let (before, ahead) = leasing();
    before.scope(|| assert_eq!(many().count(), ITEMS));
    ahead.scope(|| {
        let mut first = many();
        assert_eq!(first.by_ref().take(10).count(), 10);
        assert_eq!(many().count(), ITEMS, "another reads all of it");
        assert_eq!(ahead.stats().resealed, 0);
        assert_eq!(first.count(), ITEMS - 10);
        assert_eq!(ahead.stats().resealed, 1);
        assert_eq!(many().count(), ITEMS);
    });
    let stats = ahead.stats();
    assert_eq!((stats.hits, stats.resealed, stats.computations), (3, 1, 0));
}

#[test]
fn who_stops_to_read_leaves_it_to_the_next() {
    let (before, ahead) = leasing();
    before.scope(|| assert_eq!(many().count(), ITEMS));
    ahead.scope(|| {
        assert_eq!(many().take(10).count(), 10);
        assert_eq!(many().count(), ITEMS);
    });
    let stats = ahead.stats();
    assert_eq!((stats.hits, stats.resealed, stats.computations), (2, 1, 0));
}

#[test]
fn an_invalidation_at_any_item_wins_over_sealing_anew() {
    for taken in 0..ITEMS {
        let (before, ahead) = leasing();
        before.scope(|| assert_eq!(many().count(), ITEMS));
        ahead.scope(|| {
            let mut items = many();
            assert_eq!(items.by_ref().take(taken).count(), taken);
            assert!(memo().invalidate());
            assert_eq!(items.count(), ITEMS - taken, "{taken}");
            assert_eq!(ahead.stats().resealed, 0, "{taken}");
            assert_eq!(many().count(), ITEMS);
        });
        assert_eq!(ahead.stats().computations, 1, "{taken}");
    }
}
