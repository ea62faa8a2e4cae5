//! The decisions of a call: pure functions of what was asked, what was found, and a time that is passed in.
//!
//! No I/O, no clock and no lock is in here (random bytes are drawn where they are used), and no code of the user's but the codec's. The drivers in [`call`](crate::call)
//! ask, do, and tell.

mod renewal;

pub(crate) use renewal::Renewal;

use std::cmp::Reverse;
use std::time::Duration;

use crate::backend::{Bytes, Deadline};
use crate::call::outcome::Outcome;
use crate::call::place::Place;
use crate::entry::chunk::{self, Destination, Follower, Manifest, Origin, Reader, Writer};
use crate::entry::{
    self, Body, BodyMeta, Draft, Expect, Flags, Guard, Header, Padding, Reject, StoredType,
    Unencodable, Unfinished,
};
use crate::local::Kept;
use crate::secret::Ring;

/// Under how many names an entry may be found.
const MOST_NAMES: usize = 1 + Ring::MOST_PREVIOUS;

/// How long chunks outlive the entry that lists them, so that who begins to read it in its last moment comes to its end.
const CHUNKS_OUTLIVE_MS: u64 = 60_000;

/// What the code, and nothing that was stored, says about an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    /// Where the entry is, what it is bound to, and how it is protected.
    pub(crate) place: &'a Place<'a>,
    /// Of sealed entries.
    pub(crate) padding: Padding,
    /// What is stored, and by which codec.
    pub(crate) stored: &'a StoredType,
    /// Of the type, or of a stream of it.
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
pub(crate) enum Opened<R> {
    Value(R),
    /// A value that is in chunks.
    Chunks(Box<Reader>),
}

/// An entry to be written.
#[derive(Debug)]
pub(crate) struct Fill {
    pub(crate) kept: Kept,
    pub(crate) life: Duration,
}

impl Fill {
    /// The bytes without the room that their buffer had to grow: they may be kept as they are for long.
    fn of_bytes(bytes: Vec<u8>, life_ms: u64) -> Self {
        Self {
            kept: Kept::Bytes(Bytes::from(bytes.into_boxed_slice())),
            life: Duration::from_millis(life_ms),
        }
    }

    #[cfg(test)]
    fn into_bytes(self) -> Bytes {
        self.kept.into_bytes().expect("it was written as bytes")
    }
}

/// How a value is to be written.
#[derive(Debug)]
pub(crate) enum Filling {
    Whole(Fill),
    Chunks(Box<Chunked>),
}

/// A stream whose chunks are being written, and the entry that will list them.
#[derive(Debug)]
pub(crate) struct Chunked {
    pub(crate) writer: Writer,
    /// As it was when the stream began: the chunks are bound to it.
    header: Header,
}

/// Why there is no entry to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unstored {
    Unencodable(Unencodable),
    /// Not even a manifest fits into what the backend takes, or there are more chunks than can be counted.
    TooLarge,
    /// The call's own `expiration` was zero, or was over before the last item came.
    NoLife,
    /// The system has no random numbers, so that chunks could meet another writer's, and nothing can be sealed.
    NoRandom,
}

impl Unstored {
    pub(crate) fn why(&self) -> &'static str {
        match self {
            Self::Unencodable(unencodable) => unencodable.why(),
            Self::TooLarge => "it is larger than the backend takes",
            Self::NoLife => "its expiration is zero, or was over before it was complete",
            Self::NoRandom => "the system gave no random numbers",
        }
    }

    /// The way to the part of the value that is at fault; empty where that is the value itself.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Unencodable(unencodable) => unencodable.path(),
            Self::TooLarge | Self::NoLife | Self::NoRandom => "",
        }
    }
}

impl From<Unfinished> for Unstored {
    fn from(unfinished: Unfinished) -> Self {
        match unfinished {
            Unfinished::TooLarge => Self::TooLarge,
            Unfinished::NoRandom => Self::NoRandom,
        }
    }
}

/// What a lookup came to.
pub(crate) enum Lookup<T> {
    /// With what may be written under the current name, where there was nothing and this is from a previous one.
    Hit(T, Option<Renewal>),
    Absent,
    Rejected(Reject),
}

