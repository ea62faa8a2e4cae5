//! Of the callers that miss one key at one time, one computes: tasks, on several executors and on none.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use cache_memoize::testing::flights;
use cache_memoize::{
    Answer, AsyncBackend, Backend, BackendError, BlockOn, Bytes, Deadline, Lease, Limits, Lookup,
    Memo, Memory, Runtime, RuntimeBuilder,
};
use futures::StreamExt;
use futures::future::join_all;

fn build(settings: RuntimeBuilder) -> Runtime {
    settings.build().expect("valid settings")
}

fn fresh() -> Runtime {
    build(Runtime::builder())
}

fn on_tokio<T>(body: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(body)
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// How long the body of ten thousand calls of one cold key takes.
const BODY: Duration = Duration::from_secs(2);

/// One of those calls: how long it takes.
async fn call(
    runtime: Runtime,
    runs: Arc<AtomicU64>,
    body: impl Future + Send + 'static,
) -> Duration {
    let began = Instant::now();
    let call = async {
        Memo::new("cold")
            .get_or_compute_async(|| async {
                body.await;
                runs.fetch_add(1, Ordering::Relaxed)
            })
            .await
    };
    assert_eq!(runtime.scope_async(call).await, 0);
    began.elapsed()
}

/// They compute once, each time. The slowest is no later than the value is there: in the best of some rounds, so that a machine that is
/// busy with something else doesn't count.
fn ten_thousand_compute_once(spawn_all: impl Fn(&Runtime, &Arc<AtomicU64>) -> Vec<Duration>) {
    // One of these at a time, as each takes all of the machine.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let slowest = || {
        let (runtime, runs) = (fresh(), Arc::default());
        let took = spawn_all(&runtime, &runs);
        assert_eq!((took.len(), runs.load(Ordering::Relaxed)), (10_000, 1));
        assert_eq!(flights(&runtime), 0);
        took.into_iter().max().expect("there are some")
    };
    assert!((0..10).any(|_| slowest() < BODY * 11 / 10));
}

#[test]
fn ten_thousand_tasks_of_tokio_compute_once() {
    ten_thousand_compute_once(|runtime, runs| {
        on_tokio(async {
            let task = |_| {
                let body = async { tokio::time::sleep(BODY).await };
                tokio::spawn(call(runtime.clone(), Arc::clone(runs), body))
            };
            let tasks: Vec<_> = (0..10_000).map(task).collect();
            let took = join_all(tasks).await.into_iter();
            took.map(|took| took.expect("no panic")).collect()
        })
    });
}

#[test]
fn ten_thousand_tasks_of_smol_compute_once() {
    ten_thousand_compute_once(|runtime, runs| {
        let task = |_| {
            let body = async { smol::Timer::after(BODY).await };
            smol::spawn(call(runtime.clone(), Arc::clone(runs), body))
        };
        let tasks: Vec<_> = (0..10_000).map(task).collect();
        smol::block_on(join_all(tasks))
    });
}

