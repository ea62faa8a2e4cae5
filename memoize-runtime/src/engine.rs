//! The decisions of a call: pure functions of what was asked, what was found, and a time that is passed in.
//!
//! No I/O, no clock and no lock is in here (the salt of a sealed entry is drawn where it is used), and no code of the user's but the codec's. The drivers in [`call`](crate::call)
//! ask, do, and tell.

use std::iter;
use std::ptr;
use std::time::Duration;

use crate::backend::Bytes;
use crate::call::outcome::{Outcome, Unencodable};
use crate::call::place::Place;
use crate::entry::{
    self, BodyMeta, Codec, Draft, Expect, Flags, Header, Opened, Padding, Reject, Seal, Unsealed,
};

/// What the code, and nothing that was stored, says about an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    /// What the entry is bound to, and how it is protected.
    pub(crate) place: &'a Place<'a>,
    /// Of sealed entries.
    pub(crate) padding: Padding,
    pub(crate) fingerprint: u64,
    /// The life of a new entry, in milliseconds.
    pub(crate) life_ms: u64,
    /// The longest life that is believed.
    pub(crate) longest_ms: u64,
    /// The largest entry, in bytes, either way.
    pub(crate) largest: usize,
}

/// An entry to be written.
#[derive(Debug)]
pub(crate) struct Fill {
    pub(crate) bytes: Vec<u8>,
    pub(crate) life: Duration,
}

/// Why there is no entry to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unstored {
    Unencodable,
    TooLarge,
    /// The call's own `expiration` was zero.
    NoLife,
    /// The system gave no random bytes to seal with.
    NoRandom,
}

impl Unstored {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unencodable => "it could not be serialized",
            Self::TooLarge => "it is larger than the backend takes",
            Self::NoLife => "its expiration is zero",
            Self::NoRandom => "the system gave no random bytes",
        }
    }
}

impl From<Unsealed> for Unstored {
    fn from(unsealed: Unsealed) -> Self {
        match unsealed {
            Unsealed::TooLarge => Self::TooLarge,
            Unsealed::NoRandom => Self::NoRandom,
        }
    }
}

/// What a lookup came to.
pub(crate) enum Lookup<R> {
    /// The value; with the entry to write in its place, where it was sealed with a previous secret.
    Hit(R, Option<Fill>),
    Absent,
    Rejected(Reject),
}

impl Policy<'_> {
    /// Decides on what was found under the names of the place, in their order.
    ///
    /// A hit under a previous secret counts even where something unusable stands under the current one: its writer had no
    /// secret, or is not done rotating.
    pub(crate) fn look<R>(
        &self,
        found: &[Option<Bytes>],
        outcome: &Outcome<R>,
        now_ms: u64,
    ) -> Lookup<R> {
        match self.place {
            Place::Plain { full_key, .. } => match found {
                [Some(bytes), ..] => self.open_plain(full_key, bytes, outcome, now_ms).into(),
                _ => Lookup::Absent,
            },
            Place::Sealed { current, previous } => {
                let mut lookup = Lookup::Absent;
                let seals = iter::once(current).chain(previous);
                for (seal, bytes) in seals.zip(found) {
                    let Some(bytes) = bytes else { continue };
                    match (self.open_sealed(seal, bytes, outcome, now_ms), &lookup) {
                        (Ok((value, _)), _) if ptr::eq(seal, current) => {
                            return Lookup::Hit(value, None);
                        }
                        (Ok((value, opened)), _) => {
                            return Lookup::Hit(value, reseal(&opened, current, now_ms));
                        }
                        (Err(reject), Lookup::Absent) => lookup = Lookup::Rejected(reject),
                        // The reason that counts is that of the current name.
                        (Err(_), _) => {}
                    }
                }
                lookup
            }
        }
    }

    /// The entry for a value whose computation took `cost` and ended at `now_ms`.
    pub(crate) fn fill<R>(
        &self,
        value: &R,
        outcome: &Outcome<R>,
        cost: Duration,
        now_ms: u64,
    ) -> Result<Fill, Unstored> {
        if self.life_ms == 0 {
            return Err(Unstored::NoLife);
        }
        let expires_ms = now_ms.saturating_add(self.life_ms);
        let header = Header {
            flags: Flags::NONE,
            codec: Codec::Postcard,
            key_id: 0,
            fingerprint: self.fingerprint,
            created_ms: now_ms,
            expires_ms,
        };
        let cost_ms = u32::try_from(cost.as_millis()).unwrap_or(u32::MAX);
        let meta = BodyMeta {
            cost_ms,
            fresh_until: expires_ms,
        };
        let encode = |bytes: &mut Vec<u8>| {
            (outcome.encode)(value, bytes).map_err(|Unencodable| Unstored::Unencodable)
        };
        let bytes = match self.place {
            Place::Plain { full_key, .. } => entry::write(full_key, &header, meta, encode)?,
            Place::Sealed { current, .. } => {
                let mut draft = Draft::new(meta, self.padding);
                encode(draft.buffer())?;
                draft.seal(current, header, self.largest)?
            }
        };
        if bytes.len() > self.largest {
            return Err(Unstored::TooLarge);
        }
        Ok(Fill {
            bytes,
            life: Duration::from_millis(self.life_ms),
        })
    }

    fn open_plain<R>(
        &self,
        full_key: &str,
        found: &[u8],
        outcome: &Outcome<R>,
        now_ms: u64,
    ) -> Result<R, Reject> {
        let header = self.admitted(found, 0, now_ms)?;
        if header.flags != Flags::NONE {
            return Err(Reject::Flags);
        }
        let (_, value) = entry::read(full_key, found)?;
        (outcome.decode)(value)
    }

    fn open_sealed<R>(
        &self,
        seal: &Seal<'_>,
        found: &[u8],
        outcome: &Outcome<R>,
        now_ms: u64,
    ) -> Result<(R, Opened), Reject> {
        let header = self.admitted(found, seal.key_id(), now_ms)?;
        let opened = entry::open(seal, &header, found)?;
        let (_, value) = opened.value()?;
        Ok(((outcome.decode)(value)?, opened))
    }

    /// The header of what was found, if it is that of an entry which `key_id` may have made; 0 for a plain one.
    fn admitted(&self, found: &[u8], key_id: u32, now_ms: u64) -> Result<Header, Reject> {
        if found.len() > self.largest {
            return Err(Reject::Damaged);
        }
        let header = Header::parse(found)?;
        let expect = Expect {
            sealed: key_id != 0,
            chunked: false,
            codec: Codec::Postcard,
            key_id,
            fingerprint: self.fingerprint,
            max_life_ms: self.longest_ms,
        };
        header.admit(&expect, now_ms)?;
        Ok(header)
    }
}

/// The same entry under the current secret, for what is left of its life. Without random bytes it stays where it is.
fn reseal(opened: &Opened, current: &Seal<'_>, now_ms: u64) -> Option<Fill> {
    let bytes = opened.reseal(current).ok()?;
    let left = opened.expires_ms().saturating_sub(now_ms);
    Some(Fill {
        bytes,
        life: Duration::from_millis(left),
    })
}

impl<R> From<Result<R, Reject>> for Lookup<R> {
    fn from(opened: Result<R, Reject>) -> Self {
        match opened {
            Ok(value) => Self::Hit(value, None),
            Err(reject) => Self::Rejected(reject),
        }
    }
}

#[cfg(all(test, feature = "encrypt"))]
mod attacks;
