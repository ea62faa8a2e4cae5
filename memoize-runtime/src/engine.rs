//! The decisions of a call: pure functions of what was asked, what was found, and a time that is passed in.
//!
//! No I/O, no clock and no lock is in here, and no code of the user's but the codec's. The drivers in [`call`](crate::call)
//! ask, do, and tell.

use std::time::Duration;

use crate::call::outcome::{Outcome, Unencodable};
use crate::entry::chunk::{self, Destination, Manifest, Reader, Writer};
use crate::entry::{self, BodyMeta, Codec, Draft, Expect, Flags, Header, Reject};
use crate::key::CacheKey;

/// How long chunks outlive the entry that lists them, so that who begins to read it in its last moment comes to its end.
const CHUNKS_OUTLIVE_MS: u64 = 60_000;

/// What the code, and nothing that was stored, says about an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    /// What the entry is bound to.
    pub(crate) full_key: &'a str,
    /// What it is called in the backend.
    pub(crate) name: &'a CacheKey,
    pub(crate) fingerprint: u64,
    /// The life of a new entry, in milliseconds.
    pub(crate) life_ms: u64,
    /// The longest life that is believed.
    pub(crate) longest_ms: u64,
    /// The largest entry, in bytes, either way.
    pub(crate) largest: usize,
    /// The longest key that the backend takes.
    pub(crate) key_bytes: usize,
    /// Whether what is long enough and shrinks is compressed.
    pub(crate) compress: bool,
}

/// What an entry holds.
#[derive(Debug)]
pub(crate) enum Opened<R> {
    Value(R),
    /// A value that is in chunks.
    Chunks(Box<Reader>),
}

/// An entry to be written.
#[derive(Debug)]
pub(crate) struct Fill {
    pub(crate) bytes: Vec<u8>,
    pub(crate) life: Duration,
}

/// How a value is to be written.
#[derive(Debug)]
pub(crate) enum Filling {
    Whole(Fill),
    Chunks(Chunked),
}

/// A stream whose chunks are being written, and the entry that will list them.
#[derive(Debug)]
pub(crate) struct Chunked {
    pub(crate) writer: Writer,
    /// As it was when the stream began: the chunks are bound to it.
    header: Header,
}

/// Why there is no entry to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unstored {
    Unencodable,
    /// Not even a manifest fits into what the backend takes, or there are more chunks than can be counted.
    TooLarge,
    /// The call's own `expiration` was zero, or was over before the last item came.
    NoLife,
    /// The system has no random numbers, so that chunks could meet another writer's.
    NoRandom,
}

impl Unstored {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unencodable => "it could not be serialized",
            Self::TooLarge => "it is larger than the backend takes",
            Self::NoLife => "its expiration is zero, or was over before it was complete",
            Self::NoRandom => "the system gave no random numbers",
        }
    }
}

