//! Where a call's entry is, and what protects it there.

use std::iter;
use std::sync::Arc;

use crate::config::Runtime;
use crate::entry::{Guard, Seal};
use crate::hidden::Hidden;
use crate::key::{CacheKey, FullKey};
use crate::secret::Secret;

/// What the code asks for: the attribute, or a `Memo`.
#[derive(Clone, Debug, Default)]
pub(crate) enum Protection {
    /// Whatever the runtime does without being asked.
    #[default]
    Usual,
    Sealed,
    /// Sealed with a secret of the function's own.
    SealedWith(Secret),
}

/// The names of one entry, and what it is bound to.
#[derive(Debug)]
pub(crate) enum Place<'r> {
    Plain {
        name: CacheKey,
        full_key: Hidden<&'r str>,
    },
    Sealed {
        current: Seal<'r>,
        /// Where it may still be, sealed with a previous secret; nothing is written there.
        previous: Vec<Seal<'r>>,
    },
}

impl<'r> Place<'r> {
    /// The place of `key`; `None` where it is to be sealed and there is no secret to do it with.
    pub(crate) fn new(
        runtime: &'r Runtime,
        key: &'r FullKey,
        protection: &'r Protection,
    ) -> Option<Self> {
        let full_key = key.text();
        let seal = |secret| Seal::new(secret, full_key);
        match protection {
            Protection::Usual if !runtime.sealing().is_forced() => Some(Self::Plain {
                name: key.name(runtime.limits().key_bytes),
                full_key: Hidden(full_key),
            }),
            Protection::Usual | Protection::Sealed => {
                runtime.sealing().ring().map(|ring| Self::Sealed {
                    current: seal(ring.current()),
                    previous: ring.previous().iter().map(seal).collect(),
                })
            }
            Protection::SealedWith(secret) => Some(Self::Sealed {
                current: seal(secret),
                previous: secret.previous().iter().map(seal).collect(),
            }),
        }
    }

    /// What protects the entry that is written.
    pub(crate) fn guard(&self) -> Guard<'_> {
        match self {
            Self::Plain { name, full_key } => Guard::Plain {
                name,
                full_key: *full_key,
            },
            Self::Sealed { current, .. } => Guard::Sealed(current),
        }
    }

    /// What may protect the entry that is found, that which is written with first.
    pub(crate) fn guards(&self) -> impl Iterator<Item = Guard<'_>> {
        let previous = match self {
            Self::Plain { .. } => &[][..],
            Self::Sealed { previous, .. } => previous,
        };
        iter::once(self.guard()).chain(previous.iter().map(Guard::Sealed))
    }

    /// The name that is written to.
    pub(crate) fn name(&self) -> &CacheKey {
        self.guard().name()
    }

    /// The key's text; none where it is not to be seen.
    pub(crate) fn full_key(&self) -> Option<&'r str> {
        match self {
            Self::Plain { full_key, .. } => Some(full_key.0),
            Self::Sealed { .. } => None,
        }
    }

    /// The same to be kept, without a copy where it is the name as well.
    pub(crate) fn shared_full_key(&self) -> Option<Arc<str>> {
        let (name, full_key) = (self.name(), self.full_key()?);
        let is_name = name.as_str() == full_key;
        Some(if is_name {
            name.to_shared()
        } else {
            full_key.into()
        })
    }

    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed { .. })
    }

    /// Whether the entry can be under one name only.
    pub(crate) fn has_one_name(&self) -> bool {
        match self {
            Self::Plain { .. } => true,
            Self::Sealed { previous, .. } => previous.is_empty(),
        }
    }

    /// All names that the entry may be found under, the one that is written to first, where there are several.
    pub(crate) fn several_names(&self) -> Option<Vec<&str>> {
        match self {
            Self::Sealed { previous, .. } if !previous.is_empty() => {
                Some(self.guards().map(|guard| guard.name().as_str()).collect())
            }
            Self::Plain { .. } | Self::Sealed { .. } => None,
        }
    }
}

/// The key that is shown for a call: the name of its entry.
///
/// Without a secret it is a name that no entry has; the key's text must not be shown in its stead.
pub(crate) fn shown(runtime: &Runtime, key: &FullKey, protection: &Protection) -> CacheKey {
    Place::new(runtime, key, protection)
        .map_or_else(CacheKey::nowhere, |place| place.name().clone())
}
