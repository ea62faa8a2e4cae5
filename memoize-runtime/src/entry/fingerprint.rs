//! The fingerprint of what a function stores: entries of another fingerprint are misses.

use sha2::{Digest, Sha256};

/// Collects what an entry's meaning depends on.
///
/// The type is known by its name alone so far: a change inside of it is not seen, and is what `version` is for.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// For values of the type called `type_name`.
    pub(crate) fn of_type(type_name: &str) -> Self {
        let mut fingerprint = Self(Sha256::new_with_prefix(b"cm1 fingerprint"));
        fingerprint.quote("postcard");
        fingerprint.quote(type_name);
        fingerprint
    }

    /// Adds the type and const arguments that a function was instantiated with.
    pub(crate) fn instantiated_with(mut self, arguments: &str) -> Self {
        self.quote(arguments);
        self
    }

    /// Adds the `version` that the developer gave.
    pub(crate) fn version(mut self, version: u32) -> Self {
        self.quote(&version.to_string());
        self
    }

    /// Adds the hash of the function's text.
    pub(crate) fn tokens(mut self, hash: u64) -> Self {
        self.0.update(hash.to_le_bytes());
        self
    }

    pub(crate) fn finish(self) -> u64 {
        let digest: [u8; 32] = self.0.finalize().into();
        u64::from_le_bytes(*digest.first_chunk().expect("a SHA-256 has 32 bytes"))
    }

    /// With its length, so that two lists of texts never run together to one.
    fn quote(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    #[test]
    fn each_part_counts_and_stays_apart() {
        let make = |name, arguments, version| {
            Fingerprint::of_type(name)
                .instantiated_with(arguments)
                .version(version)
                .finish()
        };
        let all = [
            make("u8", "", 0),
            make("u8", "", 1),
            make("u8", "u16", 0),
            make("u16", "u8", 0),
            make("u1", "6u8", 0),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one), "{index}");
        }
        assert_eq!(all[0], make("u8", "", 0));
    }
}
