//! Chunks in, items out.

use std::ops::Range;

use bytes::Bytes;

use super::joiner::{Found, Joiner};
use super::piece::Packer;
use super::{ChunkNames, Manifest, WINDOW};
use crate::entry::guard::Guard;
use crate::entry::header::{Flags, Header};
use crate::entry::reject::Reject;
use crate::key::CacheKey;

/// Turns the chunks of a manifest into the items of its stream.
///
/// The driver fetches what it [`wants`](Self::wants) and [`supply`](Self::supply)s that, before the first item and whenever
/// it is [`Starved`](Next::Starved). After an error it is of no more use.
#[derive(Debug)]
pub(crate) struct Reader {
    manifest: Manifest,
    names: ChunkNames,
    packer: Packer,
    joiner: Joiner,
    /// How many chunks were supplied.
    supplied: u32,
}

/// What comes next in a stream.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    Item(&'a [u8]),
    /// More chunks are needed first.
    Starved,
    End,
}

impl Reader {
    /// A reader of what the manifest of an entry with this header lists, in a backend that takes keys of up to `key_bytes`.
    pub(crate) fn new(
        guard: Guard<'_>,
        header: &Header,
        manifest: Manifest,
        key_bytes: usize,
    ) -> Self {
        let wrapper = guard.wrapper(header, manifest.generation);
        Self {
            names: ChunkNames::new(guard.name(), manifest.generation, key_bytes),
            packer: Packer::new(wrapper, header.flags.contains(Flags::LZ4)),
            joiner: Joiner::new(manifest.raw_len, manifest.items),
            supplied: 0,
            manifest,
        }
    }

    /// The names of the chunks to fetch next; none where all were fetched.
    ///
    /// A short stream is read whole, so that a loss is met before its first item. Of a longer one it is first a single
    /// chunk, so that the first item doesn't wait for more, then a few at a time.
    pub(crate) fn wants(&self) -> Vec<CacheKey> {
        self.names.of_all(self.window())
    }

    /// Takes the chunks that it wants, in their order.
    ///
    /// # Errors
    ///
    /// `Incomplete` where one is not there; or why one can't be used.
    pub(crate) fn supply(&mut self, chunks: Vec<Option<Bytes>>) -> Result<(), Reject> {
        let window = self.window();
        if chunks.len() != window.len() {
            return Err(Reject::Incomplete);
        }
        for (index, chunk) in window.zip(chunks) {
            let chunk = chunk.ok_or(Reject::Incomplete)?;
            let piece = self
                .packer
                .unpack(index, &chunk, self.manifest.len_of(index))?;
            self.joiner.push(piece);
            self.supplied = index + 1;
        }
        Ok(())
    }

    /// The next item.
    ///
    /// # Errors
    ///
    /// `Damaged`: the stream is not what the manifest says.
    #[inline]
    pub(crate) fn next_item(&mut self) -> Result<Next<'_>, Reject> {
        match self.joiner.next()? {
            Found::End => Ok(Next::End),
            Found::Beyond if self.supplied == self.manifest.chunks => Err(Reject::Damaged),
            Found::Beyond => Ok(Next::Starved),
            item => Ok(Next::Item(self.joiner.bytes_of(&item))),
        }
    }

    /// The names of all chunks.
    pub(crate) fn names(&self) -> impl Iterator<Item = CacheKey> {
        (0..self.manifest.chunks).map(|index| self.names.of(index))
    }

    fn window(&self) -> Range<u32> {
        let chunks = self.manifest.chunks;
        let window = if self.supplied == 0 && chunks > WINDOW {
            1
        } else {
            WINDOW
        };
        self.supplied..self.supplied.saturating_add(window).min(chunks)
    }
}
