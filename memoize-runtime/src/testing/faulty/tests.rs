use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use super::{Fault, Faulty, Injected};
use crate::backend::{
    AsyncBackend, Backend, BackendError, Bytes, Deadline, Limits, Lookup, Memory, Unblock,
};
use crate::flight::block_on;
use crate::testing::{conformance, conformance_async};

const LIFE: Duration = Duration::from_secs(60);

/// Everything that is seen of a backend through 2000 questions.
fn played(faulty: &Faulty<Memory>) -> Vec<String> {
    (0..2000_u64)
        .map(|n| {
            let key = format!("key:{}", n % 7);
            match n % 3 {
                0 => {
                    let value = Bytes::from(vec![n.to_le_bytes()[0]; 40]);
                    format!("{:?}", faulty.set(&key, value, LIFE, Deadline::NEVER))
                }
                1 => format!("{:?}", faulty.get(&key, Deadline::NEVER)),
                _ => format!("{:?}", faulty.get_many(&[&key, "key:0"], Deadline::NEVER)),
            }
        })
        .collect()
}

#[test]
fn one_seed_is_one_schedule() {
    let faulty = |seed| {
        Faulty::new(Memory::new(1 << 20), seed)
            .all(0.05)
            .delay(Duration::ZERO)
    };
    let (one, same, other) = (faulty(1), faulty(1), faulty(2));
    assert_eq!(played(&one), played(&same));
    assert_eq!(one.log(), same.log());
    assert_ne!(played(&other), played(&faulty(1)));
    assert!(!one.log().is_empty());
}

#[test]
fn each_fault_strikes_is_counted_and_stops() {
    for fault in Fault::ALL {
        let faulty = Faulty::new(Memory::new(1 << 20), 3)
            .rate(fault, 0.2)
            .delay(Duration::ZERO);
        let seen = played(&faulty);
        let struck = faulty.count(fault);
        assert!(struck > 50, "{fault:?} struck {struck} times");
        let total: u64 = Fault::ALL.iter().map(|fault| faulty.count(*fault)).sum();
        assert_eq!(total, struck, "only {fault:?} was asked for");
        let sound = played(&Faulty::new(Memory::new(1 << 20), 3));
        // A delay of zero and a write that is made twice change nothing that one thread sees here.
        let visible = !matches!(fault, Fault::Delay | Fault::Duplicate);
        assert_eq!(seen != sound, visible, "{fault:?}");
        faulty.stop();
        played(&faulty);
        assert_eq!(faulty.count(fault), struck);
    }
}

#[test]
fn a_write_that_is_made_twice_outlives_what_came_between() {
    let memory = Memory::new(1 << 20);
    let faulty = Faulty::new(memory.clone(), 3).rate(Fault::Duplicate, 1.0);
    let set = |backend: &dyn Backend, value: &'static str| {
        let written = backend.set("key", value.into(), LIFE, Deadline::NEVER);
        written.expect("memory always answers");
    };
    set(&faulty, "first");
    set(&memory, "second");
    let found = faulty.get("key", Deadline::NEVER);
    let found = found.expect("memory always answers");
    assert_eq!(found.as_deref(), Some(&b"first"[..]));
}

#[test]
fn a_delay_ends_with_the_deadline() {
    let faulty = Faulty::new(Memory::new(1 << 20), 3)
        .rate(Fault::Delay, 1.0)
        .delay(Duration::from_secs(3600));
    let answer = faulty.get("key", Deadline::after(Duration::ZERO));
    assert!(answer.is_err());
}

#[test]
fn without_faults_it_is_the_backend() {
    conformance(&Faulty::new(Memory::default(), 3));
    now(conformance_async(&Faulty::new(
        Unblock::new(Memory::default()),
        3,
    )));
}

/// 400 times the same question, by this many threads: what went wrong, by the number of the question.
fn struck(threads: usize) -> Vec<Injected> {
    let faulty = Faulty::new(Memory::new(1 << 20), 11).delay(Duration::ZERO);
    let set = |key: &str| {
        let written = faulty.set(key, key.to_owned().into(), LIFE, Deadline::NEVER);
        written.expect("there are no faults yet");
    };
    set("a key");
    set("another");
    let faulty = faulty.all(0.1);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..400 / threads {
                    let _ = faulty.get_many(&["a key", "another"], Deadline::NEVER);
                }
            });
        }
    });
    let mut log = faulty.log();
    log.sort_by_key(|injected| injected.nth);
    log
}

#[test]
fn several_threads_meet_the_faults_of_one() {
    let of_one = struck(1);
    assert!(of_one.len() > 100);
    for _ in 0..10 {
        assert_eq!(struck(4), of_one);
    }
}

#[test]
fn the_rate_of_one_fault_does_not_move_another() {
    let errors = |faulty: Faulty<Memory>| {
        played(&faulty);
        let mut log = faulty.log();
        log.retain(|injected| injected.fault == Fault::Error);
        log
    };
    let faulty = || Faulty::new(Memory::new(1 << 20), 5).delay(Duration::ZERO);
    let alone = errors(faulty().rate(Fault::Error, 0.1));
    assert!(!alone.is_empty());
    assert_eq!(alone, errors(faulty().all(0.1)));
}

