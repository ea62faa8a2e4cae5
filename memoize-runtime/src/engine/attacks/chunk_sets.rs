//! On what is in chunks, streams and large values: by those that look the entry up and read its chunks.

use std::time::Duration;

use super::{
    KEYS, KINDS, LIFE, NOW, Rng, Stored, Tally, World, count, found_at, place_of, plain_place,
    policy, reason, seed,
};
use crate::backend::{Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::engine::{Chunked, Filling, Lookup, Opened, Policy, Renewal, Unstored};
use crate::entry::chunk::{Next, Reader, Resealer, fingerprint_of_stream};
use crate::entry::{Header, Reject};
use Reject::{Downgrade, Expired, Fingerprint, FromTheFuture, Incomplete, Tampered, UnknownKey};

/// So little that a few hundred bytes are more chunks than are read at once; and what such chunks are compressed from.
const LARGEST: [usize; 2] = [200, 1400];
const PADDING: [usize; 2] = [40, 370];
const CHUNKS: usize = 6;
const ITEMS: usize = 20;

/// What is in the chunks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    Stream,
    Value,
}

/// Who wrote them, and when.
#[derive(Clone, Copy)]
enum Made {
    /// What the lookup may find.
    Own,
    /// Of the same moment, as good as that.
    Twin,
    /// A millisecond before them, as good as well.
    Before,
    /// Over by now.
    Expired,
    WithPrevious,
    WithForeign,
    Plain,
}

const MAKES: [Made; 7] = [
    Made::Own,
    Made::Twin,
    Made::Before,
    Made::Expired,
    Made::WithPrevious,
    Made::WithForeign,
    Made::Plain,
];

/// A manifest and its chunks.
struct Set {
    entry: Bytes,
    chunks: Vec<Bytes>,
}

impl Set {
    fn new(world: &World, form: Form, key: usize, kind: usize, made: Made) -> Self {
        let place = match made {
            Made::Own | Made::Twin | Made::Before | Made::Expired => world.place(key),
            Made::WithPrevious => place_of(&world.previous, key),
            Made::WithForeign => place_of(&world.foreign, key),
            Made::Plain => plain_place(key),
        };
        let now = match made {
            Made::Before => NOW - 1,
            Made::Expired => NOW - LIFE,
            _ => NOW,
        };
        let policy = chunked_policy(&place, form, kind);
        let (mut chunked, mut chunks) = match form {
            Form::Stream => stream(&policy, key, kind, made, now),
            Form::Value => large_value(&policy, key, kind, made, now),
        };
        chunks.extend(chunked.writer.last_chunk().map(|(_, chunk)| chunk));
        assert_eq!(chunks.len(), CHUNKS);
        let is_compressed = chunks[0].len() < LARGEST[kind] / 2;
        assert_eq!(is_compressed, kind == 1 && cfg!(feature = "compress"));
        let entry = policy.publish(&chunked, Duration::ZERO, now);
        Self {
            entry: entry.expect("it fits").into_bytes(),
            chunks,
        }
    }
}

fn chunked_policy<'a>(place: &'a Place<'a>, form: Form, kind: usize) -> Policy<'a> {
    let mut policy = policy(place, kind);
    policy.largest = LARGEST[kind];
    policy.compress = kind == 1 && cfg!(feature = "compress");
    if form == Form::Stream {
        policy.fingerprint = fingerprint_of_stream(policy.fingerprint);
    }
    policy
}

fn stream(
    policy: &Policy<'_>,
    key: usize,
    kind: usize,
    made: Made,
    now: u64,
) -> (Chunked, Vec<Bytes>) {
    let mut chunked = policy.begin_stream(now).expect("random bytes");
    let mut chunks = Vec::new();
    for nth in 0..ITEMS {
        let item = |buffer: &mut Vec<u8>| {
            buffer.extend_from_slice(&item(key, kind, made, nth));
            Ok::<(), Unstored>(())
        };
        chunked.writer.push(item).expect("it is short");
        chunks.extend(full_chunks(&mut chunked));
    }
    (chunked, chunks)
}

