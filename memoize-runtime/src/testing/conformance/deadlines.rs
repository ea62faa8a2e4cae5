//! Rules about answers that come too late, or that nobody awaits any more.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::bench::{Bench, rule, soon};
use super::lives::MOMENT;
use crate::backend::{Deadline, Lease};
use crate::timer::timeout;

/// A question whose deadline has passed is over at once; a busy machine may need this long for it.
const PROMPTLY: Duration = Duration::from_secs(5);

/// An answer that is left over may be told only by what comes after it.
const ROUNDS: usize = 10;

pub(super) const QUESTIONS: [&str; 11] = [
    "get",
    "set",
    "delete",
    "get_many",
    "set_many",
    "delete_many",
    "get_or_lease",
    "get_many_or_lease",
    "lease",
    "fill",
    "release",
];

pub(super) async fn a_deadline_that_passed_is_kept(bench: &Bench<'_>) {
    let asked = Asked::new(bench).await;
    for question in QUESTIONS {
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let within = PROMPTLY.min(bench.patience);
            let answered = asked.question(question, Deadline::after(Duration::ZERO));
            let is_over = timeout(Some(started + within), answered).await.is_some();
            rule(
                is_over && started.elapsed() < within,
                format_args!(
                    "`{question}` goes on after its deadline; answer with an error when the deadline has passed"
                ),
            );
            asked
                .next_is_right(format_args!("a `{question}` whose deadline had passed"))
                .await;
        }
    }
}

pub(super) async fn an_answer_may_be_dropped(bench: &Bench<'_>) {
    let asked = Asked::new(bench).await;
    for question in QUESTIONS {
        for _ in 0..ROUNDS {
            {
                let mut answered = pin!(asked.question(question, soon()));
                poll_fn(|context| Poll::Ready(answered.as_mut().poll(context).is_ready())).await;
            }
            asked
                .next_is_right(format_args!("a `{question}` whose answer was dropped"))
                .await;
        }
    }
}

struct Asked<'b> {
    bench: &'b Bench<'b>,
    one: String,
    other: String,
    /// Of this it isn't known what becomes.
    written: String,
}

impl<'b> Asked<'b> {
    async fn new(bench: &'b Bench<'b>) -> Self {
        let [one, other, written] = ["1", "2", "3"].map(|n| bench.key(format_args!("late:{n}")));
        bench.set(&one, "1").await;
        bench.set(&other, "2").await;
        Self {
            bench,
            one,
            other,
            written,
        }
    }

    /// An answer or an error: both are right.
    async fn question(&self, name: &str, deadline: Deadline) {
        let subject = self.bench.subject;
        let (one, written) = (self.one.as_str(), self.written.as_str());
        let (value, lease) = ("3".into(), Lease::new(3));
        match name {
            "get" => drop(subject.get(one, deadline).await),
            "set" => drop(subject.set(written, value, MOMENT, deadline).await),
            "delete" => drop(subject.delete(written, deadline).await),
            "get_many" => drop(subject.get_many(&[one, one], deadline).await),
            "set_many" => {
                let entries = [(written, value)];
                drop(subject.set_many(&entries, MOMENT, deadline).await);
            }
            "delete_many" => drop(subject.delete_many(&[written], deadline).await),
            "get_or_lease" => drop(subject.get_or_lease(written, MOMENT, deadline).await),
            "get_many_or_lease" => {
                let others = [one];
                drop(
                    subject
                        .get_many_or_lease(written, &others, MOMENT, deadline)
                        .await,
                );
            }
            "lease" => drop(subject.lease(written, MOMENT, deadline).await),
            "fill" => drop(subject.fill(written, lease, value, MOMENT, deadline).await),
            "release" => drop(subject.release(written, lease, deadline).await),
            _ => unreachable!("{name} is none of the questions"),
        }
    }

    async fn next_is_right(&self, after: std::fmt::Arguments<'_>) {
        rule(
            self.bench.get(&self.other).await.as_deref() == Some(b"2"),
            format_args!(
                "after {after}, the next question is not answered, or by what belongs to the one before; don't use a connection again from \
                 which an answer may still come"
            ),
        );
    }
}
