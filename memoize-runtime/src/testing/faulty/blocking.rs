//! As a thread meets it.

use std::thread;
use std::time::Duration;

use super::schedule::{Moment, Written};
use super::{Faulty, VOID, full, injected, limited, wait};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};

impl<B: Backend> Faulty<B> {
    fn ask<T>(
        &self,
        operation: &'static str,
        deadline: Deadline,
        question: impl FnOnce(&B) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let asked = self.schedule().ask(operation);
        if let Some(delay) = asked.delay {
            let (delay, outcome) = wait(delay, deadline);
            thread::sleep(delay);
            outcome?;
        }
        for write in asked.again {
            self.inner
                .set(&write.key, write.value, write.life, deadline)?;
        }
        if asked.error == Some(Moment::Before) {
            return Err(injected());
        }
        let answer = question(&self.inner)?;
        asked.error.map_or(Ok(answer), |_| Err(injected()))
    }

    fn reply(&self, operation: &'static str, key: &str, found: Option<Bytes>) -> Option<Bytes> {
        self.schedule().reply(operation, key, found)
    }

    fn lookup(&self, operation: &'static str, key: &str, lookup: Lookup) -> Lookup {
        match lookup {
            Lookup::Found(bytes) => self
                .reply(operation, key, Some(bytes))
                .map_or(VOID, Lookup::Found),
            other => other,
        }
    }
}

impl<B: Backend> Backend for Faulty<B> {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        let found = self.ask("get", deadline, |inner| inner.get(key, deadline))?;
        Ok(self.reply("get", key, found))
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        self.ask("set", deadline, |inner| {
            let written = self.schedule().write("set", key, &value, life);
            match written {
                Written::Once | Written::Twice => inner.set(key, value, life, deadline),
                Written::Never => Ok(()),
                Written::Refused => Err(full()),
            }
        })
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        self.ask("delete", deadline, |inner| inner.delete(key, deadline))
    }

    fn limits(&self) -> Limits {
        limited(self.inner.limits(), self.value_bytes).blocking(true)
    }

    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        let found = self.ask("get_many", deadline, |inner| inner.get_many(keys, deadline))?;
        let found = keys.iter().zip(found);
        Ok(found
            .map(|(key, found)| self.reply("get_many", key, found))
            .collect())
    }

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

    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<(), BackendError> {
        self.ask("delete_many", deadline, |inner| {
            inner.delete_many(keys, deadline)
        })
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        let lookup = self.ask("get_or_lease", deadline, |inner| {
            inner.get_or_lease(key, life, deadline)
        })?;
        Ok(self.lookup("get_or_lease", key, lookup))
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        let (lookup, found) = self.ask("get_many_or_lease", deadline, |inner| {
            inner.get_many_or_lease(key, others, life, deadline)
        })?;
        let found = others.iter().zip(found);
        let found = found
            .map(|(key, found)| self.reply("get_many_or_lease", key, found))
            .collect();
        Ok((self.lookup("get_many_or_lease", key, lookup), found))
    }

    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        self.ask("lease", deadline, |inner| inner.lease(key, life, deadline))
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        self.ask("fill", deadline, |inner| {
            let written = self.schedule().write("fill", key, &value, life);
            match written {
                Written::Once => inner.fill(key, lease, value, life, deadline),
                Written::Twice => {
                    inner.fill(key, lease, value.clone(), life, deadline)?;
                    inner.fill(key, lease, value, life, deadline)
                }
                Written::Never => Ok(true),
                Written::Refused => Err(full()),
            }
        })
    }

    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        self.ask("release", deadline, |inner| {
            inner.release(key, lease, deadline)
        })
    }
}
