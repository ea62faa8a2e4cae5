//! Between a piece of a stream and what is stored for it.

use std::hash::Hasher;

use bytes::Bytes;
use twox_hash::xxhash3_64::{RawHasher, SecretBuffer};

use super::generation::Generation;
use crate::crypto::{ChunkKeys, Forged, TAG_LEN};
use crate::entry::compress;
use crate::entry::reject::Reject;
use crate::hidden::Hidden;

/// The most by which what is stored is longer than the piece.
pub(super) const OVERHEAD: usize = 16;

const CHECKSUM_LEN: usize = 8;

/// Packs the pieces of one generation, and unpacks them.
#[derive(Debug)]
pub(super) struct Packer {
    wrapper: Wrapper,
    compress: bool,
    /// Kept from piece to piece, since it is as large as one.
    scratch: Hidden<Vec<u8>>,
}

impl Packer {
    /// `compress` is what the entry's header says of LZ4.
    pub(super) fn new(wrapper: Wrapper, compress: bool) -> Self {
        Self {
            wrapper,
            compress,
            scratch: Hidden(Vec::new()),
        }
    }

    pub(super) fn pack(&mut self, index: u32, raw: &[u8]) -> Bytes {
        let piece = if self.compress && compress::shrink(raw, &mut self.scratch) {
            &*self.scratch
        } else {
            raw
        };
        self.wrapper.wrap(index, piece)
    }

    /// The piece of `raw_len` bytes that was packed.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open) and [`expand`](Self::expand).
    pub(super) fn unpack(
        &self,
        index: u32,
        stored: &Bytes,
        raw_len: usize,
    ) -> Result<Bytes, Reject> {
        let piece = self.open(index, stored, raw_len)?;
        self.expand(piece, raw_len)
    }

    /// The same, appended to `out`, where it is opened if it was not compressed.
    ///
    /// # Errors
    ///
    /// As before; `out` is then of no use.
    pub(super) fn unpack_onto(
        &self,
        index: u32,
        stored: &Bytes,
        raw_len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Reject> {
        match &self.wrapper {
            Wrapper::Sealed(keys) if stored.len() == raw_len + TAG_LEN => keys
                .open_piece_onto(index, stored, out)
                .map_err(|Forged| self.wrapper.broken()),
            _ => {
                out.extend_from_slice(&self.unpack(index, stored, raw_len)?);
                Ok(())
            }
        }
    }

    /// What was wrapped, compressed or not, of a piece that had `raw_len` bytes.
    ///
    /// # Errors
    ///
    /// `Damaged`, `Tampered`, or `Truncated`.
    pub(super) fn open(&self, index: u32, stored: &Bytes, raw_len: usize) -> Result<Bytes, Reject> {
        if stored.len() > raw_len + OVERHEAD {
            return Err(self.wrapper.broken());
        }
        self.wrapper.unwrap(index, stored)
    }

    /// The piece as it was before compression, which had `raw_len` bytes.
    ///
    /// # Errors
    ///
    /// `Damaged`, `Truncated`, or `Flags` where this build can't decompress it.
    pub(super) fn expand(&self, piece: Bytes, raw_len: usize) -> Result<Bytes, Reject> {
        // What doesn't shrink is stored as it is, so the length tells which it is.
        if piece.len() == raw_len {
            return Ok(piece);
        }
        if !self.compress {
            return Err(Reject::Damaged);
        }
        let raw = compress::expand(&piece, raw_len)?;
        if raw.len() == raw_len {
            Ok(raw.into())
        } else {
            Err(Reject::Damaged)
        }
    }
}

/// Binds pieces to their key, generation and place, and checks that on the way back.
#[derive(Debug)]
pub(crate) enum Wrapper {
    Plain {
        full_key: Hidden<Box<str>>,
        generation: Generation,
    },
    /// Key and generation are in the derivation of these keys.
    Sealed(Box<ChunkKeys>),
}

impl Wrapper {
    pub(super) fn wrap(&self, index: u32, piece: &[u8]) -> Bytes {
        match self {
            Self::Plain {
                full_key,
                generation,
            } => {
                let checksum = checksum(full_key, *generation, index, piece);
                let mut stored = Vec::with_capacity(piece.len() + CHECKSUM_LEN);
                stored.extend_from_slice(piece);
                stored.extend_from_slice(&checksum);
                stored.into()
            }
            Self::Sealed(keys) => keys.seal_piece(index, piece).into(),
        }
    }

