//! Chunks in, items out.

use std::ops::Range;

use bytes::Bytes;

use super::joiner::{Found, Item, Joiner};
use super::piece::Packer;
use super::{ChunkNames, Manifest, Resealer, WINDOW};
use crate::entry::Buffer;
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
pub(crate) enum Next {
    Item(Item),
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

    /// Whether all chunks were supplied.
    pub(crate) fn has_all(&self) -> bool {
        self.supplied == self.manifest.chunks
    }

    /// Takes the chunks that it wants, in their order; what is opened is sealed anew on the way, where there is something to do so.
    ///
    /// # Errors
    ///
    /// `Incomplete` where one is not there; or why one can't be used.
    pub(crate) fn supply(
        &mut self,
        chunks: Vec<Option<Bytes>>,
        mut resealer: Option<&mut Resealer>,
    ) -> Result<(), Reject> {
        let window = self.window();
        if chunks.len() != window.len() {
            return Err(Reject::Incomplete);
        }
        for (index, chunk) in window.zip(chunks) {
            let chunk = chunk.ok_or(Reject::Incomplete)?;
            let raw_len = self.manifest.len_of(index);
            if resealer.is_none()
                && let Some(room) = self.joiner.room_for(raw_len)
            {
                self.packer.unpack_onto(index, &chunk, raw_len, room)?;
                self.supplied = index + 1;
                continue;
            }
            let piece = self.packer.open(index, &chunk, raw_len)?;
            let to_seal = resealer
                .as_deref_mut()
                .map(|resealer| (resealer, piece.clone()));
            self.joiner.push(self.packer.expand(piece, raw_len)?);
            // What can't be read to its end is not sealed anew.
            if let Some((resealer, piece)) = to_seal {
                resealer.seal(&piece);
            }
            self.supplied = index + 1;
        }
        Ok(())
    }

    /// The next item, where it is in one piece that is there, as nearly all are. Otherwise [`next_item`](Self::next_item) says
    /// what there is.
    #[inline]
    pub(crate) fn at_hand(&mut self) -> Option<&[u8]> {
        self.joiner.at_hand()
    }

    /// The next item.
    ///
    /// # Errors
    ///
    /// `Damaged`: the stream is not what the manifest says.
    pub(crate) fn next_item(&mut self) -> Result<Next, Reject> {
        match self.joiner.next()? {
            Found::Item(item) => Ok(Next::Item(item)),
            Found::End => Ok(Next::End),
            Found::Beyond if self.has_all() => Err(Reject::Damaged),
            Found::Beyond => Ok(Next::Starved),
        }
    }

    /// The bytes of the item that was found last.
    #[inline]
    pub(crate) fn bytes_of(&self, item: &Item) -> &[u8] {
        self.joiner.bytes_of(item)
    }

    /// Each item is bytes or text that postcard wrote: one that is in several chunks is found in a [buffer](Self::buffer_of).
    pub(crate) fn expect_bytes(&mut self) {
        self.joiner.expect_bytes();
    }

    /// The bytes of the item that was found last, where they are in a buffer of their own: without their length, and gone from here.
    pub(crate) fn buffer_of(&mut self, item: &Item) -> Option<Buffer> {
        self.joiner.buffer_of(item).map(Buffer::new)
    }

