//! Of the callers that miss one key at one time, one computes: threads.

#[path = "../../../tests/common/forward.rs"]
mod forward;
mod overtaken;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use cache_memoize::testing::flights;
use cache_memoize::{Backend, Memo, Memory, Runtime, RuntimeBuilder};
use forward::forward;

fn build(settings: RuntimeBuilder) -> Runtime {
    settings.build().expect("valid settings")
}

fn fresh() -> Runtime {
    build(Runtime::builder())
}

/// A memory backend that knows nothing of leases.
struct Plain(Memory);

impl Backend for Plain {
    forward!(0 => get, set, delete, limits);
}

fn plain() -> Runtime {
    build(Runtime::builder().backend(Plain(Memory::new(1 << 20))))
}

/// Calls on `count` threads that start together; the results, and how long the slowest took.
fn race<T: Send>(count: usize, call: impl Fn(usize) -> T + Sync) -> (Vec<T>, Duration) {
    let start = Barrier::new(count);
    let results: Vec<(T, Duration)> = thread::scope(|scope| {
        let callers: Vec<_> = (0..count)
            .map(|index| {
                let (start, call) = (&start, &call);
                scope.spawn(move || {
                    start.wait();
                    let began = Instant::now();
                    let result = call(index);
                    (result, began.elapsed())
                })
            })
            .collect();
        let results = callers.into_iter().map(ScopedJoinHandle::join);
        results.map(|result| result.expect("no panic")).collect()
    });
    let slowest = results.iter().map(|(_, took)| *took).max();
    (
        results.into_iter().map(|(result, _)| result).collect(),
        slowest.unwrap_or_default(),
    )
}

#[test]
fn sixty_four_threads_compute_once() {
    const BODY: Duration = Duration::from_millis(500);
    for runtime in [fresh(), plain()] {
        let runs = AtomicU64::new(0);
        let (values, slowest) = race(64, |_| {
            runtime.scope(|| {
                Memo::new("cold").get_or_compute(|| {
                    thread::sleep(BODY);
                    runs.fetch_add(1, Ordering::Relaxed)
                })
            })
        });
        assert_eq!(values, [0; 64]);
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        let stats = runtime.stats();
        assert_eq!(
            (stats.computations, stats.stores, stats.hits + stats.shared),
            (1, 1, 63)
        );
        // A second run would be seen. `benches/single_flight.rs` has the figure.
        assert!(slowest < BODY * 2, "{slowest:?}");
        assert_eq!(flights(&runtime), 0);
    }
}

/// The best of some rounds, so that a machine that is busy with something else doesn't count.
#[test]
fn the_slowest_of_many_waits_hardly_longer_than_the_body_takes() {
    const BODY: Duration = Duration::from_millis(500);
    let slowest = || {
        let runtime = fresh();
        let call = |_| runtime.scope(|| Memo::new("cold").get_or_compute(|| thread::sleep(BODY)));
        race(64, call).1
    };
    assert!((0..10).any(|_| slowest() < BODY * 11 / 10));
}

/// The least of many short rounds, with and without the other key in turn.
#[test]
fn a_warm_hit_is_no_slower_beside_a_key_that_is_computed() {
    let runtime = fresh();
    let hit = || runtime.scope(|| Memo::new(("f", 1)).get_or_compute(|| 1_u64));
    let round = || {
        let began = Instant::now();
        (0..50).for_each(|_| assert_eq!(hit(), 1));
        began.elapsed()
    };
    hit();
    let (mut alone, mut beside) = (Duration::MAX, Duration::MAX);
    for _ in 0..50 {
        alone = (0..10).map(|_| round()).fold(alone, Duration::min);
        let gate = Gate::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                runtime.scope(|| {
                    let other = Memo::new(("f", 2)).force_overwrite(true);
                    other.get_or_compute(|| gate.pass());
                });
            });
            gate.begin.wait();
            beside = (0..10).map(|_| round()).fold(beside, Duration::min);
            gate.end.wait();
        });
    }
    assert!(beside < alone * 5 / 4, "{beside:?} beside, {alone:?} alone");
}

