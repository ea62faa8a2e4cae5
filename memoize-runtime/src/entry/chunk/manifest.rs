//! The list of a stream's chunks, which makes them an entry.

use super::LONGEST_LEN;
use super::generation::Generation;
use crate::entry::header::take;
use crate::entry::reject::Reject;

/// What a reader must know of a stream before its first chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) generation: Generation,
    pub(crate) chunks: u32,
    pub(crate) chunk_len: u32,
    /// The length of the last chunk, 0 where there is none.
    pub(crate) last_len: u32,
    /// The length of the stream.
    pub(crate) raw_len: u64,
    pub(crate) items: u64,
}

impl Manifest {
    /// Appends it to the body of an entry.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.generation.0);
        for number in [self.chunks, self.chunk_len, self.last_len] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.raw_len, self.items] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Reads it back, if its figures agree with each other.
    ///
    /// # Errors
    ///
    /// `Truncated` or `Damaged`.
    pub(crate) fn read(mut bytes: &[u8]) -> Result<Self, Reject> {
        let manifest = Self {
            generation: Generation(take(&mut bytes)?),
            chunks: u32::from_le_bytes(take(&mut bytes)?),
            chunk_len: u32::from_le_bytes(take(&mut bytes)?),
            last_len: u32::from_le_bytes(take(&mut bytes)?),
            raw_len: u64::from_le_bytes(take(&mut bytes)?),
            items: u64::from_le_bytes(take(&mut bytes)?),
        };
        if bytes.is_empty() && manifest.is_consistent() {
            Ok(manifest)
        } else {
            Err(Reject::Damaged)
        }
    }

    /// The length of chunk `index` before compression.
    pub(crate) fn len_of(&self, index: u32) -> usize {
        let length = if index + 1 == self.chunks {
            self.last_len
        } else {
            self.chunk_len
        };
        length as usize
    }

    fn is_consistent(&self) -> bool {
        let lengths = match self.chunks.checked_sub(1) {
            None => self.last_len == 0 && self.raw_len == 0,
            Some(full) => {
                (1..=self.chunk_len).contains(&self.last_len)
                    && self.raw_len
                        == u64::from(full) * u64::from(self.chunk_len) + u64::from(self.last_len)
            }
        };
        // An item takes at least the byte of its length.
        lengths
            && (1..=LONGEST_LEN).contains(&(self.chunk_len as usize))
            && self.items <= self.raw_len
            && (self.items == 0) == (self.raw_len == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of the format's known answers.
    const SAMPLE: Manifest = Manifest {
        generation: Generation(
            *b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f",
        ),
        chunks: 2,
        chunk_len: 10,
        last_len: 9,
        raw_len: 19,
        items: 3,
    };

    fn bytes(manifest: &Manifest) -> Vec<u8> {
        let mut out = Vec::new();
        manifest.write(&mut out);
        out
    }

    #[test]
    fn the_bytes_are_those_of_the_reference() {
        // "manifest_body", behind the cost and the moment of staleness.
        let expected = b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\
            \x02\0\0\0\x0a\0\0\0\x09\0\0\0\x13\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0";
        assert_eq!(bytes(&SAMPLE), expected);
        assert_eq!(Manifest::read(expected), Ok(SAMPLE));
    }

    #[test]
    fn another_length_is_refused() {
        let mut bytes = bytes(&SAMPLE);
        for len in 0..bytes.len() {
            assert_eq!(Manifest::read(&bytes[..len]), Err(Reject::Truncated));
        }
        bytes.push(0);
        assert_eq!(Manifest::read(&bytes), Err(Reject::Damaged));
    }

    #[test]
    fn figures_that_contradict_each_other_are_refused() {
        let empty = Manifest {
            chunks: 0,
            last_len: 0,
            raw_len: 0,
            items: 0,
            ..SAMPLE
        };
        assert_eq!(Manifest::read(&bytes(&empty)), Ok(empty));
        for wrong in [
            Manifest {
                chunks: 1,
                ..SAMPLE
            },
            Manifest {
                chunks: 3,
                ..SAMPLE
            },
            Manifest {
                last_len: 0,
                raw_len: 10,
                ..SAMPLE
            },
            Manifest {
                last_len: 11,
                raw_len: 21,
                ..SAMPLE
            },
            Manifest {
                raw_len: 18,
                ..SAMPLE
            },
            Manifest {
                items: 20,
                ..SAMPLE
            },
            Manifest { items: 0, ..SAMPLE },
            Manifest { items: 1, ..empty },
            Manifest {
                chunk_len: 0,
                ..empty
            },
            Manifest {
                chunk_len: u32::MAX,
                ..empty
            },
        ] {
            assert_eq!(
                Manifest::read(&bytes(&wrong)),
                Err(Reject::Damaged),
                "{wrong:?}"
            );
        }
    }
}