    /// The names of all chunks.
    pub(crate) fn names(&self) -> impl Iterator<Item = CacheKey> {
        self.names.of_stream(self.manifest.chunks)
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::{Destination, Generation, Writer};
    use super::*;
    use crate::entry::Codec;
    use crate::hidden::Hidden;

    const KEY: &str = "ns:rows";
    const KEY_BYTES: usize = 240;

    /// A backend as simple as can be.
    type Stored = HashMap<CacheKey, Bytes>;

    fn name() -> CacheKey {
        CacheKey::from_text(KEY, KEY_BYTES)
    }

    fn header(compress: bool) -> Header {
        Header {
            flags: if compress { Flags::LZ4 } else { Flags::NONE },
            codec: Codec::Postcard,
            key_id: 0,
            fingerprint: 1,
            created_ms: 2,
            expires_ms: 3,
        }
    }

    fn reader(full_key: &str, manifest: Manifest, compress: bool) -> Reader {
        let name = &name();
        let guard = Guard::Plain {
            name,
            full_key: Hidden(full_key),
        };
        Reader::new(guard, &header(compress), manifest, KEY_BYTES)
    }

    fn write(items: &[Vec<u8>], chunk_len: u32, compress: bool, stored: &mut Stored) -> Manifest {
        let to = Destination {
            guard: Guard::Plain {
                name: &name(),
                full_key: Hidden(KEY),
            },
            header: &header(compress),
            key_bytes: KEY_BYTES,
            chunk_len,
        };
        let mut writer = Writer::new(&to).expect("this system has random numbers");
        for item in items {
            let encode = |out: &mut Vec<u8>| {
                out.extend_from_slice(item);
                Ok::<(), ()>(())
            };
            assert_eq!(writer.push(encode), Ok(()));
            while let Some((name, chunk)) = writer.full_chunk() {
                stored.insert(name, chunk);
            }
        }
        stored.extend(writer.last_chunk());
        assert!(writer.names().all(|name| stored.contains_key(&name)));
        writer.manifest()
    }

    fn read(manifest: Manifest, compress: bool, stored: &Stored) -> Result<Vec<Vec<u8>>, Reject> {
        let mut reader = reader(KEY, manifest, compress);
        let mut items = Vec::new();
        loop {
            match reader.next_item()? {
                Next::Item(item) => items.push(reader.bytes_of(&item).to_vec()),
                Next::Starved => {
                    let wants = reader.wants();
                    assert!((1..=WINDOW as usize).contains(&wants.len()));
                    let chunks = wants.iter().map(|name| stored.get(name).cloned());
                    reader.supply(chunks.collect(), None)?;
                }
                Next::End => return Ok(items),
            }
        }
    }

    #[test]
    fn too_many_or_too_few_chunks_are_no_answer() {
        let mut stored = Stored::new();
        let manifest = write(&[vec![7; 100]], 10, false, &mut stored);
        for answers in [0, 2] {
            let mut reader = reader(KEY, manifest, false);
            let chunk = stored.get(&reader.wants()[0]).cloned();
            assert_eq!(
                reader.supply(vec![chunk; answers], None),
                Err(Reject::Incomplete)
            );
        }
    }

    #[test]
    fn another_key_or_generation_has_other_names_and_checksums() {
        let mut stored = Stored::new();
        let manifest = write(&[vec![7; 10]], 100, false, &mut stored);
        let other = Manifest {
            generation: Generation([9; 16]),
            ..manifest
        };
        assert_eq!(read(other, false, &stored), Err(Reject::Incomplete));
        let mut reader = reader("ns:others", manifest, false);
        let chunk = stored.into_values().next();
        assert_eq!(reader.supply(vec![chunk], None), Err(Reject::Damaged));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            items in prop::collection::vec(prop::collection::vec(0..4_u8, 0..300), 0..30),
            chunk_len in 1_u32..3000,
            compress: bool,
        ) {
            let mut stored = Stored::new();
            let manifest = write(&items, chunk_len, compress, &mut stored);
            let mut bytes = Vec::new();
            manifest.write(&mut bytes);
            prop_assert_eq!(Manifest::read(&bytes), Ok(manifest));
            prop_assert_eq!(read(manifest, compress, &stored), Ok(items));
        }

        #[test]
        fn one_changed_bit_or_lost_chunk_is_no_item(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..20),
            chunk_len in 1_u32..100,
            victim: prop::sample::Index,
            change in prop::option::of((any::<prop::sample::Index>(), 0..8_u8)),
        ) {
            let mut stored = Stored::new();
            let manifest = write(&items, chunk_len, false, &mut stored);
            let names: Vec<CacheKey> = stored.keys().cloned().collect();
            let name = &names[victim.index(names.len())];
            let mut chunk = stored.remove(name).expect("it was stored").to_vec();
            if let Some((at, bit)) = change {
                let at = at.index(chunk.len());
                chunk[at] ^= 1 << bit;
                stored.insert(name.clone(), chunk.into());
            }
            let expected = if change.is_some() { Reject::Damaged } else { Reject::Incomplete };
            prop_assert_eq!(read(manifest, false, &stored), Err(expected));
        }
    }
}
