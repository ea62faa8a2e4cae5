//! Which writer's chunks they are, and under which names.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::crypto;
use crate::hidden::Hidden;
use crate::key::CacheKey;

/// What tells the chunks of one writer from those of every other: random, so that no writer need know of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(pub(crate) [u8; Self::LEN]);

impl Generation {
    pub(crate) const LEN: usize = 16;

    /// A new one, none where the system has no random numbers.
    pub(crate) fn random() -> Option<Self> {
        crypto::random().ok().map(Self)
    }
}

/// The names of the chunks of one generation.
#[derive(Debug)]
pub(crate) struct ChunkNames {
    /// All but the index.
    prefix: Hidden<String>,
    key_bytes: usize,
}

impl ChunkNames {
    /// The names for the entry called `name`, in a backend that takes keys of up to `key_bytes`.
    pub(crate) fn new(name: &CacheKey, generation: Generation, key_bytes: usize) -> Self {
        let generation = Base64UrlUnpadded::encode_string(&generation.0);
        Self {
            prefix: Hidden(format!("{}.{generation}.", name.as_str())),
            key_bytes,
        }
    }

    pub(crate) fn of(&self, index: u32) -> CacheKey {
        CacheKey::from_text(&format!("{}{index}", *self.prefix), self.key_bytes)
    }

    /// Those of a stream of so many chunks.
    pub(crate) fn of_stream(&self, chunks: u32) -> impl Iterator<Item = CacheKey> {
        (0..chunks).map(|index| self.of(index))
    }

    pub(crate) fn of_all(&self, indices: impl Iterator<Item = u32>) -> Vec<CacheKey> {
        indices.map(|index| self.of(index)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkNames, Generation};
    use crate::key::CacheKey;

    const GENERATION: Generation =
        Generation(*b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");

    #[test]
    fn the_name_is_that_of_the_reference() {
        let entry = "cm1e:nFJuXHAcqXNCkQ-jT2pDl7yNu2OfT2Unqe9EYIuCTNQ";
        let names = ChunkNames::new(&CacheKey::from_text(entry, 240), GENERATION, 240);
        // "chunk_1_name" of the format's known answers.
        assert_eq!(
            names.of(1).as_str(),
            format!("{entry}.EBESExQVFhcYGRobHB0eHw.1")
        );
    }

    #[test]
    fn names_keep_to_the_backends_limit_and_differ() {
        let entry = CacheKey::from_text(&"k".repeat(64), 64);
        let names = ChunkNames::new(&entry, GENERATION, 64).of_all([0, 1, u32::MAX].into_iter());
        assert!(names.iter().all(|name| name.as_str().len() == 64));
        assert!(names[0] != names[1] && names[1] != names[2]);
    }

    #[test]
    fn no_two_generations_are_the_same() {
        let one = Generation::random().expect("this system has random numbers");
        assert_ne!(Some(one), Generation::random());
    }
}
