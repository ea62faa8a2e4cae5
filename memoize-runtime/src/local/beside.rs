//! Copies beside a backend that others write too.
//!
//! They are kept in a memory of their own, for no longer than something vouches for them: the backend, which tells of changes,
//! or a bound that the function's author put on how stale a value may be.
//!
//! An answer may be overtaken by the news that it is out of date. So each question begins with a [`Ticket`]: a lease of that
//! memory, which ends with any news of its name. What was answered is kept only while it stands, as with any other lease. Those who ask
//! at one time share it ([`questions`](super::questions)).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::questions::{Answered, Question, Questions};
use super::{Facts, Kept, Shelved};
use crate::backend::{Backend, Changes, MemoryLayout, MemoryStore};
use crate::clock::Clock;
use crate::entry::SEALED_PREFIX;
use crate::process;

/// Longer than any question takes. What is asked longer is not kept where there is a crowd, that is all.
const LONGEST_QUESTION: Duration = Duration::from_secs(60);

/// What a function's author says about copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Local {
    /// Nothing: of what isn't sealed, where the backend tells of changes.
    #[default]
    Unsaid,
    /// Of what is sealed as well.
    Always,
    /// The same, and anywhere, for so many milliseconds.
    Within(u64),
}

impl Local {
    /// Whether a copy may be used by who says so for as long as it stands.
    pub(crate) fn serves(self, facts: &Facts) -> bool {
        match (facts.trust, self) {
            (Trust::Own, _) | (Trust::Tracked, Self::Unsaid | Self::Always) => true,
            (Trust::Until(until_ms), Self::Within(ms)) => {
                until_ms <= facts.asked_ms.saturating_add(ms)
            }
            (Trust::Tracked, Self::Within(_)) | (Trust::Until(_), _) => false,
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
pub(crate) struct Ticket<'a> {
    beside: &'a Beside,
    name: &'a str,
    question: Arc<Question>,
    pub(crate) asked_ms: u64,
    pub(crate) trust: Trust,
}

/// The copies of one runtime, in one process.
pub(crate) struct Beside {
    clock: Arc<dyn Clock>,
    /// That of one process: a forked child has none of its parent's threads, and is told nothing.
    store: Arc<MemoryStore>,
    questions: Questions,
    plain: Tracking,
    sealed: Tracking,
}

/// Whether the backend tells of changes to some names.
struct Tracking {
    /// What these names begin with.
    prefix: String,
    is_asked: AtomicBool,
    stands: AtomicBool,
}

/// The names that one [`Changes`] is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Names {
    Plain,
    Sealed,
}

impl Ticket<'_> {
    /// Keeps what was answered, which is of this `entry`; says whether it did.
    pub(crate) fn keep(self, value: Arc<dyn Shelved>, entry: u64) -> bool {
        let Beside {
            store,
            clock,
            questions,
            ..
        } = self.beside;
        match self.question.answered(entry) {
            Answered::First => {}
            Answered::Alike => return false,
            Answered::Otherwise => {
                // What is kept by now may be the older one, as may be what is asked.
                questions.end(self.name, &self.question);
                self.beside.forget(self.name);
                return false;
            }
        }
        let until_ms = value.facts().until_ms();
        let life = Duration::from_millis(until_ms.saturating_sub(clock.unix_millis()));
        let lease = self.question.lease;
        let is_kept = store.fill(self.name, lease, Kept::Value(value), life);
        // The right is used, or there was news.
        questions.end(self.name, &self.question);
        if !is_kept {
            return false;
        }
        // What vouches for it may have been lost, and all removed, between the look at it and the lease.
        if self.trust == Trust::Tracked && !self.beside.is_told_of(self.name) {
            self.beside.forget(self.name);
            return false;
        }
        true
    }
}

impl Drop for Ticket<'_> {
    /// Else those of all misses would pile up.
    fn drop(&mut self) {
        let Beside {
            store, questions, ..
        } = self.beside;
        if questions.leave(self.name, &self.question) {
            store.release(self.name, self.question.lease);
        }
    }
}

impl Tracking {
    fn new(prefix: String) -> Self {
        Self {
            prefix,
            is_asked: AtomicBool::new(false),
            stands: AtomicBool::new(false),
        }
    }
}

