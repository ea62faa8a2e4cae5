//! What stands under the current name and can't be used, while an entry under a previous one can.

use cache_memoize::Stats;
use futures::executor::block_on;
use smol::stream::{self, StreamExt};

use crate::{COMPUTED, FORMS, Fleet, Form, memo, rights};

/// What is read of the same entries by awaiting, for the first and the last of [`FORMS`].
const AWAITED: [Form; 2] = [
    Form {
        name: "an awaited value",
        refresh: FORMS[0].refresh,
        read: || block_on(memo().get_or_compute_async(async || COMPUTED.to_owned())),
    },
    Form {
        name: "an awaited stream",
        refresh: FORMS[3].refresh,
        read: || {
            let items = memo().stream(|| stream::iter(crate::stream(COMPUTED)));
            let items: Vec<String> = block_on(items.collect());
            items[0].clone()
        },
    },
];

/// What somebody makes of an entry, and what counts it.
type Change = (fn(&mut [u8]), fn(Stats) -> u64);

/// The time at which it was made stays, so that it is tried first.
const CHANGES: [Change; 5] = [
    (|entry| entry[40] ^= 1, |stats| stats.tampered),
    (|entry| entry[4] ^= 1, |stats| stats.unknown_key),
    (|entry| entry[8] ^= 1, |stats| stats.wrong_type),
    (|entry| entry[3] ^= 1, |stats| stats.downgraded),
    (|entry| entry[24..32].fill(0), |stats| stats.expired),
];

/// Has an entry under the previous name of `ahead`, and what somebody made of one under its current name.
fn put(fleet: &Fleet, form: &Form, change: fn(&mut [u8])) {
    let name = fleet.ahead.scope(rights::key).as_str().to_owned();
    fleet.ahead.scope(|| (form.refresh)("current"));
    let entry = fleet.backend.entries().remove(&name);
    let mut entry = entry.expect("it was just stored").to_vec();
    fleet.backend.entries().clear();
    fleet.before.scope(|| (form.refresh)("stored"));
    change(&mut entry);
    fleet.backend.entries().insert(name, entry.into());
}

#[test]
fn what_is_passed_over_is_counted_with_its_reason_and_is_no_miss() {
    for form in FORMS.iter().chain(&AWAITED) {
        for (change, counted) in CHANGES {
            let fleet = Fleet::new();
            put(&fleet, form, change);
            let name = form.name;
            assert_eq!(fleet.ahead.scope(form.read), "stored", "{name}");
            let stats = fleet.ahead.stats();
            assert_eq!((counted(stats), stats.passed_over), (1, 1), "{name}");
            let hits = (stats.hits, stats.misses(), stats.resealed);
            assert_eq!(hits, (1, 0, 0), "{name}");
        }
    }
}

#[test]
fn of_several_that_cannot_be_used_each_is_counted_and_one_is_the_miss() {
    for form in FORMS.iter().chain(&AWAITED) {
        let (change, counted) = CHANGES[0];
        let fleet = Fleet::new();
        put(&fleet, form, change);
        let previous = fleet.before.scope(rights::key);
        let mut entries = fleet.backend.entries();
        let entry = entries.get_mut(previous.as_str()).expect("it was stored");
        let mut changed = entry.to_vec();
        changed[24..32].fill(0);
        *entry = changed.into();
        drop(entries);
        let name = form.name;
        assert_eq!(fleet.ahead.scope(form.read), COMPUTED, "{name}");
        let stats = fleet.ahead.stats();
        assert_eq!((counted(stats), stats.expired), (1, 1), "{name}");
        assert_eq!((stats.misses(), stats.passed_over), (1, 1), "{name}");
    }
}

#[test]
fn who_peeks_counts_nothing() {
    let fleet = Fleet::new();
    put(&fleet, &FORMS[1], CHANGES[0].0);
    let before = fleet.ahead.stats();
    let peeked = fleet.ahead.scope(rights::peek);
    assert_eq!(peeked.as_deref(), Some("stored"));
    assert_eq!(fleet.ahead.stats(), before);
}
