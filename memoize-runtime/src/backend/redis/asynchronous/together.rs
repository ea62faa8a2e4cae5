//! One lookup for the many tasks that ask for one key at one time.
//!
//! A few ask by themselves, which is the fastest for each of them. The others wait for the next round, in which one lookup answers all
//! who came before it began. One that has begun answers nobody else: what it finds may have been changed since, by whoever asks now. A
//! task of the runtime asks for them, since any of those who wait may not be polled for long.

use std::collections::HashMap;
use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::sync::oneshot;

use super::super::{error, until};
use super::runtimes;
use crate::backend::{BackendError, Bytes, Deadline};
use crate::locks::lock;
use crate::process::PerProcess;
use crate::timer::timeout;

/// So many ask for a key by themselves, where nobody is asking for several.
const MOST_ALONE: usize = 8;

/// What several are answered with.
pub(super) trait Shared: Send + 'static {
    /// For all but the first of them.
    fn share(&self) -> Self;
}

impl Shared for Option<Bytes> {
    fn share(&self) -> Self {
        self.clone()
    }
}

/// The lookups that are under way.
pub(super) struct Together<T>(PerProcess<Arc<Table<T>>>);

type Table<T> = Mutex<HashMap<Subject, Askers<T>>>;

/// What is asked for: the runtime whose connection is used, the key, and the life of the lease.
type Subject = (Id, Arc<str>, Duration);

struct Askers<T> {
    alone: usize,
    /// For the next round.
    waiting: Vec<Asker<T>>,
    /// Whether a task asks for those who wait, until there are none.
    is_asked_for: bool,
}

struct Asker<T> {
    answer: oneshot::Sender<Result<T, BackendError>>,
    deadline: Deadline,
}

/// How one of them gets its answer.
enum Part<T> {
    Alone(Alone<T>),
    Waits {
        answer: oneshot::Receiver<Result<T, BackendError>>,
        /// To be run, where nobody does so yet.
        rounds: Option<Rounds<T>>,
    },
}

/// One who asks by itself, until it is dropped.
struct Alone<T> {
    table: Arc<Table<T>>,
    subject: Subject,
}

/// Asks for those who wait. Dropped before it has, as its runtime ends, it takes their hope.
struct Rounds<T> {
    table: Arc<Table<T>>,
    subject: Subject,
    is_over: bool,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self(PerProcess::new())
    }
}

impl<T: Shared> Together<T> {
    /// The answer to `question`, which is asked in that runtime.
    ///
    /// # Errors
    /// As the question, and where time is up.
    pub(super) async fn ask<Q, F>(
        &self,
        runtime: &Handle,
        key: &str,
        life: Duration,
        deadline: Deadline,
        question: Q,
    ) -> Result<T, BackendError>
    where
        Q: Fn(Arc<str>, Deadline) -> F + Send + 'static,
        F: Future<Output = Result<T, BackendError>> + Send + 'static,
    {
        let key: Arc<str> = key.into();
        let subject = (runtime.id(), Arc::clone(&key), life);
        match self.join(subject, deadline) {
            Part::Alone(_alone) => question(key, deadline).await,
            Part::Waits { answer, rounds } => {
                if let Some(rounds) = rounds {
                    runtime.spawn(rounds.run(key, question));
                }
                let answer = timeout(Some(until(deadline)), answer).await;
                let answer = answer.ok_or_else(error::late)?;
                answer.map_err(|_| runtimes::ended())?
            }
        }
    }

    fn join(&self, subject: Subject, deadline: Deadline) -> Part<T> {
        let table = self.0.get_or_make(Arc::default);
        let mut all = lock(table);
        let askers = all.entry(subject.clone()).or_default();
        let table = Arc::clone(table);
        if askers.alone < MOST_ALONE && !askers.is_asked_for {
            askers.alone += 1;
            return Part::Alone(Alone { table, subject });
        }
        let (asker, answer) = oneshot::channel();
        askers.waiting.push(Asker {
            answer: asker,
            deadline,
        });
        let begins = !mem::replace(&mut askers.is_asked_for, true);
        let rounds = begins.then(|| Rounds {
            table,
            subject,
            is_over: false,
        });
        Part::Waits { answer, rounds }
    }
}