impl Policy<'_> {
    /// The value in what was found under the names of the place, in their order, if it may be used at `now_ms`.
    ///
    /// Why something else was not used that was found as well is added to `passed_over`.
    pub(crate) fn look<R>(
        &self,
        found: &[Option<Bytes>],
        outcome: &Outcome<R>,
        now_ms: u64,
        passed_over: &mut Vec<Reject>,
    ) -> Lookup<Opened<R>> {
        self.first_usable(found, now_ms, passed_over, |guard, found| {
            let body = self.check(guard, found, None, now_ms)?;
            let value = body.value()?;
            // A value is in chunks when it is too large, which depends on the value and not on the code.
            let opened = if body.header().flags.contains(Flags::CHUNKED) {
                let reader = self.reader(guard, body.header(), &value)?;
                Opened::Chunks(Box::new(reader))
            } else if body.header().flags.contains(Flags::LZ4) {
                // What is larger uncompressed than an entry may be would have been written in chunks.
                let value = entry::expand(&value, self.largest)?;
                Opened::Value(outcome.decode(&value, self.stored)?)
            } else {
                Opened::Value(outcome.decode(&value, self.stored)?)
            };
            Ok((opened, body))
        })
    }

    /// The same for a stream, whose entry lists its chunks.
    pub(crate) fn look_for_stream(
        &self,
        found: &[Option<Bytes>],
        now_ms: u64,
        passed_over: &mut Vec<Reject>,
    ) -> Lookup<Reader> {
        self.first_usable(found, now_ms, passed_over, |guard, found| {
            let body = self.check(guard, found, Some(true), now_ms)?;
            let reader = self.reader(guard, body.header(), &body.value()?)?;
            Ok((reader, body))
        })
    }

    /// The chunks that what was found lists, whatever its type and age.
    pub(crate) fn chunks_of(&self, found: &[Option<Bytes>]) -> impl Iterator<Item = Reader> {
        self.place.guards().zip(found).filter_map(|(guard, found)| {
            let found = found.as_ref()?;
            let header = Header::parse(found).ok()?;
            if !header.flags.contains(Flags::CHUNKED) {
                return None;
            }
            let body = guard.open(&header, found).ok()?;
            self.reader(guard, &header, &body.value().ok()?).ok()
        })
    }

    /// How long an entry under the current name would be that is not compressed, so how much a copy of its value takes.
    pub(crate) fn expanded_len(&self, header: &Header, entry: &[u8]) -> usize {
        if !header.flags.contains(Flags::LZ4) {
            return entry.len();
        }
        // Opened a second time, since the length is behind the seal; and only what is compressed.
        let body = self.place.guard().open(header, entry);
        let value = body.as_ref().map_err(Clone::clone).and_then(Body::value);
        // What is compressed expands to no more than an entry may be.
        let expanded = value.and_then(|value| entry::expanded_len(&value));
        expanded.map_or(self.largest, |expanded| entry.len().max(expanded))
    }

    /// How a value is to be written whose computation took `cost` and ended at `now_ms`; the first ones take time, by the `deadline`.
    pub(crate) fn fill<R>(
        &self,
        value: &R,
        outcome: &Outcome<R>,
        cost: Duration,
        now_ms: u64,
        deadline: Deadline,
    ) -> Result<Filling, Unstored> {
        let guard = self.place.guard();
        let header = self.new_header(Flags::NONE, now_ms)?;
        let padding = match guard {
            Guard::Plain { .. } => Padding::default(),
            Guard::Sealed(_) => self.padding,
        };
        let mut draft = Draft::new(guard, meta(cost, &header), padding);
        (outcome.encode)(value, self.stored, draft.buffer(), &|| deadline)
            .map_err(Unstored::Unencodable)?;
        if draft.entry_len() > self.largest {
            let (buffer, value) = draft.into_parts();
            return self
                .chunked(now_ms, |to| Writer::of_value(to, buffer, value))
                .map(|chunked| Filling::Chunks(Box::new(chunked)));
        }
        let flags = header.flags.with(self.shrink(&mut draft));
        let entry = draft.finish(&Header { flags, ..header }, self.largest)?;
        Ok(Filling::Whole(Fill::of_bytes(entry, self.life_ms)))
    }

    /// A stream that begins at `now_ms`.
    pub(crate) fn begin_stream(&self, now_ms: u64) -> Result<Chunked, Unstored> {
        self.chunked(now_ms, Writer::new)
    }

    /// The items of a stream that is being written at this place.
    pub(crate) fn follow(&self, origin: &Origin) -> Follower {
        Follower::new(self.place.guard(), origin, self.key_bytes)
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
        let meta = meta(cost, &chunked.header);
        let mut draft = Draft::new(self.place.guard(), meta, Padding::default());
        chunked.writer.manifest().write(draft.buffer());
        let entry = draft.finish(&chunked.header, self.largest)?;
        Ok(Fill::of_bytes(entry, life_ms))
    }

    /// What can be used of what was found under the names of the place: the newest, and of two as new the first.
    ///
    /// While secrets are rotated some processes write under the one name and some under the other, so that the current one
    /// may be the older. A hit under a previous secret counts even where something unusable stands under the current one: its
    /// writer had no secret, or is not done rotating. Only where nothing stands there it is to be written there, since
    /// what does may be newer by then.
    fn first_usable<'f, T>(
        &self,
        found: &'f [Option<Bytes>],
        now_ms: u64,
        passed_over: &mut Vec<Reject>,
        open: impl Fn(Guard<'_>, &'f Bytes) -> Result<(T, Body<'f>), Reject>,
    ) -> Lookup<T> {
        let mut rejected: Option<(usize, Reject)> = None;
        let mut order = std::array::from_fn(|nth| nth);
        for &nth in newest_first(found, &mut order) {
            let (Some(guard), Some(found_here)) = (self.place.guards().nth(nth), &found[nth])
            else {
                continue;
            };
            match open(guard, found_here) {
                Ok((opened, body)) => {
                    passed_over.extend(rejected.map(|(_, reject)| reject));
                    let to_renew = nth != 0 && found[0].is_none();
                    let renewal = to_renew.then(|| self.renewal(nth, found_here, body, now_ms));
                    return Lookup::Hit(opened, renewal.flatten());
                }
                // The reason that counts is that of the first name.
                Err(reject) => match rejected {
                    Some((first, _)) if first < nth => passed_over.push(reject),
                    before => {
                        passed_over.extend(before.map(|(_, reject)| reject));
                        rejected = Some((nth, reject));
                    }
                },
            }
        }
        rejected.map_or(Lookup::Absent, |(_, reject)| Lookup::Rejected(reject))
    }

    /// The body of an entry that may be used, in chunks or not where the code says which.
    fn check<'f>(
        &self,
        guard: Guard<'_>,
        found: &'f [u8],
        chunked: Option<bool>,
        now_ms: u64,
    ) -> Result<Body<'f>, Reject> {
        if found.len() > self.largest {
            return Err(Reject::Damaged);
        }
        let header = self
            .admitted(guard, found, chunked, now_ms)
            .map_err(|reject| guard.reason(reject))?;
        guard.open(&header, found)
    }

    fn admitted(
        &self,
        guard: Guard<'_>,
        found: &[u8],
        chunked: Option<bool>,
        now_ms: u64,
    ) -> Result<Header, Reject> {
        let header = Header::parse(found)?;
        let expect = Expect {
            sealed: guard.flags().contains(Flags::SEALED),
            chunked: chunked.unwrap_or(header.flags.contains(Flags::CHUNKED)),
            codec: self.stored.codec(),
            key_id: guard.key_id(),
            fingerprint: self.fingerprint,
            max_life_ms: self.longest_ms,
        };
        header.admit(&expect, now_ms)?;
        Ok(header)
    }

    fn reader(&self, guard: Guard<'_>, header: &Header, manifest: &[u8]) -> Result<Reader, Reject> {
        let manifest = Manifest::read(manifest)?;
        Ok(Reader::new(guard, header, manifest, self.key_bytes))
    }

    /// Compresses the value where that is wanted and worth it; says how it is now.
    fn shrink(&self, draft: &mut Draft<'_>) -> Flags {
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
        // Found out at the end it would have cost all chunks.
        if Draft::len_of(self.place.guard(), Manifest::LEN) > self.largest {
            return Err(Unstored::TooLarge);
        }
        let to = Destination {
            guard: self.place.guard(),
            header: &header,
            key_bytes: self.key_bytes,
            chunk_len: chunk::chunk_len(self.largest).ok_or(Unstored::TooLarge)?,
        };
        let writer = writer(&to).ok_or(Unstored::NoRandom)?;
        Ok(Chunked { writer, header })
    }

    fn new_header(&self, flags: Flags, now_ms: u64) -> Result<Header, Unstored> {
        if self.life_ms == 0 {
            return Err(Unstored::NoLife);
        }
        let guard = self.place.guard();
        Ok(Header {
            flags: guard.flags().with(flags),
            codec: self.stored.codec(),
            key_id: guard.key_id(),
            fingerprint: self.fingerprint,
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(self.life_ms),
        })
    }
}

