//! Whether a history keeps the promises: a pure function of what was noted down.
//!
//! # What is proved
//!
//! - Each value seen was made by one computation of exactly its function and key, whole as it was made, before it was seen, and its
//!   entry had not expired when the call that saw it began.
//! - A stream's items are all there, in their order, none of them twice. Where they are of several computations, at most one was over
//!   before the call began: what was lost of an entry is replaced by a computation, and not by what is in another entry.
//! - Where `invalidate` or `prime` returned `true`, no call that began after that sees what began to be computed before it, nor what was
//!   primed before it. That holds for a `prime` that returned `false`, too, as the server had not come to it yet.
//!
//! # What isn't held against anybody
//!
//! - A call may join a computation of its own process that still runs, and which another process has invalidated meanwhile: what is
//!   promised is that its value isn't stored. It is counted as [`Counts::joined`].
//! - A `prime` takes effect somewhere between its beginning and its end.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use super::event::{Event, Operation, Run, Stamp, What};

/// How much longer than its life an entry may be seen: its times are in milliseconds.
const SLACK: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The value is its function's and its key's, and a computation made it, as it is and before it was seen.
    Own,
    /// It has not expired.
    Fresh,
    /// A stream is complete or absent.
    Whole,
    /// Invalidation wins.
    Invalidated,
}

/// A promise that was not kept, and the events that show it.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) promise: Promise,
    pub(crate) events: Vec<Event>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) computed: u64,
    pub(crate) returned: u64,
    /// Of these, what another operation had made.
    pub(crate) cached: u64,
    /// Of these, in another process.
    pub(crate) from_others: u64,
    pub(crate) invalidated: u64,
    pub(crate) primed: u64,
    /// Invalidations and primes that returned `false`.
    pub(crate) failed: u64,
    /// Values of a running computation that another process had invalidated.
    pub(crate) joined: u64,
    /// How long the longest operation took.
    pub(crate) longest: Duration,
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.computed += other.computed;
        self.returned += other.returned;
        self.cached += other.cached;
        self.from_others += other.from_others;
        self.invalidated += other.invalidated;
        self.primed += other.primed;
        self.failed += other.failed;
        self.joined += other.joined;
        self.longest = self.longest.max(other.longest);
    }
}

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) counts: Counts,
    pub(crate) violations: Vec<Violation>,
}

/// Holds a whole history, in whatever order, against the promises; entries live as long as `life`.
pub(crate) fn check(events: &[Event], life: Duration) -> Report {
    let history = History::new(events, life);
    let mut report = Report {
        counts: Counts::default(),
        violations: Vec::new(),
    };
    for event in events {
        let took = Duration::from_nanos(event.ended - event.began);
        report.counts.longest = report.counts.longest.max(took);
        match &event.what {
            What::Computed { .. } => report.counts.computed += 1,
            What::Returned { runs, due } => history.check(event, runs, *due, &mut report),
            What::Invalidated { acknowledged } => {
                report.counts.invalidated += u64::from(*acknowledged);
                report.counts.failed += u64::from(!acknowledged);
            }
            What::Primed { acknowledged, .. } => {
                report.counts.primed += u64::from(*acknowledged);
                report.counts.failed += u64::from(!acknowledged);
            }
        }
    }
    report
}

/// The events by what is asked of them.
struct History<'e> {
    /// What made each version: a body or a `prime`.
    makers: HashMap<u64, &'e Event>,
    /// When each operation ended.
    ends: HashMap<Operation, u64>,
    /// What ended the life of all that was there before, by function and key.
    barriers: HashMap<(u8, u64), Barriers<'e>>,
    life: Duration,
}

impl<'e> History<'e> {
    fn new(events: &'e [Event], life: Duration) -> Self {
        let mut history = Self {
            makers: HashMap::new(),
            ends: HashMap::new(),
            barriers: HashMap::new(),
            life,
        };
        for event in events {
            match event.what {
                What::Computed { version } | What::Primed { version, .. } => {
                    history.makers.insert(version, event);
                }
                What::Returned { .. } | What::Invalidated { .. } => {}
            }
            if !matches!(event.what, What::Computed { .. }) {
                history.ends.insert(event.operation, event.ended);
            }
            if is_barrier(event) {
                let barriers = history.barriers.entry((event.function, event.key));
                barriers.or_default().0.push(event);
            }
        }
        for barriers in history.barriers.values_mut() {
            barriers.0.sort_by_key(|barrier| barrier.ended);
        }
        history
    }

    fn check(&self, seen: &'e Event, runs: &[Run], due: u64, report: &mut Report) {
        report.counts.returned += 1;
        let mixed = self.mixed(seen, runs);
        if !is_whole(runs, due) || mixed.len() > 1 {
            report.violate(Promise::Whole, &[&mixed[..], &[seen]].concat());
        }
        for run in runs {
            let stamp = run.stamp;
            let Some(maker) = self.maker(seen, stamp) else {
                let other = self.makers.get(&stamp.version).copied();
                let events: Vec<&Event> = other.into_iter().chain([seen]).collect();
                report.violate(Promise::Own, &events);
                continue;
            };
            if maker.operation == seen.operation {
                continue;
            }
            report.counts.cached += 1;
            if maker.operation.process != seen.operation.process {
                report.counts.from_others += 1;
            }
            if self.has_expired(seen, maker) {
                report.violate(Promise::Fresh, &[maker, seen]);
            }
            self.check_invalidated(seen, stamp, maker, report);
        }
    }

