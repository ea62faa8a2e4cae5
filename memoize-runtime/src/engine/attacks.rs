//! Attacks by somebody who can write anything to the cache, and knows everything but the secrets.
//!
//! `CACHE_MEMOIZE_ATTACKS=1000000 cargo test --release -p memoize-runtime attacks -- --nocapture` runs a million on entries
//! and as many on chunks;
//! `CACHE_MEMOIZE_SEED` draws others.

use std::collections::BTreeMap;
use std::env;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Fill, Filling, Lookup, Opened, Policy, Unstored};
use crate::backend::Bytes;
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::crypto::{ChunkKeys, Salt};
use crate::entry::chunk::fingerprint_of_stream;
use crate::entry::{Codec, Flags, Header, Padding, Reject, Seal, StoredType, shape_of};
use crate::secret::Secret;
use Reject::{
    Damaged, Downgrade, Expired, Fingerprint, Flags as BadFlags, FromTheFuture, NotAnEntry,
    Tampered, TooLongLived, Truncated, Unexpected, UnknownKey, Version,
};

const NOW: u64 = 1_767_225_600_000;
const LIFE: u64 = 3_600_000;
const KEYS: [&str; 4] = ["app:user:1", "app:user:2", "app:order:1", "app"];
/// Fingerprints: two functions under one key, or two types, or two versions of one.
static KINDS: LazyLock<[StoredType; 2]> = LazyLock::new(|| {
    [1, 2].map(|kind| {
        let shape = shape_of::<Stored>().expect("nothing else is being traced");
        StoredType::new(shape, Codec::Postcard, |fingerprint| {
            fingerprint.version(kind)
        })
    })
});
const SERIALS: usize = 3;

/// A value that says whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Stored {
    key: usize,
    kind: usize,
    serial: usize,
    text: String,
}

struct World {
    current: Secret,
    previous: Secret,
    /// What the attacker has.
    foreign: Secret,
}

impl World {
    fn new() -> Self {
        let secret = || Secret::of_this_process().expect("the system has random bytes");
        Self {
            current: secret(),
            previous: secret(),
            foreign: secret(),
        }
    }

    fn place(&self, key: usize) -> Place<'_> {
        Place::Sealed {
            current: Seal::new(&self.current, KEYS[key]),
            previous: vec![Seal::new(&self.previous, KEYS[key])],
        }
    }
}

fn policy<'a>(place: &'a Place<'a>, kind: usize, padded: bool) -> Policy<'a> {
    let padding = Padding::to_at_least(256.try_into().expect("above zero"));
    Policy {
        place,
        padding: if padded { padding } else { Padding::default() },
        stored: &KINDS[kind],
        fingerprint: KINDS[kind].fingerprint(),
        life_ms: LIFE,
        longest_ms: 2 * LIFE,
        largest: 1 << 20,
        key_bytes: 240,
        compress: false,
    }
}

/// A genuine entry, with one secret, made `age` before now.
fn genuine(secret: &Secret, key: usize, kind: usize, serial: usize, age: u64) -> Vec<u8> {
    let place = Place::Sealed {
        current: Seal::new(secret, KEYS[key]),
        previous: Vec::new(),
    };
    fill(&place, key, kind, serial, age)
}

fn fill(place: &Place<'_>, key: usize, kind: usize, serial: usize, age: u64) -> Vec<u8> {
    let text = "v".repeat(serial * 50);
    let value = Stored {
        key,
        kind,
        serial,
        text,
    };
    let made =
        policy(place, kind, serial == 0).fill(&value, &Outcome::VALUE, Duration::ZERO, NOW - age);
    match made.expect("it fits") {
        Filling::Whole(fill) => bytes_of(fill),
        Filling::Chunks(_) => unreachable!("it is short"),
    }
}

fn bytes_of(fill: Fill) -> Vec<u8> {
    let bytes = fill.kept.into_bytes().expect("it was written as bytes");
    bytes.to_vec()
}

/// The entry of a stream of one item.
fn manifest(place: &Place<'_>, kind: usize) -> Vec<u8> {
    let mut policy = policy(place, kind, false);
    policy.fingerprint = fingerprint_of_stream(policy.fingerprint);
    let mut chunked = policy.begin_stream(NOW).expect("random bytes");
    let item = |buffer: &mut Vec<u8>| {
        buffer.extend_from_slice(b"item");
        Ok::<(), Unstored>(())
    };
    chunked.writer.push(item).expect("it is short");
    chunked.writer.last_chunk().expect("there was an item");
    let published = policy.publish(&chunked, Duration::ZERO, NOW);
    bytes_of(published.expect("it fits"))
}

