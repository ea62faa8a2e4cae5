//! Who was left by a writer, or can't wait for it: what it goes on with, and what is stored.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use super::remote::Remote;
use super::{Blocking, Items, Mishap, Source, each_pair, forward, item, items, runtime};
use cache_memoize::testing::flights;
use cache_memoize::{Backend, BackendError, Bytes, Deadline, Lease, Memo, Memory, Runtime};

/// A runtime with a backend that knows leases.
fn leasing() -> Runtime {
    let builder = Runtime::builder().backend(Memory::new(16 << 20));
    builder.build().expect("valid settings")
}

#[test]
fn who_goes_on_by_itself_leaves_the_writer_its_right() {
    each_pair(|writer, follower| {
        let runtime = leasing();
        runtime.scope(|| {
            let source = Source::new(20);
            let mut all = writer(&source);
            assert_eq!(all.next(), Some(item(0)));
            let mut one = follower(&source);
            assert!(one.by_ref().take(2).eq(items(2)), "it is ahead");
            assert_eq!(source.runs(), 2);
            drop(one);
            assert_eq!(all.count(), 19);
            assert!(follower(&source).eq(items(20)));
            assert_eq!(source.runs(), 2);
        });
        assert_eq!((runtime.stats().stores, runtime.stats().outdated), (1, 0));
    });
}

/// They share the right, and either may go first.
#[test]
fn the_right_to_store_is_given_up_by_the_last_who_has_it() {
    each_pair(|writer, follower| {
        for ends in [[true, true], [true, false], [false, true], [false, false]] {
            for follower_first in [false, true] {
                let runtime = leasing();
                runtime.scope(|| {
                    let source = Source::new(20);
                    let mut all = writer(&source);
                    assert_eq!(all.next(), Some(item(0)));
                    let mut ahead = follower(&source);
                    assert!(ahead.by_ref().take(2).eq(items(2)));
                    let mut both = [(all, ends[0]), (ahead, ends[1])];
                    if follower_first {
                        both.reverse();
                    }
                    for (items, ends) in both {
                        if ends {
                            items.for_each(drop);
                        }
                    }
                    let stores = u64::from(ends[0] || ends[1]);
                    assert_eq!(runtime.stats().stores, stores, "{ends:?}");
                    // Nobody's lease is in the way of who comes.
                    assert!(follower(&source).eq(items(20)));
                    assert_eq!(runtime.stats().stores, 1, "{ends:?}");
                });
                assert_eq!(flights(&runtime), 0);
            }
        }
    });
}

/// P10, although the writer's lease was void before.
#[test]
fn who_is_left_after_an_invalidation_stores_by_a_lease_of_its_own() {
    let runtime = leasing();
    runtime.scope(|| {
        let source = Source::new(20);
        let mut all = source.iter();
        assert_eq!(all.next(), Some(item(0)));
        let mut ahead = source.iter();
        assert_eq!(ahead.next(), Some(item(0)));
        assert!(Memo::new("source").invalidate());
        assert_eq!(ahead.count(), 19);
        assert_eq!((runtime.stats().stores, source.runs()), (1, 2));
        assert_eq!(all.count(), 19);
        assert_eq!((runtime.stats().stores, runtime.stats().outdated), (1, 1));
    });
}

/// A backend behind which a writer comes to its end, after what is asked next has been answered.
#[derive(Clone)]
struct Late {
    memory: Memory,
    writing: Arc<Mutex<Option<Items>>>,
    is_read_on: bool,
}

impl Backend for Late {
    forward!(memory => set, delete, limits, get_or_lease, lease, release);

    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        let found = self.memory.get(key, deadline);
        let writing = self.writing.lock().expect("nobody panics here").take();
        if self.is_read_on {
            writing.into_iter().flatten().for_each(drop);
        }
        found
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        self.memory.fill(key, lease, value, life, deadline)
    }
}

#[test]
fn who_comes_as_the_writer_leaves_gets_its_items_or_stores_its_own() {
    for is_read_on in [true, false] {
        for is_stream in [true, false] {
            let late = Late {
                memory: Memory::new(16 << 20),
                writing: Arc::default(),
                is_read_on,
            };
            let builder = Runtime::builder().backend(late.clone());
            let runtime = builder.build().expect("valid settings");
            runtime.scope(|| {
                let source = Source::new(20);
                let mut writing = source.iter();
                assert_eq!(writing.next(), Some(item(0)));
                *late.writing.lock().expect("nobody panics here") = Some(writing);
                let coming: Items = if is_stream {
                    Box::new(Blocking(source.stream()))
                } else {
                    source.iter()
                };
                assert!(coming.eq(items(20)));
                assert_eq!(source.runs(), if is_read_on { 1 } else { 2 });
            });
            let stats = runtime.stats();
            assert_eq!((stats.stores, stats.outdated), (1, 0), "{is_read_on}");
            assert_eq!(flights(&runtime), 0);
        }
    }
}

