use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

use super::bugs::{BUGS, BUGS_OF_METHODS, Bug};
use super::drowsy::{Drowsy, Slip};
use super::sketch::Sketch;
use super::{awaited_within, conformance, conformance_async, wait, within};
use crate::backend::{BlockOn, Limits, Memory, Unblock};

/// Some bugs are told when patience is over.
const PATIENCE: Duration = Duration::from_secs(2);

/// On a machine that is busy with others, two may never meet in one run, or another rule be broken first.
const RUNS: usize = 10;

#[test]
fn the_backends_of_this_crate_conform() {
    conformance(&Memory::default());
    conformance(&BlockOn::new(Unblock::new(Memory::default())));
    wait(conformance_async(&Unblock::new(Memory::default())));
}

#[test]
fn a_sound_backend_conforms_with_leases_and_without() {
    conformance(&Sketch::new(Bug::None));
    conformance(&Sketch::without_leases(Bug::None));
    conformance(&Sketch::with_limits(Limits::new().key_bytes(64)));
    conformance(&BlockOn::new(Drowsy::new(Slip::None)));
    wait(conformance_async(&Drowsy::new(Slip::None)));
    wait(conformance_async(&Unblock::new(Sketch::without_leases(
        Bug::None,
    ))));
}

#[test]
fn each_broken_rule_is_told() {
    let bugs = BUGS.iter().map(|(bug, text)| (*bug, (*text).to_owned()));
    let of_methods = BUGS_OF_METHODS.iter().flat_map(|(bug, methods, text)| {
        methods.iter().map(move |&method| {
            let named = match method {
                "others" => "`get_many_or_lease` of others".to_owned(),
                _ => format!("`{method}`"),
            };
            (bug(method), text.replace("{}", &named))
        })
    });
    let left = Mutex::new(bugs.chain(of_methods));
    let missed = Mutex::new(Vec::new());
    let test_one = || {
        let next = left.lock().expect("nothing panics in there").next();
        let (bug, text) = next?;
        let runs = (0..RUNS).map(|_| told(|| within(&Sketch::new(bug), PATIENCE)));
        let mut others = Vec::new();
        for told in runs {
            if told.contains(&text) {
                return Some(());
            }
            others.push(told);
        }
        let mut missed = missed.lock().expect("nothing panics in there");
        missed.push(format!("{bug:?}: {others:#?}"));
        Some(())
    };
    // Some take as long as patience lasts.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| while test_one().is_some() {});
        }
    });
    let missed = missed.into_inner().expect("nothing panics in there");
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn what_is_broken_without_leases_is_told() {
    let sketch = Sketch::without_leases(Bug::ReleaseRemoves);
    let told = told(|| within(&sketch, PATIENCE));
    assert!(told.contains("`release` removes the entry"), "{told}");
}

#[test]
fn each_rule_that_is_broken_where_it_is_awaited_is_told() {
    for &(slip, part) in SLIPS {
        let drowsy = Drowsy::new(slip);
        let told = told(|| wait(awaited_within(&drowsy, PATIENCE)));
        assert!(told.contains(part), "{slip:?}: {told}");
    }
}

/// What is told of a backend, without a word on the screen by this thread: hundreds would hide the one that matters.
fn told(run: impl FnOnce()) -> String {
    thread_local! {
        static EXPECTED: Cell<bool> = const { Cell::new(false) };
    }
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                hook(info);
            }
        }));
    });
    EXPECTED.set(true);
    let ended = catch_unwind(AssertUnwindSafe(run));
    EXPECTED.set(false);
    match ended {
        Ok(()) => "nothing".to_owned(),
        // A text of one's own, or a fixed one.
        Err(told) => match told.downcast::<String>() {
            Ok(told) => *told,
            Err(told) => (*told.downcast_ref::<&str>().expect("a panic has a text")).to_owned(),
        },
    }
}

const SLIPS: &[(Slip, &str)] = {
    use Slip::*;
    &[
        (NeverAnswers, "is never answered"),
        (GoesOn, "`get` goes on after its deadline"),
        (DroppedAnswersStay, "a `get` whose answer was dropped"),
        (ReleaseDoesNothing, "after `release`"),
        (DiscardsAll, "`discard` removes what is under another key"),
        (SharesAnswers, "get each other's answers"),
        (
            ChecksThenStores,
            "outlasts it; check the lease and store in one step",
        ),
        (LooksThenGrants, "not exactly one is granted the lease"),
        (OthersBefore, "finds others as they were before a removal"),
    ]
};
