use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use super::bugs::{BUGS, Bug};
use super::sketch::Sketch;
use super::sketch_awaited::{AsyncBug, AwaitedSketch};
use super::{conformance, conformance_async, wait, within, within_async};
use crate::backend::{BlockOn, Memory, Unblock};

#[test]
fn the_backends_of_this_crate_conform() {
    conformance(&Memory::default());
    conformance(&BlockOn::new(Unblock::new(Memory::default())));
    wait(conformance_async(&Unblock::new(Memory::default())));
}

#[test]
fn a_sound_backend_conforms_with_leases_and_without() {
    for without_leases in [false, true] {
        let mut sketch = Sketch::new(Bug::None);
        sketch.without_leases = without_leases;
        conformance(&sketch);
    }
}

#[test]
fn each_broken_rule_is_told() {
    // Some take as long as patience lasts.
    let missed: Vec<String> = thread::scope(|scope| {
        let parts = BUGS.chunks(8);
        let parts: Vec<_> = parts
            .map(|part| scope.spawn(|| part.iter().filter_map(untold).collect::<Vec<_>>()))
            .collect();
        let parts = parts
            .into_iter()
            .map(|part| part.join().expect("panics are caught in there"));
        parts.flatten().collect()
    });
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn each_rule_that_an_async_backend_breaks_is_told() {
    wait(conformance_async(&AwaitedSketch::new(AsyncBug::None)));
    let told = |bug| {
        let sketch = AwaitedSketch::new(bug);
        told_by(|| wait(within_async(&sketch, PATIENCE)))
    };
    let missed: Vec<String> = ASYNC_BUGS
        .iter()
        .filter_map(|(bug, part)| missing(part, &told(*bug)).map(|told| format!("{bug:?}: {told}")))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

/// Some bugs show as late as that.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is told of a bug, if it isn't what is to be told.
fn untold((bug, part): &(Bug, &str)) -> Option<String> {
    let sketch = Sketch::new(*bug);
    let told = told_by(|| within(&sketch, PATIENCE));
    missing(part, &told).map(|told| format!("{bug:?}: {told}"))
}

fn missing<'t>(part: &str, told: &'t str) -> Option<&'t str> {
    (!told.contains(part)).then_some(told)
}

fn told_by(run: impl FnOnce()) -> String {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(()) => "nothing".to_owned(),
        // A text of one's own, or a fixed one.
        Err(told) => match told.downcast::<String>() {
            Ok(told) => *told,
            Err(told) => told
                .downcast_ref::<&str>()
                .map_or_else(|| "no text".to_owned(), |told| (*told).to_owned()),
        },
    }
}

const ASYNC_BUGS: &[(AsyncBug, &str)] = {
    use AsyncBug::*;
    &[
        (GoesOnAfterDeadline, "`get` goes on after its deadline"),
        (AnswersOthers, "get each other's answers"),
        (LooksThenGrants, "look up and grant in one step"),
        (ChecksThenStores, "check the lease and store in one step"),
        (
            AnswersBeforeItWrites,
            "`get` doesn't find what `set` stored",
        ),
        (ReleaseDoesNothing, "after `release`"),
    ]
};
