//! With the feature `testing`.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, Weak};

use crate::locks::unpoisoned;
use crate::observe::{Event, Function};

/// Where events are written to.
pub(crate) trait Log: Send + Sync {
    fn write(&self, function: Function, event: Event);
}

/// The logs of one runtime, kept for as long as somebody reads them.
pub(crate) struct Journal {
    logs: RwLock<Vec<Weak<dyn Log>>>,
    /// So that a runtime that nobody watches takes no lock.
    is_kept: AtomicBool,
}

impl Journal {
    pub(crate) const fn new() -> Self {
        Self {
            logs: RwLock::new(Vec::new()),
            is_kept: AtomicBool::new(false),
        }
    }

    /// Writes to `log` as well, until it is dropped.
    pub(crate) fn keep(&self, log: &Arc<impl Log + 'static>) {
        let log = Arc::downgrade(log);
        let mut logs = unpoisoned(self.logs.write());
        logs.retain(|log| log.strong_count() > 0);
        logs.push(log);
        self.is_kept.store(true, Ordering::Release);
    }

    pub(crate) fn write(&self, function: Function, event: Event) {
        if !self.is_kept.load(Ordering::Acquire) {
            return;
        }
        let logs = unpoisoned(self.logs.read());
        for log in logs.iter().filter_map(Weak::upgrade) {
            log.write(function, event);
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}
