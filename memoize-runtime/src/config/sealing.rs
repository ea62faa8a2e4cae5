//! The settings of sealing.

use std::num::NonZeroUsize;

use super::{Runtime, RuntimeBuilder};
use crate::backend::Limits;
use crate::entry::Padding;
use crate::error::ConfigErrorKind;
use crate::secret::{Ring, Secret};

/// How a runtime seals.
#[derive(Debug)]
pub(crate) struct Sealing {
    /// Without one, what is to be sealed is not stored.
    ring: Option<Ring>,
    force: bool,
    padding: Padding,
}

impl Sealing {
    pub(crate) fn ring(&self) -> Option<&Ring> {
        self.ring.as_ref()
    }

    /// Whether everything is sealed, asked for or not.
    pub(crate) fn is_forced(&self) -> bool {
        self.force
    }

    pub(crate) fn padding(&self) -> Padding {
        self.padding
    }
}

impl Runtime {
    /// Whether functions with `encrypt` could be cached, if only there were a secret.
    pub(super) fn lacks_a_secret(&self) -> bool {
        cfg!(feature = "encrypt") && self.caches() && self.sealing().ring().is_none()
    }

    /// The id of the current secret, which its entries show to everybody; of one that was made at random it tells nothing.
    pub(super) fn given_key_id(&self) -> Option<u32> {
        let ring = self.sealing().ring()?;
        self.limits().shared.then(|| ring.current().keys().id())
    }
}

/// The settings as they are given.
#[derive(Debug, Default)]
pub(super) struct SealingSettings {
    current: Option<Secret>,
    previous: Vec<Secret>,
    force: bool,
    pad_to: Option<usize>,
}

impl SealingSettings {
    pub(super) fn build(self, limits: Limits) -> Result<Sealing, ConfigErrorKind> {
        let padding = match self.pad_to.map(NonZeroUsize::new) {
            None => Padding::default(),
            Some(Some(smallest)) => Padding::to_at_least(smallest),
            Some(None) => return Err(ConfigErrorKind::ZeroPadding),
        };
        let current = match self.current {
            Some(secret) => Some(secret),
            None if !self.previous.is_empty() => {
                return Err(ConfigErrorKind::PreviousSecretAlone);
            }
            // Entries that nobody else reads are well sealed with a secret that nobody else has.
            None if !limits.shared => Secret::of_this_process(),
            None => None,
        };
        if self.force && current.is_none() {
            return Err(ConfigErrorKind::ForcedWithoutSecret);
        }
        Ok(Sealing {
            ring: current
                .map(|secret| Ring::new(&secret, &self.previous))
                .transpose()?,
            force: self.force,
            padding,
        })
    }
}

impl RuntimeBuilder {
    /// What entries of `encrypt` functions are sealed with.
    ///
    /// Without one, a backend of this process's own gets a secret that is made at random and never leaves the process. On a
    /// backend that others share there is none: functions with `encrypt` then compute every time and store nothing, which
    /// is counted as [`unsealed`](crate::Stats::unsealed) and logged once. They never store in the clear.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.sealing.current = Some(secret);
        self
    }

    /// A secret that entries may still be sealed with; up to three, by as many calls.
    ///
    /// It is the same as a [`secret`](Self::secret) that [has it along](Secret::with_previous), which is how a function's own
    /// `encryption_key` is rotated: where a secret is handed on as one value. Here it may come before the current one, or from elsewhere.
    ///
    /// To rotate, give the old secret here and the new one to [`secret`](Self::secret). Lookups then ask for both names in
    /// one round trip, and what is found under the old one is a hit, and sealed anew; what is in chunks while it is read, if that
    /// comes to its end. Of entries under several names the newest counts, and what is stored removes those under previous names. Nothing
    /// is ever written with a previous secret. When the longest expiration has passed, leave it out.
    ///
    /// What is sealed anew is taken back when the entry was invalidated or replaced meanwhile. One window is left: an
    /// invalidation that removes the names one after the other around the whole of that, and a process without this
    /// previous secret that writes at just that moment. An older value then stays until its own expiration.
    ///
    /// During a deployment, roll out twice: first give the new secret as a *previous* one everywhere, so that all processes
    /// can read it; then swap the two. A secret that has leaked must not be given here: whoever has it could still write
    /// entries that are believed.
    pub fn previous_secret(mut self, secret: Secret) -> Self {
        self.sealing.previous.push(secret);
        self
    }

    /// Whether all entries are sealed, as if each function had `encrypt`; `false` unless given.
    ///
    /// On a backend that others share it takes a [`secret`](Self::secret), also where [`caching`](Self::caching) is off: `invalidate` finds
    /// no entry without it.
    pub fn force_encryption(mut self, force: bool) -> Self {
        self.sealing.force = force;
        self
    }

    /// Hides the lengths of sealed entries: each is filled up to a power of two, and to `bytes` at the least.
    ///
    /// Whoever can see the stored entries then learns which of these classes a value falls in, and no more; without it, they
    /// learn its length to the byte. It costs up to as many bytes again. The backend's largest value is a class of its own.
    ///
    /// It is about entries that are stored whole. The length of a stream, and of a value that is too large for one entry, shows to
    /// the byte whatever is given here: their chunks can be counted, and the last is as short as it happens to be.
    pub fn pad_to(mut self, bytes: usize) -> Self {
        self.sealing.pad_to = Some(bytes);
        self
    }
}