/// Holds a body up between two moments of a test.
struct Gate {
    begin: Barrier,
    end: Barrier,
}

impl Gate {
    fn new() -> Self {
        Self {
            begin: Barrier::new(2),
            end: Barrier::new(2),
        }
    }

    /// The body is in here from `begin` to `end`.
    fn pass(&self) {
        self.begin.wait();
        self.end.wait();
    }
}

#[test]
fn a_leader_that_panics_is_followed_by_one_waiter() {
    let runtime = fresh();
    let (panics, runs) = (AtomicU64::new(0), AtomicU64::new(0));
    let (values, _) = race(16, |_| {
        runtime.scope(|| {
            catch_unwind(AssertUnwindSafe(|| {
                Memo::new("panics").get_or_compute(|| {
                    thread::sleep(Duration::from_millis(100));
                    let run = runs.fetch_add(1, Ordering::SeqCst);
                    if run == 0 {
                        panics.fetch_add(1, Ordering::SeqCst);
                        std::panic::resume_unwind(Box::new(run));
                    }
                    run
                })
            }))
        })
    });
    let panicked: Vec<_> = values
        .iter()
        .filter_map(|value| value.as_ref().err())
        .collect();
    assert_eq!(panicked.len(), 1, "the panic is the leader's alone");
    assert_eq!(panicked[0].downcast_ref(), Some(&0_u64), "as it was");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn a_body_that_always_fails_makes_no_line() {
    const BODY: Duration = Duration::from_millis(100);
    let slowest = || {
        let runtime = fresh();
        let runs = AtomicU64::new(0);
        let (values, slowest) = race(16, |index| {
            runtime.scope(|| {
                Memo::new("fails").try_get_or_compute(|| -> Result<u8, usize> {
                    thread::sleep(BODY);
                    runs.fetch_add(1, Ordering::Relaxed);
                    Err(index)
                })
            })
        });
        for (index, value) in values.into_iter().enumerate() {
            assert_eq!(value, Err(index), "each has its own error");
        }
        assert_eq!(runs.load(Ordering::Relaxed), 16);
        assert_eq!(flights(&runtime), 0);
        slowest
    };
    // The leader, one that takes over, and all others side by side; a line would take 16. A machine may be busy with something else.
    assert!((0..5).any(|_| slowest() < BODY * 5));
}

#[test]
fn nobody_waits_longer_than_the_longest_wait() {
    let runtime = build(Runtime::builder().longest_wait(Duration::from_millis(20)));
    let gate = Gate::new();
    thread::scope(|scope| {
        let stuck = scope.spawn(|| {
            runtime.scope(|| {
                Memo::new("stuck").get_or_compute(|| {
                    gate.pass();
                    1
                })
            })
        });
        gate.begin.wait();
        let other = runtime.scope(|| Memo::new("stuck").get_or_compute(|| 2));
        assert_eq!(other, 2);
        gate.end.wait();
        assert_eq!(stuck.join().expect("no panic"), 1);
    });
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn what_one_runtime_computes_is_not_taken_for_what_another_does() {
    const PATIENCE: Duration = Duration::from_millis(20);
    let (outer, inner) = (fresh(), build(Runtime::builder().longest_wait(PATIENCE)));
    let gate = Gate::new();
    thread::scope(|scope| {
        // The first that is computed in its runtime, as is the one that asks for it.
        scope.spawn(|| inner.scope(|| Memo::new("key").get_or_compute(|| gate.pass())));
        gate.begin.wait();
        let waited = outer.scope(|| {
            Memo::new("another").get_or_compute(|| {
                let begin = Instant::now();
                inner.scope(|| Memo::new("key").get_or_compute(|| ()));
                begin.elapsed()
            })
        });
        gate.end.wait();
        assert!(
            waited >= PATIENCE,
            "nobody waited for the other: {waited:?}"
        );
    });
}

#[test]
fn of_those_whose_patience_ends_at_once_one_computes() {
    for invalidates in [false, true] {
        let runtime = build(Runtime::builder().longest_wait(Duration::from_millis(500)));
        let (gate, begun) = (Gate::new(), Barrier::new(9));
        let runs = AtomicU64::new(0);
        thread::scope(|scope| {
            let stuck = scope.spawn(|| {
                runtime.scope(|| {
                    Memo::new("stuck").get_or_compute(|| {
                        gate.pass();
                        1
                    })
                })
            });
            gate.begin.wait();
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        begun.wait();
                        runtime.scope(|| {
                            Memo::new("stuck").get_or_compute(|| {
                                runs.fetch_add(1, Ordering::Relaxed);
                                // The patience of the others ends meanwhile.
                                thread::sleep(Duration::from_millis(50));
                                2
                            })
                        })
                    })
                })
                .collect();
            begun.wait();
            if invalidates {
                runtime.scope(|| Memo::new("stuck").invalidate());
            }
            let values: Vec<_> = callers.into_iter().map(ScopedJoinHandle::join).collect();
            gate.end.wait();
            assert!(values.iter().all(|value| matches!(value, Ok(2))));
            assert_eq!(stuck.join().expect("no panic"), 1);
        });
        // Those who came before an invalidation and those who came after it don't wait for each other.
        let most = if invalidates { 2 } else { 1 };
        assert!(
            (1..=most).contains(&runs.load(Ordering::Relaxed)),
            "{runs:?}"
        );
        assert_eq!(flights(&runtime), 0);
    }
}

