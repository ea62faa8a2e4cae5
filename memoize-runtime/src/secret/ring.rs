//! The secrets that a runtime knows: one to write with, and those that entries may still be sealed with.

use std::sync::Arc;

use super::Secret;
use crate::error::ConfigErrorKind;

/// A current secret and previous ones, each with a key id of its own.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    current: Secret,
    previous: Vec<Secret>,
}

impl Ring {
    /// Each previous secret is one more name to ask for on every lookup, so there may be a few only.
    pub(crate) const MOST_PREVIOUS: usize = 3;

    /// Those that a secret has come right behind it.
    pub(crate) fn new(current: &Secret, previous: &[Secret]) -> Result<Self, ConfigErrorKind> {
        let mut previous: Vec<Secret> = std::iter::once(current)
            .chain(previous)
            .flat_map(|secret| std::iter::once(secret).chain(secret.previous()))
            .map(|secret| Secret {
                keys: Arc::clone(&secret.keys),
                previous: None,
            })
            .collect();
        let current = previous.remove(0);
        if previous.len() > Self::MOST_PREVIOUS {
            let limit = Self::MOST_PREVIOUS;
            return Err(ConfigErrorKind::ManyPreviousSecrets { limit });
        }
        let ring = Self { current, previous };
        let mut ids: Vec<u32> = ring.secrets().map(|secret| secret.keys().id()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ConfigErrorKind::SecretTwice);
        }
        Ok(ring)
    }

    pub(crate) fn current(&self) -> &Secret {
        &self.current
    }

    pub(crate) fn previous(&self) -> &[Secret] {
        &self.previous
    }

    /// The current secret, with the previous ones.
    pub(super) fn into_secret(self) -> Secret {
        Secret {
            previous: Some(self.previous.into()),
            ..self.current
        }
    }

    fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.current).chain(&self.previous)
    }
}
