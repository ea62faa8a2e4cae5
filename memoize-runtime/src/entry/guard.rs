//! What protects an entry and its chunks: a checksum, or a seal.

use std::borrow::Cow;

use super::chunk::{Generation, Wrapper};
use super::header::{Flags, Header};
use super::plain;
use super::reject::Reject;
use super::sealed::{self, Opened, Seal};
use crate::hidden::Hidden;
use crate::key::CacheKey;

/// What an entry is bound to, and how it is protected.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Guard<'g> {
    Plain {
        name: &'g CacheKey,
        full_key: Hidden<&'g str>,
    },
    Sealed(&'g Seal<'g>),
}

impl<'g> Guard<'g> {
    /// What the entry is called in the backend.
    pub(crate) fn name(self) -> &'g CacheKey {
        match self {
            Self::Plain { name, .. } => name,
            Self::Sealed(seal) => seal.name(),
        }
    }

    /// The id of the secret; 0 without one.
    pub(crate) fn key_id(self) -> u32 {
        match self {
            Self::Plain { .. } => 0,
            Self::Sealed(seal) => seal.key_id(),
        }
    }

    pub(crate) fn flags(self) -> Flags {
        match self {
            Self::Plain { .. } => Flags::NONE,
            Self::Sealed(_) => Flags::SEALED,
        }
    }

    pub(super) fn before_body(self) -> usize {
        match self {
            Self::Plain { .. } => Header::LEN,
            Self::Sealed(_) => sealed::BODY_AT,
        }
    }

    pub(super) fn behind_body(self) -> usize {
        match self {
            Self::Plain { .. } => plain::CHECKSUM_LEN,
            Self::Sealed(_) => sealed::TAG_LEN,
        }
    }

    /// Why an entry was not admitted. Of a sealed one nobody who has the secret can have written what is too short, no entry at all, or
    /// says two things at once; what another version of the format has to say remains as it is.
    pub(crate) fn reason(self, reject: Reject) -> Reject {
        match (self, reject) {
            (
                Self::Sealed(_),
                Reject::Truncated | Reject::NotAnEntry | Reject::Unexpected | Reject::Damaged,
            ) => Reject::Tampered,
            _ => reject,
        }
    }

    /// The body of an entry whose header was admitted.
    ///
    /// # Errors
    /// `Truncated` or `Damaged`; of a sealed one `Tampered`.
    pub(crate) fn open<'f>(self, header: &Header, found: &'f [u8]) -> Result<Body<'f>, Reject> {
        match self {
            Self::Plain { full_key, .. } => {
                let (_, value) = plain::read(&full_key, found)?;
                Ok(Body::Plain(*header, value))
            }
            Self::Sealed(seal) => sealed::open(seal, header, found).map(Body::Sealed),
        }
    }

    /// What protects the chunks of a stream that began with `header`.
    pub(super) fn wrapper(self, header: &Header, generation: Generation) -> Wrapper {
        match self {
            Self::Plain { full_key, .. } => Wrapper::Plain {
                full_key: Hidden((*full_key).into()),
                generation,
            },
            Self::Sealed(seal) => Wrapper::Sealed(Box::new(seal.chunks(header, &generation.0))),
        }
    }
}

/// The body of an entry, which is as it was written.
pub(crate) enum Body<'f> {
    Plain(Header, &'f [u8]),
    Sealed(Opened),
}

impl Body<'_> {
    pub(crate) fn header(&self) -> &Header {
        match self {
            Self::Plain(header, _) => header,
            Self::Sealed(opened) => opened.header(),
        }
    }

    /// The value's bytes, or with LZ4 their length and the block; or a manifest.
    ///
    /// # Errors
    /// `Damaged`: the lengths contradict each other. `Flags`: padded where nothing is.
    pub(crate) fn value(&self) -> Result<Cow<'_, [u8]>, Reject> {
        match self {
            Self::Plain(header, value) => {
                if header.flags.contains(Flags::PADDED) {
                    return Err(Reject::Flags);
                }
                Ok(Cow::Borrowed(value))
            }
            Self::Sealed(opened) => opened.value().map(|(_, value)| value),
        }
    }
}