#[test]
fn it_works_on_smol_and_without_an_executor() {
    async fn pair(runtime: &Runtime) -> (u64, u64) {
        let runs = Cell::new(0);
        let call = || {
            Memo::new("pair").get_or_compute_async(|| async {
                runs.set(runs.get() + 1);
                let mut yielded = false;
                poll_fn(|context| {
                    context.waker().wake_by_ref();
                    if std::mem::replace(&mut yielded, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
                runs.get()
            })
        };
        runtime
            .scope_async(async { futures::join!(call(), call()) })
            .await
    }
    assert_eq!(smol::block_on(pair(&fresh())), (1, 1));
    assert_eq!(futures::executor::block_on(pair(&fresh())), (1, 1));
}

#[test]
fn leaders_that_are_cancelled_are_followed_one_by_one() {
    let runtime = fresh();
    let runs = Cell::new(0);
    runtime.scope(|| {
        let call = || {
            Box::pin(Memo::new("cancelled").get_or_compute_async(|| {
                runs.set(runs.get() + 1);
                pending::<u8>()
            }))
        };
        let mut calls: Vec<_> = (0..100).map(|_| call()).collect();
        for cancelled in 0..5 {
            for call in &mut calls {
                assert!(poll_once(call.as_mut()).is_pending());
            }
            assert_eq!(runs.get(), cancelled + 1);
            drop(calls.remove(0));
        }
    });
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn threads_and_tasks_wait_for_each_other() {
    let runtime = fresh();
    let (tell, told) = futures::channel::oneshot::channel();
    let task_runtime = runtime.clone();
    let mut leading = Box::pin(async move {
        let call = async {
            Memo::new("k")
                .get_or_compute_async(|| async {
                    told.await.expect("it is told");
                    7_u8
                })
                .await
        };
        task_runtime.scope_async(call).await
    });
    assert!(poll_once(leading.as_mut()).is_pending());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| runtime.scope(|| Memo::new("k").get_or_compute(|| 8_u8)));
        tell.send(()).expect("it listens");
        assert_eq!(futures::executor::block_on(leading), 7);
        assert_eq!(waiting.join().expect("no panic"), 7);
    });
}

#[test]
fn a_dropped_leader_is_followed_by_a_waiter() {
    let runtime = fresh();
    runtime.scope(|| {
        let mut leader = Box::pin(Memo::new("k").get_or_compute_async(pending::<u8>));
        assert!(poll_once(leader.as_mut()).is_pending());
        let mut waiter = pin!(Memo::new("k").get_or_compute_async(|| ready(2_u8)));
        assert!(poll_once(waiter.as_mut()).is_pending());
        let mut cancelled = Box::pin(Memo::new("k").get_or_compute_async(|| ready(3_u8)));
        assert!(poll_once(cancelled.as_mut()).is_pending());
        drop(cancelled);
        drop(leader);
        assert_eq!(poll_once(waiter.as_mut()), Poll::Ready(2));
        assert_eq!(flights(&runtime), 0);
        assert_eq!(Memo::new("k").get_or_compute(|| 4_u8), 2, "it is stored");
    });
}

#[test]
fn a_leader_that_is_never_polled_again_holds_nobody_up() {
    let runtime = build(Runtime::builder().longest_wait(Duration::from_millis(20)));
    runtime.scope(|| {
        let mut leader = Box::pin(Memo::new("k").get_or_compute_async(pending::<u8>));
        assert!(poll_once(leader.as_mut()).is_pending());
        let waiter = Memo::new("k").get_or_compute_async(|| ready(2_u8));
        assert_eq!(futures::executor::block_on(waiter), 2);
        // The leader could still come back, and the right to store is its own until it is gone or its lease is.
        drop(leader);
        assert_eq!(flights(&runtime), 0);
    });
}

#[test]
fn recursion_in_a_task_computes() {
    fn same(depth: u32) -> Pin<Box<dyn Future<Output = u32> + Send>> {
        Box::pin(Memo::new("same").get_or_compute_async(move || async move {
            if depth == 0 {
                0
            } else {
                same(depth - 1).await + 1
            }
        }))
    }
    let runtime = fresh();
    let value = futures::executor::block_on(runtime.scope_async(async { same(5).await }));
    assert_eq!(value, 5);
    runtime.scope(|| assert_eq!(Memo::new("same").get_or_compute(|| 0_u32), 5));
}

/// In one task, one branch of a `join!` leads and the other waits; neither waits for itself.
#[test]
fn branches_of_one_task_share() {
    let runtime = fresh();
    let runs = AtomicU64::new(0);
    let calls = async {
        let call = |_| {
            Memo::new("branch").get_or_compute_async(|| async {
                let run = runs.fetch_add(1, Ordering::Relaxed);
                smol::future::yield_now().await;
                run
            })
        };
        join_all((0..100).map(call)).await
    };
    let values = smol::block_on(runtime.scope_async(calls));
    assert_eq!(values, vec![0; 100]);
}

#[test]
fn an_error_or_a_panic_comes_through_as_it_is() {
    fresh().scope(|| {
        let failed = Memo::new("k").try_get_or_compute_async(|| ready(Err::<u8, _>("as it is")));
        assert_eq!(smol::block_on(failed), Err("as it is"));
        let panicked = std::panic::catch_unwind(|| {
            smol::block_on(Memo::new("k").get_or_compute_async(|| async {
                if true {
                    std::panic::resume_unwind(Box::new(5_u8));
                }
                1_u8
            }))
        });
        let payload = panicked.expect_err("it panicked");
        assert_eq!(payload.downcast_ref(), Some(&5_u8));
        let then = Memo::new("k").get_or_compute_async(|| ready(1_u8));
        assert_eq!(smol::block_on(then), 1);
    });
}

#[test]
fn an_invalidation_during_a_computation_wins() {
    let runtime = fresh();
    runtime.scope(|| {
        let (tell, told) = futures::channel::oneshot::channel();
        let mut old = pin!(Memo::new("k").get_or_compute_async(|| async {
            told.await.expect("it is told");
            1_u8
        }));
        assert!(poll_once(old.as_mut()).is_pending());
        assert!(smol::block_on(Memo::new("k").invalidate_async()));
        tell.send(()).expect("it listens");
        assert_eq!(smol::block_on(old), 1);
        assert_eq!(Memo::new("k").get_or_compute(|| 2_u8), 2);
    });
    assert_eq!(runtime.stats().outdated, 1);
}

/// An async backend that answers at the second poll, and fails or panics if it is told to.
struct Distant {
    memory: Memory,
    fails: bool,
    panics: bool,
}

impl Distant {
    fn runtime(fails: bool, panics: bool) -> Runtime {
        let memory = Memory::new(1 << 20);
        let backend = Self {
            memory,
            fails,
            panics,
        };
        let settings = Runtime::builder().async_backend(backend);
        build(settings.breaker(false).budget(Duration::from_secs(60)))
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        answer: impl FnOnce(&Memory) -> Result<T, BackendError> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move {
            smol::future::yield_now().await;
            assert!(!self.panics, "a bug in a backend");
            if self.fails {
                return Err(BackendError::new("connection refused"));
            }
            answer(&self.memory)
        })
    }
}

