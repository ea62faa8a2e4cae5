//! AES-256-GCM by the `RustCrypto` project: Rust alone, with the processor's own instructions where it has them.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};

use super::{Aead, Forged, Key, Nonce, Tag};

pub(in crate::crypto) struct RustCrypto(Aes256Gcm);

impl From<&Key> for RustCrypto {
    fn from(key: &Key) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }
}

impl Aead for RustCrypto {
    fn seal(&self, nonce: &Nonce, text: &mut [u8]) -> Tag {
        self.0
            .encrypt_inout_detached(nonce.into(), b"", text.into())
            .expect("a message that is in memory is below GCM's 64 GiB")
            .into()
    }

    fn open(&self, nonce: &Nonce, text: &mut [u8], tag: &Tag) -> Result<(), Forged> {
        self.0
            .decrypt_inout_detached(nonce.into(), b"", text.into(), tag.into())
            .map_err(|_| Forged)
    }
}