/// `SplitMix64`: enough to draw attacks, and they can be drawn again.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below a usize")
    }

    /// One that is not `not`.
    fn other(&mut self, not: usize, bound: usize) -> usize {
        (not + 1 + self.below(bound - 1)) % bound
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }
}

/// All that was ever stored, as the attacker sees it.
struct Pool {
    current: Vec<Vec<u8>>,
    previous: Vec<Vec<u8>>,
    foreign: Vec<Vec<u8>>,
    plain: Vec<Vec<u8>>,
    /// Sealed with the current secret, over by now.
    expired: Vec<Vec<u8>>,
    /// Streams, sealed with the current secret.
    manifests: Vec<Vec<u8>>,
}

impl Pool {
    fn new(world: &World) -> Self {
        let all = |make: &dyn Fn(usize, usize, usize) -> Vec<u8>| -> Vec<Vec<u8>> {
            let kinds = |key| (0..KINDS.len()).map(move |kind| (key, kind));
            let serials = |(key, kind)| (0..SERIALS).map(move |serial| (key, kind, serial));
            (0..KEYS.len())
                .flat_map(kinds)
                .flat_map(serials)
                .map(|(key, kind, serial)| make(key, kind, serial))
                .collect()
        };
        let sealed = |secret| all(&move |key, kind, serial| genuine(secret, key, kind, serial, 0));
        Self {
            current: sealed(&world.current),
            previous: sealed(&world.previous),
            foreign: sealed(&world.foreign),
            plain: all(&|key, kind, serial| {
                let name = crate::key::CacheKey::nowhere();
                let full_key = KEYS[key];
                fill(&Place::Plain { name, full_key }, key, kind, serial, 0)
            }),
            expired: all(&|key, kind, serial| genuine(&world.current, key, kind, serial, LIFE)),
            manifests: all(&|key, kind, _| manifest(&world.place(key), kind)),
        }
    }
}

/// One attack in the making: on the lookup of `key` by the code of `kind`.
struct Attack<'p> {
    pool: &'p Pool,
    rng: Rng,
    key: usize,
    kind: usize,
    serial: usize,
    now: u64,
}

impl Attack<'_> {
    fn at(key: usize, kind: usize, serial: usize) -> usize {
        (key * KINDS.len() + kind) * SERIALS + serial
    }

    /// One of those that the lookup may find.
    fn own<'v>(&mut self, pool: &'v [Vec<u8>]) -> &'v [u8] {
        self.serial = self.rng.below(SERIALS);
        &pool[Self::at(self.key, self.kind, self.serial)]
    }
}

/// What may come of a change in the header.
const HEADER: &[Reject] = &[
    NotAnEntry,
    Version,
    BadFlags,
    Downgrade,
    Unexpected,
    UnknownKey,
    Fingerprint,
    Expired,
    FromTheFuture,
    TooLongLived,
    Damaged,
    Tampered,
];

type Strike = fn(&mut Attack<'_>) -> (Vec<u8>, &'static [Reject]);