fn large_value(
    policy: &Policy<'_>,
    key: usize,
    kind: usize,
    made: Made,
    now: u64,
) -> (Chunked, Vec<Bytes>) {
    let value = value(key, kind, made);
    let filling = policy.fill(
        &value,
        &Outcome::VALUE,
        Duration::ZERO,
        now,
        Deadline::NEVER,
    );
    let Ok(Filling::Chunks(mut chunked)) = filling else {
        panic!("it is too long for one entry");
    };
    let chunks = full_chunks(&mut chunked);
    (*chunked, chunks)
}

fn full_chunks(chunked: &mut Chunked) -> Vec<Bytes> {
    std::iter::from_fn(|| chunked.writer.full_chunk())
        .map(|(_, chunk)| chunk)
        .collect()
}

/// An item that says whose it is.
fn item(key: usize, kind: usize, made: Made, nth: usize) -> Vec<u8> {
    let padding = PADDING[kind];
    format!("{key} {kind} {} {nth} {:>padding$}", made as usize, "").into_bytes()
}

fn value(key: usize, kind: usize, made: Made) -> Stored {
    Stored {
        key,
        kind,
        serial: made as usize,
        text: "v".repeat(5 * LARGEST[kind]),
    }
}

/// All that was ever stored, as the attacker sees it.
struct Pool(Vec<Set>);

impl Pool {
    fn new(world: &World) -> Self {
        let mut sets = Vec::new();
        for form in [Form::Stream, Form::Value] {
            for key in 0..KEYS.len() {
                for kind in 0..KINDS.len() {
                    sets.extend(MAKES.map(|made| Set::new(world, form, key, kind, made)));
                }
            }
        }
        Self(sets)
    }

    fn set(&self, form: Form, key: usize, kind: usize, made: Made) -> &Set {
        let nth = (form as usize * KEYS.len() + key) * KINDS.len() + kind;
        &self.0[nth * MAKES.len() + made as usize]
    }
}

/// What a reader made of a chunk set.
#[derive(Debug, Default, PartialEq)]
struct Read {
    /// What it has handed out, before the miss if it was one.
    items: Vec<Vec<u8>>,
    reject: Option<Reject>,
    /// How many chunks were sealed anew.
    sealed: usize,
    /// Whether the manifest was.
    is_renewed: bool,
}

/// One attack in the making: on the lookup of `key` by the code of `kind`, which would find a genuine set.
struct Attack<'p> {
    pool: &'p Pool,
    rng: Rng,
    form: Form,
    key: usize,
    kind: usize,
    now: u64,
    /// What is under the current name, and under the previous.
    entries: [Option<Bytes>; 2],
    chunks: Vec<Option<Bytes>>,
}

impl<'p> Attack<'p> {
    fn new(pool: &'p Pool, mut rng: Rng) -> Self {
        let form = [Form::Stream, Form::Value][rng.below(2)];
        let (key, kind) = (rng.below(KEYS.len()), rng.below(KINDS.len()));
        let mut attack = Self {
            pool,
            rng,
            form,
            key,
            kind,
            now: NOW,
            entries: [None, None],
            chunks: Vec::new(),
        };
        attack.find(Made::Own);
        attack
    }

