//! What is found under a previous secret is the same under the current one, but for a life that may be shorter.

use std::collections::HashMap;
use std::time::Duration;

use super::Renewal;
use crate::backend::{Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::engine::{Filling, Lookup, Opened, Policy, Unstored};
use crate::entry::chunk::{Next, Reader, Resealer};
use crate::entry::{Codec, Header, Padding, Seal, StoredType};
use crate::key::CacheKey;
use crate::secret::Secret;

const KEY: &str = "ns:rows";
const NOW: u64 = 1_767_225_600_000;
const LIFE: u64 = 3_600_000;
const LARGEST: usize = 2000;

type Store = HashMap<CacheKey, Bytes>;

fn secret() -> Secret {
    Secret::of_this_process().expect("the system has random bytes")
}

fn place<'s>(current: &'s Secret, previous: &'s [Secret]) -> Place<'s> {
    Place::Sealed {
        current: Seal::new(current, KEY),
        previous: previous
            .iter()
            .map(|secret| Seal::new(secret, KEY))
            .collect(),
    }
}

fn policy<'p>(place: &'p Place<'p>, compress: bool) -> Policy<'p> {
    Policy {
        place,
        padding: Padding::default(),
        stored: StoredType::of::<Vec<u8>>(Codec::Postcard),
        fingerprint: 7,
        life_ms: LIFE,
        longest_ms: LIFE,
        largest: LARGEST,
        key_bytes: 240,
        compress,
    }
}

/// Some chunks shrink, and some don't.
fn items(count: usize) -> Vec<Vec<u8>> {
    let byte = |number: usize| number.to_le_bytes()[0];
    let even = |nth: usize| vec![byte(nth); 400];
    let uneven = |nth: usize| (0..400).map(|at| byte(nth * at * at / 7 + at)).collect();
    (0..count)
        .map(|nth| if nth % 16 < 8 { even(nth) } else { uneven(nth) })
        .collect()
}

fn write(policy: &Policy<'_>, items: &[Vec<u8>], store: &mut Store) {
    let mut chunked = policy.begin_stream(NOW).expect("random bytes");
    for item in items {
        let encode = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(item);
            Ok::<(), Unstored>(())
        };
        chunked.writer.push(encode).expect("it is short");
        store.extend(std::iter::from_fn(|| chunked.writer.full_chunk()));
    }
    store.extend(chunked.writer.last_chunk());
    let cost = Duration::from_millis(12);
    let fill = policy.publish(&chunked, cost, NOW).expect("it fits");
    store.insert(policy.place.name().clone(), fill.into_bytes());
}

fn look_up(policy: &Policy<'_>, store: &Store, now_ms: u64) -> (Reader, Option<Renewal>) {
    let names = policy.place.guards();
    let found: Vec<_> = names
        .map(|guard| store.get(guard.name()).cloned())
        .collect();
    match policy.look_for_stream(&found, now_ms, &mut Vec::new()) {
        Lookup::Hit(reader, renewal) => (reader, renewal),
        Lookup::Absent => panic!("it was written"),
        Lookup::Rejected(reject) => panic!("{reject:?}"),
    }
}

/// Reads all items; what is sealed anew goes into the store.
fn read(
    mut reader: Reader,
    mut resealer: Option<&mut Resealer>,
    store: &mut Store,
) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    loop {
        match reader.next_item().expect("the stream is as it was") {
            Next::Item(item) => items.push(reader.bytes_of(&item).to_vec()),
            Next::End => return items,
            Next::Starved => {
                let chunks = reader.wants();
                let chunks = chunks.iter().map(|name| store.get(name).cloned()).collect();
                let supplied = reader.supply(chunks, resealer.as_deref_mut());
                supplied.expect("the chunks are as they were");
                store.extend(resealer.iter_mut().flat_map(|resealer| resealer.take()));
            }
        }
    }
}

#[test]
fn a_stream_is_the_same_under_the_current_secret() {
    for (count, compress) in [
        (0, false),
        (1, false),
        (50, false),
        (50, cfg!(feature = "compress")),
    ] {
        let (old, new, items) = (secret(), secret(), items(count));
        let mut store = Store::new();
        let before = place(&old, &[]);
        write(&policy(&before, compress), &items, &mut store);
        let as_it_was = store.clone();

        let (ring, later) = ([old.clone()], NOW + 1000);
        let during = place(&new, &ring);
        let of_all = policy(&during, false);
        let (reader, renewal) = look_up(&of_all, &store, later);
        let renewal = renewal.expect("it was found under the previous name");
        let mut resealer = of_all.resealer(&renewal).expect("it is in chunks");
        let early = of_all.renew(&renewal, Some(&resealer), later);
        assert_eq!(early.is_some(), count == 0, "nobody has read them");
        assert_eq!(read(reader, Some(&mut resealer), &mut store), items);
        let chunks = resealer.names().count();
        assert!(resealer.names().all(|name| store.contains_key(&name)));
        let renewed = of_all.renew(&renewal, Some(&resealer), later);
        let (entry, life) = renewed.expect("all of them were sealed anew");
        assert_eq!(life, Duration::from_millis(LIFE - 1000));
        store.insert(during.name().clone(), entry);
        assert_eq!(store.len(), as_it_was.len() + chunks + 1);
        assert!(as_it_was.iter().all(|(name, bytes)| store[name] == *bytes));

        // Nothing of the old is needed any more.
        store.retain(|name, _| !as_it_was.contains_key(name));
        let after = place(&new, &[]);
        let (reader, renewal) = look_up(&policy(&after, false), &store, NOW + LIFE - 1);
        assert!(renewal.is_none(), "it is where it should be");
        assert_eq!(read(reader, None, &mut store), items);

        let header =
            |place: &Place<'_>, store: &Store| Header::parse(&store[place.name()]).expect("one");
        let (was, is) = (header(&before, &as_it_was), header(&after, &store));
        let key_id = is.key_id;
        assert_eq!(is, Header { key_id, ..was });
        let bytes = |store: &Store| store.values().map(Bytes::len).sum::<usize>();
        assert_eq!(
            bytes(&store),
            bytes(&as_it_was),
            "what was compressed still is"
        );
    }
}