#[test]
fn what_is_swapped_is_counted_where_it_can_be() {
    let faulty = Faulty::new(Memory::new(1 << 20), 3).rate(Fault::SwappedReply, 1.0);
    let set = |key| {
        let written = faulty.set(key, key.into(), LIFE, Deadline::NEVER);
        written.expect("no write fails");
    };
    let get = || faulty.get("one", Deadline::NEVER).expect("no read fails");
    set("one");
    assert_eq!(get().as_deref(), Some(&b"one"[..]));
    assert_eq!(faulty.count(Fault::SwappedReply), 0);
    set("other");
    assert_eq!(get().as_deref(), Some(&b"other"[..]));
    assert_eq!(faulty.count(Fault::SwappedReply), 1);
}

#[test]
fn what_was_refused_is_never_read() {
    let faulty = Faulty::new(Memory::new(1 << 20), 3).rate(Fault::StaleRead, 1.0);
    let set = |value: &'static str| {
        let written = faulty.set("key", value.into(), LIFE, Deadline::NEVER);
        written.expect("no write fails");
    };
    let lease = faulty.lease("key", LIFE, Deadline::NEVER);
    let lease = lease.expect("memory grants leases");
    set("first");
    let filled = faulty.fill("key", lease, "refused".into(), LIFE, Deadline::NEVER);
    assert!(!filled.expect("memory answers"), "`set` voided the lease");
    set("second");
    let stale = faulty.get("key", Deadline::NEVER).expect("no read fails");
    assert_eq!(stale.as_deref(), Some(&b"first"[..]));
}

/// Without leases.
#[derive(Default)]
struct Plain(Mutex<BTreeMap<String, Bytes>>);

impl Backend for Plain {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Ok(self.0.lock().expect("nothing panics").get(key).cloned())
    }

    fn set(&self, key: &str, value: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        let mut entries = self.0.lock().expect("nothing panics");
        entries.insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.0.lock().expect("nothing panics").remove(key);
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::new()
    }
}

#[test]
fn what_is_not_found_is_not_filled_without_leases_either() {
    let faulty = Faulty::new(Plain::default(), 3).rate(Fault::LostChunk, 1.0);
    let set = faulty.set("key", "first".into(), LIFE, Deadline::NEVER);
    set.expect("no write fails");
    let lookup = faulty.get_or_lease("key", LIFE, Deadline::NEVER);
    let Ok(Lookup::Granted(lease)) = lookup else {
        unreachable!("it is there, and not found: {lookup:?}");
    };
    let deleted = faulty.delete("key", Deadline::NEVER);
    deleted.expect("no removal fails");
    let filled = faulty.fill("key", lease, "outdated".into(), LIFE, Deadline::NEVER);
    assert!(!filled.expect("it is answered"));
    faulty.stop();
    let found = faulty.get("key", Deadline::NEVER);
    assert_eq!(found.expect("it is answered"), None);
}

#[test]
fn what_nobody_awaits_takes_no_fault_from_what_is_awaited() {
    let memory = Unblock::new(Memory::new(1 << 20));
    let faulty = Faulty::new(memory.clone(), 3)
        .rate(Fault::Duplicate, 1.0)
        .rate(Fault::Delay, 1.0)
        .delay(Duration::ZERO);
    now(async {
        let set = faulty.set("key", "first".into(), LIFE, Deadline::NEVER);
        set.await.expect("no write fails");
        let set = memory.set("key", "second".into(), LIFE, Deadline::NEVER);
        set.await.expect("no write fails");
        let delays = faulty.count(Fault::Delay);
        AsyncBackend::discard(&faulty, &["other"]);
        assert_eq!(faulty.count(Fault::Delay), delays, "nothing was delayed");
        let found = AsyncBackend::get(&faulty, "key", Deadline::NEVER).await;
        let found = found.expect("no read fails");
        assert_eq!(
            found.as_deref(),
            Some(&b"first"[..]),
            "it was written again"
        );
    });
}

/// A task through as many questions as [`played`] asks.
async fn played_async(faulty: &Faulty<Unblock>) {
    for n in 0..2000_u64 {
        let key = format!("key:{}", n % 7);
        let value = Bytes::from(vec![n.to_le_bytes()[0]; 40]);
        if n % 3 == 0 {
            let _ = AsyncBackend::set(faulty, &key, value, LIFE, Deadline::NEVER).await;
        } else {
            let _ = AsyncBackend::get_many(faulty, &[&key, "key:0"], Deadline::NEVER).await;
        }
    }
}

#[test]
fn a_task_meets_each_fault_and_the_same_ones_again() {
    let played = || {
        let faulty = Faulty::new(Unblock::new(Memory::new(1 << 20)), 3)
            .all(0.05)
            .delay(Duration::ZERO);
        now(played_async(&faulty));
        faulty
    };
    let (one, same) = (played(), played());
    assert_eq!(one.log(), same.log());
    for fault in Fault::ALL {
        assert!(one.count(fault) > 10, "{fault:?}");
    }
}

fn now<F: Future>(future: F) -> F::Output {
    block_on(pin!(future), None).expect("without a moment it waits to the end")
}