impl<T: Shared> Rounds<T> {
    async fn run<F>(mut self, key: Arc<str>, question: impl Fn(Arc<str>, Deadline) -> F)
    where
        F: Future<Output = Result<T, BackendError>>,
    {
        while let Some(mut askers) = self.next() {
            askers.retain(|asker| !asker.answer.is_closed());
            let deadlines = askers.iter().map(|asker| asker.deadline);
            if let Some(deadline) = deadlines.reduce(Deadline::later) {
                deliver(askers, question(Arc::clone(&key), deadline).await);
            }
        }
    }

    /// Those who wait by now. Where there are none, that was the last round.
    fn next(&mut self) -> Option<Vec<Asker<T>>> {
        let mut all = lock(&self.table);
        let askers = all.get_mut(&self.subject)?;
        let waiting = mem::take(&mut askers.waiting);
        if waiting.is_empty() {
            self.is_over = true;
            askers.is_asked_for = false;
            forget_if_idle(&mut all, &self.subject);
            return None;
        }
        Some(waiting)
    }
}

impl<T> Drop for Rounds<T> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let mut all = lock(&self.table);
        let Some(askers) = all.get_mut(&self.subject) else {
            return;
        };
        askers.is_asked_for = false;
        let waiting = mem::take(&mut askers.waiting);
        forget_if_idle(&mut all, &self.subject);
        drop(all);
        drop(waiting);
    }
}

impl<T> Drop for Alone<T> {
    fn drop(&mut self) {
        let mut all = lock(&self.table);
        if let Some(askers) = all.get_mut(&self.subject) {
            askers.alone -= 1;
            forget_if_idle(&mut all, &self.subject);
        }
    }
}

impl<T> Default for Askers<T> {
    fn default() -> Self {
        Self {
            alone: 0,
            waiting: Vec::new(),
            is_asked_for: false,
        }
    }
}

fn forget_if_idle<T>(all: &mut HashMap<Subject, Askers<T>>, subject: &Subject) {
    let is_idle = |askers: &Askers<T>| askers.alone == 0 && !askers.is_asked_for;
    if all.get(subject).is_some_and(is_idle) {
        all.remove(subject);
    }
}

/// The answer itself goes to the first who still waits for it: a lease is one caller's.
fn deliver<T: Shared>(askers: Vec<Asker<T>>, answer: Result<T, BackendError>) {
    let copy = share(&answer);
    let mut askers = askers.into_iter();
    let mut unheard = Some(answer);
    while let Some(answer) = unheard.take()
        && let Some(asker) = askers.next()
    {
        unheard = asker.answer.send(answer).err();
    }
    for asker in askers {
        // Whoever has left by now doesn't hear it.
        let _ = asker.answer.send(share(&copy));
    }
}

