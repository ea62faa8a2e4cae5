//! Sealing the chunks of a stream anew while they are read.

use std::mem;

use bytes::Bytes;

use super::piece::Wrapper;
use super::{ChunkNames, Generation};
use crate::entry::guard::Guard;
use crate::entry::header::Header;
use crate::key::CacheKey;

/// Seals what a [`Reader`](super::Reader) has opened as chunks of a new generation, piece by piece and in the same order.
///
/// The pieces stay as they are, compressed ones too: but for its generation the new manifest is the old one.
#[derive(Debug)]
pub(crate) struct Resealer {
    names: ChunkNames,
    wrapper: Wrapper,
    /// How many chunks were sealed.
    chunks: u32,
    /// Those of them that were not taken yet.
    sealed: Vec<(CacheKey, Bytes)>,
}

impl Resealer {
    /// For chunks of `generation`, listed by an entry with this header.
    pub(crate) fn new(
        guard: Guard<'_>,
        header: &Header,
        generation: Generation,
        key_bytes: usize,
    ) -> Self {
        Self {
            names: ChunkNames::new(guard.name(), generation, key_bytes),
            wrapper: guard.wrapper(header, generation),
            chunks: 0,
            sealed: Vec::new(),
        }
    }

    pub(super) fn seal(&mut self, piece: &[u8]) {
        let chunk = self.wrapper.wrap(self.chunks, piece);
        self.sealed.push((self.names.of(self.chunks), chunk));
        self.chunks += 1;
    }

    /// The chunks to be stored, those that were not taken before.
    pub(crate) fn take(&mut self) -> Vec<(CacheKey, Bytes)> {
        mem::take(&mut self.sealed)
    }

    /// The names of all chunks that were sealed.
    pub(crate) fn names(&self) -> impl Iterator<Item = CacheKey> {
        self.names.of_stream(self.chunks)
    }
}