impl AsyncBackend for Distant {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        self.answer(move |memory| memory.get(key, deadline))
    }
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        self.answer(move |memory| memory.set(key, value, life, deadline))
    }
    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        self.answer(move |memory| memory.delete(key, deadline))
    }
    fn limits(&self) -> Limits {
        self.memory.limits()
    }
}

#[test]
fn tasks_and_threads_use_an_async_backend() {
    let runtime = Distant::runtime(false, false);
    runtime.scope(|| {
        let value = |n| Memo::new("k").get_or_compute_async(move || ready(n));
        assert_eq!(smol::block_on(value(1)), 1);
        assert_eq!(smol::block_on(value(2)), 1);
        assert_eq!(Memo::new("k").get_or_compute(|| 3), 1);
        assert!(Memo::new("k").invalidate());
        assert_eq!(Memo::new("k").get_or_compute(|| 4), 4);
        assert_eq!(smol::block_on(value(5)), 4);
    });
    assert_eq!(runtime.stats().faults, 0);
}

#[test]
fn an_async_backend_that_fails_or_panics_is_not_noticed() {
    for panics in [false, true] {
        let runtime = Distant::runtime(true, panics);
        runtime.scope(|| {
            let value = |n| Memo::new("k").get_or_compute_async(move || ready(n));
            assert_eq!(smol::block_on(value(1)), 1);
            assert_eq!(smol::block_on(value(2)), 2);
            assert!(!smol::block_on(Memo::new("k").invalidate_async()));
        });
        assert_eq!((runtime.stats().faults, runtime.stats().stores), (6, 0));
        assert_eq!(flights(&runtime), 0);
    }
}

/// A blocking backend that remembers who asked.
struct Blocking {
    memory: Memory,
    asked_by: Arc<Mutex<Vec<ThreadId>>>,
}

impl Backend for Blocking {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        let this_thread = thread::current().id();
        self.asked_by.lock().expect("no panic").push(this_thread);
        self.memory.get(key, deadline)
    }
    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        let this_thread = thread::current().id();
        self.asked_by.lock().expect("no panic").push(this_thread);
        self.memory.set(key, value, life, deadline)
    }
    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.memory.delete(key, deadline)
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
}

#[test]
fn a_blocking_backend_is_not_asked_on_the_executor() {
    let asked_by = Arc::default();
    let runtime = build(Runtime::builder().backend(Blocking {
        memory: Memory::new(1 << 20),
        asked_by: Arc::clone(&asked_by),
    }));
    runtime.scope(|| {
        let value = |n| Memo::new("k").get_or_compute_async(move || ready(n));
        assert_eq!(smol::block_on(value(1)), 1);
        assert_eq!(smol::block_on(value(2)), 1);
    });
    let asked_by = asked_by.lock().expect("no panic");
    assert_eq!(asked_by.len(), 3, "lookup, fill, lookup");
    assert!(!asked_by.contains(&thread::current().id()));
}

#[test]
fn futures_are_send_where_the_body_is() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    drop(is_send(Memo::new("k").get_or_compute_async(|| ready(1_u8))));
    drop(is_send(
        Memo::new("k").try_get_or_compute_async(|| ready(Ok::<_, String>(1_u8))),
    ));
    drop(is_send(Memo::new("k").invalidate_async()));
    // And where it isn't, it is a future all the same.
    let local = std::rc::Rc::new(1_u8);
    let call = Memo::new("local").get_or_compute_async(|| async {
        smol::future::yield_now().await;
        *local
    });
    fresh().scope(|| assert_eq!(smol::block_on(call), 1));
}

/// An async backend that never answers a write by a lease, and counts the leases that are given up.
#[derive(Clone)]
struct Stuck {
    memory: Arc<Memory>,
    released: Arc<AtomicU64>,
}

