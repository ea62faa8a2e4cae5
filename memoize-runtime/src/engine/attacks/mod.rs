//! Attacks by somebody who can write anything to the cache, and knows everything but the secrets.
//!
//! `CACHE_MEMOIZE_ATTACKS=1000000 cargo test --release -p memoize-runtime attacks -- --nocapture` runs a million on entries
//! and as many on chunk sets; `CACHE_MEMOIZE_SEED` draws others. Each attack is expected to be a miss for one reason, that
//! which the order of the checks in the documentation of [`entry`](crate::entry) gives.

mod chunk_sets;
mod entries;

use std::collections::BTreeMap;
use std::env;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Policy;
use crate::backend::Bytes;
use crate::call::place::Place;
use crate::entry::{Codec, Padding, Reject, Seal, StoredType, shape_of};
use crate::hidden::Hidden;
use crate::key::CacheKey;
use crate::secret::Secret;

const NOW: u64 = 1_767_225_600_000;
const LIFE: u64 = 3_600_000;
/// Header, salt, commitment and tag: what is shorter is no sealed entry.
const LEAST: usize = 32 + 16 + 16 + 16;
const KEYS: [&str; 4] = ["app:user:1", "app:user:2", "app:order:1", "app"];
/// Fingerprints: two functions under one key, or two types, or two versions of one.
static KINDS: LazyLock<[StoredType; 2]> = LazyLock::new(|| {
    [1, 2].map(|kind| {
        let shape = shape_of::<Stored>(Codec::Postcard).expect("nothing else is being traced");
        StoredType::new(shape, Codec::Postcard, |fingerprint| {
            fingerprint.version(kind)
        })
    })
});

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
    /// Of a process that is ahead in the next rotation: to it the current one is a previous one.
    next: Secret,
    /// What the attacker has.
    foreign: Secret,
}

impl World {
    fn new() -> Self {
        let secret = || Secret::of_this_process().expect("the system has random bytes");
        Self {
            current: secret(),
            previous: secret(),
            next: secret(),
            foreign: secret(),
        }
    }

    fn place(&self, key: usize) -> Place<'_> {
        Place::Sealed {
            current: Seal::new(&self.current, KEYS[key]),
            previous: vec![Seal::new(&self.previous, KEYS[key])],
        }
    }

    /// Where all that is seals anew what it reads, since there is nothing under its current name.
    fn place_ahead(&self, key: usize) -> Place<'_> {
        let previous = [&self.current, &self.previous];
        Place::Sealed {
            current: Seal::new(&self.next, KEYS[key]),
            previous: previous.map(|secret| Seal::new(secret, KEYS[key])).into(),
        }
    }

    /// Who attacks a process has it look up what it writes, or seal it anew: either is believed or not for the same reasons.
    fn places(&self) -> Vec<[Place<'_>; 2]> {
        let of_key = |key| [self.place(key), self.place_ahead(key)];
        (0..KEYS.len()).map(of_key).collect()
    }
}

/// What is found under the names of such a place, where `entries` stand under the names of the first.
fn found_at(place: &Place<'_>, entries: &[Option<Bytes>]) -> Vec<Option<Bytes>> {
    let names = place.guards().count();
    let nothing = std::iter::repeat_n(None, names - entries.len());
    nothing.chain(entries.iter().cloned()).collect()
}

/// Where somebody writes who has this secret and no other.
fn place_of(secret: &Secret, key: usize) -> Place<'_> {
    Place::Sealed {
        current: Seal::new(secret, KEYS[key]),
        previous: Vec::new(),
    }
}

/// Where somebody writes who has none.
fn plain_place(key: usize) -> Place<'static> {
    Place::Plain {
        name: CacheKey::nowhere(),
        full_key: Hidden(KEYS[key]),
    }
}

fn policy<'a>(place: &'a Place<'a>, kind: usize) -> Policy<'a> {
    Policy {
        place,
        padding: Padding::default(),
        stored: &KINDS[kind],
        fingerprint: KINDS[kind].fingerprint(),
        life_ms: LIFE,
        longest_ms: 2 * LIFE,
        largest: 1 << 20,
        key_bytes: 240,
        compress: false,
    }
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

/// Why an entry is a miss that is genuine but for its header, or not genuine at all. `chunked` is what the code asks for,
/// where it does.
fn reason(genuine: &[u8], changed: &[u8], chunked: Option<bool>, now: u64) -> Reject {
    if changed.len() < LEAST {
        return Reject::Tampered;
    }
    let differs = |from: usize, to: usize| genuine[from..to] != changed[from..to];
    let number = |at: usize| u64::from_le_bytes(changed[at..at + 8].try_into().expect("eight"));
    let (created, expires) = (number(16), number(24));
    let (flags, codec) = (changed[3] & 0x0F, changed[3] >> 4);
    let is_chunked = flags & 4 != 0;
    if differs(0, 2) {
        Reject::Tampered
    } else if differs(2, 3) {
        Reject::Version
    } else if codec > 1 {
        Reject::Flags
    } else if flags & 1 == 0 {
        Reject::Downgrade
    } else if differs(4, 8) {
        Reject::UnknownKey
    } else if differs(8, 16) {
        Reject::Fingerprint
    } else if codec != 0 || chunked.is_some_and(|chunked| chunked != is_chunked) {
        Reject::Tampered
    } else if now >= expires {
        Reject::Expired
    } else if created > now + 60_000 {
        Reject::FromTheFuture
    } else if created > expires {
        Reject::Tampered
    } else if expires - created > 2 * LIFE {
        Reject::TooLongLived
    } else {
        Reject::Tampered
    }
}

/// The reasons that were met, each kind of attack on its own.
#[derive(Default)]
struct Tally(BTreeMap<&'static str, BTreeMap<&'static str, usize>>);

impl Tally {
    fn count(&mut self, attack: &'static str, reject: Reject) {
        let met = self.0.entry(attack).or_default();
        *met.entry(reject.name()).or_default() += 1;
    }

    fn print(&self, of_what: &str) {
        let (count, kinds) = (count(), self.0.len());
        let seed = seed();
        test_servers::shown!(
            "{count} attacks on {of_what} of {kinds} kinds, seed {seed}, 0 believed"
        );
        for (attack, reasons) in &self.0 {
            test_servers::shown!("  {attack}: {reasons:?}");
        }
    }
}

fn count() -> usize {
    let count = env::var("CACHE_MEMOIZE_ATTACKS").ok();
    count.map_or(100_000, |count| count.parse().expect("a number"))
}

fn seed() -> u64 {
    let seed = env::var("CACHE_MEMOIZE_SEED").ok();
    seed.map_or(1, |seed| seed.parse().expect("a number"))
}
