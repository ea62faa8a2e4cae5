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
fn a_value_that_says_another_time_than_its_maker_is_found() {
    for began in [9, 11] {
        let seen = returned(1, 1, (30, 31), stamp(1, began));
        assert_eq!(broken_after(&[seen]), [Promise::Own], "{began}");
    }
    for (began, is_possible) in [(29, false), (30, true), (40, true), (41, false)] {
        let history = [
            primed(1, 1, (30, 40), true),
            returned(1, 2, (50, 51), stamp(9, began)),
        ];
        assert_eq!(
            check(&history, LIFE).violations.is_empty(),
            is_possible,
            "{began}"
        );
    }
}

#[test]
fn a_value_that_was_seen_before_it_was_made_is_found() {
    // The computation ends at 20.
    let seen = |ended| broken_after(&[returned(0, 2, (1, ended), stamp(1, 10))]);
    assert_eq!(seen(20), []);
    assert_eq!(seen(19), [Promise::Own]);
    let seen = |ended| {
        let history = [
            primed(1, 1, (30, 40), true),
            returned(2, 1, (5, ended), stamp(9, 35)),
        ];
        broken(&history)
    };
    assert_eq!(seen(35), []);
    assert_eq!(seen(34), [Promise::Own]);
}

#[test]
fn items_of_two_entries_are_no_stream() {
    // Version 1 was made by a call that ended at 25, version 2 by another call, and a third call sees items of both.
    let seen = |second: (u64, u64), calls: (u64, u64)| {
        let runs = vec![run(stamp(1, 10), 0, 2), run(stamp(2, second.0), 2, 3)];
        broken_after(&[
            computed(1, 1, second, 2),
            returned(1, 1, second, stamp(2, second.0)),
            event(2, 1, calls, What::Returned { runs, due: 5 }),
        ])
    };
    assert_eq!(seen((30, 40), (50, 60)), [Promise::Whole]);
    // What was lost of the first is computed anew, or comes by as another computes it.
    assert_eq!(seen((55, 58), (50, 60)), []);
    assert_eq!(seen((30, 58), (50, 60)), []);
    // It follows the one until that is gone, and finds the other.
    assert_eq!(seen((12, 19), (20, 60)), []);
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
