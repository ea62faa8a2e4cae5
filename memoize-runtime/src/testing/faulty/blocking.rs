//! As a thread meets it.

use std::thread;
use std::time::Duration;

use super::schedule::{Moment, Written};
use super::{Faulty, Question, VOID, full, injected, limited, wait};
use crate::backend::{Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};

impl<B: Backend> Faulty<B> {
    fn ask(&self, operation: &'static str, deadline: Deadline) -> Result<Question, BackendError> {
        let asked = self.schedule().ask(operation);
        for write in asked.again {
            self.inner
                .set(&write.key, write.value, write.life, deadline)?;
        }
        if let Some(delay) = asked.delay {
            let (delay, outcome) = wait(delay, deadline);
            thread::sleep(delay);
            outcome?;
        }
        if asked.error == Some(Moment::Before) {
            return Err(injected());
        }
        Ok(Question {
            turn: asked.turn,
            error: asked.error,
        })
    }
}

impl<B: Backend> Backend for Faulty<B> {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        let mut question = self.ask("get", deadline)?;
        let found = self.inner.get(key, deadline)?;
        question.answered()?;
        Ok(self.reply(&mut question, key, found))
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        let mut question = self.ask("set", deadline)?;
        let written = self.schedule().write(&mut question.turn, key, &value, life);
        match written {
            Written::Once | Written::Twice => {
                self.inner.set(key, value.clone(), life, deadline)?;
                self.schedule().wrote(key, value);
            }
            Written::Never => {}
            Written::Refused => return Err(full()),
        }
        question.answered()
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        let question = self.ask("delete", deadline)?;
        self.inner.delete(key, deadline)?;
        question.answered()
    }

    fn limits(&self) -> Limits {
        limited(self.inner.limits(), self.value_bytes).blocking(true)
    }

    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        let mut question = self.ask("get_many", deadline)?;
        let found = self.inner.get_many(keys, deadline)?;
        question.answered()?;
        Ok(self.replies(&mut question, keys, found))
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
        let question = self.ask("delete_many", deadline)?;
        self.inner.delete_many(keys, deadline)?;
        question.answered()
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        let mut question = self.ask("get_or_lease", deadline)?;
        let lookup = self.inner.get_or_lease(key, life, deadline)?;
        question.answered()?;
        Ok(self.lookup(&mut question, key, lookup))
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        let mut question = self.ask("get_many_or_lease", deadline)?;
        let (lookup, found) = self.inner.get_many_or_lease(key, others, life, deadline)?;
        question.answered()?;
        let found = self.replies(&mut question, others, found);
        Ok((self.lookup(&mut question, key, lookup), found))
    }

    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        let question = self.ask("lease", deadline)?;
        let lease = self.inner.lease(key, life, deadline)?;
        question.answered().map(|()| lease)
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        let mut question = self.ask("fill", deadline)?;
        if lease == VOID {
            return question.answered().map(|()| false);
        }
        let written = self.schedule().write(&mut question.turn, key, &value, life);
        let fill = || {
            let stored = self.inner.fill(key, lease, value.clone(), life, deadline)?;
            if stored {
                self.schedule().wrote(key, value.clone());
            }
            Ok(stored)
        };
        let stored = match written {
            Written::Once => fill()?,
            Written::Twice => {
                fill()?;
                fill()?
            }
            Written::Never => true,
            Written::Refused => return Err(full()),
        };
        question.answered().map(|()| stored)
    }

    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        let question = self.ask("release", deadline)?;
        if lease != VOID {
            self.inner.release(key, lease, deadline)?;
        }
        question.answered()
    }
}
