//! How long what is sealed anew lives: somebody who has the previous secret may have written it.

use std::time::Duration;

use futures::executor::block_on;
use smol::stream::{self, StreamExt};

use crate::{Fleet, memo};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Ten chunks.
const ITEMS: usize = 40;
/// Longer than the chunks of a stream outlive it.
const MARGIN: Duration = Duration::from_secs(61);

fn item(text: &str) -> String {
    format!("{text:<1000}")
}

fn items(text: &str) -> impl Iterator<Item = String> + use<> {
    let item = item(text);
    (0..ITEMS).map(move |_| item.clone())
}

/// A form, and what reads it or computes `text` with that expiration.
type Form = (&'static str, fn(Duration, &str) -> String);

const FORMS: [Form; 6] = [
    ("a value", |life, text| {
        memo().expiration(life).get_or_compute(|| text.to_owned())
    }),
    ("a value that is awaited", |life, text| {
        let memo = memo().expiration(life);
        block_on(memo.get_or_compute_async(async || text.to_owned()))
    }),
    ("a long value", |life, text| {
        let value = memo()
            .expiration(life)
            .get_or_compute(|| items(text).collect::<Vec<_>>());
        value[ITEMS - 1].trim_end().to_owned()
    }),
    ("a long value that is awaited", |life, text| {
        let memo = memo().expiration(life);
        let value = block_on(memo.get_or_compute_async(async || items(text).collect::<Vec<_>>()));
        value[ITEMS - 1].trim_end().to_owned()
    }),
    ("an iterator", |life, text| {
        let last = memo().expiration(life).iter(|| items(text)).last();
        last.expect("it has some").trim_end().to_owned()
    }),
    ("a stream", |life, text| {
        let memo = memo().expiration(life);
        let last = block_on(memo.stream(|| stream::iter(items(text))).last());
        last.expect("it has some").trim_end().to_owned()
    }),
];

#[test]
fn what_is_sealed_anew_dies_with_the_functions_own_expiration() {
    for (name, read) in FORMS {
        let fleet = Fleet::new();
        assert_eq!(fleet.before.scope(|| read(300 * DAY, "forged")), "forged");
        let old: Vec<String> = fleet.backend.entries().keys().cloned().collect();
        fleet.tick();
        let written = fleet.backend.sets();
        let reads = |text| fleet.ahead.scope(|| read(HOUR, text));
        assert_eq!(reads("computed"), "forged", "{name}");
        assert_eq!(fleet.ahead.stats().resealed, 1, "{name}");
        let lives = fleet.backend.lives().split_off(written);
        assert!(lives.iter().all(|life| *life < HOUR + MARGIN), "{name}");
        assert_eq!(lives.last(), Some(&HOUR), "{name}");

        // The previous secret is left out, and the time passes.
        fleet
            .backend
            .entries()
            .retain(|name, _| !old.contains(name));
        fleet
            .clock
            .advance(HOUR.saturating_sub(Duration::from_millis(1)));
        assert_eq!(reads("computed"), "forged", "{name}");
        fleet.clock.advance(Duration::from_millis(1));
        assert_eq!(reads("computed"), "computed", "{name}");
    }
}

#[test]
fn what_is_sealed_anew_dies_when_the_entry_would_have() {
    for (name, read) in FORMS {
        let fleet = Fleet::new();
        fleet.before.scope(|| read(HOUR, "stored"));
        fleet.clock.advance(HOUR / 4);
        let reads = || fleet.ahead.scope(|| read(DAY, "computed"));
        assert_eq!(reads(), "stored", "{name}");
        assert_eq!(fleet.ahead.stats().resealed, 1, "{name}");
        assert_eq!(
            fleet.backend.lives().last(),
            Some(&(HOUR * 3 / 4)),
            "{name}"
        );
        fleet.clock.advance(HOUR * 3 / 4);
        assert_eq!(reads(), "computed", "{name}");
    }
}

#[test]
fn the_life_of_what_is_read_slowly_is_what_is_left_at_its_end() {
    let fleet = Fleet::new();
    let items_of = |text| memo().expiration(HOUR).iter(move || items(text));
    fleet
        .before
        .scope(|| assert_eq!(items_of("stored").count(), ITEMS));
    let written = fleet.backend.sets();
    fleet.ahead.scope(|| {
        let mut read = items_of("computed");
        for _ in 0..ITEMS - 1 {
            assert!(read.next().is_some());
            fleet.clock.advance(HOUR / 60);
        }
        assert_eq!(read.count(), 1);
    });
    assert_eq!(fleet.ahead.stats().resealed, 1);
    let lives = fleet.backend.lives().split_off(written);
    let left = HOUR / 60 * 21;
    assert_eq!(lives.last(), Some(&left));
    assert!(lives.is_sorted_by(|one, next| one >= next), "{lives:?}");
}

#[test]
fn what_is_over_before_it_was_read_to_its_end_is_not_sealed_anew() {
    let fleet = Fleet::new();
    let old = || memo().expiration(HOUR).iter(|| items("stored"));
    fleet.before.scope(|| assert_eq!(old().count(), ITEMS));
    let stored = fleet.backend.entries().clone();
    fleet.ahead.scope(|| {
        let mut read = old();
        assert_eq!(read.by_ref().take(ITEMS - 1).count(), ITEMS - 1);
        fleet.clock.advance(HOUR);
        assert_eq!(read.count(), 1);
    });
    assert_eq!(fleet.ahead.stats().resealed, 0);
    assert!(*fleet.backend.entries() == stored, "nothing is left of it");
}