const ENTRY_ATTACKS: [(&str, Strike); 26] = [
    ("flip a bit", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let bit = a.rng.below(entry.len() * 8);
        entry[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit / 8 < Header::LEN {
            HEADER
        } else {
            &[Tampered]
        };
        (entry, expected)
    }),
    ("overwrite a stretch", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let at = Header::LEN + a.rng.below(entry.len() - Header::LEN - 8);
        let before: [u8; 8] = entry[at..at + 8].try_into().expect("eight bytes");
        let noise: [u8; 8] = a.rng.bytes();
        entry[at..at + 8].copy_from_slice(&noise);
        entry[at] = !before[0];
        (entry, &[Tampered])
    }),
    ("cut", |a| {
        let entry = a.own(&a.pool.current);
        let len = a.rng.below(entry.len());
        (entry[..len].to_vec(), &[Truncated, Tampered])
    }),
    ("cut a stretch out", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let at = 64 + a.rng.below(entry.len() - 64);
        let end = at + 1 + a.rng.below(entry.len() - at);
        entry.drain(at..end.min(entry.len()));
        (entry, &[Truncated, Tampered])
    }),
    ("extend", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let more = 1 + a.rng.below(40);
        entry.extend((0..more).map(|_| 0));
        (entry, &[Tampered])
    }),
    ("splice two entries of one key", |a| {
        let one = a.own(&a.pool.current).to_vec();
        let other = &a.pool.current[Attack::at(a.key, a.kind, a.rng.other(a.serial, SERIALS))];
        let at = Header::LEN + 1 + a.rng.below(one.len().min(other.len()) - Header::LEN - 1);
        ([&one[..at], &other[at..]].concat(), &[Tampered])
    }),
    ("another entry's salt and commitment", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let other = &a.pool.current[Attack::at(a.key, a.kind, a.rng.other(a.serial, SERIALS))];
        entry[32..64].copy_from_slice(&other[32..64]);
        (entry, &[Tampered])
    }),
    ("swap between keys and functions", |a| {
        let key = a.rng.other(a.key, KEYS.len());
        let entry = &a.pool.current[Attack::at(key, a.kind, a.rng.below(SERIALS))];
        (entry.clone(), &[Tampered])
    }),
    ("swap between types", |a| {
        let kind = a.rng.other(a.kind, KINDS.len());
        let entry = &a.pool.current[Attack::at(a.key, kind, a.rng.below(SERIALS))];
        (entry.clone(), &[Fingerprint])
    }),
    ("swap between types and claim the right one", |a| {
        let kind = a.rng.other(a.kind, KINDS.len());
        let mut entry = a.pool.current[Attack::at(a.key, kind, a.rng.below(SERIALS))].clone();
        entry[8..16].copy_from_slice(&KINDS[a.kind].fingerprint().to_le_bytes());
        (entry, &[Tampered])
    }),
    ("replay after expiry", |a| {
        a.now = NOW + LIFE + a.rng.next() % LIFE;
        (a.own(&a.pool.current).to_vec(), &[Expired])
    }),
    ("prolong an expired entry", |a| {
        let mut entry = a.own(&a.pool.expired).to_vec();
        let expires = NOW + 1 + a.rng.next() % LIFE;
        entry[24..32].copy_from_slice(&expires.to_le_bytes());
        (entry, &[Tampered, TooLongLived])
    }),
    ("date an expired entry anew", |a| {
        let mut entry = a.own(&a.pool.expired).to_vec();
        let created = NOW - a.rng.next() % 1000;
        entry[16..24].copy_from_slice(&created.to_le_bytes());
        entry[24..32].copy_from_slice(&(created + LIFE).to_le_bytes());
        (entry, &[Tampered])
    }),
    ("date it in the future", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let created = NOW + 60_001 + a.rng.next() % LIFE;
        entry[16..24].copy_from_slice(&created.to_le_bytes());
        entry[24..32].copy_from_slice(&(created + LIFE).to_le_bytes());
        (entry, &[FromTheFuture])
    }),
    ("downgrade: a plain entry of this key", |a| {
        (a.own(&a.pool.plain).to_vec(), &[Downgrade])
    }),
    ("downgrade: a plain entry with our key id", |a| {
        let mut entry = a.own(&a.pool.plain).to_vec();
        let sealed = a.own(&a.pool.current);
        entry[4..8].copy_from_slice(&sealed[4..8]);
        (entry, &[Downgrade])
    }),
    ("a plain entry that says it is sealed", |a| {
        let mut entry = a.own(&a.pool.plain).to_vec();
        let sealed = a.own(&a.pool.current);
        entry[..8].copy_from_slice(&sealed[..8]);
        (entry, &[Tampered, Truncated])
    }),
    ("change the flags", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let change = 1 + a.rng.below(255);
        entry[3] ^= u8::try_from(change).expect("below 256");
        (entry, &[BadFlags, Downgrade, Unexpected, Tampered])
    }),
    ("a stream in place of a value", |a| {
        (a.own(&a.pool.manifests).to_vec(), &[Fingerprint])
    }),
    ("a stream that says it is a large value", |a| {
        let mut entry = a.own(&a.pool.manifests).to_vec();
        entry[8..16].copy_from_slice(&KINDS[a.kind].fingerprint().to_le_bytes());
        (entry, &[Tampered])
    }),
    ("a foreign manifest", |a| {
        let key = a.rng.other(a.key, KEYS.len());
        let mut entry = a.pool.manifests[Attack::at(key, a.kind, 0)].clone();
        entry[8..16].copy_from_slice(&KINDS[a.kind].fingerprint().to_le_bytes());
        (entry, &[Tampered])
    }),
    ("a manifest that says it is a value", |a| {
        let mut entry = a.own(&a.pool.manifests).to_vec();
        let sealed = a.own(&a.pool.current);
        entry[..Header::LEN].copy_from_slice(&sealed[..Header::LEN]);
        (entry, &[Tampered])
    }),
    ("sealed with a foreign secret", |a| {
        (a.own(&a.pool.foreign).to_vec(), &[UnknownKey])
    }),
    ("sealed with a foreign secret under our key id", |a| {
        let mut entry = a.own(&a.pool.foreign).to_vec();
        let sealed = a.own(&a.pool.current);
        entry[4..8].copy_from_slice(&sealed[4..8]);
        (entry, &[Tampered])
    }),
    ("moved from the previous name to the current", |a| {
        (a.own(&a.pool.previous).to_vec(), &[UnknownKey])
    }),
    ("random bytes behind a genuine header", |a| {
        let mut entry = a.own(&a.pool.current)[..Header::LEN].to_vec();
        let noise: [u8; 100] = a.rng.bytes();
        entry.extend_from_slice(&noise[..a.rng.below(100)]);
        (entry, &[Tampered, Truncated])
    }),
];

