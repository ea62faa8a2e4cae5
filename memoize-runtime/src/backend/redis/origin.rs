//! Whether the server that tells of changes is the one that is asked.
//!
//! Behind one address may stand now this server, now that: it is one of several that a name or a balancer leads to, or another
//! took its place. A connection stays with whom it was made to. So each is asked at its beginning which server it is (`run_id`, by `INFO`):
//! the connections that tell of changes say which one vouches for copies, and those that questions are asked on must lead to the same.
//!
//! All connections that questions are asked on belong to an epoch, which ends with the server that vouches: who was connected to
//! another one is not asked again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::Value;

/// What a server has called itself since its start.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RunId(Box<str>);

/// What is known of it in one process.
#[derive(Default)]
pub(super) struct Origin {
    /// Whether somebody is told of changes, so that it matters.
    is_tracked: AtomicBool,
    epoch: AtomicU64,
    is_doubted: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Who vouches; where nobody does yet, who is asked. None where the server doesn't say.
    run_id: Option<RunId>,
    /// Whether a connection of this epoch leads to another one.
    is_mixed: bool,
}

impl RunId {
    /// That in the answer to `INFO server`; none where that was refused.
    pub(super) fn of(info: &Value) -> Option<Self> {
        let text = match info {
            Value::BulkString(text) => str::from_utf8(text).ok()?,
            Value::VerbatimString { text, .. } | Value::SimpleString(text) => text,
            _ => return None,
        };
        let mut lines = text.lines();
        lines.find_map(|line| Some(Self(line.strip_prefix("run_id:")?.trim().into())))
    }
}

impl Origin {
    /// Has it be known from now on. What was connected before, nobody has asked.
    pub(super) fn track(&self) {
        if !self.is_tracked.swap(true, Ordering::SeqCst) {
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn is_tracked(&self) -> bool {
        self.is_tracked.load(Ordering::SeqCst)
    }

    /// Whether another epoch has begun is to be asked before a connection is used, and this before it is opened.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Notes to whom a connection leads that is to be asked.
    pub(super) fn opened(&self, run_id: Option<RunId>) {
        let mut seen = self.lock();
        if seen.run_id.is_none() {
            seen.run_id = run_id;
        } else if seen.run_id != run_id {
            seen.is_mixed = true;
        }
    }

    /// Notes who vouches from now on, by a connection in place of one that stood in epoch `last`; gives its epoch.
    pub(super) fn vouch(&self, run_id: Option<RunId>, last: Option<u64>) -> u64 {
        let mut seen = self.lock();
        let is_other = seen.is_mixed || seen.run_id != run_id;
        // Where the server doesn't say, it may be another one each time. Of two that are told of changes, one begins the epoch.
        let may_be_other = run_id.is_none() && last == Some(self.epoch());
        if is_other || may_be_other {
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
        *seen = Seen {
            run_id,
            is_mixed: false,
        };
        self.epoch()
    }

    /// Whether it is still the server that vouched in this epoch which is asked, as far as is known.
    pub(super) fn stands(&self, epoch: u64) -> bool {
        epoch == self.epoch() && !self.lock().is_mixed
    }

    /// Notes that a server was lost, or is not what it was.
    pub(super) fn doubt(&self) {
        self.is_doubted.store(true, Ordering::SeqCst);
    }

    /// Whether that was noted since the last time.
    pub(super) fn was_doubted(&self) -> bool {
        self.is_doubted.swap(false, Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::{Origin, RunId};

    fn server(name: &str) -> Option<RunId> {
        let info = format!("# Server\r\nredis_version:7.0.15\r\nrun_id:{name}\r\nport:1\r\n");
        RunId::of(&Value::BulkString(info.into_bytes()))
    }

    #[test]
    fn connections_to_the_server_that_vouches_stay() {
        let origin = Origin::default();
        origin.track();
        let opened = origin.epoch();
        origin.opened(server("a"));
        let vouched = origin.vouch(server("a"), None);
        assert_eq!(vouched, opened);
        assert_eq!(origin.vouch(server("a"), Some(vouched)), opened);
        origin.opened(server("a"));
        assert!(origin.stands(vouched));
    }

    #[test]
    fn another_server_ends_the_epoch() {
        let origin = Origin::default();
        let before = origin.vouch(server("a"), None);
        assert_ne!(origin.vouch(server("b"), Some(before)), before);
        assert!(!origin.stands(before));
    }

    #[test]
    fn a_question_to_another_server_ends_it_too() {
        let origin = Origin::default();
        for other in [server("b"), None] {
            let before = origin.vouch(server("a"), None);
            origin.opened(other);
            assert!(!origin.stands(before));
            // Whichever the address leads to the next time.
            let after = origin.vouch(server("a"), Some(before));
            assert_ne!(after, before);
            assert!(origin.stands(after));
        }
    }

    #[test]
    fn of_two_that_know_nothing_one_begins_the_epoch() {
        let origin = Origin::default();
        let first = origin.vouch(None, None);
        assert_eq!(origin.vouch(None, None), first);
        let second = origin.vouch(None, Some(first));
        assert_ne!(second, first);
        assert_eq!(origin.vouch(None, Some(first)), second);
        assert!(origin.stands(second));
    }

    #[test]
    fn what_is_no_answer_names_no_server() {
        for answer in [
            Value::Nil,
            Value::Okay,
            Value::BulkString(b"port:1".to_vec()),
        ] {
            assert!(RunId::of(&answer).is_none());
        }
    }
}
