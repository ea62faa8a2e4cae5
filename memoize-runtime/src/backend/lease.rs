//! The right to fill a key.

use std::fmt;

use crate::backend::Bytes;

/// A token that a backend knows the holder of a lease by. It is worth something only to the backend that granted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(u64);

impl Lease {
    /// That of a backend without leases, which stores whatever it is given. One with leases never grants it, and stores nothing for it.
    pub const UNCONDITIONAL: Self = Self(0);

    /// A lease with the backend's own token: not 0, not that of another lease that may stand, and none that was granted for the same key before.
    pub const fn new(token: u64) -> Self {
        Self(token)
    }

    /// The token.
    pub const fn token(self) -> u64 {
        self.0
    }
}

/// What [`get_or_lease`](crate::Backend::get_or_lease) found.
#[derive(Clone)]
pub enum Lookup {
    /// The bytes under the key.
    Found(Bytes),
    /// Nothing; the caller may fill it.
    Granted(Lease),
    /// Nothing yet; another caller holds the lease.
    Busy,
}

impl Lookup {
    /// The lease, if it is what the caller got.
    pub(crate) fn granted(&self) -> Option<Lease> {
        match self {
            Self::Granted(lease) => Some(*lease),
            Self::Found(_) | Self::Busy => None,
        }
    }
}

/// Without the bytes: they may be a value in the clear.
impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(_) => f.write_str("Found(..)"),
            Self::Granted(lease) => f.debug_tuple("Granted").field(lease).finish(),
            Self::Busy => f.write_str("Busy"),
        }
    }
}