fn count() -> usize {
    let count = env::var("CACHE_MEMOIZE_ATTACKS").ok();
    count.map_or(200_000, |count| count.parse().expect("a number"))
}

fn seed() -> u64 {
    let seed = env::var("CACHE_MEMOIZE_SEED").ok();
    seed.map_or(1, |seed| seed.parse().expect("a number"))
}

#[test]
fn attacks_on_entries_are_misses_with_a_reason() {
    let world = World::new();
    let pool = Pool::new(&world);
    let places: Vec<Place<'_>> = (0..KEYS.len()).map(|key| world.place(key)).collect();
    let mut rng = Rng(seed());
    let mut met = BTreeMap::new();
    for nth in 0..count() {
        let (name, strike) = ENTRY_ATTACKS[nth % ENTRY_ATTACKS.len()];
        let mut attack = Attack {
            pool: &pool,
            key: rng.below(KEYS.len()),
            kind: rng.below(KINDS.len()),
            serial: 0,
            rng: Rng(rng.next()),
            now: NOW,
        };
        let (entry, expected) = strike(&mut attack);
        let found = [Some(Bytes::from(entry)), None];
        let lookup = policy(&places[attack.key], attack.kind, false).look::<Stored>(
            &found,
            &Outcome::VALUE,
            attack.now,
        );
        match lookup {
            Lookup::Rejected(reject) if expected.contains(&reject) => {
                *met.entry(name)
                    .or_insert(BTreeMap::new())
                    .entry(reject.name())
                    .or_insert(0) += 1;
            }
            Lookup::Rejected(reject) => panic!("{name}: {reject:?} is no reason for it"),
            Lookup::Hit(opened, _) => panic!("{name}: {opened:?} was believed"),
            Lookup::Absent => panic!("{name}: nothing was found"),
        }
    }
    println!(
        "{} attacks on entries of {} kinds, 0 believed",
        count(),
        ENTRY_ATTACKS.len()
    );
    for (name, reasons) in met {
        println!("  {name}: {reasons:?}");
    }
}

/// Else the attacks would prove nothing.
#[test]
fn what_was_not_attacked_is_believed() {
    let world = World::new();
    let pool = Pool::new(&world);
    for key in 0..KEYS.len() {
        let place = world.place(key);
        for kind in 0..KINDS.len() {
            for serial in 0..SERIALS {
                let at = Attack::at(key, kind, serial);
                let [current, previous] =
                    [&pool.current, &pool.previous].map(|pool| Some(Bytes::from(pool[at].clone())));
                for (found, resealed) in [([current, None], false), ([None, previous], true)] {
                    let policy = policy(&place, kind, false);
                    match policy.look::<Stored>(&found, &Outcome::VALUE, NOW) {
                        Lookup::Hit(Opened::Value(value), fill) => {
                            assert_eq!((value.key, value.kind, value.serial), (key, kind, serial));
                            assert_eq!(fill.is_some(), resealed);
                        }
                        _ => panic!("{key} {kind} {serial}"),
                    }
                }
            }
        }
    }
}

