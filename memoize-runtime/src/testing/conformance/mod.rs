//! A backend against each rule of its contract.

mod bench;
mod deadlines;
mod entries;
mod leases;
mod lives;
mod many;
mod races;
mod subject;
mod together;
mod ways;

use std::pin::pin;
use std::time::Duration;

use crate::backend::{AsyncBackend, Backend};
use crate::flight::block_on;
use bench::Bench;
use subject::{Awaited, Blocking, Subject};

/// How long is waited for what a backend has to do by itself, such as letting an expired entry go.
const PATIENCE: Duration = Duration::from_secs(60);

/// Holds `backend` against the contract of [`Backend`]: what it keeps under which keys, for how long, leases, deadlines, and threads that
/// ask at one time.
///
/// Not looked at are [`Backend::watch`], what errors and `Debug` show, and [`Backend::async_twin`], which is to be held against
/// [`conformance_async`] by itself.
///
/// ```
/// use cache_memoize::{Memory, testing::conformance};
///
/// conformance(&Memory::default());
/// ```
///
/// It writes under keys that begin with `conformance:` and a random number, and can run beside others on a shared backend. It removes
/// them in the end, if no rule is broken; else they stay, some for a year: remove what begins with `conformance:`. It needs room for 64 MiB, real time (a clock that stands still lets nothing expire), and an idle
/// backend: one that forgets entries meanwhile, as it may, is taken for broken. It takes a second or two, and up to a minute where
/// entries whose life is over stay for that long.
///
/// A backend without leases passes, if it grants [`Lease::UNCONDITIONAL`](crate::Lease::UNCONDITIONAL) as the defaults do.
///
/// # Panics
/// A rule is broken; the text says which, and what to do.
pub fn conformance(backend: &(impl Backend + ?Sized)) {
    within(backend, PATIENCE);
}

/// The same for an [`AsyncBackend`], with tasks in place of threads, and answers that are dropped.
///
/// No async runtime is needed but for what the backend itself needs. The future need not be `Send`, so await it in the test.
///
/// ```
/// use cache_memoize::{Memory, Unblock, testing::conformance_async};
///
/// # async fn test() {
/// conformance_async(&Unblock::new(Memory::default())).await;
/// # }
/// ```
///
/// # Panics
/// A rule is broken; the text says which, and what to do.
pub async fn conformance_async(backend: &(impl AsyncBackend + ?Sized)) {
    awaited_within(backend, PATIENCE).await;
}

async fn awaited_within(backend: &(impl AsyncBackend + ?Sized), patience: Duration) {
    let subject = Awaited(backend);
    let bench = Bench::new(&subject, patience);
    rules(&bench).await;
    together::in_tasks(&bench).await;
    entries::a_discard_removes_nothing_else(&bench).await;
    bench.clear().await;
}

fn within(backend: &(impl Backend + ?Sized), patience: Duration) {
    let subject = Blocking(backend);
    let bench = Bench::new(&subject, patience);
    wait(rules(&bench));
    together::in_threads(&bench);
    wait(bench.clear());
}

/// All that is checked by one question after the other.
async fn rules(bench: &Bench<'_>) {
    entries::limits_can_be_worked_with(bench);
    let short = lives::set_for_a_moment(bench).await;
    entries::nothing_is_found_where_nothing_is(bench).await;
    entries::what_is_set_is_found(bench).await;
    entries::a_write_replaces(bench).await;
    entries::values_are_any_bytes(bench).await;
    many::many_are_answered_in_order(bench).await;
    many::many_are_written_and_removed(bench).await;
    many::many_are_hundreds(bench).await;
    entries::a_delete_removes_one_key(bench).await;
    entries::keys_are_told_apart(bench).await;
    deadlines::a_deadline_that_passed_is_kept(bench).await;
    deadlines::an_answer_may_be_dropped(bench).await;
    leases::all(bench).await;
    lives::a_life_ends_and_no_sooner(bench, short).await;
}

fn wait<F: Future>(future: F) -> F::Output {
    block_on(pin!(future), None).expect("without a moment it waits to the end")
}

#[cfg(test)]
mod bugs;
#[cfg(test)]
mod drowsy;
#[cfg(test)]
mod sketch;
#[cfg(test)]
mod tests;
