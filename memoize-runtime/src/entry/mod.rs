//! The bytes of an entry, format "CM1". Integers are little-endian.
//!
//! ```text
//!  0  2  C5 4D
//!  2  1  version, 1
//!  3  1  flags: bit 0 sealed, 1 LZ4, 2 chunked, 3 padded; bits 4..7 codec (0 postcard, 1 msgpack)
//!  4  4  id of the secret (0 when not sealed)
//!  8  8  fingerprint of the stored type
//! 16  8  created, ms of unix time
//! 24  8  expires, ms of unix time                                     -- these 32 bytes: H
//! plain  body | XXH3-64(len(full key) u32 || full key || H || body)
//! sealed salt 16 | commitment 16 | body, encrypted | tag 16
//!
//! body   cost_ms u32 | fresh_until u64 | [raw_len u32, if LZ4] | [data_len u32, if padded] | data | [zeros, if padded]
//!        cost_ms u32 | fresh_until u64 | manifest, if chunked
//! ```
//!
//! How the keys of a sealed entry are derived is in the documentation of [`crypto`](crate::crypto). Its name in the backend is
//! `"cm1e:" + base64url(N)`, which is 48 bytes and shows nothing of the key.
//!
//! # Reading
//!
//! In this order, each failure a miss with its own [`Reject`], none an error to the caller: length; magic, version, flags;
//! sealed is what the code expects; the id is that of the secret whose name the entry has; fingerprint; chunked and codec are
//! what goes with it; now < expires, created at most a minute from now, a life no longer than allowed; the checksum, or the
//! commitment in constant time and then the tag; inner lengths; decoding with nothing left over. Nothing is decoded before it was checked,
//! and what to expect comes from the code, never from the bytes.

mod bounded;
pub(crate) mod chunk;
mod codec;
mod compress;
mod draft;
mod guard;
mod header;
mod padding;
mod plain;
mod reject;
mod sealed;
mod types;

pub(crate) use codec::Buffer;
pub(crate) use compress::{expand, expanded_len, shrink};
pub(crate) use draft::{BodyMeta, Draft, Unfinished};
pub(crate) use guard::{Body, Guard};
pub(crate) use header::{Codec, Expect, Flags, Header};
pub(crate) use padding::Padding;
pub(crate) use reject::Reject;
#[cfg(test)]
pub(crate) use sealed::SEALED;
pub(crate) use sealed::{NAME_PREFIX as SEALED_PREFIX, Opened, Seal};
#[cfg(feature = "testing")]
pub(crate) use types::{Panics, shape_where};
pub(crate) use types::{Refusal, Shape, StoredType, Unencodable, shape_of, with_version};