    fn set(&self, made: Made) -> &'p Set {
        self.pool.set(self.form, self.key, self.kind, made)
    }

    /// That set is found under the current name.
    fn find(&mut self, made: Made) {
        let set = self.set(made);
        self.entries = [Some(set.entry.clone()), None];
        self.chunks = set.chunks.iter().cloned().map(Some).collect();
    }

    /// Those chunks are found, whatever the entry.
    fn find_chunks(&mut self, set: &Set) {
        self.chunks = set.chunks.iter().cloned().map(Some).collect();
    }

    /// As only streams can be attacked.
    fn on_a_stream(&mut self) {
        self.form = Form::Stream;
        self.find(Made::Own);
    }

    fn change_entry(&mut self, change: impl FnOnce(&mut Vec<u8>, &mut Rng)) {
        let mut entry = self.entries[0].as_ref().expect("it was there").to_vec();
        change(&mut entry, &mut self.rng);
        self.entries[0] = Some(entry.into());
    }

    /// Why what is found now is a miss, where it is the own entry but for the header.
    fn reason(&self) -> Reject {
        let changed = self.entries[0].as_ref().expect("it was there");
        // A value may be in chunks or not.
        let chunked = (self.form == Form::Stream).then_some(true);
        reason(&self.set(Made::Own).entry, changed, chunked, self.now)
    }

    fn any_chunk(&mut self) -> usize {
        self.rng.below(CHUNKS)
    }

    fn change_a_chunk(&mut self, change: impl FnOnce(&mut Vec<u8>, &mut Rng)) -> Reject {
        let at = self.any_chunk();
        let mut chunk = self.set(Made::Own).chunks[at].to_vec();
        change(&mut chunk, &mut self.rng);
        self.chunks[at] = Some(chunk.into());
        Tampered
    }

    /// The chunk at the same place of that set, or all of its chunks.
    fn mix_with(&mut self, set: &Set) -> Reject {
        if self.rng.below(2) == 0 {
            self.find_chunks(set);
        } else {
            let at = self.any_chunk();
            self.chunks[at] = Some(set.chunks[at].clone());
        }
        Tampered
    }

    /// What a reader makes of it, who seals it anew where that is to be done.
    fn read(&self, policy: &Policy<'_>) -> Read {
        let mut read = Read::default();
        let (mut reader, renewal) = match self.look(policy) {
            Ok(found) => found,
            Err(reject) => {
                read.reject = Some(reject);
                return read;
            }
        };
        let mut resealer = renewal
            .as_ref()
            .map(|renewal| policy.resealer(renewal).expect("random bytes"));
        let all_of_it = self.read_all(&mut reader, resealer.as_mut(), &mut read);
        read.reject = all_of_it.err();
        if let (Some(renewal), Some(mut resealer)) = (renewal, resealer) {
            read.sealed = resealer.take().len();
            let renewed = policy.renew(&renewal, Some(&resealer), self.now);
            read.is_renewed = renewed.is_some();
        }
        read
    }

    fn read_all(
        &self,
        reader: &mut Reader,
        mut resealer: Option<&mut Resealer>,
        read: &mut Read,
    ) -> Result<(), Reject> {
        let mut supplied = 0;
        loop {
            match reader.next_item()? {
                Next::Item(item) => read.items.push(reader.bytes_of(&item).to_vec()),
                Next::End => return Ok(()),
                Next::Starved => {
                    let wanted = supplied..supplied + reader.wants().len();
                    supplied = wanted.end;
                    reader.supply(self.chunks[wanted].to_vec(), resealer.as_deref_mut())?;
                }
            }
        }
    }

    fn look(&self, policy: &Policy<'_>) -> Result<(Reader, Option<Renewal>), Reject> {
        let found = found_at(policy.place, &self.entries);
        let mut passed_over = Vec::new();
        let lookup = match self.form {
            Form::Stream => policy.look_for_stream(&found, self.now, &mut passed_over),
            Form::Value => {
                let outcome = Outcome::<Stored>::VALUE;
                match policy.look(&found, &outcome, self.now, &mut passed_over) {
                    Lookup::Hit(Opened::Chunks(reader), renewal) => Lookup::Hit(*reader, renewal),
                    Lookup::Hit(Opened::Value(value), _) => panic!("{value:?} was not in chunks"),
                    Lookup::Rejected(reject) => Lookup::Rejected(reject),
                    Lookup::Absent => Lookup::Absent,
                }
            }
        };
        assert!(passed_over.is_empty(), "there is one entry");
        match lookup {
            Lookup::Hit(reader, renewal) => Ok((reader, renewal)),
            Lookup::Rejected(reject) => Err(reject),
            Lookup::Absent => panic!("there was something"),
        }
    }

    /// The items as they were stored.
    fn genuine(&self, made: Made) -> Vec<Vec<u8>> {
        let (key, kind) = (self.key, self.kind);
        match self.form {
            Form::Stream => (0..ITEMS).map(|nth| item(key, kind, made, nth)).collect(),
            Form::Value => {
                let mut bytes = Vec::new();
                let value = value(key, kind, made);
                let encoded = KINDS[kind].encode(&value, &mut bytes, &|| Deadline::NEVER);
                encoded.expect("it can be stored");
                vec![bytes]
            }
        }
    }
}

