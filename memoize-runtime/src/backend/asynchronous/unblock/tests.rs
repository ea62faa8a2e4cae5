//! What a blocking backend is asked, and when.

use std::pin::pin;
use std::sync::{Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Instant;

use super::pool::{MOST_THREADS, MOST_WAITING};
use super::*;
use crate::backend::{self, Memory};
use crate::flight::block_on;

/// Says where it was asked, and answers when it is told to.
struct Slow {
    asked: mpsc::SyncSender<ThreadId>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Backend for Slow {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        assert_ne!(key, "panics");
        self.asked
            .send(thread::current().id())
            .expect("the test listens");
        let go_on = self.go_on.lock().expect("nobody panics here");
        go_on.recv().expect("the test tells");
        Ok(Some(Bytes::from_static(b"found")))
    }
    fn set(&self, _: &str, _: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        unreachable!("the test doesn't write")
    }
    fn delete(&self, _: &str, _: Deadline) -> Result<(), BackendError> {
        unreachable!("the test doesn't write")
    }
    fn limits(&self) -> Limits {
        Limits::new()
    }
}

fn slow() -> (Unblock, mpsc::Receiver<ThreadId>, mpsc::Sender<()>) {
    let (asked, was_asked) = mpsc::sync_channel(16);
    let (tell, go_on) = mpsc::channel();
    let go_on = Mutex::new(go_on);
    (Unblock::new(Slow { asked, go_on }), was_asked, tell)
}

#[test]
fn the_asking_thread_is_not_kept_waiting() {
    let (unblock, was_asked, tell) = slow();
    let answer = unblock.get("key", Deadline::NEVER);
    let asked_on = was_asked.recv().expect("it is asked without being polled");
    assert_ne!(asked_on, thread::current().id());
    tell.send(()).expect("it listens");
    let found = block_on(pin!(answer), None).expect("without end");
    assert_eq!(found.expect("it answers").as_deref(), Some(&b"found"[..]));
}

#[test]
fn a_deadline_is_kept_and_a_panic_is_an_error() {
    let (unblock, _was_asked, _tell) = slow();
    let late = unblock.get("key", Deadline::after(Duration::from_millis(1)));
    let error = block_on(pin!(late), None).expect("without end");
    let error = error.expect_err("nobody tells it").to_string();
    // The other one where it takes a thread long to start.
    let said = ["no answer in time", "no thread was free in time to ask it"];
    assert!(said.contains(&error.as_str()), "{error}");
    let broken = unblock.get("panics", Deadline::NEVER);
    let error = block_on(pin!(broken), None).expect("without end");
    assert_eq!(error.expect_err("it panics").to_string(), "it panicked");
}

#[test]
fn too_many_questions_are_an_error() {
    let (unblock, _was_asked, _tell) = slow();
    let keys: Vec<_> = (0..MOST_WAITING + MOST_THREADS + 12)
        .map(|n| n.to_string())
        .collect();
    let answers: Vec<_> = keys
        .iter()
        .map(|key| unblock.get(key, Deadline::NEVER))
        .collect();
    let refused = answers
        .into_iter()
        .filter_map(|answer| block_on(pin!(answer), Some(Instant::now())))
        .count();
    // As many less as there are threads.
    assert!((12..=12 + MOST_THREADS).contains(&refused), "{refused}");
}

#[test]
fn what_comes_at_one_time_is_asked_at_one_time() {
    let (unblock, was_asked, tell) = slow();
    let keys: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let answers: Vec<_> = keys
        .iter()
        .map(|key| unblock.get(key, Deadline::NEVER))
        .collect();
    for nth in 1..=40 {
        let asked = was_asked.recv_timeout(Duration::from_secs(30));
        assert!(
            asked.is_ok(),
            "nobody asks the {nth}th as long as none is answered"
        );
    }
    for _ in &answers {
        tell.send(()).expect("it listens");
    }
    for answer in answers {
        let found = block_on(pin!(answer), None).expect("without end");
        assert!(found.is_ok());
    }
}

/// A memory that says what it is asked, and answers lookups when it is told to.
struct Gated {
    memory: Memory,
    asked: mpsc::Sender<String>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Gated {
    fn tell(&self, question: &str, key: &str) {
        let asked = format!("{question} {key}");
        self.asked.send(asked).expect("the test listens");
    }
}

impl Backend for Gated {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.memory.get(key, deadline)
    }
    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.memory.set(key, value, life, deadline)?;
        self.tell("set", key);
        Ok(())
    }
    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.memory.delete(key, deadline)
    }
    fn limits(&self) -> Limits {
        self.memory.limits()
    }
    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        self.tell("look up", key);
        let go_on = self.go_on.lock().expect("nobody panics here");
        go_on.recv().expect("the test tells");
        self.memory.get_or_lease(key, life, deadline)
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
    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        self.memory.release(key, lease, deadline)?;
        self.tell("release", key);
        Ok(())
    }
}

fn gated() -> (Unblock, Asked, mpsc::Sender<()>) {
    let (asked, was_asked) = mpsc::channel();
    let (tell, go_on) = mpsc::channel();
    let memory = Memory::new(1 << 20);
    let go_on = Mutex::new(go_on);
    let backend = Gated {
        memory,
        asked,
        go_on,
    };
    (Unblock::new(backend), Asked(was_asked), tell)
}

struct Asked(mpsc::Receiver<String>);

impl Asked {
    fn next(&self) -> String {
        let patience = Duration::from_secs(30);
        self.0.recv_timeout(patience).expect("it is asked more")
    }
}

/// Sends a message when it is woken.
struct Tells(mpsc::Sender<()>);