impl Chunked {
    /// What one who follows the writing must know.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            header: self.header,
            generation: self.writer.generation(),
            chunk_len: self.writer.chunk_len(),
        }
    }

    /// The life of a chunk that is written at `now_ms`.
    pub(crate) fn chunk_life(&self, now_ms: u64) -> Duration {
        let left = self.header.expires_ms.saturating_sub(now_ms);
        Duration::from_millis(left.saturating_add(CHUNKS_OUTLIVE_MS))
    }
}

/// The order to try what was found in. The times are what the entries claim: one that lies does not open, and the next is tried.
fn newest_first<'o>(found: &[Option<Bytes>], order: &'o mut [usize; MOST_NAMES]) -> &'o [usize] {
    let order = &mut order[..found.len().min(MOST_NAMES)];
    let created = |found: &Bytes| Header::parse(found).ok().map(|header| header.created_ms);
    order.sort_by_key(|&nth| Reverse(found[nth].as_ref().and_then(created)));
    order
}

fn meta(cost: Duration, header: &Header) -> BodyMeta {
    BodyMeta {
        cost_ms: u32::try_from(cost.as_millis()).unwrap_or(u32::MAX),
        fresh_until: header.expires_ms,
    }
}

#[cfg(all(test, feature = "encrypt"))]
mod attacks;
#[cfg(all(test, feature = "encrypt"))]
mod reference;
