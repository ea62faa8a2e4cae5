//! Items in, chunks out, and a manifest at the end.

use bytes::Bytes;

use super::cutter::Cutter;
use super::piece::Packer;
use super::{ChunkNames, Generation, Manifest};
use crate::entry::guard::Guard;
use crate::entry::header::{Flags, Header};
use crate::key::CacheKey;

/// Where a new generation of chunks is to go.
#[derive(Debug)]
pub(crate) struct Destination<'a> {
    pub(crate) guard: Guard<'a>,
    /// What the manifest will have: chunks are bound to it.
    pub(crate) header: &'a Header,
    /// The longest key that the backend takes.
    pub(crate) key_bytes: usize,
    pub(crate) chunk_len: u32,
}

/// Turns a stream into the chunks of a new generation, one at a time.
///
/// The driver asks for [`full_chunk`](Self::full_chunk) after each item until there is none, and at the end once for
/// [`last_chunk`](Self::last_chunk), or of a single value for each [`chunk_of_value`](Self::chunk_of_value); when all of them are stored,
/// the [`manifest`](Self::manifest) may be.
#[derive(Debug)]
pub(crate) struct Writer {
    generation: Generation,
    names: ChunkNames,
    cutter: Cutter,
    packer: Packer,
    chunk_len: u32,
    chunks: u32,
}

impl Writer {
    /// A stream of items to come; none where the system has no random numbers.
    pub(crate) fn new(to: &Destination<'_>) -> Option<Self> {
        Self::with(to, Cutter::new(to.chunk_len as usize))
    }

    /// A single value, which stands in `buffer` from `value` on. What is before it is lost, and must be at least 10 bytes.
    pub(crate) fn of_value(to: &Destination<'_>, buffer: Vec<u8>, value: usize) -> Option<Self> {
        Self::with(to, Cutter::of_one(to.chunk_len as usize, buffer, value))
    }

    fn with(to: &Destination<'_>, cutter: Cutter) -> Option<Self> {
        let generation = Generation::random()?;
        Some(Self {
            generation,
            names: ChunkNames::new(to.guard.name(), generation, to.key_bytes),
            cutter,
            packer: Packer::new(
                to.guard.wrapper(to.header, generation),
                to.header.flags.contains(Flags::LZ4),
            ),
            chunk_len: to.chunk_len,
            chunks: 0,
        })
    }

    /// Adds the item that `encode` appends to the buffer it is given.
    ///
    /// # Errors
    ///
    /// What `encode` returns; the item is then not part of the stream.
    #[inline]
    pub(crate) fn push<E>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.cutter.push(encode)
    }

    /// The length of the stream so far.
    #[inline]
    pub(crate) fn raw_len(&self) -> u64 {
        self.cutter.raw_len()
    }

    /// What was pushed last, with its length before it, if the stream was so long before.
    #[inline]
    pub(crate) fn pushed_since(&self, raw_len: u64) -> &[u8] {
        let bytes = usize::try_from(self.cutter.raw_len() - raw_len).expect("it is in memory");
        self.cutter.last(bytes)
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn chunk_len(&self) -> u32 {
        self.chunk_len
    }

    /// The next chunk to be stored, and its name, if there is enough of the stream for one.
    #[inline]
    pub(crate) fn full_chunk(&mut self) -> Option<(CacheKey, Bytes)> {
        let piece = self.cutter.full_piece()?;
        let chunk = (
            self.names.of(self.chunks),
            self.packer.pack(self.chunks, piece),
        );
        self.chunks += 1;
        Some(chunk)
    }

    /// The next chunk of a single value to be stored, the last one first, and its name.
    pub(crate) fn chunk_of_value(&mut self) -> Option<(CacheKey, Bytes)> {
        let (index, piece) = self.cutter.piece_from_end()?;
        self.chunks = self.chunks.max(index.saturating_add(1));
        Some((self.names.of(index), self.packer.pack(index, piece)))
    }

    /// The chunk for what is left at the end of the stream, if anything is.
    pub(crate) fn last_chunk(&mut self) -> Option<(CacheKey, Bytes)> {
        let piece = self.cutter.last_piece()?;
        let chunk = (
            self.names.of(self.chunks),
            self.packer.pack(self.chunks, piece),
        );
        self.chunks += 1;
        Some(chunk)
    }

    /// Whether there are as many chunks as can be counted.
    pub(crate) fn is_full(&self) -> bool {
        self.chunks == u32::MAX
    }

    /// The manifest of a stream whose last chunk was given out.
    pub(crate) fn manifest(&self) -> Manifest {
        let raw_len = self.cutter.raw_len();
        let before_last = u64::from(self.chunks.saturating_sub(1)) * u64::from(self.chunk_len);
        Manifest {
            generation: self.generation,
            chunks: self.chunks,
            chunk_len: self.chunk_len,
            last_len: u32::try_from(raw_len - before_last).expect("it is at most a chunk"),
            raw_len,
            items: self.cutter.items(),
        }
    }

    /// The names of all chunks that were given out; of a single value also of those that are to be.
    pub(crate) fn names(&self) -> impl Iterator<Item = CacheKey> {
        self.names.of_stream(self.chunks)
    }
}