    fn unwrap(&self, index: u32, stored: &Bytes) -> Result<Bytes, Reject> {
        match self {
            Self::Plain {
                full_key,
                generation,
            } => {
                let (piece, stored_checksum) = stored
                    .split_last_chunk::<CHECKSUM_LEN>()
                    .ok_or(Reject::Truncated)?;
                if checksum(full_key, *generation, index, piece) != *stored_checksum {
                    return Err(self.broken());
                }
                Ok(stored.slice(..piece.len()))
            }
            Self::Sealed(keys) => {
                let piece = keys.open_piece(index, stored);
                piece.map(Bytes::from).map_err(|Forged| self.broken())
            }
        }
    }

    /// What a piece is that was changed: of a sealed one only somebody without the secret can have made that.
    fn broken(&self) -> Reject {
        match self {
            Self::Plain { .. } => Reject::Damaged,
            Self::Sealed(_) => Reject::Tampered,
        }
    }
}

fn checksum(
    full_key: &str,
    generation: Generation,
    index: u32,
    piece: &[u8],
) -> [u8; CHECKSUM_LEN] {
    let key_len = u32::try_from(full_key.len()).unwrap_or(u32::MAX);
    let mut hasher = RawHasher::new(SecretBuffer::default());
    hasher.write(&key_len.to_le_bytes());
    hasher.write(full_key.as_bytes());
    hasher.write(&generation.0);
    hasher.write(&index.to_le_bytes());
    hasher.write(piece);
    hasher.finish().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: Generation = Generation([1; 16]);
    const OTHER: Generation = Generation([2; 16]);

    fn packer(key: &str, generation: Generation, compress: bool) -> Packer {
        let full_key = Hidden(key.into());
        let wrapper = Wrapper::Plain {
            full_key,
            generation,
        };
        Packer::new(wrapper, compress)
    }

    #[test]
    fn a_piece_belongs_to_one_key_generation_and_place() {
        for compress in [false, true] {
            let raw = [7; 5000];
            let stored = packer("ns:a", ONE, compress).pack(3, &raw);
            assert_eq!(
                packer("ns:a", ONE, compress)
                    .unpack(3, &stored, 5000)
                    .as_deref(),
                Ok(&raw[..])
            );
            for (key, generation, index) in [("ns:b", ONE, 3), ("ns:a", OTHER, 3), ("ns:a", ONE, 4)]
            {
                let result = packer(key, generation, compress).unpack(index, &stored, 5000);
                assert_eq!(result, Err(Reject::Damaged));
            }
            for raw_len in [4999, 5001] {
                assert!(
                    packer("ns:a", ONE, compress)
                        .unpack(3, &stored, raw_len)
                        .is_err()
                );
            }
        }
    }

    /// `xxhash.xxh3_64_intdigest(struct.pack("<I", len(key)) + key + generation + struct.pack("<I", i) + piece)` of Python's
    /// `xxhash`, for the sample of the format's known answers.
    #[test]
    fn the_checksum_is_that_of_another_implementation() {
        let generation =
            Generation(*b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");
        let mut packer = packer("app:user:42", generation, false);
        for (index, piece, checksum) in [
            (0, &b"chunk-zero"[..], 0x03fd_d9c8_adfa_ed56_u64),
            (1, b"chunk-one", 0x0978_dc2f_74a7_4c74),
        ] {
            let expected = [piece, &checksum.to_le_bytes()].concat();
            assert_eq!(packer.pack(index, piece), expected);
        }
    }

    #[test]
    fn what_does_not_shrink_is_no_longer_than_without_compression() {
        let stored = packer("ns:a", ONE, true).pack(0, b"short");
        assert_eq!(stored.len(), 5 + CHECKSUM_LEN);
        assert_eq!(
            packer("ns:a", ONE, true).unpack(0, &stored, 5).as_deref(),
            Ok(&b"short"[..])
        );
    }

    proptest! {
        #[test]
        fn a_changed_bit_is_damage(raw: Vec<u8>, at: prop::sample::Index, bit in 0..8_u8, compress: bool) {
            let mut stored = packer("ns:a", ONE, compress).pack(0, &raw).to_vec();
            let at = at.index(stored.len());
            stored[at] ^= 1_u8 << bit;
            let result = packer("ns:a", ONE, compress).unpack(0, &stored.into(), raw.len());
            prop_assert_eq!(result, Err(Reject::Damaged));
        }

        #[test]
        fn a_cut_or_longer_piece_is_refused(raw: Vec<u8>, len: prop::sample::Index, more in 1_usize..40) {
            let stored = packer("ns:a", ONE, false).pack(0, &raw);
            let cut = stored.slice(..len.index(stored.len()));
            prop_assert!(packer("ns:a", ONE, false).unpack(0, &cut, raw.len()).is_err());
            let mut longer = stored.to_vec();
            longer.resize(longer.len() + more, 0);
            prop_assert!(packer("ns:a", ONE, false).unpack(0, &longer.into(), raw.len()).is_err());
        }
    }
}