#[test]
fn who_relieves_a_stuck_leader_ends_its_flight() {
    let runtime = build(Runtime::builder().longest_wait(Duration::from_millis(20)));
    let gate = &Gate::new();
    thread::scope(|scope| {
        let runtime = &runtime;
        let call = move |body: &dyn Fn()| {
            runtime.scope(|| {
                Memo::new("stuck").try_get_or_compute(|| {
                    body();
                    Err::<u8, _>(())
                })
            })
        };
        let stuck = scope.spawn(move || call(&|| gate.pass()));
        gate.begin.wait();
        assert_eq!(call(&|| ()), Err(()));
        assert_eq!(flights(runtime), 0, "nobody else waits for it");
        gate.end.wait();
        assert_eq!(stuck.join().expect("no panic"), Err(()));
    });
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn a_value_that_takes_longer_than_a_lease_stands_is_stored_whoever_waits() {
    for relieved_first in [false, true] {
        let runtime = build(Runtime::builder().longest_wait(Duration::ZERO));
        let gates = [Gate::new(), Gate::new()];
        thread::scope(|scope| {
            let mut calls: Vec<_> = gates
                .iter()
                .enumerate()
                .map(|(n, gate)| {
                    let runtime = &runtime;
                    let body = move || {
                        gate.pass();
                        n
                    };
                    let call = move || runtime.scope(|| Memo::new("slow").get_or_compute(body));
                    let call = scope.spawn(call);
                    gate.begin.wait();
                    call
                })
                .collect();
            let first = usize::from(!relieved_first);
            gates[first].end.wait();
            let value = calls.remove(first).join().expect("no panic");
            assert_eq!(value, first);
            assert_eq!(runtime.stats().stores, 1);
            let hit = runtime.scope(|| Memo::new("slow").get_or_compute(|| 9));
            assert_eq!(hit, first);
            gates[1 - first].end.wait();
        });
        assert_eq!(runtime.stats().stores, 1);
        assert_eq!(flights(&runtime), 0);
    }
}

/// A thread is not known for the one that started it and waits for it.
#[test]
fn a_body_that_waits_for_a_thread_which_calls_it_goes_on_when_patience_ends() {
    const PATIENCE: Duration = Duration::from_millis(300);
    let runtime = build(Runtime::builder().longest_wait(PATIENCE));
    let call = |body: &dyn Fn() -> u64| runtime.scope(|| Memo::new("k").get_or_compute(body));
    let began = Instant::now();
    let value = thread::scope(|scope| {
        let inner = || scope.spawn(|| call(&|| 1)).join().expect("no panic");
        call(&|| inner() + 1)
    });
    assert_eq!(value, 2);
    let took = began.elapsed();
    assert!(took >= PATIENCE, "the circle is seen: {took:?}");
    assert!(took < 10 * PATIENCE, "{took:?}");
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn recursion_with_one_key_computes_and_with_others_goes_to_any_depth() {
    fn same(depth: u32) -> u32 {
        Memo::new("same").get_or_compute(|| if depth == 0 { 0 } else { same(depth - 1) + 1 })
    }
    fn other(depth: u32) -> u32 {
        Memo::new(("other", depth))
            .get_or_compute(|| if depth == 0 { 0 } else { other(depth - 1) + 1 })
    }
    let runtime = fresh();
    let deep = thread::Builder::new().stack_size(256 << 20);
    let inner = runtime.clone();
    let run = move || {
        inner.scope(|| {
            assert_eq!(same(5), 5);
            assert_eq!(same(0), 5, "the outermost is stored");
            assert_eq!(other(5_000), 5_000);
        });
    };
    deep.spawn(run).expect("a thread").join().expect("no panic");
    assert_eq!(flights(&runtime), 0);
}

/// Each of two threads computes what the other needs.
#[test]
fn a_circle_over_two_threads_ends_at_once() {
    fn call(keys: [&'static str; 2], meet: &Barrier, depth: u8) -> u8 {
        Memo::new(keys[0]).get_or_compute(|| {
            if depth == 0 {
                meet.wait();
                call([keys[1], keys[0]], meet, 1) + 1
            } else if depth == 1 {
                call([keys[1], keys[0]], meet, 2) + 1
            } else {
                0
            }
        })
    }
    let runtime = fresh();
    let meet = Barrier::new(2);
    let (_, slowest) = race(2, |index| {
        let keys = [["a", "b"], ["b", "a"]][index];
        runtime.scope(|| call(keys, &meet, 0))
    });
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn two_types_under_one_key_do_not_wait_for_each_other() {
    let runtime = fresh();
    let gate = Gate::new();
    thread::scope(|scope| {
        let number = scope.spawn(|| {
            runtime.scope(|| {
                Memo::new("k").get_or_compute(|| {
                    gate.pass();
                    1_u8
                })
            })
        });
        gate.begin.wait();
        let text = runtime.scope(|| Memo::new("k").get_or_compute(|| "text".to_owned()));
        assert_eq!(text, "text");
        gate.end.wait();
        assert_eq!(number.join().expect("no panic"), 1);
    });
}

#[test]
fn a_hit_waits_for_no_other_key() {
    let runtime = fresh();
    let gate = Gate::new();
    let warm = |id: u32| Memo::new(("f", id)).get_or_compute(|| id);
    runtime.scope(|| assert_eq!(warm(1), 1));
    thread::scope(|scope| {
        let cold =
            scope.spawn(|| runtime.scope(|| Memo::new(("f", 2)).get_or_compute(|| gate.pass())));
        gate.begin.wait();
        // The other is still computing, and nothing but this test will end it.
        runtime.scope(|| (0..1_000).for_each(|_| assert_eq!(warm(1), 1)));
        assert_eq!(runtime.stats().hits, 1_000);
        gate.end.wait();
        cold.join().expect("no panic");
    });
}

/// Two runtimes on one memory are as two processes on one server.
#[test]
fn another_process_is_waited_for() {
    let memory = Memory::new(1 << 20);
    let (one, two) = (
        build(Runtime::builder().backend(memory.clone())),
        build(Runtime::builder().backend(memory)),
    );
    let gate = Gate::new();
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            one.scope(|| {
                Memo::new("shared").get_or_compute(|| {
                    gate.pass();
                    1
                })
            })
        });
        gate.begin.wait();
        let second = scope.spawn(|| two.scope(|| Memo::new("shared").get_or_compute(|| 2)));
        // It has nothing to compute with, whenever the first goes on.
        gate.end.wait();
        assert_eq!(first.join().expect("no panic"), 1);
        assert_eq!(second.join().expect("no panic"), 1);
    });
    assert_eq!(two.stats().computations, 0);
}
