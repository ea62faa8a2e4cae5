//! Where entries live: bytes in, bytes out.
//!
//! A backend knows nothing of codecs, sealing, compression, expiry policy or functions. All of that is above it, so
//! that a new backend is one file.

mod asynchronous;
mod changes;
mod lease;
mod memory;
#[cfg(feature = "redis")]
mod redis;

pub(crate) use asynchronous::Immediate;
pub use asynchronous::{Answer, AsyncBackend, BlockOn, Unblock};
pub use bytes::Bytes;
pub use changes::Changes;
pub use lease::{Lease, Lookup};
pub use memory::Memory;
pub(crate) use memory::{MemoryLayout, MemoryStore};
#[cfg(feature = "redis")]
pub use redis::Redis;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A place that keeps bytes under text keys.
///
/// # Contract
///
/// - Keys are printable ASCII (0x21 to 0x7e) of at most [`Limits::key_bytes`] bytes; values are at most
///   [`Limits::value_bytes`] long. The caller keeps to both.
/// - `get` returns bytes that were `set` under exactly this key, or nothing. It may forget any entry at any time. An
///   entry whose life is over should be gone; that it isn't is found out above.
/// - No method blocks past its [`Deadline`], and none keeps a lock while it waits for the outside world.
/// - An error says that nothing is known: the write may or may not have happened. Errors never reach the caller of a
///   memoized function; they are counted and logged. A panic is treated as an error.
/// - Neither errors nor `Debug` show a key or a value.
///
/// # Leases
///
/// A [`Lease`] is the right to fill a key with what is computed from now on. It is how an invalidation wins over a
/// computation that began before it, and how processes that share a backend compute a value once.
///
/// - [`get_or_lease`](Self::get_or_lease) grants one where there is nothing under the key and nobody else holds one.
///   [`lease`](Self::lease) always grants one, in place of whichever stood.
/// - [`fill`](Self::fill) stores only while the lease stands, in one step with the check. [`release`](Self::release) and `fill` itself
///   end it, and [`set`](Self::set) and [`delete`](Self::delete) void whichever stands, also where nothing is under the key:
///   `fill` then stores nothing and says `false`.
/// - The `life` of a lease is how long others are told [`Lookup::Busy`]. One that ran out, and was neither ended nor
///   replaced, may still be filled: what takes long to compute is worth keeping most. A backend may forget a lease early, as it
///   may an entry; `fill` then says `false`, and the value is computed once more.
///
/// They have defaults for a backend without leases: everybody is granted one, and `fill` is `set`. There is then single
/// flight within each process, and an invalidation wins over the values that the same [runtime](crate::Runtime) computes, save that one may
/// be seen for the moment between its being written and its being taken back. Over what another process computes, and over iterators and
/// streams, it doesn't win: what they began before it they store after it.
pub trait Backend: Send + Sync + 'static {
    /// The bytes under `key`, if there are any.
    ///
    /// # Errors
    /// The backend can't be reached or answered with something unusable.
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError>;

    /// Keeps `value` under `key` for at most `life`, in place of what was there.
    ///
    /// # Errors
    /// The write may or may not have happened.
    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError>;

    /// Removes what is under `key`; nothing being there is not an error.
    ///
    /// # Errors
    /// The removal may or may not have happened.
    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError>;

    /// What this backend can take.
    fn limits(&self) -> Limits;

    /// [`get`](Self::get) of several keys, in their order; one round trip where the backend can.
    ///
    /// # Errors
    /// As `get`.
    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        keys.iter().map(|key| self.get(key, deadline)).collect()
    }

    /// [`set`](Self::set) of several entries with one life, one after the other: of two for one key the last is kept. One round trip where
    /// the backend can.
    ///
    /// # Errors
    /// As `set`; some of the entries may have been written.
    fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        entries
            .iter()
            .try_for_each(|(key, value)| self.set(key, value.clone(), life, deadline))
    }

    /// [`delete`](Self::delete) of several keys; one round trip where the backend can.
    ///
    /// # Errors
    /// As `delete`; some of the entries may have been removed.
    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<(), BackendError> {
        keys.iter().try_for_each(|key| self.delete(key, deadline))
    }

    /// The bytes under `key`, or the lease to fill it; one round trip where the backend can.
    ///
    /// # Errors
    /// As [`get`](Self::get); a lease may have been granted that nobody holds, and runs out.
    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        let _ = life;
        let found = self.get(key, deadline)?;
        Ok(found.map_or(Lookup::Granted(Lease::UNCONDITIONAL), Lookup::Found))
    }

    /// [`get_or_lease`](Self::get_or_lease) of `key` and [`get`](Self::get) of `others`, in their order; one round trip where the
    /// backend can.
    ///
    /// The others are read when the lease has been granted, or in one step with that, never before: what is found there may be
    /// stored by that lease, and whoever removes it ends that lease and then looks whether it is gone everywhere.
    ///
    /// # Errors
    /// As `get_or_lease`.
    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        let lookup = self.get_or_lease(key, life, deadline)?;
        match self.get_many(others, deadline) {
            Ok(found) => Ok((lookup, found)),
            Err(error) => {
                if let Lookup::Granted(lease) = lookup {
                    // What went wrong first is what is told.
                    let _ = self.release(key, lease, deadline);
                }
                Err(error)
            }
        }
    }

    /// The lease to fill `key`, whatever is under it.
    ///
    /// # Errors
    /// As [`get_or_lease`](Self::get_or_lease).
    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        let _ = (key, life, deadline);
        Ok(Lease::UNCONDITIONAL)
    }

    /// Keeps `value` as [`set`](Self::set) does, if the lease stands; says whether it did.
    ///
    /// # Errors
    /// The write may or may not have happened.
    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        let _ = lease;
        self.set(key, value, life, deadline).map(|()| true)
    }

    /// Gives up a lease that will not be filled, so that the next caller is granted one.
    ///
    /// # Errors
    /// The lease may still stand until it runs out.
    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        let _ = (key, lease, deadline);
        Ok(())
    }

    /// Has `changes` told whenever what is under a key that begins with `prefix` is changed, by any process. A backend that can't do
    /// that drops it.
    ///
    /// This returns at once, and asks nobody: what is to be connected first is told of with [`Changes::stand`]. It is called once
    /// values are to be kept in this process beside the backend; with another prefix, once that is to be of those that are sealed.
    fn watch(&self, prefix: &str, changes: Changes) {
        let _ = (prefix, changes);
    }

    /// The same entries for async functions, where this backend has an async client of its own; it is asked for once, when a
    /// [runtime](crate::Runtime) is built.
    ///
    /// Sync functions then ask this, and async ones await that. Without one, async functions ask this right there or through
    /// [`Unblock`], as its [`limits`](Self::limits) say.
    fn async_twin(self: Arc<Self>) -> Option<Arc<dyn AsyncBackend>> {
        None
    }
}

