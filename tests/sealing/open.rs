//! A backend in plain sight.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cache_memoize::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};

/// A shared backend in plain sight: what was stored, and what was asked.
#[derive(Clone, Default)]
pub(crate) struct Open {
    entries: Arc<Mutex<BTreeMap<String, Bytes>>>,
    asked: Arc<Mutex<Vec<String>>>,
    private: bool,
}

impl Open {
    pub(crate) fn private() -> Self {
        Self {
            private: true,
            ..Self::default()
        }
    }

    pub(crate) fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.entries.lock().expect("no test panics in here")
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.entries().keys().cloned().collect()
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no test panics in here"))
    }

    pub(crate) fn note(&self, question: String) {
        self.asked
            .lock()
            .expect("no test panics in here")
            .push(question);
    }

    /// Changes the one entry there is, and not its chunks.
    pub(crate) fn change_entry(&self, change: impl Fn(&mut Vec<u8>)) {
        let mut entries = self.entries();
        let mut changed = entries.iter_mut().filter(|(name, _)| !name.contains('.'));
        let (_, bytes) = changed.next().expect("it was stored");
        let mut entry = bytes.to_vec();
        change(&mut entry);
        *bytes = entry.into();
        assert!(changed.next().is_none());
    }
}

impl Backend for Open {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.note("get".to_owned());
        Ok(self.entries().get(key).cloned())
    }

    fn set(&self, key: &str, value: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        self.note("set".to_owned());
        self.entries().insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.note("delete".to_owned());
        self.entries().remove(key);
        Ok(())
    }

    fn get_many(&self, keys: &[&str], _: Deadline) -> Result<Vec<Option<Bytes>>, BackendError> {
        self.note(format!("get_many of {}", keys.len()));
        let entries = self.entries();
        Ok(keys.iter().map(|key| entries.get(*key).cloned()).collect())
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        _: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        let mut found = self.get_many(&[&[key], others].concat(), deadline)?;
        let granted = Lookup::Granted(Lease::UNCONDITIONAL);
        let lookup = found.remove(0).map_or(granted, Lookup::Found);
        Ok((lookup, found))
    }

    fn delete_many(&self, keys: &[&str], _: Deadline) -> Result<(), BackendError> {
        self.note(format!("delete_many of {}", keys.len()));
        for key in keys {
            self.entries().remove(*key);
        }
        Ok(())
    }

    fn limits(&self) -> Limits {
        // Little, so that what is larger is in chunks.
        let limits = Limits::new().value_bytes(4096).blocking(false);
        // A backend that says nothing of it is taken for shared.
        if self.private {
            limits.shared(false)
        } else {
            limits
        }
    }
}
