//! Sealing anew, where nobody learns whether the entry was written.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Waker};
use std::time::Duration;

use cache_memoize::{
    Answer, AsyncBackend, Backend, Bytes, Deadline, Limits, Runtime, RuntimeBuilder,
};
use futures::executor::block_on;

use crate::chunks::IN_CHUNKS;
use crate::{COMPUTED, Entries, FORMS, Fleet, Shared, long, memo, rights, secret};

#[test]
fn an_entry_whose_chunks_are_removed_does_not_stay() {
    for (name, read) in IN_CHUNKS {
        let fleet = Fleet::new();
        let length = fleet.before.scope(read);
        let old: Entries = fleet.backend.entries().clone();
        fleet.backend.loses_answers.store(true, Relaxed);
        for sets in 0..old.len() {
            fleet.backend.fail_after(Some(sets));
            assert_eq!(fleet.ahead.scope(read), length, "{name}, {sets}");
            assert!(*fleet.backend.entries() == old, "{name}, {sets}");
        }
        let stats = fleet.ahead.stats();
        assert_eq!((stats.resealed, stats.computations), (0, 0), "{name}");
    }
}

#[test]
fn an_invalidation_wins_without_leases() {
    let reads: [fn() -> String; 2] = [FORMS[0].read, || {
        block_on(memo().get_or_compute_async(async || COMPUTED.to_owned()))
    }];
    for read in reads {
        let fleet = Fleet::new();
        fleet.before.scope(|| (FORMS[0].refresh)("old"));
        let other = fleet.ahead.clone();
        fleet
            .backend
            .before_set(move || assert!(other.scope(rights::invalidate)));
        fleet.backend.loses_answers.store(true, Relaxed);
        fleet.backend.fail_after(Some(0));
        assert_eq!(fleet.ahead.scope(read), "old", "read before it");
        assert!(fleet.backend.entries().is_empty());
    }
}

/// Writes entries and never says so, once it is told to; chunks are answered.
#[derive(Clone, Default)]
struct Silent {
    shared: Shared,
    is_silent: Arc<AtomicBool>,
}

impl AsyncBackend for Silent {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        Box::pin(async move { self.shared.get(key, deadline) })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let is_set = self.shared.set(key, value, life, deadline);
            if self.is_silent.load(Relaxed) && !key.contains('.') {
                pending::<()>().await;
            }
            is_set
        })
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(async move { self.shared.delete(key, deadline) })
    }

    fn discard(&self, keys: &[&str]) {
        self.shared
            .entries()
            .retain(|key, _| !keys.contains(&key.as_str()));
    }

    fn limits(&self) -> Limits {
        self.shared.limits()
    }
}

#[test]
fn a_call_that_is_dropped_meanwhile_leaves_only_the_old() {
    for text in ["short".to_owned(), long("in chunks")] {
        let backend = Silent::default();
        let build = |builder: RuntimeBuilder| {
            let builder = builder.async_backend(backend.clone());
            let builder = builder.budget(Duration::from_secs(60));
            builder.build().expect("valid settings")
        };
        let before = build(Runtime::builder().secret(secret(1)));
        let ahead = Runtime::builder().secret(secret(2));
        let ahead = build(ahead.previous_secret(secret(1)));
        let call = || memo().get_or_compute_async(async || text.clone());
        assert_eq!(block_on(before.scope(call)), text);
        let old: Entries = backend.shared.entries().clone();

        backend.is_silent.store(true, Relaxed);
        {
            let mut call = pin!(ahead.scope(call));
            let context = &mut Context::from_waker(Waker::noop());
            assert!(call.as_mut().poll(context).is_pending());
            assert!(backend.shared.entries().len() > old.len(), "it is written");
        }
        assert!(*backend.shared.entries() == old);
    }
}
