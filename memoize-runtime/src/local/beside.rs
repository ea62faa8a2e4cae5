//! Copies beside a backend that others write too.
//!
//! They are kept in a memory of their own, for no longer than something vouches for them: the backend, which tells of changes,
//! or a bound that the function's author put on how stale a value may be.
//!
//! An answer may be overtaken by the news that it is out of date. So each question begins with a [`Ticket`]: a lease of that
//! memory, which ends with any news of its name. What was answered is kept only while it stands, as with any other lease.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::{Facts, Kept, Shelved};
use crate::backend::{Backend, Changes, Deadline, Lease, Memory};
use crate::clock::Clock;

/// The most that copies take.
const BYTES: usize = 32 << 20;

/// Longer than any question takes. What is asked longer is not kept where there is a crowd, that is all.
const LONGEST_QUESTION: Duration = Duration::from_secs(60);

/// What a function's author says about copies beside a shared backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Local {
    /// Where the backend tells of changes.
    #[default]
    Tracked,
    /// Anywhere, for so many milliseconds.
    Within(u64),
}

impl Local {
    /// Whether a copy may be used by who says so for as long as it stands.
    pub(crate) fn serves(self, facts: &Facts) -> bool {
        match (facts.trust, self) {
            (Trust::Own, _) | (Trust::Tracked, Self::Tracked) => true,
            (Trust::Until(until_ms), Self::Within(ms)) => {
                until_ms <= facts.asked_ms.saturating_add(ms)
            }
            (Trust::Tracked, Self::Within(_)) | (Trust::Until(_), Self::Tracked) => false,
        }
    }
}

/// Who vouches for a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It is the entry itself.
    Own,
    /// The backend, as long as it tells of changes.
    Tracked,
    /// Nobody, after this moment.
    Until(u64),
}

/// The right to keep what is about to be asked, if it doesn't change meanwhile.
pub(crate) struct Ticket {
    lease: Lease,
    pub(crate) asked_ms: u64,
    pub(crate) trust: Trust,
}

/// The copies of one runtime.
pub(crate) struct Beside {
    clock: Arc<dyn Clock>,
    /// Made with the first question whose answer may be kept.
    memory: OnceLock<Memory>,
    tracking: Tracking,
}

/// Whether the backend tells of changes.
pub(crate) struct Tracking {
    /// What all names begin with that it tells of.
    prefix: String,
    stands: AtomicBool,
    /// The process whose backend was asked to; 0 for none. A forked child has none of its parent's threads, and is told nothing.
    process: AtomicU32,
    asking: Mutex<()>,
}

impl Tracking {
    /// Whether nothing has changed that was not told. It takes a system call, for the number of the process.
    #[inline]
    pub(crate) fn stands(&self) -> bool {
        self.stands.load(Ordering::SeqCst) && self.process.load(Ordering::Relaxed) == process::id()
    }
}

impl Beside {
    pub(super) fn new(namespace: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            memory: OnceLock::new(),
            tracking: Tracking {
                prefix: format!("{namespace}:"),
                stands: AtomicBool::new(false),
                process: AtomicU32::new(0),
                asking: Mutex::new(()),
            },
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        let begin = || Memory::with_clock(BYTES, Arc::clone(&self.clock));
        self.memory.get_or_init(begin)
    }

    pub(super) fn tracking(&self) -> &Tracking {
        &self.tracking
    }

    /// Has the backend tell of changes from now on, unless it was asked to in this process. One that
    /// can't drops what it was given.
    pub(super) fn watch(self: &Arc<Self>, backend: &dyn Backend) {
        let this_process = process::id();
        let tracking = &self.tracking;
        if tracking.process.load(Ordering::SeqCst) == this_process {
            return;
        }
        // Nobody waits here: who comes second does without, as does the child of a fork in between.
        let Ok(_asking) = tracking.asking.try_lock() else {
            return;
        };
        if tracking.process.load(Ordering::SeqCst) == this_process {
            return;
        }
        // What a parent was told, its child was not.
        self.lose();
        tracking.process.store(this_process, Ordering::SeqCst);
        backend.watch(&tracking.prefix, Changes::of(self));
    }

    /// The copy under `name`, if it may be used by who says `local`.
    pub(crate) fn copy(&self, name: &str, local: Local, now_ms: u64) -> Option<Arc<dyn Shelved>> {
        let Some(Kept::Value(kept)) = self.memory.get()?.kept(name) else {
            return None;
        };
        let facts = kept.facts();
        let is_current = facts.is_trusted(now_ms)
            && match local {
                Local::Tracked => self.is_told_of(name),
                Local::Within(ms) => now_ms < facts.asked_ms.saturating_add(ms),
            }
            && (facts.trust != Trust::Tracked || self.is_told_of(name));
        is_current.then_some(kept)
    }

    /// Before the backend is asked for `name`. None where the answer could not be kept.
    pub(crate) fn ask(&self, name: &str, local: Local, now_ms: u64) -> Option<Ticket> {
        let trust = match local {
            Local::Tracked if self.is_told_of(name) => Trust::Tracked,
            Local::Tracked | Local::Within(0) => return None,
            Local::Within(ms) => Trust::Until(now_ms.saturating_add(ms)),
        };
        let lease = self.memory().lease(name, LONGEST_QUESTION, Deadline::NEVER);
        Some(Ticket {
            lease: lease.ok()?,
            asked_ms: now_ms,
            trust,
        })
    }

    /// Keeps what was answered; says whether it may be used.
    pub(crate) fn keep(
        &self,
        ticket: &Ticket,
        name: &str,
        value: Arc<dyn Shelved>,
        life: Duration,
    ) -> bool {
        let kept = Kept::Value(value);
        if !self.memory().fill_kept(name, ticket.lease, kept, life) {
            return false;
        }
        // Tracking may have been lost, and all removed, between the question and the lease, or the look at it and this.
        if ticket.trust == Trust::Tracked && !self.is_told_of(name) {
            self.forget(name);
            return false;
        }
        true
    }

    /// Removes the copy under `name`; what is being asked is not kept.
    pub(crate) fn forget(&self, name: &str) {
        if let Some(memory) = self.memory.get() {
            // It always answers.
            let _ = memory.delete(name, Deadline::NEVER);
        }
    }

    /// The same for all names.
    pub(crate) fn forget_all(&self) {
        if let Some(memory) = self.memory.get() {
            memory.clear();
        }
    }

    /// From now on changes are told. What was asked before, they were not told of.
    pub(crate) fn stand(&self) {
        self.forget_all();
        self.tracking.stands.store(true, Ordering::SeqCst);
    }

    /// From now on they are not. Off first, so that who keeps something after it was cleared finds that out.
    pub(crate) fn lose(&self) {
        self.tracking.stands.store(false, Ordering::SeqCst);
        self.forget_all();
    }

    fn is_told_of(&self, name: &str) -> bool {
        name.starts_with(&self.tracking.prefix) && self.tracking.stands()
    }
}
