//! What is told of a backend that fails, and of others that compute.

mod common;

use std::time::{Duration, Instant};

use cache_memoize::{Backend, BackendError, Bytes, Deadline, Limits, Lookup, Memo, Runtime};
use common::{logged, runtime};
use futures::executor::block_on;

/// A server that is full, say, which answers as fast as ever.
struct Refusing;

impl Refusing {
    fn refuse<T>() -> Result<T, BackendError> {
        Err(BackendError::refusal("it is full"))
    }
}

impl Backend for Refusing {
    fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Self::refuse()
    }
    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        Self::refuse()
    }
    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        Self::refuse()
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
}

#[test]
fn a_fault_at_each_call_does_not_fill_the_log() {
    let runtime = Runtime::builder().backend(Refusing).build();
    let runtime = runtime.expect("valid settings");
    let began = Instant::now();
    let log = logged(|| {
        runtime.scope(|| {
            for n in 0..1_000 {
                assert_eq!(Memo::new("k").get_or_compute(|| n), n);
            }
        });
    });
    let faults = runtime.stats().faults;
    assert!(faults >= 1_000, "{faults}");
    let told = log.matches("it is full").count() as u64;
    assert!((1..=began.elapsed().as_secs() + 1).contains(&told), "{log}");
}

/// Another process computes every key, and never comes to an end.
struct Elsewhere;

impl Backend for Elsewhere {
    fn get(&self, _: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Ok(None)
    }
    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        Ok(())
    }
    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        Ok(())
    }
    fn get_or_lease(&self, _: &str, _: Duration, _: Deadline) -> Result<Lookup, BackendError> {
        Ok(Lookup::Busy)
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
}

#[test]
fn who_waits_long_for_another_process_says_so_once() {
    let told = |log: &str| log.matches("another process computes").count();
    let build = |longest_wait| {
        let settings = Runtime::builder().backend(Elsewhere);
        let built = settings.longest_wait(longest_wait).build();
        built.expect("valid settings")
    };
    let patient = build(Duration::from_millis(2_500));
    let log = logged(|| assert_eq!(patient.scope(|| Memo::new("k").get_or_compute(|| 1)), 1));
    assert_eq!(told(&log), 1, "{log}");
    assert!(!log.contains("WARN"), "{log}");
    let awaited =
        patient.scope_async(async { Memo::new("k").get_or_compute_async(async || 2).await });
    let log = logged(|| assert_eq!(block_on(awaited), 2));
    assert_eq!(told(&log), 1, "{log}");
    let hasty = build(Duration::from_millis(50));
    let log = logged(|| assert_eq!(hasty.scope(|| Memo::new("k").get_or_compute(|| 3)), 3));
    assert_eq!(log, "");
}

#[test]
fn who_is_left_by_the_writer_that_it_follows_has_lost_nothing() {
    let runtime = runtime();
    let log = logged(|| {
        runtime.scope(|| {
            let numbers = || Memo::new("numbers").iter(|| 0..100);
            let mut writer = numbers();
            assert_eq!(writer.next(), Some(0));
            let mut follower = numbers();
            assert_eq!(follower.next(), Some(0));
            drop(writer);
            assert!(follower.eq(1..100));
        });
    });
    assert_eq!(runtime.stats().interrupted, 1);
    assert_eq!(log, "");
}

#[cfg(feature = "redis-tokio")]
#[test]
fn that_the_cache_is_left_alone_is_said_with_the_server() {
    use std::future::ready;

    let tasks = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let tasks = tasks.expect("the system has what it takes");
    for is_awaited in [false, true] {
        // Nobody listens there.
        let redis = memoize_runtime::Redis::open("redis://user:hunter2@127.0.0.1:1");
        let runtime = Runtime::builder().backend(redis.expect("it is valid"));
        let runtime = runtime.build().expect("valid settings");
        let log = logged(|| {
            runtime.scope(|| {
                for n in 0..10 {
                    if is_awaited {
                        let call = async { Memo::new("k").get_or_compute_async(|| ready(n)).await };
                        assert_eq!(tasks.block_on(runtime.scope_async(call)), n);
                    } else {
                        assert_eq!(Memo::new("k").get_or_compute(|| n), n);
                    }
                }
            });
        });
        let mut lines = log.lines();
        let line = lines.find(|line| line.contains("left alone"));
        let line = line.unwrap_or_else(|| panic!("{log}"));
        assert!(line.contains("(127.0.0.1:1)"), "{line}");
        assert!(!log.contains("hunter2"), "{log}");
    }
}
