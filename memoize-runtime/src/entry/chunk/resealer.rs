//! Sealing the chunks of a stream anew while they are read.

use std::mem;

use bytes::Bytes;

use super::piece::Wrapper;
use super::{ChunkNames, Manifest};
use crate::entry::guard::Guard;
use crate::entry::header::Header;
use crate::key::CacheKey;

/// Seals what a [`Reader`](super::Reader) has opened as chunks of a new generation, piece by piece and in the same order.
///
/// The pieces stay as they are, compressed ones too: but for its generation the new manifest is the old one.
#[derive(Debug)]
pub(crate) struct Resealer {
    manifest: Manifest,
    names: ChunkNames,
    wrapper: Wrapper,
    /// How many chunks were sealed.
    chunks: u32,
    /// Those of them that were not taken yet.
    sealed: Vec<(CacheKey, Bytes)>,
}

impl Resealer {
    /// For the chunks of `manifest`, in an entry with this header.
    pub(crate) fn new(
        guard: Guard<'_>,
        header: &Header,
        manifest: Manifest,
        key_bytes: usize,
    ) -> Self {
        let generation = manifest.generation;
        Self {
            manifest,
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

    /// The manifest, once all chunks were sealed: before it would list some that nobody has read.
    pub(crate) fn manifest(&self) -> Option<&Manifest> {
        (self.chunks == self.manifest.chunks).then_some(&self.manifest)
    }

    /// The chunks to be stored, those that were not taken before.
    pub(crate) fn take(&mut self) -> Vec<(CacheKey, Bytes)> {
        mem::take(&mut self.sealed)
    }

    /// The names of the chunks that were taken.
    pub(crate) fn names(&self) -> impl Iterator<Item = CacheKey> {
        let waiting = u32::try_from(self.sealed.len()).unwrap_or(self.chunks);
        self.names.of_stream(self.chunks - waiting)
    }
}
