//! The decisions of a call: pure functions of what was asked, what was found, and a time that is passed in.
//!
//! No I/O, no clock and no lock is in here, and no code of the user's but the codec's. The drivers in [`call`](crate::call)
//! ask, do, and tell.

use std::time::Duration;

use crate::call::outcome::Outcome;
use crate::entry::{self, BodyMeta, Expect, Flags, Header, Reject, StoredType, Unencodable};

/// What the code, and nothing that was stored, says about an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    /// What the entry is bound to.
    pub(crate) full_key: &'a str,
    /// What it holds, and by which codec.
    pub(crate) stored: &'a StoredType,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unstored {
    Unencodable(Unencodable),
    TooLarge,
    /// The call's own `expiration` was zero.
    NoLife,
}

impl Unstored {
    pub(crate) fn why(&self) -> &'static str {
        match self {
            Self::Unencodable(unencodable) => unencodable.why(),
            Self::TooLarge => "it is larger than the backend takes",
            Self::NoLife => "its expiration is zero",
        }
    }

    /// The way to the part of the value that is at fault; empty where that is the value itself.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Unencodable(unencodable) => unencodable.path(),
            Self::TooLarge | Self::NoLife => "",
        }
    }
}

impl Policy<'_> {
    /// The value of an entry that was found, if it may be used at `now_ms`.
    pub(crate) fn open<R>(
        &self,
        found: &[u8],
        outcome: &Outcome<R>,
        now_ms: u64,
    ) -> Result<R, Reject> {
        if found.len() > self.largest {
            return Err(Reject::Damaged);
        }
        let header = Header::parse(found)?;
        header.admit(&self.expected(), now_ms)?;
        if header.flags != Flags::NONE {
            return Err(Reject::Flags);
        }
        let (_, value) = entry::read(self.full_key, found)?;
        (outcome.decode)(value, self.stored)
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
            codec: self.stored.codec(),
            key_id: 0,
            fingerprint: self.stored.fingerprint(),
            created_ms: now_ms,
            expires_ms,
        };
        let cost_ms = u32::try_from(cost.as_millis()).unwrap_or(u32::MAX);
        let meta = BodyMeta {
            cost_ms,
            fresh_until: expires_ms,
        };
        let bytes = entry::write(self.full_key, &header, meta, |bytes| {
            (outcome.encode)(value, self.stored, bytes)
        })
        .map_err(Unstored::Unencodable)?;
        if bytes.len() > self.largest {
            return Err(Unstored::TooLarge);
        }
        Ok(Fill {
            bytes,
            life: Duration::from_millis(self.life_ms),
        })
    }

    fn expected(&self) -> Expect {
        Expect {
            sealed: false,
            chunked: false,
            codec: self.stored.codec(),
            fingerprint: self.stored.fingerprint(),
            max_life_ms: self.longest_ms,
        }
    }
}
