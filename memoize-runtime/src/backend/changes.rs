//! What a backend tells of entries that others change.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::local::{Beside, Names};

/// Whom a [`Backend`](super::Backend) tells of changes, see [`Backend::watch`](super::Backend::watch).
///
/// What is told counts at once: when [`changed`](Self::changed) returns, the old value is no longer returned from this process's
/// memory. Dropping it is as [`lost`](Self::lost).
pub struct Changes {
    copies: Weak<Beside>,
    names: Names,
}

impl Changes {
    pub(crate) fn of(copies: &Arc<Beside>, names: Names) -> Self {
        Self {
            copies: Arc::downgrade(copies),
            names,
        }
    }

    /// From now on all changes are told. To be said only once a change that is made from now on can't be missed.
    pub fn stand(&self) {
        self.tell(|copies| copies.stand(self.names));
    }

    /// What was under `key` has been written, removed or evicted, by whomever.
    pub fn changed(&self, key: &str) {
        self.tell(|copies| copies.forget(key));
    }

    /// Anything may have changed, once, such as when the server was emptied.
    pub fn all_changed(&self) {
        self.tell(Beside::forget_all);
    }

    /// Changes may be missed, until [`stand`](Self::stand) is said again.
    pub fn lost(&self) {
        self.tell(|copies| copies.lose(self.names));
    }

    /// Whether there is still somebody to be told.
    pub fn is_heard(&self) -> bool {
        self.copies.strong_count() > 0
    }

    fn tell(&self, what: impl FnOnce(&Beside)) {
        if let Some(copies) = self.copies.upgrade() {
            what(&copies);
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.lost();
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changes(..)")
    }
}
