//! AES-256-GCM by AWS-LC, in C and assembler: the faster one, and a C compiler is needed to build it.

use aws_lc_rs::aead;

use super::{Aead, Forged, Key, Nonce, Tag};

pub(in crate::crypto) struct AwsLc(aead::LessSafeKey);

impl From<&Key> for AwsLc {
    fn from(key: &Key) -> Self {
        let key = aead::UnboundKey::new(&aead::AES_256_GCM, key)
            .expect("the key has the length of the algorithm's");
        Self(aead::LessSafeKey::new(key))
    }
}

impl Aead for AwsLc {
    fn seal(&self, nonce: &Nonce, text: &mut [u8]) -> Tag {
        let tag = self
            .0
            .seal_in_place_separate_tag(once(nonce), aead::Aad::empty(), text)
            .expect("a message that is in memory is below GCM's 64 GiB");
        tag.as_ref()
            .try_into()
            .expect("the tag has the length of the algorithm's")
    }

    fn open(&self, nonce: &Nonce, text: &mut [u8], tag: &Tag) -> Result<(), Forged> {
        self.0
            .open_in_place_separate_tag(once(nonce), aead::Aad::empty(), tag, text)
            .map(|_| ())
            .map_err(|_| Forged)
    }
}

/// The callers' keys are derived for one message, or their nonces count.
fn once(nonce: &Nonce) -> aead::Nonce {
    aead::Nonce::assume_unique_for_key(*nonce)
}