/// The header of a value that was written with the previous secret for `life_ms` from `created_ms` on, and is sealed anew at `NOW` by
/// a function whose entries live for `LIFE`.
fn renewed(created_ms: u64, life_ms: u64, written_ms: u64) -> Option<(Header, Duration)> {
    let (old, new) = (secret(), secret());
    let before = place(&old, &[]);
    let long = Policy {
        life_ms,
        ..policy(&before, false)
    };
    let value = vec![1, 2, 3];
    let filling = long.fill(
        &value,
        &Outcome::VALUE,
        Duration::ZERO,
        created_ms,
        Deadline::NEVER,
    );
    let Ok(Filling::Whole(fill)) = filling else {
        panic!("it is short");
    };
    let ring = [old.clone()];
    let during = place(&new, &ring);
    let policy = Policy {
        longest_ms: 100 * LIFE,
        ..policy(&during, false)
    };
    let found = [None, Some(fill.into_bytes())];
    let lookup = policy.look::<Vec<u8>>(&found, &Outcome::VALUE, NOW, &mut Vec::new());
    let Lookup::Hit(Opened::Value(read), Some(renewal)) = lookup else {
        panic!("it is a hit, of what may be sealed anew");
    };
    assert_eq!(read, value);
    let (entry, life) = policy.renew(&renewal, None, written_ms)?;
    Some((Header::parse(&entry).expect("it is one"), life))
}

#[test]
fn what_is_sealed_anew_lives_as_long_as_it_said_and_as_this_function_lets_it() {
    // As one that has the previous secret would write it.
    let forged = renewed(NOW - 1, 50 * LIFE, NOW).expect("it is alive");
    assert_eq!(forged.0.expires_ms, NOW + LIFE);
    assert_eq!(forged.1, Duration::from_millis(LIFE));
    // An honest one.
    let honest = renewed(NOW - LIFE / 2, LIFE, NOW).expect("it is alive");
    assert_eq!(honest.0.expires_ms, NOW + LIFE / 2);
    assert_eq!(honest.0.created_ms, NOW - LIFE / 2);
    assert_eq!(honest.1, Duration::from_millis(LIFE / 2));
}

#[test]
fn a_date_in_the_future_is_not_sealed_anew() {
    let ahead = NOW + 50_000;
    let (header, _) = renewed(ahead, LIFE, NOW).expect("clocks differ");
    assert_eq!((header.created_ms, header.expires_ms), (NOW, NOW + LIFE));
}

#[test]
fn the_life_of_what_is_sealed_anew_is_what_is_left_when_it_is_written() {
    let (_, life) = renewed(NOW, LIFE, NOW + LIFE - 1).expect("it is alive");
    assert_eq!(life, Duration::from_millis(1));
    assert!(renewed(NOW, LIFE, NOW + LIFE).is_none(), "it is over");
}

#[test]
fn what_lists_chunks_is_not_sealed_anew_without_them() {
    let (old, new) = (secret(), secret());
    let mut store = Store::new();
    write(&policy(&place(&old, &[]), false), &items(50), &mut store);
    let ring = [old.clone()];
    let during = place(&new, &ring);
    let policy = policy(&during, false);
    let (mut reader, renewal) = look_up(&policy, &store, NOW);
    let renewal = renewal.expect("it was found under the previous name");
    assert!(policy.renew(&renewal, None, NOW).is_none());
    let mut resealer = policy.resealer(&renewal).expect("it is in chunks");
    while !reader.wants().is_empty() {
        assert!(policy.renew(&renewal, Some(&resealer), NOW).is_none());
        let chunks = reader.wants();
        let chunks = chunks.iter().map(|name| store.get(name).cloned()).collect();
        let supplied = reader.supply(chunks, Some(&mut resealer));
        supplied.expect("the chunks are as they were");
    }
    assert!(policy.renew(&renewal, Some(&resealer), NOW).is_some());
}
