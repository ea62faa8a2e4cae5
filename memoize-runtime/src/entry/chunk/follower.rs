//! A stream that is still being written, in; items out.

use std::ops::Range;

use bytes::Bytes;

use super::joiner::{Found, Item, Joiner};
use super::piece::Packer;
use super::{ChunkNames, Generation, Next, WINDOW};
use crate::entry::guard::Guard;
use crate::entry::header::{Flags, Header};
use crate::entry::reject::Reject;
use crate::key::CacheKey;

/// What is known of a stream from its first item on, before there is a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) header: Header,
    pub(crate) generation: Generation,
    pub(crate) chunk_len: u32,
}

#[cfg(test)]
impl Origin {
    pub(crate) fn of(fingerprint: u64, expires_ms: u64, chunk_len: usize) -> Self {
        use crate::entry::{Codec, Header};
        let header = Header {
            flags: Flags::CHUNKED,
            codec: Codec::Postcard,
            key_id: 0,
            fingerprint,
            created_ms: 0,
            expires_ms,
        };
        Self {
            header,
            generation: Generation([7; 16]),
            chunk_len: u32::try_from(chunk_len).expect("it is short"),
        }
    }
}

/// Turns the chunks that a writer has stored so far, and what it has not stored yet, into items.
///
/// The driver gives it what comes next, whenever it is [`Starved`](Next::Starved). After an error it is of no more use.
#[derive(Debug)]
pub(crate) struct Follower {
    names: ChunkNames,
    packer: Packer,
    joiner: Joiner,
    chunk_len: u32,
    /// How much of the stream it was given.
    supplied: u64,
}

impl Follower {
    /// One that begins at the beginning, in a backend that takes keys of up to `key_bytes`.
    pub(crate) fn new(guard: Guard<'_>, origin: &Origin, key_bytes: usize) -> Self {
        let wrapper = guard.wrapper(&origin.header, origin.generation);
        Self {
            names: ChunkNames::new(guard.name(), origin.generation, key_bytes),
            packer: Packer::new(wrapper, origin.header.flags.contains(Flags::LZ4)),
            joiner: Joiner::endless(),
            chunk_len: origin.chunk_len,
            supplied: 0,
        }
    }

    /// How much of the stream it was given: where what comes next begins.
    pub(crate) fn supplied(&self) -> u64 {
        self.supplied
    }

    /// The names of the chunks that come next, a few at most, of so many that are stored.
    pub(crate) fn wants(&self, stored: u32) -> Vec<CacheKey> {
        self.names.of_all(self.window(stored))
    }

    /// Takes the chunks that it wants, in their order.
    ///
    /// # Errors
    ///
    /// `Incomplete` where one is not there; or why one can't be used.
    pub(crate) fn supply(&mut self, stored: u32, chunks: Vec<Option<Bytes>>) -> Result<(), Reject> {
        let window = self.window(stored);
        if chunks.len() != window.len() {
            return Err(Reject::Incomplete);
        }
        for (index, chunk) in window.zip(chunks) {
            let chunk = chunk.ok_or(Reject::Incomplete)?;
            let length = self.chunk_len as usize;
            let mut piece = self.packer.unpack(index, &chunk, length)?;
            // Of the first it may have been given a part, before it was stored.
            let begins = u64::from(index) * u64::from(self.chunk_len);
            let known = usize::try_from(self.supplied - begins).unwrap_or(length);
            let piece = piece.split_off(known.min(length));
            self.supply_unstored(piece);
        }
        Ok(())
    }

    /// Takes the bytes that come next.
    pub(crate) fn supply_unstored(&mut self, bytes: Bytes) {
        self.supplied += bytes.len() as u64;
        self.joiner.push(bytes);
    }

    /// Takes notice of the end: so long is the stream, and of so many items.
    ///
    /// # Errors
    ///
    /// `Damaged` where it has gone beyond that.
    pub(crate) fn end(&mut self, raw_len: u64, items: u64) -> Result<(), Reject> {
        self.joiner.end(raw_len, items)
    }

    /// The next item.
    ///
    /// # Errors
    ///
    /// `Damaged`: the stream is not what its writer says.
    #[inline]
    pub(crate) fn next_item(&mut self) -> Result<Next, Reject> {
        match self.joiner.next()? {
            Found::Item(item) => Ok(Next::Item(item)),
            Found::End => Ok(Next::End),
            Found::Beyond => Ok(Next::Starved),
        }
    }

    /// The bytes of the item that was found last.
    #[inline]
    pub(crate) fn bytes_of(&self, item: &Item) -> &[u8] {
        self.joiner.bytes_of(item)
    }

    fn window(&self, stored: u32) -> Range<u32> {
        let first = u32::try_from(self.supplied / u64::from(self.chunk_len)).unwrap_or(u32::MAX);
        first.min(stored)..first.saturating_add(WINDOW).min(stored)
    }
}
