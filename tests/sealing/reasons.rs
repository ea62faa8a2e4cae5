//! Why entries are not believed: each reason is counted apart, as `docs/encryption.md` has it in a table.

use std::collections::BTreeMap;

use cache_memoize::{Bytes, Memo, Stats};

use super::chunks::is_stream_computed;
use super::log::logged;
use super::{KEY, Open, VALUE, is_computed, memo, sealed};

type Change = fn(&mut Vec<u8>);
type Counted = fn(Stats) -> u64;

const TAMPERED: Counted = |stats| stats.tampered;
const EXPIRED: Counted = |stats| stats.expired;

/// What becomes of the entry, of a value or of a stream, and where that is counted.
const CHANGES: [(&str, Change, Counted); 21] = [
    ("a bit of the tag", |entry| *end(entry) ^= 1, TAMPERED),
    ("a bit of the body", |entry| entry[70] ^= 1, TAMPERED),
    ("another salt", |entry| entry[32] ^= 1, TAMPERED),
    ("another commitment", |entry| entry[48] ^= 1, TAMPERED),
    ("nothing", Vec::clear, TAMPERED),
    ("less than a header", |entry| entry.truncate(31), TAMPERED),
    ("less than a seal", |entry| entry.truncate(79), TAMPERED),
    ("cut", |entry| entry.truncate(81), TAMPERED),
    ("longer", |entry| entry.push(0), TAMPERED),
    ("no entry", |entry| *entry = b"rubbish".repeat(30), TAMPERED),
    ("in chunks or not", |entry| entry[3] ^= 4, TAMPERED),
    ("another codec", |entry| entry[3] ^= 0x10, TAMPERED),
    (
        "over before it began",
        |entry| date(entry, 30_000, 10_000),
        TAMPERED,
    ),
    (
        "another secret",
        |entry| entry[4] ^= 1,
        |stats| stats.unknown_key,
    ),
    (
        "another type",
        |entry| entry[8] ^= 1,
        |stats| stats.wrong_type,
    ),
    ("over", |entry| entry[24..32].fill(0), EXPIRED),
    (
        "in the future",
        |entry| date(entry, 600_000, 700_000),
        EXPIRED,
    ),
    ("too long a life", |entry| entry[31] = 1, EXPIRED),
    (
        "in the clear",
        |entry| entry[3] ^= 1,
        |stats| stats.downgraded,
    ),
    (
        "another version",
        |entry| entry[2] = 2,
        |stats| stats.damaged,
    ),
    (
        "too large",
        |entry| entry.resize(4097, 0),
        |stats| stats.damaged,
    ),
];

fn end(entry: &mut [u8]) -> &mut u8 {
    entry.last_mut().expect("there is a tag")
}

/// Created and over so many milliseconds after it was.
fn date(entry: &mut [u8], created: u64, expires: u64) {
    let now = u64::from_le_bytes(entry[16..24].try_into().expect("eight bytes"));
    entry[16..24].copy_from_slice(&(now + created).to_le_bytes());
    entry[24..32].copy_from_slice(&(now + expires).to_le_bytes());
}

#[test]
fn each_reason_is_counted_apart() {
    let of_a_value = |runtime: &_| is_computed(runtime, memo);
    let of_a_stream = |runtime: &_| is_stream_computed(runtime, "one");
    for (reason, change, counted) in CHANGES {
        for is_computed in [of_a_value as fn(&_) -> bool, of_a_stream] {
            let backend = Open::default();
            let runtime = sealed(&backend);
            assert!(is_computed(&runtime));
            backend.change_entry(change);
            assert!(is_computed(&runtime), "{reason}");
            let stats = runtime.stats();
            assert_eq!((counted(stats), stats.misses()), (1, 2), "{reason}");
        }
    }
}

#[test]
fn what_nobody_of_ours_wrote_is_warned_of_ever_more_rarely() {
    let cases: [(&str, Change, &[u32]); 4] = [
        ("tampered", |entry| *end(entry) ^= 1, &[1, 2, 4]),
        ("downgraded", |entry| entry[3] ^= 1, &[1, 2, 4]),
        ("unknown_key", |entry| entry[4] ^= 1, &[1, 2, 4]),
        ("expired", |entry| entry[24..32].fill(0), &[]),
    ];
    for (reason, change, warned) in cases {
        let backend = Open::default();
        let runtime = sealed(&backend);
        assert!(is_computed(&runtime, memo));
        let log = logged(|| {
            for _ in 0..5 {
                backend.change_entry(change);
                assert!(is_computed(&runtime, memo));
            }
        });
        assert_eq!(log.lines().count(), warned.len(), "{log}");
        for (line, count) in log.lines().zip(warned) {
            assert!(line.contains("WARN"), "{line}");
            let shown = format!("reason=\"{reason}\" count={count}");
            assert!(line.ends_with(&shown), "{line}");
        }
        assert!(!log.contains("Ada") && !log.contains(VALUE), "{log}");
    }
}

#[test]
fn chunks_that_are_lost_are_counted_apart() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    assert!(is_stream_computed(&runtime, "one"));
    backend.entries().retain(|name, _| !name.contains('.'));
    assert!(is_stream_computed(&runtime, "one"));
    let stats = runtime.stats();
    assert_eq!((stats.incomplete, stats.misses()), (1, 2));
}

#[test]
fn a_plain_entry_is_never_read_for_a_sealed_one() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    assert!(is_computed(&runtime, || Memo::new(KEY)));
    let name = runtime.scope(|| memo().key().as_str().to_owned());
    let plain = backend.entries().pop_first().expect("it was stored").1;
    backend.entries().insert(name, plain);
    assert!(is_computed(&runtime, memo));
    assert_eq!(runtime.stats().downgraded, 1);
}

#[test]
fn chunks_that_are_not_the_streams_own_are_a_miss_with_a_reason() {
    type Mischief = fn(&mut BTreeMap<String, Bytes>, &[String], &[String]);
    fn swap(entries: &mut BTreeMap<String, Bytes>, one: &str, other: &str) {
        let (a, b) = (entries[one].clone(), entries[other].clone());
        entries.insert(one.to_owned(), b);
        entries.insert(other.to_owned(), a);
    }
    let cases: [(&str, Mischief); 6] = [
        ("flipped", |entries, one, _| {
            for name in &one[1..] {
                let mut bytes = entries[name].to_vec();
                bytes[7] ^= 1;
                entries.insert(name.clone(), bytes.into());
            }
        }),
        ("cut", |entries, one, _| {
            let bytes = entries[&one[1]].slice(..100);
            entries.insert(one[1].clone(), bytes);
        }),
        ("swapped", |entries, one, _| swap(entries, &one[1], &one[2])),
        ("another stream's", |entries, one, other| {
            swap(entries, &one[2], &other[2]);
        }),
        ("all of another stream's", |entries, one, other| {
            for (one, other) in one[1..].iter().zip(&other[1..]) {
                swap(entries, one, other);
            }
        }),
        ("another stream's manifest", |entries, one, other| {
            swap(entries, &one[0], &other[0]);
        }),
    ];
    for (name, mischief) in cases {
        let backend = Open::default();
        let runtime = sealed(&backend);
        assert!(is_stream_computed(&runtime, "one"));
        let one = backend.names();
        assert!(is_stream_computed(&runtime, "two"));
        let mut other = backend.names();
        other.retain(|name| !one.contains(name));
        mischief(&mut backend.entries(), &one, &other);
        assert!(is_stream_computed(&runtime, "one"), "{name}");
        assert_eq!(runtime.stats().tampered, 1, "{name}");
    }
}
