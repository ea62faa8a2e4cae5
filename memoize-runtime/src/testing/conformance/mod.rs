//! A backend against each rule of its contract.

mod bench;
mod entries;
mod leases;
mod subject;
mod time;
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

/// Holds `backend` against each rule of the contract of [`Backend`]: what it keeps under which keys, for how long, leases,
/// deadlines, and threads that ask at one time. Each rule is asked of each method that it is about.
///
/// ```
/// use cache_memoize::{Memory, testing::conformance};
///
/// conformance(&Memory::default());
/// ```
///
/// It writes under keys that begin with `conformance:` and a random number, removes them in the end, and can run beside
/// others on a shared backend. It needs room for 64 MiB, real time (a clock that stands still lets nothing expire), and an idle
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

/// The same for an [`AsyncBackend`], with tasks in place of threads.
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
    within_async(backend, PATIENCE).await;
}

async fn within_async(backend: &(impl AsyncBackend + ?Sized), patience: Duration) {
    let subject = Awaited(backend);
    let bench = Bench::new(&subject, patience);
    rules(&bench).await;
    together::in_tasks(&bench).await;
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
    entries::nothing_is_found_where_nothing_is(bench).await;
    entries::what_is_set_is_found(bench).await;
    entries::a_write_replaces(bench).await;
    entries::values_are_any_bytes(bench).await;
    entries::a_delete_removes_one_key(bench).await;
    entries::keys_are_told_apart(bench).await;
    entries::many_are_answered_in_order(bench).await;
    entries::many_are_written_and_removed(bench).await;
    leases::all(bench).await;
    // From here on each way to read, write and be granted a lease, now that one of each is known to do.
    time::lives_begin(bench).await;
    entries::values_are_any_bytes_each_way(bench).await;
    entries::what_is_removed_is_not_found(bench).await;
    entries::removed_keys_are_told_apart(bench).await;
    entries::hundreds_are_not_too_many(bench).await;
    time::a_deadline_that_passed_is_kept(bench).await;
    time::lives_end_and_no_sooner(bench).await;
}

fn wait<F: Future>(future: F) -> F::Output {
    block_on(pin!(future), None).expect("without a moment it waits to the end")
}

#[cfg(test)]
mod bugs;
#[cfg(test)]
mod sketch;
#[cfg(test)]
mod sketch_awaited;
#[cfg(test)]
mod tests;