/// What a [`Backend`] can take, and whom it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest key, in bytes. Longer keys are shortened with a digest before they get here; below 64 there is no
    /// room for one, so at least 64 is assumed.
    pub key_bytes: usize,
    /// The largest value, in bytes.
    pub value_bytes: usize,
    /// Whether other processes see the same entries. Then `encrypt` takes a secret that they have as well, and without one nothing is
    /// stored that is to be sealed; else a [secret of this process](crate::RuntimeBuilder::secret) will do.
    pub shared: bool,
    /// Whether a call may keep its thread waiting, for a server or a disk. An async function then asks from a thread of
    /// ours; a backend that never waits is asked right there.
    pub blocking: bool,
}

impl Limits {
    /// Limits of a backend that other processes see too and that may block, which is safe to say of any: keys of up to 240 bytes, values
    /// of up to 1 MiB.
    pub const fn new() -> Self {
        Self {
            key_bytes: 240,
            value_bytes: 1 << 20,
            shared: true,
            blocking: true,
        }
    }

    /// The same with keys of up to `bytes`.
    pub const fn key_bytes(mut self, bytes: usize) -> Self {
        self.key_bytes = bytes;
        self
    }

    /// The same with values of up to `bytes`.
    pub const fn value_bytes(mut self, bytes: usize) -> Self {
        self.value_bytes = bytes;
        self
    }