impl Policy<'_> {
    /// The value of an entry that was found, if it may be used at `now_ms`.
    pub(crate) fn open<R>(
        &self,
        found: &[u8],
        outcome: &Outcome<R>,
        now_ms: u64,
    ) -> Result<Opened<R>, Reject> {
        // A value is in chunks when it is too large, which depends on the value and not on the code.
        let chunked = Header::parse(found)?.flags.contains(Flags::CHUNKED);
        let (header, value) = self.check(found, chunked, now_ms)?;
        if chunked {
            return Ok(Opened::Chunks(Box::new(self.reader(&header, value)?)));
        }
        if header.flags.contains(Flags::LZ4) {
            let value = entry::expand(value, usize::MAX)?;
            return (outcome.decode)(&value).map(Opened::Value);
        }
        (outcome.decode)(value).map(Opened::Value)
    }

    /// The chunks of a stream that was found, if it may be used at `now_ms`.
    pub(crate) fn open_stream(&self, found: &[u8], now_ms: u64) -> Result<Reader, Reject> {
        let (header, manifest) = self.check(found, true, now_ms)?;
        self.reader(&header, manifest)
    }

    /// The names of the chunks that an entry lists, whatever its type and age.
    pub(crate) fn chunks_of(&self, found: &[u8]) -> Option<Reader> {
        let header = Header::parse(found).ok()?;
        if !header.flags.contains(Flags::CHUNKED) {
            return None;
        }
        let (_, manifest) = entry::read(self.full_key, found).ok()?;
        self.reader(&header, manifest).ok()
    }

    /// How a value is to be written whose computation took `cost` and ended at `now_ms`.
    pub(crate) fn fill<R>(
        &self,
        value: &R,
        outcome: &Outcome<R>,
        cost: Duration,
        now_ms: u64,
    ) -> Result<Filling, Unstored> {
        let header = self.new_header(Flags::NONE, now_ms)?;
        let mut draft = Draft::new(meta(cost, &header));
        (outcome.encode)(value, draft.buffer()).map_err(|Unencodable| Unstored::Unencodable)?;
        if draft.entry_len() > self.largest {
            let (buffer, value) = draft.into_parts();
            return self
                .chunked(now_ms, |to| Writer::of_value(to, buffer, value))
                .map(Filling::Chunks);
        }
        let flags = self.shrink(&mut draft);
        Ok(Filling::Whole(Fill {
            bytes: draft.finish(self.full_key, &Header { flags, ..header }),
            life: Duration::from_millis(self.life_ms),
        }))
    }

    /// A stream that begins at `now_ms`.
    pub(crate) fn begin_stream(&self, now_ms: u64) -> Result<Chunked, Unstored> {
        self.chunked(now_ms, Writer::new)
    }

    /// The entry for chunks that are all stored at `now_ms`.
    pub(crate) fn publish(
        &self,
        chunked: &Chunked,
        cost: Duration,
        now_ms: u64,
    ) -> Result<Fill, Unstored> {
        let life_ms = chunked.header.expires_ms.saturating_sub(now_ms);
        if life_ms == 0 {
            return Err(Unstored::NoLife);
        }
        let mut draft = Draft::new(meta(cost, &chunked.header));
        chunked.writer.manifest().write(draft.buffer());
        if draft.entry_len() > self.largest {
            return Err(Unstored::TooLarge);
        }
        Ok(Fill {
            bytes: draft.finish(self.full_key, &chunked.header),
            life: Duration::from_millis(life_ms),
        })
    }

    fn check<'f>(
        &self,
        found: &'f [u8],
        chunked: bool,
        now_ms: u64,
    ) -> Result<(Header, &'f [u8]), Reject> {
        if found.len() > self.largest {
            return Err(Reject::Damaged);
        }
        let header = Header::parse(found)?;
        header.admit(&self.expected(chunked), now_ms)?;
        if header.flags.contains(Flags::PADDED) {
            return Err(Reject::Flags);
        }
        let (_, body) = entry::read(self.full_key, found)?;
        Ok((header, body))
    }

    fn reader(&self, header: &Header, manifest: &[u8]) -> Result<Reader, Reject> {
        let manifest = Manifest::read(manifest)?;
        let compressed = header.flags.contains(Flags::LZ4);
        Ok(Reader::new(
            self.full_key,
            self.name,
            self.key_bytes,
            manifest,
            compressed,
        ))
    }

    /// Compresses the value where that is wanted and worth it; says how it is now.
    fn shrink(&self, draft: &mut Draft) -> Flags {
        if self.compress {
            let mut shrunk = Vec::new();
            if entry::shrink(draft.value(), &mut shrunk) {
                draft.replace_value(&shrunk);
                return Flags::LZ4;
            }
        }
        Flags::NONE
    }

    fn chunked(
        &self,
        now_ms: u64,
        writer: impl FnOnce(&Destination<'_>) -> Option<Writer>,
    ) -> Result<Chunked, Unstored> {
        let lz4 = if self.compress {
            Flags::LZ4
        } else {
            Flags::NONE
        };
        let header = self.new_header(Flags::CHUNKED.with(lz4), now_ms)?;
        let to = Destination {
            full_key: self.full_key,
            name: self.name,
            key_bytes: self.key_bytes,
            chunk_len: chunk::chunk_len(self.largest).ok_or(Unstored::TooLarge)?,
            compress: self.compress,
        };
        let writer = writer(&to).ok_or(Unstored::NoRandom)?;
        Ok(Chunked { writer, header })
    }

    fn new_header(&self, flags: Flags, now_ms: u64) -> Result<Header, Unstored> {
        if self.life_ms == 0 {
            return Err(Unstored::NoLife);
        }
        Ok(Header {
            flags,
            codec: Codec::Postcard,
            key_id: 0,
            fingerprint: self.fingerprint,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(self.life_ms),
        })
    }

    fn expected(&self, chunked: bool) -> Expect {
        Expect {
            sealed: false,
            chunked,
            codec: Codec::Postcard,
            fingerprint: self.fingerprint,
            max_life_ms: self.longest_ms,
        }
    }
}

impl Chunked {
    /// The life of a chunk that is written at `now_ms`.
    pub(crate) fn chunk_life(&self, now_ms: u64) -> Duration {
        let left = self.header.expires_ms.saturating_sub(now_ms);
        Duration::from_millis(left.saturating_add(CHUNKS_OUTLIVE_MS))
    }
}

fn meta(cost: Duration, header: &Header) -> BodyMeta {
    BodyMeta {
        cost_ms: u32::try_from(cost.as_millis()).unwrap_or(u32::MAX),
        fresh_until: header.expires_ms,
    }
}
