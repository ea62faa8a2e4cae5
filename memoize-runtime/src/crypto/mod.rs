//! The one place that calls on cryptography: [`Keys`], which one secret gives, and what they seal.
//!
//! ```text
//! prk      = HKDF-Extract(salt = "cache_memoize/v1", secret)
//! name_key = HKDF-Expand(prk, "cm1 name", 32)        names only
//! seal_key = HKDF-Expand(prk, "cm1 seal", 32)        entries and chunks only
//! key_id   = first 4 bytes of HKDF-Expand(prk, "cm1 kid", 4), 0 becomes 1
//!
//! N        = HMAC-SHA256(name_key, full key)
//! entry    : HKDF-Expand(seal_key, "cm1 entry" || H || salt || N, 60)       -> key 32 | nonce 12 | commitment 16
//! chunks   : HKDF-Expand(seal_key, "cm1 chunk" || H || generation || N, 44) -> key 32 | base 12
//! ```
//!
//! Everything is AES-256-GCM with no associated data, as all there is to bind is in the derivation. An entry's key seals one
//! message; the key of a stream's chunks seals each at a nonce of its own, made of the base and its index. Random nonces under a
//! single key would reach their limit of 2^32 messages in days on a busy fleet. The commitment
//! is there because GCM alone lets one ciphertext be opened with two keys.
//!
//! Without the feature `encrypt` the same names are there, and no key can be made.

#[cfg(feature = "encrypt")]
mod aead;
#[cfg(feature = "encrypt")]
mod keys;
#[cfg(feature = "encrypt")]
pub(crate) use keys::{Binding, ChunkKeys, Keys};

#[cfg(not(feature = "encrypt"))]
mod disabled;
#[cfg(not(feature = "encrypt"))]
pub(crate) use disabled::{Binding, ChunkKeys, Keys};

use crate::entry::Header;

pub(crate) const SALT_LEN: usize = 16;
pub(crate) const COMMITMENT_LEN: usize = 16;
pub(crate) const TAG_LEN: usize = 16;

pub(crate) type Salt = [u8; SALT_LEN];
pub(crate) type Commitment = [u8; COMMITMENT_LEN];
pub(crate) type Tag = [u8; TAG_LEN];

/// A header as it enters the derivation.
type Head = [u8; Header::LEN];

/// Bytes that were not sealed with this key, or not as they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

/// The system gave no random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRandom;

/// Random bytes from the system, so that a forked process never draws what its parent did.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}