    fn maker(&self, seen: &Event, stamp: Stamp) -> Option<&'e Event> {
        let maker = *self.makers.get(&stamp.version)?;
        let is_own = [(stamp.function, stamp.key), (maker.function, maker.key)]
            .iter()
            .all(|made| *made == (seen.function, seen.key));
        let is_in_time = match maker.what {
            What::Computed { .. } => stamp.began == maker.began && maker.ended <= seen.ended,
            // The value was made meanwhile, and may be seen before the end.
            _ => (maker.began..=maker.ended).contains(&stamp.began) && stamp.began <= seen.ended,
        };
        (is_own && is_in_time).then_some(maker)
    }

    /// What made items that are an entry's: computations that were over before the call began. Of several there is none.
    fn mixed(&self, seen: &Event, runs: &[Run]) -> Vec<&'e Event> {
        let versions: HashSet<u64> = runs.iter().map(|run| run.stamp.version).collect();
        let makers = versions
            .iter()
            .filter_map(|version| self.makers.get(version));
        let was_over = |maker: &&Event| {
            let end = self.ends.get(&maker.operation);
            end.is_some_and(|end| *end < seen.began)
        };
        makers.copied().filter(was_over).collect()
    }

    /// An entry is written before the operation ends that made it, and lives no longer than from then on.
    fn has_expired(&self, seen: &Event, maker: &Event) -> bool {
        let Some(written) = self.ends.get(&maker.operation) else {
            return false;
        };
        let life = u64::try_from((self.life + SLACK).as_nanos()).unwrap_or(u64::MAX);
        seen.began > written.saturating_add(life)
    }

    fn check_invalidated(&self, seen: &Event, stamp: Stamp, maker: &Event, report: &mut Report) {
        let Some(barriers) = self.barriers.get(&(seen.function, seen.key)) else {
            return;
        };
        let mut passed = barriers.between(stamp.began, seen.began);
        if let What::Primed { .. } = maker.what {
            if let Some(barrier) = passed.find(|barrier| barrier.began > maker.ended) {
                report.violate(Promise::Invalidated, &[maker, barrier, seen]);
            }
            return;
        }
        let (joined, broken): (Vec<_>, Vec<_>) =
            passed.partition(|barrier| self.may_join(seen, maker, barrier));
        if let Some(barrier) = broken.first() {
            report.violate(Promise::Invalidated, &[maker, barrier, seen]);
        } else if !joined.is_empty() {
            report.counts.joined += 1;
        }
    }

    /// Whether a call may have got the value right from the one that computed it, in its process, without that knowing of the
    /// invalidation.
    fn may_join(&self, seen: &Event, maker: &Event, barrier: &Event) -> bool {
        let (caller, computes) = (seen.operation.process, maker.operation.process);
        let end = self.ends.get(&maker.operation);
        caller == computes
            && barrier.operation.process != computes
            && end.is_none_or(|end| *end > seen.began)
    }
}

/// In the order of their ends.
#[derive(Default)]
struct Barriers<'e>(Vec<&'e Event>);

impl<'e> Barriers<'e> {
    /// Those that began after the one time and ended before the other, the latest first.
    fn between(&self, began: u64, ended: u64) -> impl Iterator<Item = &'e Event> {
        let ended = self.0.partition_point(|barrier| barrier.ended < ended);
        // What ended before that time began before it.
        let passed = self.0[..ended].iter().rev();
        passed
            .take_while(move |barrier| barrier.ended > began)
            .filter(move |barrier| barrier.began > began)
            .copied()
    }
}

fn is_barrier(event: &Event) -> bool {
    match event.what {
        What::Invalidated { acknowledged } | What::Primed { acknowledged, .. } => acknowledged,
        What::Computed { .. } | What::Returned { .. } => false,
    }
}

/// Whether the runs, which may be those of several computations, are one sequence of `due` items.
fn is_whole(runs: &[Run], due: u64) -> bool {
    let mut next = 0;
    let in_order = runs.iter().all(|run| {
        let follows = run.first == next;
        next += run.length;
        follows
    });
    in_order && next == due
}

impl Report {
    fn violate(&mut self, promise: Promise, events: &[&Event]) {
        self.violations.push(Violation {
            promise,
            events: events.iter().map(|&event| event.clone()).collect(),
        });
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the promise {:?} is broken:", self.promise)?;
        let start = self.events.iter().map(|event| event.began).min();
        let start = start.unwrap_or_default();
        #[allow(clippy::cast_precision_loss, reason = "it is shown to the microsecond")]
        let ms = |time: u64| (time as f64 - start as f64) / 1e6;
        for event in &self.events {
            let Operation { process, actor, .. } = event.operation;
            write!(
                f,
                "  {:9.3} to {:9.3} ms, process {process}, actor {actor}, function {}, key {}: ",
                ms(event.began),
                ms(event.ended),
                event.function,
                event.key
            )?;
            match &event.what {
                What::Returned { runs, due } => {
                    writeln!(f, "returned {due} due, of")?;
                    for run in runs {
                        let (first, last) = (run.first, run.first + run.length - 1);
                        let began = ms(run.stamp.began);
                        writeln!(
                            f,
                            "    {first}..={last}, computed at {began:.3} ms: {:?}",
                            run.stamp
                        )?;
                    }
                }
                what => writeln!(f, "{what:?}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
