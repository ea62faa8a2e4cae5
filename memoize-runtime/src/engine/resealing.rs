//! What is in chunks under a previous secret is the same under the current one when a reader has come to its end.

use std::collections::HashMap;
use std::time::Duration;

use super::{Lookup, Policy, Renewal, Unstored};
use crate::backend::Bytes;
use crate::call::place::Place;
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
    match policy.look_for_stream(&found, now_ms) {
        Lookup::Hit(reader, renewal) => (reader, renewal),
        Lookup::Absent => panic!("it was written"),
        Lookup::Rejected(reject) => panic!("{reject:?}"),
    }
}

/// Reads all items; what is sealed anew goes into the store.
fn read(mut reader: Reader, mut renewal: Option<&mut Renewal>, store: &mut Store) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    loop {
        match reader.next_item().expect("the stream is as it was") {
            Next::Item(item) => items.push(reader.bytes_of(&item).to_vec()),
            Next::End => return items,
            Next::Starved => {
                let chunks = reader.wants();
                let chunks = chunks.iter().map(|name| store.get(name).cloned()).collect();
                let mut resealer = renewal
                    .as_mut()
                    .and_then(|renewal| renewal.resealer.as_deref_mut());
                let supplied = reader.supply(chunks, resealer.as_deref_mut());
                supplied.expect("the chunks are as they were");
                store.extend(resealer.into_iter().flat_map(Resealer::take));
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
        let (reader, renewal) = look_up(&policy(&during, false), &store, later);
        let mut renewal = renewal.expect("it was found under the previous name");
        assert_eq!(read(reader, Some(&mut renewal), &mut store), items);
        let resealer = renewal.resealer.expect("it is in chunks");
        let chunks = resealer.names().count();
        assert!(resealer.names().all(|name| store.contains_key(&name)));
        assert_eq!(renewal.life, Duration::from_millis(LIFE - 1000));
        store.insert(during.name().clone(), renewal.bytes);
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
