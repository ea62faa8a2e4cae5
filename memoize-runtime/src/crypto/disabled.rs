//! In place of `keys` in a build without the feature `encrypt`: no secret gives keys, so there is nothing to do with them.

use super::{Commitment, Forged, Head, Salt, Tag};
use crate::error::SecretProblem;

/// What there is none of. It is wrapped, so that the code that uses these types is no dead code to the compiler.
#[derive(Debug)]
enum Never {}

#[derive(Debug)]
pub(crate) struct Keys(Never);

impl Keys {
    pub(crate) fn derive(_: &[u8]) -> Result<Self, SecretProblem> {
        Err(SecretProblem::NotBuilt)
    }

    pub(crate) fn id(&self) -> u32 {
        match self.0 {}
    }

    pub(crate) fn bind(&self, _: &str) -> Binding {
        match self.0 {}
    }

    pub(crate) fn entry(&self, _: &Head, _: &Salt, _: &Binding) -> EntryKeys {
        match self.0 {}
    }

    pub(crate) fn chunks(&self, _: &Head, _: &Salt, _: &Binding) -> ChunkKeys {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct Binding(Never);

impl Binding {
    pub(crate) fn append_base64url(&self, _: &mut String) {
        match self.0 {}
    }
}

pub(crate) struct EntryKeys(Never);

impl EntryKeys {
    pub(crate) fn commitment(&self) -> &Commitment {
        match self.0 {}
    }

    pub(crate) fn seal(self, _: &mut [u8]) -> Tag {
        match self.0 {}
    }

    pub(crate) fn open(self, _: &Commitment, _: &[u8], _: &Tag) -> Result<Vec<u8>, Forged> {
        match self.0 {}
    }
}

#[derive(Debug)]
pub(crate) struct ChunkKeys(Never);

impl ChunkKeys {
    pub(crate) fn seal_piece(&self, _: u32, _: &[u8]) -> Vec<u8> {
        match self.0 {}
    }

    pub(crate) fn open_piece(&self, _: u32, _: &[u8]) -> Result<Vec<u8>, Forged> {
        match self.0 {}
    }

    pub(crate) fn open_piece_onto(&self, _: u32, _: &[u8], _: &mut Vec<u8>) -> Result<(), Forged> {
        match self.0 {}
    }
}