impl Beside {
    pub(super) fn new(namespace: &str, capacity: usize, clock: &Arc<dyn Clock>) -> Self {
        Self {
            clock: Arc::clone(clock),
            store: MemoryStore::new(
                process::current(),
                MemoryLayout::of(capacity as u64),
                Arc::clone(clock),
            ),
            questions: Questions::new(),
            plain: Tracking::new(format!("{namespace}:")),
            sealed: Tracking::new(SEALED_PREFIX.to_owned()),
        }
    }

    /// Whether nobody asks.
    #[cfg(test)]
    pub(super) fn is_quiet(&self) -> bool {
        self.questions.is_empty()
    }

    #[cfg(test)]
    pub(super) fn of_another_process(self) -> Self {
        let layout = MemoryLayout::of(1 << 20);
        let store = MemoryStore::new(process::current() ^ 1, layout, Arc::clone(&self.clock));
        Self { store, ..self }
    }

    pub(super) fn store(&self) -> &Arc<MemoryStore> {
        &self.store
    }

    /// Whether these are this process's copies, and not those of the one that it was forked from. It takes a system call.
    #[inline]
    pub(super) fn is_of_this_process(&self) -> bool {
        self.store.process() == process::current()
    }

    /// Has the backend tell of changes to these names from now on. One that can't drops what it was given.
    pub(crate) fn watch(self: &Arc<Self>, names: Names, backend: &dyn Backend) {
        let tracking = self.tracking(names);
        if !tracking.is_asked.load(Ordering::Relaxed)
            && !tracking.is_asked.swap(true, Ordering::Relaxed)
        {
            backend.watch(&tracking.prefix, Changes::of(self, names));
        }
    }

    /// The copy under `name`, if it may be used by who says `local`.
    pub(crate) fn copy(&self, name: &str, local: Local) -> Option<Arc<dyn Shelved>> {
        let Some(Kept::Value(kept)) = self.store.get(name) else {
            return None;
        };
        let (facts, now_ms) = (kept.facts(), self.clock.unix_millis());
        let is_young = match local {
            Local::Unsaid | Local::Always => self.is_told_of(name),
            Local::Within(ms) => now_ms < facts.asked_ms.saturating_add(ms),
        };
        let is_trusted = match facts.trust {
            Trust::Tracked => self.is_told_of(name),
            Trust::Own | Trust::Until(_) => facts.is_trusted(now_ms),
        };
        (is_young && is_trusted).then_some(kept)
    }

    /// Before the backend is asked for `name`, or given its entry. None where the answer could not be kept.
    pub(crate) fn ask<'a>(&'a self, name: &'a str, local: Local) -> Option<Ticket<'a>> {
        let asked_ms = self.clock.unix_millis();
        let trust = match local {
            Local::Unsaid | Local::Always if self.is_told_of(name) => Trust::Tracked,
            Local::Unsaid | Local::Always => return None,
            Local::Within(ms) => Trust::Until(asked_ms.saturating_add(ms)),
        };
        let lease = || self.store.lease(name, LONGEST_QUESTION);
        Some(Ticket {
            beside: self,
            name,
            question: self.questions.ask(name, lease),
            asked_ms,
            trust,
        })
    }

    /// Before an answer is used that was asked for without a ticket, as changes were not told. Where they are by now, what others keep
    /// may be older.
    pub(crate) fn pass(&self, name: &str) {
        if self.is_told_of(name) {
            self.forget(name);
        }
    }

    /// Removes the copy under `name`; what is being asked is not kept.
    pub(crate) fn forget(&self, name: &str) {
        self.store.remove(name);
    }

    /// The same for all names.
    pub(crate) fn forget_all(&self) {
        self.store.clear();
    }

    /// From now on changes are told. What was asked before, they were not told of.
    pub(crate) fn stand(&self, names: Names) {
        self.forget_all();
        self.tracking(names).stands.store(true, Ordering::SeqCst);
    }

    /// From now on they are not. Off first, so that who keeps something after it was cleared finds that out.
    pub(crate) fn lose(&self, names: Names) {
        self.tracking(names).stands.store(false, Ordering::SeqCst);
        self.forget_all();
    }

    /// Whether nothing has changed under `name` that was not told.
    pub(super) fn is_told_of(&self, name: &str) -> bool {
        [&self.plain, &self.sealed].iter().any(|tracking| {
            name.starts_with(&tracking.prefix) && tracking.stands.load(Ordering::SeqCst)
        })
    }

    fn tracking(&self, names: Names) -> &Tracking {
        match names {
            Names::Plain => &self.plain,
            Names::Sealed => &self.sealed,
        }
    }
}