type Strike = fn(&mut Attack<'_>) -> Reject;

const CHUNK_ATTACKS: [(&str, Strike); 19] = [
    ("flip a bit of a chunk", |a| {
        a.change_a_chunk(|chunk, rng| {
            let bit = rng.below(chunk.len() * 8);
            chunk[bit / 8] ^= 1 << (bit % 8);
        })
    }),
    ("cut a chunk", |a| {
        a.change_a_chunk(|chunk, rng| chunk.truncate(rng.below(chunk.len())))
    }),
    ("extend a chunk", |a| {
        a.change_a_chunk(|chunk, rng| chunk.resize(chunk.len() + 1 + rng.below(40), 0))
    }),
    ("random bytes for a chunk", |a| {
        a.change_a_chunk(|chunk, rng| {
            chunk.fill_with(|| rng.next().to_le_bytes()[0]);
        })
    }),
    ("splice two chunks", |a| {
        let (one, other) = (a.any_chunk(), a.any_chunk());
        let made = if one == other { Made::Twin } else { Made::Own };
        let other = a.set(made).chunks[other].clone();
        let chunk = &a.set(Made::Own).chunks[one];
        let at = 1 + a.rng.below(chunk.len().min(other.len()) - 17);
        a.chunks[one] = Some([&chunk[..at], &other[at..]].concat().into());
        Tampered
    }),
    ("swap two chunks", |a| {
        let one = a.any_chunk();
        let other = a.rng.other(one, CHUNKS);
        a.chunks.swap(one, other);
        Tampered
    }),
    ("repeat a chunk", |a| {
        let one = a.any_chunk();
        let other = a.rng.other(one, CHUNKS);
        a.chunks[other] = a.chunks[one].clone();
        Tampered
    }),
    ("take a chunk out, the others move up", |a| {
        let at = a.rng.below(CHUNKS - 1);
        a.chunks.remove(at);
        a.chunks.push(None);
        Tampered
    }),
    ("lose a chunk", |a| {
        let at = a.any_chunk();
        a.chunks[at] = None;
        Incomplete
    }),
    ("the manifest for a chunk", |a| {
        let at = a.any_chunk();
        a.chunks[at] = a.entries[0].clone();
        Tampered
    }),
    ("of another generation of the same moment", |a| {
        a.mix_with(a.set(Made::Twin))
    }),
    ("of another generation, from before", |a| {
        a.mix_with(a.set(Made::Before))
    }),
    ("of a generation that is over", |a| {
        a.mix_with(a.set(Made::Expired))
    }),
    ("of another key", |a| {
        let key = a.rng.other(a.key, KEYS.len());
        a.mix_with(a.pool.set(a.form, key, a.kind, Made::Own))
    }),
    ("of another function or type", |a| {
        let kind = a.rng.other(a.kind, KINDS.len());
        a.mix_with(a.pool.set(a.form, a.key, kind, Made::Own))
    }),
    ("of a stream for a value, and the reverse", |a| {
        let form = match a.form {
            Form::Stream => Form::Value,
            Form::Value => Form::Stream,
        };
        a.mix_with(a.pool.set(form, a.key, a.kind, Made::Own))
    }),
    ("sealed with the previous secret", |a| {
        a.mix_with(a.set(Made::WithPrevious))
    }),
    ("sealed with a foreign secret", |a| {
        a.mix_with(a.set(Made::WithForeign))
    }),
    ("in the clear", |a| a.mix_with(a.set(Made::Plain))),
];

const MANIFEST_ATTACKS: [(&str, Strike); 24] = [
    ("flip a bit of a manifest", |a| {
        a.change_entry(|entry, rng| {
            let bit = rng.below(entry.len() * 8);
            entry[bit / 8] ^= 1 << (bit % 8);
        });
        a.reason()
    }),
    ("cut a manifest", |a| {
        a.change_entry(|entry, rng| entry.truncate(rng.below(entry.len())));
        a.reason()
    }),
    ("extend a manifest", |a| {
        a.change_entry(|entry, rng| entry.resize(entry.len() + 1 + rng.below(40), 0));
        Tampered
    }),
    ("splice two manifests", |a| {
        let twin = &a.set(Made::Twin).entry;
        a.change_entry(|entry, rng| {
            // Of both so much that they differ there: a byte alone may be the same in both.
            let at = Header::LEN + 16 + rng.below(entry.len() - Header::LEN - 32);
            entry[at..].copy_from_slice(&twin[at..]);
        });
        Tampered
    }),
    ("a manifest with changed flags", |a| {
        a.change_entry(|entry, rng| {
            entry[3] ^= u8::try_from(1 + rng.below(255)).expect("below 256");
        });
        a.reason()
    }),
    ("a manifest of another key", |a| {
        let key = a.rng.other(a.key, KEYS.len());
        a.entries[0] = Some(a.pool.set(a.form, key, a.kind, Made::Own).entry.clone());
        Tampered
    }),
    ("all of another key", |a| {
        let key = a.rng.other(a.key, KEYS.len());
        let set = a.pool.set(a.form, key, a.kind, Made::Own);
        a.entries[0] = Some(set.entry.clone());
        a.find_chunks(set);
        Tampered
    }),
    ("all of another function or type", |a| {
        let kind = a.rng.other(a.kind, KINDS.len());
        let set = a.pool.set(a.form, a.key, kind, Made::Own);
        a.entries[0] = Some(set.entry.clone());
        a.find_chunks(set);
        Fingerprint
    }),
    ("all of another type that claims to be of this", |a| {
        let kind = a.rng.other(a.kind, KINDS.len());
        let set = a.pool.set(a.form, a.key, kind, Made::Own);
        let mut entry = set.entry.to_vec();
        entry[8..16].copy_from_slice(&a.set(Made::Own).entry[8..16]);
        a.entries[0] = Some(entry.into());
        a.find_chunks(set);
        Tampered
    }),
    ("a large value for a stream", |a| {
        a.on_a_stream();
        let set = a.pool.set(Form::Value, a.key, a.kind, Made::Own);
        a.entries[0] = Some(set.entry.clone());
        a.find_chunks(set);
        Fingerprint
    }),
    ("a stream that is not in chunks", |a| {
        a.on_a_stream();
        a.change_entry(|entry, _| entry[3] &= !4);
        Tampered
    }),
    (
        "the manifest of an older generation over newer chunks",
        |a| {
            a.entries[0] = Some(a.set(Made::Before).entry.clone());
            Tampered
        },
    ),
    ("replay after expiry", |a| {
        a.now = NOW + LIFE + a.rng.next() % LIFE;
        Expired
    }),
    ("replay of what is over", |a| {
        a.find(Made::Expired);
        Expired
    }),
    ("prolong what is over", |a| {
        a.find(Made::Expired);
        a.change_entry(|entry, rng| {
            let expires = NOW + 1 + rng.next() % LIFE;
            entry[24..32].copy_from_slice(&expires.to_le_bytes());
        });
        Tampered
    }),
    ("date what is over anew", |a| {
        let header = a.set(Made::Own).entry[..Header::LEN].to_vec();
        a.find(Made::Expired);
        a.change_entry(|entry, _| entry[..Header::LEN].copy_from_slice(&header));
        Tampered
    }),
    ("date it in the future", |a| {
        a.change_entry(|entry, rng| {
            let created = NOW + 60_001 + rng.next() % LIFE;
            entry[16..24].copy_from_slice(&created.to_le_bytes());
            entry[24..32].copy_from_slice(&(created + LIFE).to_le_bytes());
        });
        FromTheFuture
    }),
    ("downgrade: all of it in the clear", |a| {
        a.find(Made::Plain);
        Downgrade
    }),
    ("a plain manifest that says it is sealed", |a| {
        let header = a.set(Made::Own).entry[..Header::LEN].to_vec();
        a.find(Made::Plain);
        a.change_entry(|entry, _| entry[..Header::LEN].copy_from_slice(&header));
        Tampered
    }),
    ("all of it sealed with a foreign secret", |a| {
        a.find(Made::WithForeign);
        UnknownKey
    }),
    ("sealed with a foreign secret under our key id", |a| {
        let key_id = a.set(Made::Own).entry[4..8].to_vec();
        a.find(Made::WithForeign);
        a.change_entry(|entry, _| entry[4..8].copy_from_slice(&key_id));
        Tampered
    }),
    ("from the previous name to the current", |a| {
        a.find(Made::WithPrevious);
        UnknownKey
    }),
    ("from the current name to the previous", |a| {
        a.entries.swap(0, 1);
        UnknownKey
    }),
    ("under the previous name, over chunks of the current", |a| {
        a.entries = [None, Some(a.set(Made::WithPrevious).entry.clone())];
        Tampered
    }),
];

#[test]
fn attacks_on_chunk_sets_are_misses_with_a_reason() {
    let world = World::new();
    let pool = Pool::new(&world);
    let places = world.places();
    let attacks = [&CHUNK_ATTACKS[..], &MANIFEST_ATTACKS].concat();
    let mut rng = Rng(seed());
    let mut tally = Tally::default();
    let mut sealed = 0;
    for nth in 0..count() {
        let (name, strike) = attacks[nth % attacks.len()];
        let mut attack = Attack::new(&pool, Rng(rng.next()));
        let expected = strike(&mut attack);
        let place = &places[attack.key][rng.below(2)];
        let read = attack.read(&chunked_policy(place, attack.form, attack.kind));
        // What came before the chunk at fault was handed out already.
        let genuine = attack.genuine(Made::Own);
        assert!(genuine.starts_with(&read.items), "{name}: {read:?}");
        assert_eq!(read.reject, Some(expected), "{name}");
        // And may have been sealed anew, but nothing else, and no manifest lists it.
        let own = &attack.set(Made::Own).chunks[..read.sealed];
        let as_found = attack.chunks[..read.sealed].iter().flatten();
        assert!(own.iter().eq(as_found), "{name}: {read:?}");
        assert!(!read.is_renewed, "{name}");
        sealed += read.sealed;
        tally.count(name, expected);
    }
    assert!(
        sealed > count() / 10,
        "too few were sealed anew on the way: {sealed}"
    );
    tally.print("chunk sets");
}

/// Else the attacks would prove nothing. That an older generation can be put back as a whole is documented.
#[test]
fn what_was_not_attacked_is_read_to_its_end() {
    let world = World::new();
    let pool = Pool::new(&world);
    let places = world.places();
    for seed in 0..100 {
        for made in [Made::Own, Made::Twin, Made::Before, Made::WithPrevious] {
            let mut attack = Attack::new(&pool, Rng(seed));
            attack.find(made);
            let is_previous = matches!(made, Made::WithPrevious);
            if is_previous {
                attack.entries.swap(0, 1);
            }
            for (place, is_ahead) in places[attack.key].iter().zip([false, true]) {
                let policy = chunked_policy(place, attack.form, attack.kind);
                let is_renewed = is_ahead || is_previous;
                let whole = Read {
                    items: attack.genuine(made),
                    reject: None,
                    sealed: if is_renewed { CHUNKS } else { 0 },
                    is_renewed,
                };
                assert_eq!(attack.read(&policy), whole);
            }
        }
    }
}
