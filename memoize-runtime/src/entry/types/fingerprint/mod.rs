//! The fingerprint of what a function stores: an entry of another fingerprint is a miss.
//!
//! It is taken from what the type asks for when it is read, which serde alone can tell: no further derive is needed, and what serde
//! tells is the same in every build and on every platform. What comes from Rust's names, of the arguments of a function and of parts
//! that can't be seen, may change with the compiler, and sizes with the platform; the types of other crates, with their releases. Where
//! panics abort, fewer parts are seen than where they unwind, so two such builds may not share entries of one type.
//!
//! A field or variant that is added, removed, renamed, moved or made of another kind, at any depth, is another fingerprint. So are
//! another codec, another `version`, and other type arguments of the function.
//!
//! What it can't tell is a change of meaning that keeps the kind (an enum's discriminants, metres to feet), and what
//! is behind `untagged`, `tag`, `flatten` or a value of any kind; there Rust's name, size and alignment of the type
//! around it count. `version` is for those.

mod merge;
pub(crate) mod shape;
mod text;
mod trace;

use sha2::{Digest, Sha256};
use twox_hash::XxHash3_64;

use crate::entry::header::Codec;
pub(crate) use shape::Shape;
pub(crate) use trace::{Panics, trace};

/// The fingerprint of another `version` of what has this one; 0 is the one itself.
///
/// For a version that each call may choose anew: [`Fingerprint::version`] takes what is done once.
pub(crate) fn with_version(fingerprint: u64, version: u32) -> u64 {
    if version == 0 {
        return fingerprint;
    }
    let mut hashed = [0; 12];
    hashed[..8].copy_from_slice(&fingerprint.to_le_bytes());
    hashed[8..].copy_from_slice(&version.to_le_bytes());
    XxHash3_64::oneshot(&hashed)
}

/// Collects what an entry's meaning depends on.
pub(crate) struct Fingerprint(Sha256);

impl Fingerprint {
    /// For values of this shape, written by this codec.
    pub(crate) fn new(shape: &Shape, codec: Codec) -> Self {
        let mut fingerprint = Self(Sha256::new_with_prefix(b"cm1 fingerprint"));
        fingerprint.quote(codec.name());
        fingerprint.quote(&shape.to_string());
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
mod tests;
