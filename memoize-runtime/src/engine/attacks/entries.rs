//! On entries that hold a value: by those that look one up.

use std::time::Duration;

use super::{
    KEYS, KINDS, LIFE, NOW, Rng, Stored, Tally, World, count, found_at, place_of, plain_place,
    policy, reason, seed,
};
use crate::backend::{Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::engine::{Filling, Lookup, Opened, Unstored};
use crate::entry::chunk::fingerprint_of_stream;
use crate::entry::{Header, Padding, Reject};
use Reject::{Downgrade, Expired, Fingerprint, FromTheFuture, Tampered, UnknownKey};

const SERIALS: usize = 3;

/// A genuine entry, made `age` before now.
fn fill(place: &Place<'_>, key: usize, kind: usize, serial: usize, age: u64) -> Vec<u8> {
    // None, some, and so much that it is compressed.
    let text = "v".repeat([0, 50, 2000][serial]);
    let value = Stored {
        key,
        kind,
        serial,
        text,
    };
    let mut policy = policy(place, kind);
    if serial == 0 {
        policy.padding = Padding::to_at_least(256.try_into().expect("above zero"));
    }
    policy.compress = serial == 2 && cfg!(feature = "compress");
    let made = policy.fill(
        &value,
        &Outcome::VALUE,
        Duration::ZERO,
        NOW - age,
        Deadline::NEVER,
    );
    match made.expect("it fits") {
        Filling::Whole(fill) => fill.into_bytes().to_vec(),
        Filling::Chunks(_) => unreachable!("it is short"),
    }
}

/// The entry of a stream of one item.
fn manifest(place: &Place<'_>, kind: usize) -> Vec<u8> {
    let mut policy = policy(place, kind);
    policy.fingerprint = fingerprint_of_stream(policy.fingerprint);
    let mut chunked = policy.begin_stream(NOW).expect("random bytes");
    let item = |buffer: &mut Vec<u8>| {
        buffer.extend_from_slice(b"item");
        Ok::<(), Unstored>(())
    };
    chunked.writer.push(item).expect("it is short");
    chunked.writer.last_chunk().expect("there was an item");
    let published = policy.publish(&chunked, Duration::ZERO, NOW);
    published.expect("it fits").into_bytes().to_vec()
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
        let sealed = |secret, age| {
            all(&move |key, kind, serial| fill(&place_of(secret, key), key, kind, serial, age))
        };
        Self {
            current: sealed(&world.current, 0),
            previous: sealed(&world.previous, 0),
            foreign: sealed(&world.foreign, 0),
            plain: all(&|key, kind, serial| fill(&plain_place(key), key, kind, serial, 0)),
            expired: sealed(&world.current, LIFE),
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

impl<'p> Attack<'p> {
    fn new(pool: &'p Pool, rng: &mut Rng) -> Self {
        Self {
            pool,
            key: rng.below(KEYS.len()),
            kind: rng.below(KINDS.len()),
            serial: 0,
            rng: Rng(rng.next()),
            now: NOW,
        }
    }

    fn at(key: usize, kind: usize, serial: usize) -> usize {
        (key * KINDS.len() + kind) * SERIALS + serial
    }

    /// One of those that the lookup may find.
    fn own<'v>(&mut self, pool: &'v [Vec<u8>]) -> &'v [u8] {
        self.serial = self.rng.below(SERIALS);
        &pool[Self::at(self.key, self.kind, self.serial)]
    }
}

type Strike = fn(&mut Attack<'_>) -> (Vec<u8>, Reject);

const ENTRY_ATTACKS: [(&str, Strike); 26] = [
    ("flip a bit", |a| {
        let genuine = a.own(&a.pool.current);
        let mut entry = genuine.to_vec();
        let bit = a.rng.below(entry.len() * 8);
        entry[bit / 8] ^= 1 << (bit % 8);
        let expected = reason(genuine, &entry, None, a.now);
        (entry, expected)
    }),
    ("overwrite a stretch", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let at = Header::LEN + a.rng.below(entry.len() - Header::LEN - 8);
        let before: [u8; 8] = entry[at..at + 8].try_into().expect("eight bytes");
        let noise: [u8; 8] = a.rng.bytes();
        entry[at..at + 8].copy_from_slice(&noise);
        entry[at] = !before[0];
        (entry, Tampered)
    }),
    ("cut", |a| {
        let entry = a.own(&a.pool.current);
        let cut = entry[..a.rng.below(entry.len())].to_vec();
        let expected = reason(entry, &cut, None, a.now);
        (cut, expected)
    }),
    ("cut a stretch out", |a| {
        let genuine = a.own(&a.pool.current);
        let mut entry = genuine.to_vec();
        let at = 64 + a.rng.below(entry.len() - 64);
        let end = at + 1 + a.rng.below(entry.len() - at);
        entry.drain(at..end.min(entry.len()));
        let expected = reason(genuine, &entry, None, a.now);
        (entry, expected)
    }),
    ("extend", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let more = 1 + a.rng.below(40);
        entry.extend((0..more).map(|_| 0));
        (entry, Tampered)
    }),
    ("splice two entries of one key", |a| {
        let one = a.own(&a.pool.current).to_vec();
        let other = &a.pool.current[Attack::at(a.key, a.kind, a.rng.other(a.serial, SERIALS))];
        // Of both so much that they differ there: a byte alone may be the same in both.
        let shorter = one.len().min(other.len());
        let at = Header::LEN + 16 + a.rng.below(shorter - Header::LEN - 32);
        ([&one[..at], &other[at..]].concat(), Tampered)
    }),
    ("another entry's salt and commitment", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let other = &a.pool.current[Attack::at(a.key, a.kind, a.rng.other(a.serial, SERIALS))];
        entry[32..64].copy_from_slice(&other[32..64]);
        (entry, Tampered)
    }),
    ("swap between keys and functions", |a| {
        let key = a.rng.other(a.key, KEYS.len());
        let entry = &a.pool.current[Attack::at(key, a.kind, a.rng.below(SERIALS))];
        (entry.clone(), Tampered)
    }),
    ("swap between types", |a| {
        let kind = a.rng.other(a.kind, KINDS.len());
        let entry = &a.pool.current[Attack::at(a.key, kind, a.rng.below(SERIALS))];
        (entry.clone(), Fingerprint)
    }),
    ("swap between types and claim the right one", |a| {
        let kind = a.rng.other(a.kind, KINDS.len());
        let mut entry = a.pool.current[Attack::at(a.key, kind, a.rng.below(SERIALS))].clone();
        entry[8..16].copy_from_slice(&KINDS[a.kind].fingerprint().to_le_bytes());
        (entry, Tampered)
    }),
    ("replay after expiry", |a| {
        a.now = NOW + LIFE + a.rng.next() % LIFE;
        (a.own(&a.pool.current).to_vec(), Expired)
    }),
    ("prolong an expired entry", |a| {
        let mut entry = a.own(&a.pool.expired).to_vec();
        let expires = NOW + 1 + a.rng.next() % LIFE;
        entry[24..32].copy_from_slice(&expires.to_le_bytes());
        (entry, Tampered)
    }),
    ("date an expired entry anew", |a| {
        let mut entry = a.own(&a.pool.expired).to_vec();
        let created = NOW - a.rng.next() % 1000;
        entry[16..24].copy_from_slice(&created.to_le_bytes());
        entry[24..32].copy_from_slice(&(created + LIFE).to_le_bytes());
        (entry, Tampered)
    }),
    ("date it in the future", |a| {
        let mut entry = a.own(&a.pool.current).to_vec();
        let created = NOW + 60_001 + a.rng.next() % LIFE;
        entry[16..24].copy_from_slice(&created.to_le_bytes());
        entry[24..32].copy_from_slice(&(created + LIFE).to_le_bytes());
        (entry, FromTheFuture)
    }),
    ("downgrade: a plain entry of this key", |a| {
        (a.own(&a.pool.plain).to_vec(), Downgrade)
    }),
    ("downgrade: a plain entry with our key id", |a| {
        let mut entry = a.own(&a.pool.plain).to_vec();
        let sealed = a.own(&a.pool.current);
        entry[4..8].copy_from_slice(&sealed[4..8]);
        (entry, Downgrade)
    }),
    ("a plain entry that says it is sealed", |a| {
        let mut entry = a.own(&a.pool.plain).to_vec();
        let sealed = a.own(&a.pool.current);
        entry[..8].copy_from_slice(&sealed[..8]);
        let expected = reason(sealed, &entry, None, a.now);
        (entry, expected)
    }),
    ("change the flags", |a| {
        let genuine = a.own(&a.pool.current);
        let mut entry = genuine.to_vec();
        let change = 1 + a.rng.below(255);
        entry[3] ^= u8::try_from(change).expect("below 256");
        let expected = reason(genuine, &entry, None, a.now);
        (entry, expected)
    }),
    ("a stream in place of a value", |a| {
        (a.own(&a.pool.manifests).to_vec(), Fingerprint)
    }),
    ("a stream that says it is a large value", |a| {
        let mut entry = a.own(&a.pool.manifests).to_vec();
        entry[8..16].copy_from_slice(&KINDS[a.kind].fingerprint().to_le_bytes());
        (entry, Tampered)
    }),
    ("a foreign manifest", |a| {
        let key = a.rng.other(a.key, KEYS.len());
        let mut entry = a.pool.manifests[Attack::at(key, a.kind, 0)].clone();
        entry[8..16].copy_from_slice(&KINDS[a.kind].fingerprint().to_le_bytes());
        (entry, Tampered)
    }),
    ("a manifest that says it is a value", |a| {
        let mut entry = a.own(&a.pool.manifests).to_vec();
        let sealed = a.own(&a.pool.current);
        entry[..Header::LEN].copy_from_slice(&sealed[..Header::LEN]);
        (entry, Tampered)
    }),
    ("sealed with a foreign secret", |a| {
        (a.own(&a.pool.foreign).to_vec(), UnknownKey)
    }),
    ("sealed with a foreign secret under our key id", |a| {
        let mut entry = a.own(&a.pool.foreign).to_vec();
        let sealed = a.own(&a.pool.current);
        entry[4..8].copy_from_slice(&sealed[4..8]);
        (entry, Tampered)
    }),
    ("moved from the previous name to the current", |a| {
        (a.own(&a.pool.previous).to_vec(), UnknownKey)
    }),
    ("random bytes behind a genuine header", |a| {
        let genuine = a.own(&a.pool.current);
        let mut entry = genuine[..Header::LEN].to_vec();
        let noise: [u8; 100] = a.rng.bytes();
        entry.extend_from_slice(&noise[..a.rng.below(100)]);
        let expected = reason(genuine, &entry, None, a.now);
        (entry, expected)
    }),
];

