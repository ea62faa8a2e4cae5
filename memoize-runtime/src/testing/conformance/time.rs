//! Rules about lives, and about questions that come too late.

use std::time::{Duration, Instant};

use super::bench::{Bench, HOUR, rule};
use super::ways::{Grant, Read, Write};
use crate::backend::{Bytes, Deadline};

/// So short that it is over by the end.
const SHORT: Duration = Duration::from_millis(20);

/// The longest that an entry is kept for, in the default settings.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A question whose deadline has passed is over at once; a busy machine may need this long for it.
const PROMPTLY: Duration = Duration::from_secs(5);

/// Which life an entry has, by what is in its key.
#[derive(Clone, Copy)]
enum Life {
    Short,
    /// In place of an entry with a long one.
    Shortened,
    Longest,
    /// In place of an entry with a short one.
    Prolonged,
}

impl Life {
    const ALL: [Self; 4] = [Self::Short, Self::Shortened, Self::Longest, Self::Prolonged];

    /// Of what is written last.
    fn of_last(self) -> Duration {
        match self {
            Self::Short | Self::Shortened => SHORT,
            Self::Longest => LONGEST,
            Self::Prolonged => HOUR,
        }
    }

    /// Of what is there before.
    fn of_first(self) -> Option<Duration> {
        match self {
            Self::Short | Self::Longest => None,
            Self::Shortened => Some(HOUR),
            Self::Prolonged => Some(SHORT),
        }
    }

    /// Read by no other way, as a backend may remove what is over once it is asked for it.
    fn key(self, bench: &Bench<'_>, write: Write, read: Read) -> String {
        bench.key(format_args!("life:{}:{write:?}:{read:?}", self as u8))
    }
}

fn each_way() -> impl Iterator<Item = (Write, Read)> {
    let reads = |write| Read::ALL.iter().map(move |read| (write, *read));
    Write::ALL.iter().flat_map(move |write| reads(*write))
}

/// What is to be gone by the end, and what is not.
pub(super) async fn lives_begin(bench: &Bench<'_>) {
    for life in Life::ALL {
        for (write, read) in each_way() {
            let key = life.key(bench, write, read);
            if let Some(first) = life.of_first() {
                bench.set_for(&key, "first", first).await;
            }
            bench
                .write(write, &key, "last".into(), life.of_last())
                .await;
        }
    }
    if bench.grants_leases().await {
        for way in Grant::ALL {
            bench.grant(*way, &leased(bench, *way), HOUR).await;
        }
    }
}

fn leased(bench: &Bench<'_>, way: Grant) -> String {
    bench.key(format_args!("life:lease:{way:?}"))
}

pub(super) async fn lives_end_and_no_sooner(bench: &Bench<'_>) {
    for life in [Life::Short, Life::Shortened] {
        for (write, read) in each_way() {
            let key = life.key(bench, write, read);
            let is_gone = bench
                .until(async || bench.read(read, &key).await.is_none())
                .await;
            rule(
                is_gone,
                &format!(
                    "{read} finds an entry long after its life was over; remove it by the `life` that {write} was given last, or don't \
                     find it any more"
                ),
            );
        }
    }
    for life in [Life::Longest, Life::Prolonged] {
        for (write, read) in each_way() {
            let key = life.key(bench, write, read);
            rule(
                bench.read(read, &key).await.as_deref() == Some(b"last"),
                &format!(
                    "an entry is gone before its life is over; keep it for the `life` that {write} was given last, of up to 366 days"
                ),
            );
        }
    }
    if bench.grants_leases().await {
        for way in Grant::ALL {
            rule(
                bench.is_busy(&leased(bench, *way)).await,
                &format!(
                    "a lease that {way} granted is over before its life is; answer `Busy` for that long"
                ),
            );
        }
    }
}

pub(super) async fn a_deadline_that_passed_is_kept(bench: &Bench<'_>) {
    let [one, other, free] = ["deadline:1", "deadline:2", "deadline:0"].map(|name| bench.key(name));
    bench.set(&one, "1").await;
    bench.set(&other, "2").await;
    let value = || Bytes::from("1");
    let passed = || Deadline::after(Duration::ZERO);
    let asked = bench.subject;
    for _ in 0..20 {
        // An answer or an error: both are right.
        let mut promptly = Promptly::new(bench);
        promptly.is("get", asked.get(&one, passed()).await);
        promptly.is("get_many", asked.get_many(&[&one, &one], passed()).await);
        promptly.is("set", asked.set(&one, value(), HOUR, passed()).await);
        let entries = [(one.as_str(), value()), (&free, value())];
        promptly.is("set_many", asked.set_many(&entries, HOUR, passed()).await);
        promptly.is("delete", asked.delete(&free, passed()).await);
        promptly.is(
            "delete_many",
            asked.delete_many(&[&free, &free], passed()).await,
        );
        promptly.is(
            "get_or_lease",
            asked.get_or_lease(&free, HOUR, passed()).await,
        );
        let others = [one.as_str()];
        let both = asked.get_many_or_lease(&free, &others, HOUR, passed());
        promptly.is("get_many_or_lease", both.await);
        promptly.is("lease", asked.lease(&free, HOUR, passed()).await);
        let lease = bench.lease(&free, HOUR).await;
        let mut promptly = Promptly::new(bench);
        promptly.is(
            "fill",
            asked.fill(&free, lease, value(), HOUR, passed()).await,
        );
        rule(
            bench.get(&other).await.as_deref() == Some(b"2"),
            "after a question whose deadline had passed, the next is not answered, or by what belongs to the one before; don't use a \
             connection again from which an answer may still come",
        );
    }
}

/// Since the last answer, or the beginning.
struct Promptly {
    asked: Instant,
    within: Duration,
}

impl Promptly {
    fn new(bench: &Bench<'_>) -> Self {
        Self {
            asked: Instant::now(),
            within: PROMPTLY.min(bench.patience),
        }
    }

    fn is<A>(&mut self, question: &str, _: A) {
        rule(
            self.asked.elapsed() < self.within,
            &format!(
                "`{question}` goes on after its deadline; answer with an error when the deadline has passed"
            ),
        );
        self.asked = Instant::now();
    }
}
