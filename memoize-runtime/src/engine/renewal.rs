//! What was found under a previous secret, on its way to the current one.

use std::time::Duration;

use super::{CHUNKS_OUTLIVE_MS, Policy};
use crate::backend::Bytes;
use crate::entry::chunk::{Generation, Manifest, Resealer};
use crate::entry::{Body, Flags, Guard, Header, Opened, Seal};

/// An entry that was sealed with a previous secret, for who has the right to write it under the current name.
///
/// Nothing is sealed before somebody does.
#[derive(Debug)]
pub(crate) struct Renewal {
    /// Under which name of the place it was found.
    pub(crate) nth: usize,
    /// As it was found there.
    pub(crate) found: Bytes,
    opened: Opened,
    /// Of the entry that is sealed anew.
    header: Header,
}

impl Policy<'_> {
    /// What was opened in place of an entry that there is none of under the current name.
    pub(super) fn renewal(
        &self,
        nth: usize,
        found: &Bytes,
        body: Body<'_>,
        now_ms: u64,
    ) -> Option<Renewal> {
        let (Guard::Sealed(current), Body::Sealed(opened)) = (self.place.guard(), body) else {
            return None;
        };
        Some(Renewal {
            nth,
            found: found.clone(),
            header: self.renewed(opened.header(), current, now_ms),
            opened,
        })
    }

    /// What seals the chunks anew that the entry lists, as another generation; none where the system has no random numbers.
    pub(crate) fn resealer(&self, renewal: &Renewal) -> Option<Resealer> {
        let manifest = Manifest::read(&renewal.opened.value().ok()?.1).ok()?;
        let manifest = Manifest {
            generation: Generation::random()?,
            ..manifest
        };
        let guard = self.place.guard();
        Some(Resealer::new(
            guard,
            &renewal.header,
            manifest,
            self.key_bytes,
        ))
    }

    /// The entry under the current secret, and what is left of its life at `now_ms`. Of one that lists chunks there is none before all
    /// of them are sealed anew.
    pub(crate) fn renew(
        &self,
        renewal: &Renewal,
        chunks: Option<&Resealer>,
        now_ms: u64,
    ) -> Option<(Bytes, Duration)> {
        let Guard::Sealed(current) = self.place.guard() else {
            return None;
        };
        let manifest = if renewal.header.flags.contains(Flags::CHUNKED) {
            Some(chunks?.manifest()?)
        } else {
            None
        };
        let left = renewal.header.expires_ms.saturating_sub(now_ms);
        if left == 0 {
            return None;
        }
        let resealed = renewal.opened.reseal(current, &renewal.header, manifest);
        Some((resealed.ok()?.into(), Duration::from_millis(left)))
    }

    /// The header of the same entry under the current secret.
    ///
    /// It may be a forgery by somebody who has the previous one, and is not to outlive that by more than what is computed now would: so it
    /// lives as long as it said, and no longer than this function's entries do from now on.
    fn renewed(&self, header: &Header, current: &Seal<'_>, now_ms: u64) -> Header {
        Header {
            key_id: current.key_id(),
            created_ms: header.created_ms.min(now_ms),
            expires_ms: header.expires_ms.min(now_ms.saturating_add(self.life_ms)),
            ..*header
        }
    }
}

impl Renewal {
    /// The life of a chunk that is stored at `now_ms`.
    pub(crate) fn chunk_life(&self, now_ms: u64) -> Duration {
        let left = self.header.expires_ms.saturating_sub(now_ms);
        Duration::from_millis(left.saturating_add(CHUNKS_OUTLIVE_MS))
    }
}

#[cfg(all(test, feature = "encrypt"))]
mod tests;