fn share<T: Shared>(answer: &Result<T, BackendError>) -> Result<T, BackendError> {
    match answer {
        Ok(answer) => Ok(answer.share()),
        Err(error) => Err(error.copy()),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Context, Waker};
    use std::time::Duration;

    use tokio::runtime::{Builder, Handle, Runtime};
    use tokio::sync::Semaphore;

    use super::{MOST_ALONE, Shared, Together, lock};
    use crate::backend::{BackendError, Deadline};

    const LIFE: Duration = Duration::from_secs(1);

    /// Which question was answered, and whether this is the answer itself.
    #[derive(Debug, PartialEq)]
    struct Answer(u64, bool);

    impl Shared for Answer {
        fn share(&self) -> Self {
            Self(self.0, false)
        }
    }

    /// A server that answers as often as it is let to.
    struct Server {
        together: Together<Answer>,
        asked: Arc<AtomicU64>,
        gate: Arc<Semaphore>,
    }

    impl Server {
        fn new() -> Self {
            Self {
                together: Together::default(),
                asked: Arc::default(),
                gate: Arc::new(Semaphore::new(0)),
            }
        }

        async fn ask(&self, deadline: Deadline) -> Result<Answer, BackendError> {
            let (asked, gate) = (Arc::clone(&self.asked), Arc::clone(&self.gate));
            let question = move |_, _| {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.expect("it is open").forget();
                    Ok(Answer(number, true))
                }
            };
            let runtime = Handle::current();
            let answer = self.together.ask(&runtime, "key", LIFE, deadline, question);
            answer.await
        }

        fn asked(&self) -> u64 {
            self.asked.load(Ordering::Relaxed)
        }

        fn is_idle(&self) -> bool {
            lock(self.together.0.get_or_make(Arc::default)).is_empty()
        }
    }

    type Asking<'a> = Pin<Box<dyn Future<Output = Result<Answer, BackendError>> + 'a>>;

    /// One that has begun.
    fn begun(server: &Server, deadline: Deadline) -> Asking<'_> {
        let mut asking: Asking<'_> = Box::pin(server.ask(deadline));
        assert!(is_pending(&mut asking));
        asking
    }

    fn is_pending(asking: &mut Asking<'_>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        asking.as_mut().poll(&mut context).is_pending()
    }

    fn runtime() -> Runtime {
        let runtime = Builder::new_current_thread().build();
        runtime.expect("the system has what it takes")
    }

    async fn answer(asking: Asking<'_>) -> Answer {
        asking.await.expect("the server answers")
    }

    #[test]
    fn one_that_has_begun_answers_nobody_who_comes_later() {
        let server = Server::new();
        runtime().block_on(async {
            let mut alone: Vec<_> = (0..MOST_ALONE)
                .map(|_| begun(&server, Deadline::NEVER))
                .collect();
            let first = begun(&server, Deadline::NEVER);
            let second = begun(&server, Deadline::NEVER);
            while server.asked() == MOST_ALONE as u64 {
                tokio::task::yield_now().await;
            }
            // These are parked, and hold up nobody.
            assert!(alone.iter_mut().all(is_pending));
            let round = MOST_ALONE as u64;
            assert_eq!(server.asked(), round + 1, "one of the others asks for both");
            let third = begun(&server, Deadline::NEVER);
            server.gate.add_permits(MOST_ALONE + 2);
            assert_eq!(answer(third).await, Answer(round + 1, true));
            assert_eq!(answer(first).await, Answer(round, true));
            assert_eq!(answer(second).await, Answer(round, false));
            for asking in alone {
                assert!(answer(asking).await.1);
            }
        });
        assert!(server.is_idle());
    }

    #[test]
    fn an_answer_goes_to_who_still_waits_for_it() {
        let server = Server::new();
        runtime().block_on(async {
            let alone: Vec<_> = (0..MOST_ALONE)
                .map(|_| begun(&server, Deadline::NEVER))
                .collect();
            let [leaves, stays] = [(); 2].map(|()| begun(&server, Deadline::NEVER));
            while server.asked() == MOST_ALONE as u64 {
                tokio::task::yield_now().await;
            }
            drop((alone, leaves));
            server.gate.add_permits(1);
            assert_eq!(answer(stays).await, Answer(MOST_ALONE as u64, true));
            // Nobody is there for the next one.
            while !server.is_idle() {
                tokio::task::yield_now().await;
            }
            assert_eq!(server.asked(), MOST_ALONE as u64 + 1);
        });
    }

    #[test]
    fn who_waits_learns_that_the_runtime_has_ended_or_that_it_is_late() {
        let server = Server::new();
        let runtime = runtime();
        let (alone, waits) = runtime.block_on(async {
            let alone: Vec<_> = (0..MOST_ALONE)
                .map(|_| begun(&server, Deadline::NEVER))
                .collect();
            let late = server.ask(Deadline::after(Duration::from_millis(1)));
            late.await.expect_err("nobody answers");
            (alone, begun(&server, Deadline::NEVER))
        });
        drop(runtime);
        let other = self::runtime();
        let error = other.block_on(waits).expect_err("nobody asks any more");
        assert_eq!(error.reason(), "the tokio runtime has ended");
        drop(alone);
        assert!(server.is_idle());
    }
}