/// The chunks of one stream, with what they hold.
struct Stream {
    keys: ChunkKeys,
    pieces: Vec<Vec<u8>>,
    chunks: Vec<Vec<u8>>,
}

const CHUNKS: usize = 4;

/// Of each key: two streams of the same moment, one of another, one with a foreign secret.
fn streams(world: &World) -> Vec<[Stream; 4]> {
    let mut rng = Rng(seed());
    let mut stream = |secret: &Secret, key: usize, created_ms: u64| {
        let header = Header {
            flags: Flags::SEALED.with(Flags::CHUNKED),
            codec: Codec::Postcard,
            key_id: secret.keys().id(),
            fingerprint: KINDS[0].fingerprint(),
            created_ms,
            expires_ms: created_ms + LIFE,
        };
        let generation: Salt = rng.bytes();
        let keys = Seal::new(secret, KEYS[key]).chunks(&header, &generation);
        let pieces: Vec<Vec<u8>> = (0..CHUNKS).map(|_| rng.bytes::<100>().to_vec()).collect();
        let chunks = (0..)
            .zip(&pieces)
            .map(|(index, piece)| keys.seal_piece(index, piece))
            .collect();
        Stream {
            keys,
            pieces,
            chunks,
        }
    };
    (0..KEYS.len())
        .map(|key| {
            [
                stream(&world.current, key, NOW),
                stream(&world.current, key, NOW),
                stream(&world.current, key, NOW - 1),
                stream(&world.foreign, key, NOW),
            ]
        })
        .collect()
}

type ChunkStrike = fn(&mut Rng, &[[Stream; 4]], usize, usize) -> Vec<u8>;

const CHUNK_ATTACKS: [(&str, ChunkStrike); 10] = [
    ("flip a bit", |rng, streams, key, index| {
        let mut chunk = streams[key][0].chunks[index].clone();
        let bit = rng.below(chunk.len() * 8);
        chunk[bit / 8] ^= 1 << (bit % 8);
        chunk
    }),
    ("cut", |rng, streams, key, index| {
        let chunk = &streams[key][0].chunks[index];
        chunk[..rng.below(chunk.len())].to_vec()
    }),
    ("extend", |rng, streams, key, index| {
        let mut chunk = streams[key][0].chunks[index].clone();
        chunk.resize(chunk.len() + 1 + rng.below(40), 0);
        chunk
    }),
    ("another position", |rng, streams, key, index| {
        streams[key][0].chunks[rng.other(index, CHUNKS)].clone()
    }),
    ("another generation", |_, streams, key, index| {
        streams[key][1].chunks[index].clone()
    }),
    ("another stream's times", |_, streams, key, index| {
        streams[key][2].chunks[index].clone()
    }),
    ("a foreign secret", |_, streams, key, index| {
        streams[key][3].chunks[index].clone()
    }),
    ("another key", |rng, streams, key, index| {
        streams[rng.other(key, KEYS.len())][0].chunks[index].clone()
    }),
    ("splice two positions", |rng, streams, key, index| {
        let chunks = &streams[key][0].chunks;
        let (one, other) = (&chunks[index], &chunks[rng.other(index, CHUNKS)]);
        let at = 1 + rng.below(one.len() - 17);
        [&one[..at], &other[at..]].concat()
    }),
    ("the piece in the clear", |_, streams, key, index| {
        streams[key][0].pieces[index].clone()
    }),
];

#[test]
fn attacks_on_chunks_open_nothing() {
    let world = World::new();
    let streams = streams(&world);
    for [stream, ..] in &streams {
        for (index, (chunk, piece)) in (0..).zip(stream.chunks.iter().zip(&stream.pieces)) {
            assert_eq!(stream.keys.open_piece(index, chunk).as_ref(), Ok(piece));
        }
    }
    let mut rng = Rng(seed());
    for nth in 0..count() {
        let (name, strike) = CHUNK_ATTACKS[nth % CHUNK_ATTACKS.len()];
        let (key, index) = (rng.below(KEYS.len()), rng.below(CHUNKS));
        let chunk = strike(&mut rng, &streams, key, index);
        let position = u32::try_from(index).expect("few chunks");
        let opened = streams[key][0].keys.open_piece(position, &chunk);
        assert!(opened.is_err(), "{name} at {index}");
    }
    println!(
        "{} attacks on chunks of {} kinds, 0 believed",
        count(),
        CHUNK_ATTACKS.len()
    );
}