/// Reads on, on threads of their own, from wherever each of them is.
fn finish_on_threads(runtime: &Runtime, following: Vec<(usize, Items)>, count: usize) {
    let start = Barrier::new(following.len());
    thread::scope(|scope| {
        for (read, rest) in following {
            let (runtime, start) = (&runtime, &start);
            scope.spawn(move || {
                start.wait();
                runtime.scope(|| assert!(rest.eq((read..count).map(item)), "from {read} on"));
            });
        }
    });
}

#[test]
fn all_who_were_left_by_one_writer_follow_one() {
    const COUNT: usize = 500;
    const WRITTEN: usize = 40;
    each_pair(|writer, follower| {
        for runtime in [runtime(), leasing()] {
            let source = Source::new(COUNT);
            let following = runtime.scope(|| {
                let mut writing = writer(&source);
                assert_eq!(writing.next(), Some(item(0)));
                let following = (1..=8).map(|n| (n * 5, follower(&source)));
                let mut following: Vec<_> = following.collect();
                assert_eq!(writing.by_ref().take(WRITTEN).count(), WRITTEN);
                for (read, items) in &mut following {
                    assert!(items.by_ref().take(*read).eq((0..*read).map(item)));
                }
                following
            });
            finish_on_threads(&runtime, following, COUNT);
            assert_eq!(source.runs(), 2);
            let stats = runtime.stats();
            assert_eq!((stats.stores, stats.outdated, stats.interrupted), (1, 0, 1));
            assert_eq!(flights(&runtime), 0);
        }
    });
}

/// As with a value that can't be computed.
#[test]
fn a_body_that_always_fails_makes_no_line_of_those_who_follow() {
    const FAILS: usize = 40;
    for mishap in [Mishap::Dropped, Mishap::Fails] {
        let runtime = leasing();
        let runs = AtomicUsize::new(0);
        let call = || {
            Memo::new("source").compress(false).try_iter(|| {
                runs.fetch_add(1, Ordering::Relaxed);
                (0..=FAILS).map(|n| if n == FAILS { Err(()) } else { Ok(item(n)) })
            })
        };
        let mut writing = runtime.scope(call);
        let following: Vec<_> = (0..8).map(|_| runtime.scope(call)).collect();
        match mishap {
            Mishap::Dropped => assert!(writing.next().is_some()),
            _ => assert_eq!(writing.by_ref().last(), Some(Err(()))),
        }
        drop(writing);
        let failed = Mutex::new(0);
        thread::scope(|scope| {
            for rest in following {
                let (runtime, failed) = (&runtime, &failed);
                scope.spawn(move || {
                    let items = runtime.scope(|| rest.collect::<Vec<_>>());
                    let whole = (0..FAILS).map(|n| Ok(item(n))).chain([Err(())]);
                    assert!(items.into_iter().eq(whole));
                    *failed.lock().expect("no panic") += 1;
                });
            }
        });
        assert_eq!(failed.into_inner().expect("no panic"), 8);
        assert_eq!(runs.load(Ordering::Relaxed), 9);
        assert_eq!((runtime.stats().stores, runtime.stats().shared), (0, 8));
        assert_eq!(flights(&runtime), 0);
    }
}

#[test]
fn of_those_who_meet_a_loss_one_runs_the_function() {
    const COUNT: usize = 60;
    let remote = Remote::new();
    let runtime = remote.runtime();
    runtime.scope(|| {
        let source = Source::new(COUNT);
        assert_eq!(source.iter().count(), COUNT);
        let mut readers: [Items; 4] = [
            source.iter(),
            Box::new(Blocking(source.stream())),
            source.iter(),
            Box::new(Blocking(source.stream())),
        ];
        for reader in &mut readers {
            assert_eq!(reader.next(), Some(item(0)));
        }
        for lost in 8..40 {
            remote.lose_chunk(lost);
        }
        for n in 1..COUNT {
            for reader in &mut readers {
                assert_eq!(reader.next(), Some(item(n)));
            }
        }
        assert!(readers.iter_mut().all(|reader| reader.next().is_none()));
        assert_eq!(source.runs(), 2);
    });
    assert_eq!(runtime.stats().stores, 2);
    assert_eq!(flights(&runtime), 0);
}
