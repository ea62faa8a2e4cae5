//! Values to bytes and back.
//!
//! The user's `Serialize` and `Deserialize` run in here, on behalf of a function that must not fail because
//! of the cache. So a panic in them ends here (where panics unwind), and an error is nothing but that:
//! its text may quote the value, and does not leave this module.

mod buffer;
mod msgpack;
mod postcard;

pub(crate) use buffer::Buffer;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::header::Codec;
use super::reject::Reject;
use crate::guard::guard;

/// The value can't be encoded: its `Serialize` failed or panicked, or is not for this codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodecError;

impl Codec {
    /// The name in the attribute, and in fingerprints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postcard => "postcard",
            Self::Msgpack => "msgpack",
        }
    }

    /// What types are told that have a form for people to read.
    pub(crate) fn is_human_readable(self) -> bool {
        match self {
            Self::Postcard => false,
            Self::Msgpack => true,
        }
    }

    /// Appends the encoded `value` to `out`.
    ///
    /// # Errors
    ///
    /// [`CodecError`]; `out` is then as it was.
    pub(crate) fn encode<T: Serialize + ?Sized>(
        self,
        value: &T,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let start = out.len();
        let encoded = guard(|| match self {
            Self::Postcard => postcard::write(value, out),
            Self::Msgpack => msgpack::write(value, out),
        });
        if let Some(Some(())) = encoded {
            return Ok(());
        }
        // A panic may have left the start of a value.
        out.truncate(start);
        Err(CodecError)
    }

    /// The value that `bytes` encode, all of them.
    ///
    /// The bytes may be anyone's. What decoding them takes is in proportion to their number, see
    /// [`bounded`](super::bounded). A value of more than 128 options, enums, sequences, and maps within one
    /// another can be encoded but not decoded.
    ///
    /// # Errors
    ///
    /// `Undecodable`, also where the value's `Deserialize` panics.
    pub(crate) fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, Reject> {
        let mut decoded = None;
        self.decode_then(bytes, |value| decoded = Some(value))?;
        decoded.ok_or(Reject::Undecodable)
    }

    /// The same, but the value is handed to `keep`, which must not panic: each function that returns it would copy it, and a
    /// copy of what was put together just now takes about as long as decoding a short row.
    #[inline]
    pub(crate) fn decode_then<T: DeserializeOwned>(
        self,
        bytes: &[u8],
        keep: impl FnOnce(T),
    ) -> Result<(), Reject> {
        let read = guard(|| match self {
            Self::Postcard => postcard::read(bytes, keep),
            Self::Msgpack => msgpack::read(bytes).map(keep),
        });
        read.flatten().ok_or(Reject::Undecodable)
    }

    /// The same for a value that is nothing but bytes or text, which takes the buffer. Postcard only.
    pub(crate) fn take_then<T: DeserializeOwned>(
        self,
        buffer: &Buffer,
        keep: impl FnOnce(T),
    ) -> Result<(), Reject> {
        let read = guard(|| match self {
            Self::Postcard => postcard::take(buffer).map(keep),
            Self::Msgpack => None,
        });
        read.flatten().ok_or(Reject::Undecodable)
    }
}

#[cfg(test)]
mod tests;