    /// The same, for a backend that other processes see too, or don't.
    pub const fn shared(mut self, shared: bool) -> Self {
        self.shared = shared;
        self
    }

    /// The same, for a backend that keeps no thread waiting, or does.
    pub const fn blocking(mut self, blocking: bool) -> Self {
        self.blocking = blocking;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// The moment by which all cache work of one call must be over.
///
/// It is one moment and not a timeout for each step, so that steps can't add up.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No deadline, for a backend that never waits.
    pub const NEVER: Self = Self(None);

    /// `budget` from now.
    pub fn after(budget: Duration) -> Self {
        Self(Instant::now().checked_add(budget))
    }

    pub(crate) fn at(moment: Instant) -> Self {
        Self(Some(moment))
    }

    /// The time that is left: zero when it has passed, `None` without a deadline.
    pub fn remaining(self) -> Option<Duration> {
        self.0
            .map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The moment itself.
    pub(crate) fn moment(self) -> Option<Instant> {
        self.0
    }

    /// The moment at which half of what is left now has passed.
    pub(crate) fn halfway(self) -> Self {
        let half = self.remaining().map(|left| left / 2);
        Self(self.0.zip(half).and_then(|(at, half)| at.checked_sub(half)))
    }

    /// Whichever of them is later.
    pub(crate) fn later(self, other: Self) -> Self {
        Self(self.0.zip(other.0).map(|(one, other)| one.max(other)))
    }

    pub(crate) fn has_passed(self) -> bool {
        self.0.is_some_and(|at| at <= Instant::now())
    }
}

/// Why a [`Backend`] could not do what it was asked.
pub struct BackendError {
    reason: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
    tells: Tells,
    /// Which of the servers.
    server: Option<Arc<str>>,
}

/// What an error tells of the backend.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    Fails,
    /// It works, and refuses what it was asked.
    Works,
    /// It was not asked.
    Nothing,
}

impl BackendError {
    /// An error with a reason that holds no key, value or credential: "connection refused", say.
    pub fn new(reason: &'static str) -> Self {
        Self {
            reason,
            source: None,
            tells: Tells::Fails,
            server: None,
        }
    }

    /// The same of a backend that works, and refuses just this: "the server is out of memory", say, where it still reads. It is no reason to
    /// leave the backend alone: to the circuit breaker it is an answer.
    pub fn refusal(reason: &'static str) -> Self {
        Self {
            tells: Tells::Works,
            ..Self::new(reason)
        }
    }

    /// That the backend could not be asked, which says nothing about it.
    pub(crate) fn unasked(reason: &'static str) -> Self {
        Self {
            tells: Tells::Nothing,
            ..Self::new(reason)
        }
    }

    /// The same for another who asked, without what caused it.
    pub(crate) fn copy(&self) -> Self {
        Self {
            reason: self.reason,
            source: None,
            tells: self.tells,
            server: self.server.clone(),
        }
    }

    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    /// The same of a part of the backend, which says nothing about the rest.
    #[cfg(feature = "redis")]
    pub(crate) fn telling_nothing(self) -> Self {
        Self {
            tells: Tells::Nothing,
            ..self
        }
    }

    /// The same with where the server is, which is shown: without a credential.
    #[cfg(feature = "redis")]
    pub(crate) fn at(self, server: &dyn fmt::Display) -> Self {
        Self {
            server: Some(server.to_string().into()),
            ..self
        }
    }

    pub(crate) fn tells(&self) -> Tells {
        self.tells
    }

    /// The same with the error that caused it.
    ///
    /// It can be had by [`source`](Error::source); nothing here prints it, since it may quote what was stored.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)?;
        match &self.server {
            Some(server) => write!(f, " ({server})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackendError({:?})", self.to_string())
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