impl AsyncBackend for Stuck {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        Box::pin(ready(self.memory.get(key, deadline)))
    }
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        Box::pin(ready(self.memory.set(key, value, life, deadline)))
    }
    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(ready(self.memory.delete(key, deadline)))
    }
    fn limits(&self) -> Limits {
        self.memory.limits()
    }
    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        Box::pin(ready(self.memory.get_or_lease(key, life, deadline)))
    }
    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        Box::pin(ready(self.memory.lease(key, life, deadline)))
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
        self.memory
            .release(key, lease, Deadline::NEVER)
            .expect("a memory");
        self.released.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_future_that_is_dropped_while_it_stores_gives_its_lease_up() {
    let stuck = Stuck {
        memory: Arc::new(Memory::new(1 << 20)),
        released: Arc::default(),
    };
    let released = || stuck.released.load(Ordering::Relaxed);
    let runtime = build(
        Runtime::builder()
            .async_backend(stuck.clone())
            .budget(Duration::from_secs(3600)),
    );
    runtime.scope(|| {
        let mut value = Box::pin(Memo::new("value").get_or_compute_async(|| ready(1_u8)));
        assert!(poll_once(value.as_mut()).is_pending());
        assert_eq!(released(), 0);
        drop(value);
        assert_eq!(released(), 1);

        let mut rows = Box::pin(Memo::new("rows").stream(|| futures::stream::iter(0..3_u8)));
        for row in 0..3 {
            assert_eq!(poll_once(pin!(rows.next())), Poll::Ready(Some(row)));
        }
        assert!(poll_once(pin!(rows.next())).is_pending());
        assert_eq!(released(), 1);
        drop(rows);
        assert_eq!(released(), 2);
    });
    assert_eq!(flights(&runtime), 0);
}

#[test]
fn after_an_invalidation_those_who_waited_for_a_cancelled_leader_compute_once() {
    let runtime = fresh();
    let runs = Cell::new(0);
    runtime.scope(|| {
        let (tell, told) = futures::channel::oneshot::channel::<u8>();
        let told = Cell::new(Some(told));
        let call = || {
            Box::pin(Memo::new("k").get_or_compute_async(|| {
                runs.set(runs.get() + 1);
                let told = told.take();
                async {
                    match told {
                        Some(told) => told.await.expect("it is told"),
                        None => 0,
                    }
                }
            }))
        };
        let mut cancelled = Box::pin(Memo::new("k").get_or_compute_async(pending::<u8>));
        assert!(poll_once(cancelled.as_mut()).is_pending());
        let mut waiting: Vec<_> = (0..10).map(|_| call()).collect();
        for call in &mut waiting {
            assert!(poll_once(call.as_mut()).is_pending());
        }
        assert!(Memo::new("k").invalidate());
        drop(cancelled);
        for call in &mut waiting {
            assert!(poll_once(call.as_mut()).is_pending());
        }
        assert_eq!(runs.get(), 1, "one takes over for all");
        tell.send(7).expect("it listens");
        for call in waiting {
            assert_eq!(futures::executor::block_on(call), 7);
        }
    });
    assert_eq!(runs.get(), 1);
    assert_eq!((flights(&runtime), runtime.stats().stores), (0, 1));
}

#[test]
fn a_backend_that_wakes_itself_is_kept_to_its_time() {
    struct Busy(Arc<AtomicU64>);

    impl Busy {
        fn answer<T: Send + 'static>(&self) -> Answer<'_, T> {
            Box::pin(poll_fn(|context| {
                context.waker().wake_by_ref();
                // An end, so that this test has one.
                if self.0.fetch_add(1, Ordering::Relaxed) < 100_000_000 {
                    Poll::Pending
                } else {
                    Poll::Ready(Err(BackendError::new("nobody kept it to its time")))
                }
            }))
        }
    }

    impl AsyncBackend for Busy {
        fn get<'a>(&'a self, _: &'a str, _: Deadline) -> Answer<'a, Option<Bytes>> {
            self.answer()
        }
        fn set<'a>(&'a self, _: &'a str, _: Bytes, _: Duration, _: Deadline) -> Answer<'a, ()> {
            self.answer()
        }
        fn delete<'a>(&'a self, _: &'a str, _: Deadline) -> Answer<'a, ()> {
            self.answer()
        }
        fn limits(&self) -> Limits {
            Limits::new()
        }
    }

    let polls = Arc::default();
    let backend = BlockOn::new(Busy(Arc::clone(&polls)));
    let answer = backend.get("k", Deadline::after(Duration::ZERO));
    assert_eq!(
        answer.expect_err("it never answers").to_string(),
        "no answer in time"
    );
    assert_eq!(polls.load(Ordering::Relaxed), 1);
}