#[test]
fn attacks_on_entries_are_misses_with_a_reason() {
    let world = World::new();
    let pool = Pool::new(&world);
    let places = world.places();
    let mut rng = Rng(seed());
    let mut tally = Tally::default();
    for nth in 0..count() {
        let (name, strike) = ENTRY_ATTACKS[nth % ENTRY_ATTACKS.len()];
        let mut attack = Attack::new(&pool, &mut rng);
        let (entry, expected) = strike(&mut attack);
        let place = &places[attack.key][rng.below(2)];
        let found = found_at(place, &[Some(Bytes::from(entry)), None]);
        // Rejected it is nothing that could be sealed anew.
        match look(place, attack.kind, &found, attack.now) {
            (Lookup::Rejected(reject), passed_over) => {
                assert_eq!((reject, passed_over), (expected, vec![]), "{name}");
                tally.count(name, reject);
            }
            (Lookup::Hit(..), _) => panic!("{name} was believed"),
            (Lookup::Absent, _) => panic!("{name}: nothing was found"),
        }
    }
    tally.print("entries");
}

/// What stands under the current name is not believed, and says why; what stands under the previous one is, and is not sealed anew.
#[test]
fn an_attack_beside_a_genuine_entry_is_passed_over() {
    let world = World::new();
    let pool = Pool::new(&world);
    let mut rng = Rng(seed());
    let mut seen = 0;
    for nth in 0..count() / 10 {
        let (name, strike) = ENTRY_ATTACKS[nth % ENTRY_ATTACKS.len()];
        let mut attack = Attack::new(&pool, &mut rng);
        let (entry, expected) = strike(&mut attack);
        if attack.now != NOW {
            // The other one is over by then as well.
            continue;
        }
        let place = world.place(attack.key);
        let genuine = attack.own(&pool.previous);
        let found = [entry, genuine.to_vec()].map(|entry| Some(Bytes::from(entry)));
        let (lookup, passed_over) = look(&place, attack.kind, &found, NOW);
        let Lookup::Hit(Opened::Value(value), None) = lookup else {
            panic!("{name}: what is genuine was not read, or is to be sealed anew");
        };
        assert_eq!(value.key, attack.key, "{name}");
        // One that says it is older is not even looked at.
        assert!(
            passed_over.is_empty() || passed_over == [expected],
            "{name}"
        );
        seen += passed_over.len();
    }
    assert!(seen > count() / 50, "{seen}");
}

fn look(
    place: &Place<'_>,
    kind: usize,
    found: &[Option<Bytes>],
    now: u64,
) -> (Lookup<Opened<Stored>>, Vec<Reject>) {
    let mut passed_over = Vec::new();
    let lookup = policy(place, kind).look(found, &Outcome::VALUE, now, &mut passed_over);
    (lookup, passed_over)
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
                let is_compressed = pool.current[at][3] & 2 != 0;
                assert_eq!(is_compressed, serial == 2 && cfg!(feature = "compress"));
                let [current, previous] =
                    [&pool.current, &pool.previous].map(|pool| Some(Bytes::from(pool[at].clone())));
                for (found, resealed) in [([current, None], false), ([None, previous], true)] {
                    let (lookup, _) = look(&place, kind, &found, NOW);
                    let Lookup::Hit(Opened::Value(value), renewal) = lookup else {
                        panic!("{key} {kind} {serial}");
                    };
                    assert_eq!((value.key, value.kind, value.serial), (key, kind, serial));
                    let policy = policy(&place, kind);
                    let renewed = renewal.and_then(|renewal| policy.renew(&renewal, None, NOW));
                    assert_eq!(renewed.is_some(), resealed);
                }
            }
        }
    }
}