#[cfg(all(test, feature = "encrypt"))]
mod tests {
    use crate::{Backend, BackendError, Bytes, Deadline, Limits, Memo, Memory};
    use crate::{Runtime, RuntimeBuilder, Secret};
    use std::time::Duration;

    /// A memory that says others share it.
    #[derive(Clone)]
    struct Shared(Memory);

    impl Backend for Shared {
        fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
            self.0.get(key, deadline)
        }
        fn set(
            &self,
            key: &str,
            value: Bytes,
            life: Duration,
            deadline: Deadline,
        ) -> Result<(), BackendError> {
            self.0.set(key, value, life, deadline)
        }
        fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
            self.0.delete(key, deadline)
        }
        fn limits(&self) -> Limits {
            self.0.limits().shared(true)
        }
    }

    fn shared(memory: &Memory) -> RuntimeBuilder {
        Runtime::builder().backend(Shared(memory.clone()))
    }

    fn built(builder: RuntimeBuilder) -> Runtime {
        builder.build().expect("valid settings")
    }

    #[test]
    fn only_who_would_cache_lacks_a_secret() {
        let memory = Memory::new(1 << 20);
        let secret = Secret::of_this_process().expect("random bytes");
        assert!(built(shared(&memory)).lacks_a_secret());
        assert!(!built(shared(&memory).caching(false)).lacks_a_secret());
        assert!(!built(shared(&memory).secret(secret)).lacks_a_secret());
        assert!(!built(Runtime::builder()).lacks_a_secret());
    }

    #[test]
    fn the_key_id_is_told_where_others_have_to_have_the_same() {
        let memory = Memory::new(1 << 20);
        let secret = Secret::unchecked(b"told apart");
        let id = secret.keys().id();
        assert_eq!(
            built(shared(&memory).secret(secret)).given_key_id(),
            Some(id)
        );
        assert_eq!(built(shared(&memory)).given_key_id(), None);
        assert_eq!(built(Runtime::builder()).given_key_id(), None);
    }

    #[test]
    fn who_does_not_cache_needs_the_secret_that_others_cache_with() {
        let memory = Memory::new(1 << 20);
        let forced = || shared(&memory).force_encryption(true);
        let refused = forced().caching(false).build();
        let refused = refused.expect_err("it would invalidate nothing");
        assert!(
            refused.to_string().contains("`force_encryption`"),
            "{refused}"
        );

        let secret = Secret::of_this_process().expect("random bytes");
        let caching = built(forced().secret(secret.clone()));
        let other = built(forced().secret(secret).caching(false));
        let call = |value: u8| move || Memo::new("k").get_or_compute(|| value);
        assert_eq!((caching.scope(call(1)), other.scope(call(2))), (1, 2));
        assert_eq!(memory.len(), 1);
        assert!(other.scope(|| Memo::new("k").invalidate()));
        assert_eq!(memory.len(), 0);
    }
}
