//! What we store, the reference in Python reads, and the reverse: values and streams, in the clear, sealed, and sealed anew, whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{Filling, Lookup, Opened, Policy, Unstored};
use crate::backend::{Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::entry::chunk::{self, Next, Reader, Resealer};
use crate::entry::{Codec, Padding, Seal, StoredType};
use crate::hidden::Hidden;
use crate::key::CacheKey;
use crate::secret::{Secret, decode_hex};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Of three in four it is sealed.
const CASES: usize = 1400;
const KEY_BYTES: usize = 240;

/// What a backend holds.
type Store = BTreeMap<String, Bytes>;

/// What is stored, where and how.
#[derive(Clone, Debug)]
struct Case {
    secret: [u8; 32],
    sealed: bool,
    /// Where it is on its way from one secret to another: ours from this one, before the reference reads it, and the reference's to it.
    other_secret: Option<[u8; 32]>,
    full_key: String,
    codec: Codec,
    fingerprint: u64,
    created_ms: u64,
    life_ms: u64,
    cost_ms: u32,
    compress: bool,
    padded: bool,
    /// So little that many values are in chunks, and most streams in several.
    largest: usize,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Value(Vec<u8>),
    Stream(Vec<Vec<u8>>),
}

fn cases() -> impl Strategy<Value = Case> {
    let secrets = (any::<[u8; 32]>(), any::<[u8; 32]>());
    let sealed = (prop::bool::weighted(0.75), any::<bool>());
    let place = (secrets, sealed, "[!-~]{1,60}");
    let codec = if cfg!(feature = "msgpack") {
        prop::sample::select(vec![Codec::Postcard, Codec::Msgpack])
    } else {
        prop::sample::select(vec![Codec::Postcard])
    };
    let header = (
        codec,
        any::<u64>(),
        1..u64::MAX / 2,
        1..u64::MAX / 4,
        any::<u32>(),
    );
    let form = (
        any::<bool>(),
        any::<bool>(),
        prop::sample::select(vec![200_usize, 1500, 4000, 1 << 20]),
    );
    (place, header, form, content()).prop_map(|(place, header, form, content)| {
        let ((secret, other_secret), (sealed, rotates), full_key) = place;
        let (codec, fingerprint, created_ms, life_ms, cost_ms) = header;
        let (compress, padded, largest) = form;
        Case {
            secret,
            sealed,
            other_secret: (sealed && rotates).then_some(other_secret),
            full_key,
            codec,
            fingerprint,
            created_ms,
            life_ms,
            cost_ms,
            compress: compress && cfg!(feature = "compress"),
            padded,
            largest,
            content,
        }
    })
}

fn content() -> impl Strategy<Value = Content> {
    let stream = prop::collection::vec(item(300), 0..30);
    prop_oneof![
        item(6000).prop_map(Content::Value),
        stream.prop_map(Content::Stream),
    ]
}

/// Bytes that shrink, or that don't.
fn item(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..most),
        (any::<u8>(), 0..most).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

impl Case {
    fn policy<'p>(&self, place: &'p Place<'p>) -> Policy<'p> {
        let padding = Padding::to_at_least(128.try_into().expect("above zero"));
        Policy {
            place,
            padding: if self.padded {
                padding
            } else {
                Padding::default()
            },
            stored: self.stored(),
            fingerprint: self.fingerprint,
            life_ms: self.life_ms,
            longest_ms: self.life_ms,
            largest: self.largest,
            key_bytes: KEY_BYTES,
            compress: self.compress,
        }
    }

    fn stored(&self) -> &'static StoredType {
        StoredType::of::<Vec<u8>>(self.codec)
    }

    /// Where it is stored, with this secret where it is sealed.
    fn with_policy<T>(&self, secret: &[u8; 32], run: impl FnOnce(&Policy<'_>) -> T) -> T {
        let secret = Secret::unchecked(secret);
        let full_key = &self.full_key;
        let place = if self.sealed {
            Place::Sealed {
                current: Seal::new(&secret, full_key),
                previous: Vec::new(),
            }
        } else {
            let name = CacheKey::from_text(full_key, KEY_BYTES);
            Place::Plain {
                name,
                full_key: Hidden(full_key),
            }
        };
        run(&self.policy(&place))
    }

    /// What we store, under the secret of the case.
    fn ours(&self) -> Store {
        let Some(other) = &self.other_secret else {
            return self.with_policy(&self.secret, |policy| self.store(policy));
        };
        let before = self.with_policy(other, |policy| self.store(policy));
        self.reseal(&before, other, &self.secret)
    }

    /// What we read in what the reference stored under the secret of the case.
    fn read_theirs(&self, theirs: &Store) -> Vec<Vec<u8>> {
        let Some(other) = &self.other_secret else {
            return self.with_policy(&self.secret, |policy| self.read(policy, theirs));
        };
        let anew = self.reseal(theirs, &self.secret, other);
        self.with_policy(other, |policy| self.read(policy, &anew))
    }

    /// All of it under `current`, as who reads it under `previous` stores it.
    fn reseal(&self, store: &Store, previous: &[u8; 32], current: &[u8; 32]) -> Store {
        let secrets = [current, previous].map(|secret| Secret::unchecked(secret));
        let [current, previous] = secrets
            .each_ref()
            .map(|secret| Seal::new(secret, &self.full_key));
        let entry = store.get(previous.name().as_str()).cloned();
        let name = current.name().as_str().to_owned();
        let place = Place::Sealed {
            current,
            previous: vec![previous],
        };
        let policy = self.policy(&place);
        let found = [None, entry];
        let (reader, renewal) = match &self.content {
            Content::Stream(_) => {
                match policy.look_for_stream(&found, self.created_ms, &mut Vec::new()) {
                    Lookup::Hit(reader, renewal) => (Some(reader), renewal),
                    _ => panic!("it is no hit"),
                }
            }
            Content::Value(_) => match self.look(&policy, &found) {
                Lookup::Hit(Opened::Chunks(reader), renewal) => (Some(*reader), renewal),
                Lookup::Hit(Opened::Value(_), renewal) => (None, renewal),
                _ => panic!("it is no hit"),
            },
        };
        let renewal = renewal.expect("there is nothing under the current name");
        let mut anew = Store::new();
        let resealer = reader.map(|reader| {
            let mut resealer = policy.resealer(&renewal).expect("random bytes");
            all_items(reader, store, Some(&mut resealer));
            let sealed = resealer.take().into_iter();
            anew.extend(sealed.map(|(name, chunk)| (name.as_str().to_owned(), chunk)));
            resealer
        });
        let renewed = policy.renew(&renewal, resealer.as_ref(), self.created_ms);
        anew.insert(name, renewed.expect("all of it was read").0);
        anew
    }

    fn look(&self, policy: &Policy<'_>, found: &[Option<Bytes>]) -> Lookup<Opened<Vec<u8>>> {
        policy.look(found, &Outcome::VALUE, self.created_ms, &mut Vec::new())
    }

    fn store(&self, policy: &Policy<'_>) -> Store {
        let cost = Duration::from_millis(self.cost_ms.into());
        let mut store = Store::new();
        let (mut chunked, items) = match &self.content {
            Content::Stream(items) => {
                let chunked = policy.begin_stream(self.created_ms).expect("random bytes");
                (Box::new(chunked), &items[..])
            }
            Content::Value(value) => {
                match policy.fill(
                    value,
                    &Outcome::VALUE,
                    cost,
                    self.created_ms,
                    Deadline::NEVER,
                ) {
                    Ok(Filling::Chunks(chunked)) => (chunked, &[][..]),
                    Ok(Filling::Whole(fill)) => {
                        store.insert(policy.place.name().as_str().to_owned(), fill.into_bytes());
                        return store;
                    }
                    Err(unstored) => panic!("{unstored:?}"),
                }
            }
        };
        let mut keep =
            |(name, chunk): (CacheKey, Bytes)| store.insert(name.as_str().to_owned(), chunk);
        for item in items {
            let encode = |buffer: &mut Vec<u8>| {
                buffer.extend_from_slice(item);
                Ok::<(), Unstored>(())
            };
            chunked.writer.push(encode).expect("it is short");
            while let Some(chunk) = chunked.writer.full_chunk() {
                keep(chunk);
            }
        }
        while let Some(chunk) = chunked.writer.full_chunk() {
            keep(chunk);
        }
        chunked.writer.last_chunk().map(&mut keep);
        let fill = policy.publish(&chunked, cost, self.created_ms);
        let manifest = fill.expect("it fits").into_bytes();
        store.insert(policy.place.name().as_str().to_owned(), manifest);
        store
    }

    /// The items of the stream, or the bytes of the value.
    fn items(&self) -> Vec<Vec<u8>> {
        match &self.content {
            Content::Stream(items) => items.clone(),
            Content::Value(value) => {
                let mut bytes = Vec::new();
                let encoded = self.stored().encode(value, &mut bytes, &|| Deadline::NEVER);
                encoded.expect("it can be stored");
                vec![bytes]
            }
        }
    }

    fn read(&self, policy: &Policy<'_>, store: &Store) -> Vec<Vec<u8>> {
        let found = [store.get(policy.place.name().as_str()).cloned()];
        match &self.content {
            Content::Stream(_) => {
                match policy.look_for_stream(&found, self.created_ms, &mut Vec::new()) {
                    Lookup::Hit(reader, None) => all_items(reader, store, None),
                    _ => panic!("it is no hit"),
                }
            }
            Content::Value(value) => match self.look(policy, &found) {
                Lookup::Hit(Opened::Chunks(reader), None) => all_items(*reader, store, None),
                Lookup::Hit(Opened::Value(read), None) => {
                    assert_eq!(read, *value);
                    self.items()
                }
                _ => panic!("it is no hit"),
            },
        }
    }

    fn to_json(&self) -> Value {
        let store = self.ours();
        let store = store
            .iter()
            .map(|(name, bytes)| (name.clone(), hex(bytes).into()));
        json!({
            "secret": hex(&self.secret),
            "sealed": self.sealed,
            "full_key": self.full_key,
            "codec": self.codec as u8,
            "fingerprint": self.fingerprint,
            "created": self.created_ms,
            "expires": self.created_ms + self.life_ms,
            "cost": self.cost_ms,
            "compress": self.compress,
            "largest": self.largest,
            "chunk_len": chunk::chunk_len(self.largest),
            "items": self.items().iter().map(|item| hex(item)).collect::<Vec<_>>(),
            "store": store.collect::<serde_json::Map<_, _>>(),
        })
    }
}

fn all_items(
    mut reader: Reader,
    store: &Store,
    mut resealer: Option<&mut Resealer>,
) -> Vec<Vec<u8>> {
    let mut items = Vec::new();
    loop {
        match reader.next_item().expect("the stream is as it was") {
            Next::Item(item) => items.push(reader.bytes_of(&item).to_vec()),
            Next::End => return items,
            Next::Starved => {
                let chunks = reader.wants();
                let chunks = chunks.iter().map(|name| store.get(name.as_str()).cloned());
                reader
                    .supply(chunks.collect(), resealer.as_deref_mut())
                    .expect("the chunks are as they were");
            }
        }
    }
}

#[test]
fn python_reads_what_we_store_and_the_reverse() {
    let mut runner = TestRunner::deterministic();
    let draw = |_| {
        cases()
            .new_tree(&mut runner)
            .expect("nothing is refused")
            .current()
    };
    let cases: Vec<Case> = (0..CASES).map(draw).collect();
    let theirs = crosscheck(&Value::Array(cases.iter().map(Case::to_json).collect()));
    let theirs = theirs.as_array().expect("an array");
    assert_eq!(theirs.len(), CASES);
    for (case, theirs) in cases.iter().zip(theirs) {
        let theirs = theirs.as_object().expect("a store");
        let theirs = theirs
            .iter()
            .map(|(name, stored)| (name.clone(), bytes(stored).into()));
        let theirs: Store = theirs.collect();
        assert!(case.read_theirs(&theirs) == case.items(), "{case:?}");
    }
}

/// Else the test above would leave something out.
#[test]
fn cases_are_of_every_kind() {
    let mut runner = TestRunner::deterministic();
    let (mut met, mut sealed) = (BTreeMap::new(), 0);
    for _ in 0..CASES {
        let case = cases()
            .new_tree(&mut runner)
            .expect("nothing is refused")
            .current();
        let store = case.ours();
        let name = |policy: &Policy<'_>| policy.place.name().as_str().to_owned();
        let entry = &store[&case.with_policy(&case.secret, name)];
        let is_stream = matches!(case.content, Content::Stream(_));
        sealed += usize::from(case.sealed);
        // The flags are the lower half of that byte.
        let kind = (is_stream, entry[3] & 0x0F, case.other_secret.is_some());
        *met.entry(kind).or_insert(0) += 1;
    }
    assert!(sealed >= 1000, "{sealed}");
    let of_value = [0, 1, 4, 5, 9].map(|flags| (false, flags));
    let of_stream = [4, 5].map(|flags| (true, flags));
    for (is_stream, flags) in of_value.into_iter().chain(of_stream) {
        for lz4 in [0, 2] {
            for rotates in [false, true] {
                let is_built = lz4 == 0 || cfg!(feature = "compress");
                let is_sealed = flags & 1 != 0;
                let kind = (is_stream, flags | lz4, rotates);
                let count = met.get(&kind).copied().unwrap_or(0);
                let expected = is_built && (is_sealed || !rotates);
                assert_eq!(count >= 5, expected, "{kind:?} in {met:?}");
            }
        }
    }
}

fn crosscheck(ours: &Value) -> Value {
    let found = Command::new("scripts/python")
        .current_dir(REPOSITORY)
        .stderr(Stdio::inherit())
        .output()
        .expect("it is in the repository");
    assert!(
        found.status.success(),
        "`scripts/python` has said what is missing"
    );
    let python = String::from_utf8(found.stdout).expect("a path");

    let mut child = Command::new(python.trim())
        .arg("-B")
        .arg("tests/reference/crosscheck.py")
        .current_dir(REPOSITORY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it just ran");
    // It reads everything before it writes anything.
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(ours.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "the reference read something else than was stored"
    );
    serde_json::from_slice(&output.stdout).expect("it answers in JSON")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text
}

fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("a text");
    decode_hex(text).expect("hexadecimal").to_vec()
}
