//! AES-256-GCM by one of two libraries, which make the same bytes.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(any(test, not(feature = "aws-lc-rs")))]
mod rust_crypto;
#[cfg(test)]
mod tests;

#[cfg(feature = "aws-lc-rs")]
pub(super) use aws_lc::AwsLc as Cipher;
#[cfg(not(feature = "aws-lc-rs"))]
pub(super) use rust_crypto::RustCrypto as Cipher;

use super::{Forged, Tag};

pub(super) const KEY_LEN: usize = 32;
pub(super) const NONCE_LEN: usize = 12;

pub(super) type Key = [u8; KEY_LEN];
pub(super) type Nonce = [u8; NONCE_LEN];

/// A key of AES-256-GCM, ready for use.
pub(super) trait Aead: for<'k> From<&'k Key> {
    /// Encrypts `text` where it is; the tag is to be stored behind it.
    fn seal(&self, nonce: &Nonce, text: &mut [u8]) -> Tag;

    /// Decrypts `text` where it is: one of the libraries takes longer from one place to another than a copy and this.
    ///
    /// # Errors
    /// The tag is not that of these bytes; `text` is then not to be used.
    fn open(&self, nonce: &Nonce, text: &mut [u8], tag: &Tag) -> Result<(), Forged>;
}
