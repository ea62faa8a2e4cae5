//! Locks that others go on with after a panic.
//!
//! What is done under ours leaves nothing half done: it is short, and what users wrote, such as a `Clone` or a backend, never runs there.
//! A lock that refuses everybody after a panic would make the functions of a whole process fail.

use std::sync::{LockResult, PoisonError};

use crate::shim::{Mutex, MutexGuard};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// What is locked, whoever panicked with it.
pub(crate) fn unpoisoned<G>(locked: LockResult<G>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}
