//! Whether a history keeps the promises: a pure function of what was noted down.
//!
//! # What is proved
//!
//! - Each value seen was made by one computation of exactly its function and key, whole as it was made, and its entry had not
//!   expired when the call that saw it began.
//! - A stream's items are all there, in their order, none of them twice.
//! - Where `invalidate` or `prime` returned `true`, no call that began after that sees what began to be computed before it, nor what was
//!   primed before it. That holds for a `prime` that returned `false`, too, as the server had not come to it yet.
//!
//! # What isn't held against anybody
//!
//! - A call may join a computation of its own process that still runs, and which another process has invalidated meanwhile: what is
//!   promised is that its value isn't stored. It is counted as [`Counts::joined`].
//! - A `prime` takes effect somewhere between its beginning and its end.

use std::collections::HashMap;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use super::event::{Event, Operation, Run, Stamp, What};

/// How much longer than its life an entry may be seen: its times are in milliseconds.
const SLACK: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The value is its function's and its key's, and a computation made it.
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
        if !is_whole(runs, due) {
            report.violate(Promise::Whole, &[seen]);
        }
        for run in runs {
            let stamp = run.stamp;
            let Some(maker) = self.maker(seen, stamp) else {
                report.violate(Promise::Own, &[seen]);
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
        is_own.then_some(maker)
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
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(1);
    const MS: u64 = 1_000_000;

    /// An event of function 1 and key 2, with times in milliseconds.
    fn event(process: u32, number: u64, (began, ended): (u64, u64), what: What) -> Event {
        Event {
            operation: Operation {
                process,
                actor: 0,
                number,
            },
            function: 1,
            key: 2,
            began: began * MS,
            ended: ended * MS,
            what,
        }
    }

    fn stamp(version: u64, began: u64) -> Stamp {
        Stamp {
            function: 1,
            key: 2,
            version,
            began: began * MS,
        }
    }

    fn run(stamp: Stamp, first: u64, length: u64) -> Run {
        Run {
            stamp,
            first,
            length,
        }
    }

    fn computed(process: u32, number: u64, times: (u64, u64), version: u64) -> Event {
        event(process, number, times, What::Computed { version })
    }

    fn returned(process: u32, number: u64, times: (u64, u64), stamp: Stamp) -> Event {
        let runs = vec![run(stamp, 0, 1)];
        event(process, number, times, What::Returned { runs, due: 1 })
    }

    fn invalidated(process: u32, number: u64, times: (u64, u64), acknowledged: bool) -> Event {
        event(process, number, times, What::Invalidated { acknowledged })
    }

    fn primed(process: u32, number: u64, times: (u64, u64), acknowledged: bool) -> Event {
        let what = What::Primed {
            version: 9,
            acknowledged,
        };
        event(process, number, times, what)
    }

    /// Version 1 is computed from 10 to 20 in process 0, by a call from 5 to 25.
    fn computation() -> Vec<Event> {
        vec![
            computed(0, 1, (10, 20), 1),
            returned(0, 1, (5, 25), stamp(1, 10)),
        ]
    }

    fn broken(events: &[Event]) -> Vec<Promise> {
        let violations = check(events, LIFE).violations;
        violations.iter().map(|found| found.promise).collect()
    }

    /// What is broken by these events after the computation.
    fn broken_after(events: &[Event]) -> Vec<Promise> {
        let mut history = computation();
        history.extend_from_slice(events);
        broken(&history)
    }

    #[test]
    fn a_hit_is_counted_and_breaks_nothing() {
        let mut history = computation();
        history.push(returned(0, 2, (30, 31), stamp(1, 10)));
        history.push(returned(1, 1, (30, 31), stamp(1, 10)));
        let report = check(&history, LIFE);
        assert!(report.violations.is_empty());
        let counts = Counts {
            computed: 1,
            returned: 3,
            cached: 2,
            from_others: 1,
            longest: Duration::from_millis(20),
            ..Counts::default()
        };
        assert_eq!(report.counts, counts);
    }

    #[test]
    fn a_value_of_another_key_or_function_or_of_no_computation_is_found() {
        let seen = |stamp| broken_after(&[returned(0, 2, (30, 31), stamp)]);
        assert_eq!(seen(stamp(1, 10)), []);
        let of_key = Stamp {
            key: 3,
            ..stamp(1, 10)
        };
        assert_eq!(seen(of_key), [Promise::Own]);
        let of_function = Stamp {
            function: 2,
            ..stamp(1, 10)
        };
        assert_eq!(seen(of_function), [Promise::Own]);
        assert_eq!(seen(stamp(7, 10)), [Promise::Own]);
        // It names the key it was found under, but was computed for another.
        let mut history = computation();
        history[0].key = 3;
        assert_eq!(broken(&history), [Promise::Own]);
    }

    #[test]
    fn a_value_past_its_life_is_found() {
        let seen = |began| broken_after(&[returned(1, 1, (began, began + 1), stamp(1, 10))]);
        // It may have been written at 25, as the operation ended.
        assert_eq!(seen(1025), []);
        assert_eq!(seen(1035), [Promise::Fresh]);
        // A call that began before may find it, and be done later.
        assert_eq!(
            broken_after(&[returned(1, 1, (1020, 1500), stamp(1, 10))]),
            []
        );
    }

    #[test]
    fn items_that_are_lost_repeated_or_out_of_order_are_found() {
        let seen = |runs: &[Run], due| {
            let runs = runs.to_vec();
            broken_after(&[event(1, 1, (30, 40), What::Returned { runs, due })])
        };
        let of = |first, length| run(stamp(1, 10), first, length);
        assert_eq!(seen(&[of(0, 5)], 5), []);
        assert_eq!(seen(&[of(0, 2), of(2, 3)], 5), []);
        assert_eq!(seen(&[], 0), []);
        assert_eq!(seen(&[], 5), [Promise::Whole]);
        assert_eq!(seen(&[of(0, 4)], 5), [Promise::Whole]);
        assert_eq!(seen(&[of(0, 6)], 5), [Promise::Whole]);
        assert_eq!(seen(&[of(0, 2), of(1, 3)], 5), [Promise::Whole]);
        assert_eq!(seen(&[of(2, 3), of(0, 2)], 5), [Promise::Whole]);
    }

    #[test]
    fn what_was_invalidated_is_not_to_be_seen_by_who_comes_later() {
        let seen = |invalidated: Event, times| {
            broken_after(&[invalidated, returned(2, 1, times, stamp(1, 10))])
        };
        assert_eq!(
            seen(invalidated(1, 1, (30, 40), true), (41, 42)),
            [Promise::Invalidated]
        );
        // While it was computed, and before it was stored.
        assert_eq!(
            seen(invalidated(1, 1, (12, 14), true), (41, 42)),
            [Promise::Invalidated]
        );
        // Not sure to be gone.
        assert_eq!(seen(invalidated(1, 1, (30, 40), false), (41, 42)), []);
        // Who began before the end may see either.
        assert_eq!(seen(invalidated(1, 1, (30, 40), true), (39, 50)), []);
        // The computation began later, if not by much.
        assert_eq!(seen(invalidated(1, 1, (9, 14), true), (41, 42)), []);
        // Of another key.
        let mut other = invalidated(1, 1, (30, 40), true);
        other.key = 3;
        assert_eq!(seen(other, (41, 42)), []);
    }

    #[test]
    fn an_invalidation_hides_behind_no_other() {
        let history = [
            invalidated(1, 1, (9, 60), true),
            invalidated(2, 1, (30, 40), true),
            invalidated(3, 1, (5, 50), true),
            returned(1, 2, (70, 71), stamp(1, 10)),
        ];
        assert_eq!(broken_after(&history), [Promise::Invalidated]);
    }

    #[test]
    fn who_joins_a_computation_can_not_know_what_other_processes_invalidated() {
        let history = |invalidates: u32, calls: u32, times| {
            let mut history = computation();
            history.push(invalidated(invalidates, 2, (12, 14), true));
            history.push(returned(calls, 3, times, stamp(1, 10)));
            let report = check(&history, LIFE);
            (report.violations.len(), report.counts.joined)
        };
        assert_eq!(history(1, 0, (16, 21)), (0, 1));
        // It was over before the call began.
        assert_eq!(history(1, 0, (26, 27)), (1, 0));
        // The process knew.
        assert_eq!(history(0, 0, (16, 21)), (1, 0));
        // Nobody joins what another process computes.
        assert_eq!(history(1, 1, (16, 21)), (1, 0));
    }

    #[test]
    fn a_value_that_was_primed_takes_the_place_of_older_ones_and_is_invalidated_like_them() {
        let seen = stamp(9, 30);
        let history = [
            primed(1, 1, (30, 40), true),
            returned(2, 1, (41, 42), stamp(1, 10)),
        ];
        assert_eq!(broken_after(&history), [Promise::Invalidated]);
        let history = |acknowledged, invalidates| {
            let history = [
                primed(1, 1, (30, 40), acknowledged),
                invalidated(0, 2, invalidates, true),
                returned(2, 1, (70, 71), seen),
            ];
            check(&history, LIFE).violations.len()
        };
        assert_eq!(history(true, (50, 60)), 1);
        // However late the server comes to it.
        assert_eq!(history(false, (50, 60)), 1);
        // At one time: it may be either's.
        assert_eq!(history(true, (35, 60)), 0);
    }

    #[test]
    fn a_violation_shows_what_it_consists_of() {
        let mut history = computation();
        history.push(invalidated(1, 1, (30, 40), true));
        history.push(returned(2, 1, (41, 42), stamp(1, 10)));
        let report = check(&history, LIFE);
        let [found] = &report.violations[..] else {
            panic!("{report:?}");
        };
        assert_eq!(
            found.events,
            [&history[0], &history[2], &history[3]].map(Event::clone)
        );
        let shown = found.to_string();
        assert!(
            shown.contains("20.000 to    30.000 ms, process 1"),
            "{shown}"
        );
        assert!(shown.contains("0..=0, computed at 0.000 ms"), "{shown}");
    }
}
