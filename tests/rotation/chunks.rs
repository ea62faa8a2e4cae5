//! Streams and long values, which are sealed anew chunk by chunk while they are read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_memoize::{Backend, BackendError, Bytes, Deadline, Limits, Runtime, RuntimeBuilder};
use smol::stream::{self, Stream, StreamExt};

use crate::{Entries, Fleet, Leased, memo, rights, secret};

/// A name, and what reads it and returns its length.
pub(super) type Form = (&'static str, fn() -> usize);

/// Read in windows, and whole.
pub(super) const IN_CHUNKS: [Form; 4] = [
    ("an iterator", || many().count()),
    ("a stream", || smol::block_on(many_awaited().count())),
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

fn many_awaited() -> impl Stream<Item = String> {
    memo().stream(|| stream::iter((0..ITEMS).map(|nth| format!("{nth:>1000}"))))
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
        let some = || smol::block_on(many_awaited().take(taken).count());
        assert_eq!(fleet.ahead.scope(some), taken);
        assert!(*fleet.backend.entries() == old, "{taken}, awaited");
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
fn what_is_lost_while_a_stream_seals_it_anew_is_computed_and_stored() {
    for taken in 0..ITEMS {
        let fleet = Fleet::new();
        fleet.before.scope(|| assert_eq!(many().count(), ITEMS));
        let whole = fleet.backend.entries().len();
        let last = |name: &String| name.ends_with(&format!(".{}", whole - 2));
        fleet.ahead.scope(|| {
            smol::block_on(async {
                let mut items = Box::pin(many_awaited());
                assert_eq!(items.as_mut().take(taken).count().await, taken);
                fleet.backend.entries().retain(|name, _| !last(name));
                assert_eq!(items.count().await, ITEMS - taken, "{taken}");
            });
        });
        let stats = fleet.ahead.stats();
        // Without any taken, the loss is met by the lookup; with the last chunk read, by nobody.
        let losses = stats.interrupted + stats.incomplete;
        assert_eq!(
            (stats.resealed, stats.stores),
            (1 - losses, losses),
            "{taken}"
        );
        if losses == 1 && taken > 0 {
            let left = fleet.backend.entries().len();
            assert_eq!(left, whole, "one generation: {taken}");
        }
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

/// One before the deployment, and one behind it, where the backend knows leases.
fn leasing() -> (Runtime, Runtime) {
    let backend = Leased::new();
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

/// Notes how many chunks are read and not yet stored.
#[derive(Clone)]
struct Windows {
    backend: Leased,
    unstored: Arc<Mutex<usize>>,
    most: Arc<Mutex<usize>>,
}

impl Windows {
    fn count(&self, keys: &[&str], count: impl FnOnce(usize, usize) -> usize) {
        let chunks = keys.iter().filter(|key| key.contains('.')).count();
        let mut unstored = self.unstored.lock().expect("not poisoned");
        *unstored = count(*unstored, chunks);
        let mut most = self.most.lock().expect("not poisoned");
        *most = (*most).max(*unstored);
    }
}

impl Backend for Windows {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.backend.get(key, deadline)
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.count(&[key], usize::saturating_sub);
        self.backend.set(key, value, life, deadline)
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.backend.delete(key, deadline)
    }

    fn limits(&self) -> Limits {
        self.backend.limits()
    }

    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        self.count(keys, |unstored, chunks| unstored + chunks);
        self.backend.get_many(keys, deadline)
    }
}

#[test]
fn what_is_sealed_anew_is_stored_before_more_is_read() {
    for (name, read) in IN_CHUNKS {
        let windows = Windows {
            backend: Leased::new(),
            unstored: Arc::default(),
            most: Arc::default(),
        };
        let build = |builder: RuntimeBuilder| {
            let builder = builder.backend(windows.clone());
            builder.build().expect("valid settings")
        };
        let before = build(Runtime::builder().secret(secret(1)));
        let length = before.scope(read);
        let ahead = Runtime::builder().secret(secret(2));
        let ahead = build(ahead.previous_secret(secret(1)));
        assert_eq!(ahead.scope(read), length, "{name}");
        assert_eq!(ahead.stats().resealed, 1, "{name}");
        assert_eq!(*windows.most.lock().expect("not poisoned"), 4, "{name}");
    }
}