impl Wake for Tells {
    fn wake(self: Arc<Self>) {
        self.0.send(()).expect("the test listens");
    }
}

const LIFE: Duration = Duration::from_secs(3600);

#[test]
fn a_lease_that_nobody_takes_is_released() {
    for is_answered in [false, true] {
        let (unblock, asked, tell) = gated();
        let (woken, was_woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Tells(woken)));
        let mut answer = unblock.get_or_lease("key", LIFE, Deadline::NEVER);
        let polled = answer.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        assert_eq!(asked.next(), "look up key");
        if is_answered {
            tell.send(()).expect("it listens");
            was_woken.recv().expect("it wakes");
            drop(answer);
        } else {
            drop(answer);
            tell.send(()).expect("it listens");
        }
        assert_eq!(asked.next(), "release key");

        // One that is taken is not.
        let answer = unblock.get_or_lease("key", LIFE, Deadline::NEVER);
        tell.send(()).expect("it listens");
        let granted = block_on(pin!(answer), None).expect("without end");
        let lease = granted.expect("it answers").granted();
        let filled = unblock.fill(
            "key",
            lease.expect("the first was released"),
            Bytes::from_static(b"value"),
            LIFE,
            Deadline::NEVER,
        );
        let filled = block_on(pin!(filled), None).expect("without end");
        assert!(filled.expect("it answers"), "the lease stands");
    }
}

#[test]
fn of_what_waits_and_nobody_awaits_only_writes_are_done() {
    let (unblock, asked, tell) = gated();
    let busy = keep_busy(&unblock, &asked, 8);
    drop(unblock.get_or_lease("nobody", LIFE, Deadline::NEVER));
    drop(unblock.set("written", Bytes::new(), LIFE, Deadline::NEVER));
    for _ in &busy {
        tell.send(()).expect("it listens");
    }
    assert_eq!(asked.next(), "set written");
    let last = unblock.get_or_lease("last", LIFE, Deadline::NEVER);
    assert_eq!(asked.next(), "look up last");
    tell.send(()).expect("it listens");
    drop((last, busy));
}

#[test]
fn writes_come_before_lookups() {
    let (unblock, asked, tell) = gated();
    let busy = keep_busy(&unblock, &asked, MOST_THREADS);
    let lookup = unblock.get_or_lease("lookup", LIFE, Deadline::NEVER);
    let set = unblock.set("written", Bytes::new(), LIFE, Deadline::NEVER);
    tell.send(()).expect("it listens");
    assert_eq!(asked.next(), "set written");
    assert_eq!(asked.next(), "look up lookup");
    for _ in 0..MOST_THREADS {
        tell.send(()).expect("it listens");
    }
    drop((busy, lookup, set));
}

#[test]
fn a_lookup_answers_all_who_ask_the_same_before_it_begins() {
    let (unblock, asked, tell) = gated();
    let look_up = || unblock.get_or_lease("key", LIFE, Deadline::NEVER);
    let busy = keep_busy(&unblock, &asked, MOST_THREADS);
    let gone = look_up();
    let together = [look_up(), look_up(), look_up()];
    drop(gone);
    tell.send(()).expect("it listens");
    assert_eq!(asked.next(), "look up key");
    // It has begun, so who comes now is answered by another.
    tell.send(()).expect("it listens");
    let after = look_up();
    assert_eq!(asked.next(), "look up key");
    for _ in 0..MOST_THREADS {
        tell.send(()).expect("it listens");
    }
    let answers: Vec<_> = together.into_iter().chain([after]).map(answered).collect();
    let granted: Vec<_> = answers
        .iter()
        .map(|answer| answer.granted().is_some())
        .collect();
    // Either of the two lookups may come first, and of those who share one it is the first who is granted the lease.
    let (shared, own) = ([true, false, false, false], [false, false, false, true]);
    assert!(granted == shared || granted == own, "{answers:?}");
    drop(busy);
}

#[test]
fn a_lookup_that_has_no_thread_is_given_up_when_half_of_its_time_is_over() {
    let (unblock, asked, tell) = gated();
    let busy = keep_busy(&unblock, &asked, MOST_THREADS);
    let deadline = Deadline::after(Duration::from_secs(2));
    let lookup = unblock.get_or_lease("key", LIFE, deadline);
    let error = block_on(pin!(lookup), None).expect("without end");
    let error = error.expect_err("nobody has asked");
    assert!(!deadline.has_passed() && error.tells() == backend::Tells::Nothing);
    for _ in 0..MOST_THREADS {
        tell.send(()).expect("it listens");
    }
    let last = unblock.get_or_lease("last", LIFE, Deadline::NEVER);
    assert_eq!(asked.next(), "look up last");
    tell.send(()).expect("it listens");
    drop((last, busy));
}

fn answered(answer: Answer<'_, Lookup>) -> Lookup {
    let answer = block_on(pin!(answer), None).expect("without end");
    answer.expect("it answers")
}

/// Has as many threads wait for the test.
fn keep_busy(unblock: &Unblock, asked: &Asked, threads: usize) -> Vec<Answer<'static, Lookup>> {
    let look_up = |n| {
        let (unblock, key) = (unblock.clone(), format!("busy {n}"));
        let mut answer: Answer<'static, Lookup> =
            Box::pin(async move { unblock.get_or_lease(&key, LIFE, Deadline::NEVER).await });
        let polled = answer
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        answer
    };
    let busy = (0..threads).map(look_up).collect();
    for _ in 0..threads {
        assert!(asked.next().starts_with("look up busy"));
    }
    busy
}
