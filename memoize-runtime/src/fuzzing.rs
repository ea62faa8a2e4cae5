//! What the fuzz targets in `fuzz/` reach that nobody else does. Only cargo-fuzz builds it.

use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Cacheable;
use crate::backend::Bytes;
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::engine::{Lookup, Opened, Policy};
use crate::entry::chunk::{Next, Reader};
use crate::entry::{BodyMeta, Codec, Draft, Flags, Header, Padding, Seal, StoredType, expand};
use crate::hidden::Hidden;
use crate::key::CacheKey;
use crate::secret::Secret;

const NOW: u64 = 1_767_225_600_000;
const LIFE: u64 = 3_600_000;
const KEY: &str = "fuzz:key";
const LARGEST: usize = 1 << 20;

static SECRET: LazyLock<Secret> =
    LazyLock::new(|| Secret::of_this_process().expect("the system has random bytes"));

fn place(sealed: bool) -> Place<'static> {
    if sealed {
        Place::Sealed {
            current: Seal::new(&SECRET, KEY),
            previous: Vec::new(),
        }
    } else {
        Place::Plain {
            name: CacheKey::nowhere(),
            full_key: Hidden(KEY),
        }
    }
}

fn policy<'a>(place: &'a Place<'a>, stored: &'a StoredType) -> Policy<'a> {
    Policy {
        place,
        padding: Padding::default(),
        stored,
        fingerprint: stored.fingerprint(),
        life_ms: LIFE,
        longest_ms: LIFE,
        largest: LARGEST,
        key_bytes: 240,
        compress: true,
    }
}

/// Has any bytes looked up as the entry of a `T`: as they are, and as the content of an entry with a checksum or seal that holds.
///
/// Only what holds may be read.
pub fn entry<T: Cacheable>(sealed: bool, bits: u8, data: &[u8]) {
    let place = place(sealed);
    for codec in [Codec::Postcard, Codec::Msgpack] {
        let stored = StoredType::of::<T>(codec);
        let policy = policy(&place, stored);
        assert!(
            !look::<T>(&policy, data.to_vec()),
            "bytes that nobody signed were believed"
        );
        let flags = [(1, Flags::LZ4), (2, Flags::CHUNKED), (4, Flags::PADDED)];
        let flags = flags
            .into_iter()
            .filter(|(bit, _)| bits & bit != 0)
            .fold(place.guard().flags(), |all, (_, flag)| all.with(flag));
        let header = Header {
            flags,
            codec,
            key_id: place.guard().key_id(),
            fingerprint: policy.fingerprint,
            created_ms: NOW,
            expires_ms: NOW + LIFE,
        };
        let meta = BodyMeta {
            cost_ms: 0,
            fresh_until: u64::MAX,
        };
        let mut draft = Draft::new(place.guard(), meta, Padding::default());
        draft.buffer().extend_from_slice(data);
        if let Ok(signed) = draft.finish(&header, LARGEST) {
            look::<T>(&policy, signed);
        }
    }
}

/// Whether the entry was believed.
fn look<T: Cacheable>(policy: &Policy<'_>, entry: Vec<u8>) -> bool {
    let found = [Some(Bytes::from(entry.clone()))];
    if let Lookup::Hit(mut reader, _) = policy.look_for_stream(&found, NOW, &mut Vec::new()) {
        read(&mut reader, &entry);
    }
    match policy.look::<T>(&found, &Outcome::VALUE, NOW, &mut Vec::new()) {
        Lookup::Hit(opened, _) => {
            if let Opened::Chunks(mut reader) = opened {
                read(&mut reader, &entry);
            }
            true
        }
        Lookup::Absent | Lookup::Rejected(_) => false,
    }
}

/// Reads with parts of `bytes` for chunks, for a while.
fn read(reader: &mut Reader, bytes: &[u8]) {
    for round in 0..8 {
        let chunks = reader
            .wants()
            .iter()
            .enumerate()
            .map(|(nth, _)| bytes.get(nth + round..).map(Bytes::copy_from_slice))
            .collect();
        if reader.supply(chunks, None).is_err() {
            return;
        }
        for _ in 0..1000 {
            match reader.next_item() {
                Ok(Next::Item(item)) => {
                    let _ = reader.bytes_of(&item);
                }
                Ok(Next::Starved) => break,
                Ok(Next::End) | Err(_) => return,
            }
        }
    }
}

/// Decompresses any bytes into no more than `most`.
pub fn decompress(bytes: &[u8], most: usize) {
    if let Ok(raw) = expand(bytes, most) {
        assert!(raw.len() <= most);
    }
}

/// Decodes any bytes as a `T`. What that gives is written, and read as what is written the same.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    for codec in [Codec::Postcard, Codec::Msgpack] {
        let Ok(value) = codec.decode::<T>(bytes) else {
            continue;
        };
        let mut written = Vec::new();
        codec
            .encode(&value, &mut written)
            .expect("what was read can be written");
        // A value may be nested deeper than what is read back, but not one that was read.
        let again: T = codec
            .decode(&written)
            .expect("what was written can be read");
        let mut rewritten = Vec::new();
        codec
            .encode(&again, &mut rewritten)
            .expect("what was read can be written");
        assert_eq!(written, rewritten);
    }
}
