//! As a task meets it.

use std::time::{Duration, Instant};

use super::schedule::{Moment, Written};
use super::{Faulty, Question, VOID, full, injected, limited, wait};
use crate::backend::{Answer, AsyncBackend, BackendError, Bytes, Deadline, Lease, Limits, Lookup};
use crate::timer::sleep_until;

impl<A: AsyncBackend> Faulty<A> {
    async fn question(
        &self,
        operation: &'static str,
        deadline: Deadline,
    ) -> Result<Question, BackendError> {
        let asked = self.schedule().ask(operation);
        for write in asked.again {
            self.inner
                .set(&write.key, write.value, write.life, deadline)
                .await?;
        }
        if let Some(delay) = asked.delay {
            let (delay, outcome) = wait(delay, deadline);
            sleep_until(Instant::now() + delay).await;
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

impl<A: AsyncBackend> AsyncBackend for Faulty<A> {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        Box::pin(async move {
            let mut question = self.question("get", deadline).await?;
            let found = self.inner.get(key, deadline).await?;
            question.answered()?;
            Ok(self.reply(&mut question, key, found))
        })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut question = self.question("set", deadline).await?;
            let written = self.schedule().write(&mut question.turn, key, &value, life);
            match written {
                Written::Once | Written::Twice => {
                    self.inner.set(key, value.clone(), life, deadline).await?;
                    self.schedule().wrote(key, value);
                }
                Written::Never => {}
                Written::Refused => return Err(full()),
            }
            question.answered()
        })
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(async move {
            let question = self.question("delete", deadline).await?;
            self.inner.delete(key, deadline).await?;
            question.answered()
        })
    }

    fn limits(&self) -> Limits {
        limited(self.inner.limits(), self.value_bytes)
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        deadline: Deadline,
    ) -> Answer<'a, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let mut question = self.question("get_many", deadline).await?;
            let found = self.inner.get_many(keys, deadline).await?;
            question.answered()?;
            Ok(self.replies(&mut question, keys, found))
        })
    }

    fn delete_many<'a>(&'a self, keys: &'a [&'a str], deadline: Deadline) -> Answer<'a, ()> {
        Box::pin(async move {
            let question = self.question("delete_many", deadline).await?;
            self.inner.delete_many(keys, deadline).await?;
            question.answered()
        })
    }

    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        Box::pin(async move {
            let mut question = self.question("get_or_lease", deadline).await?;
            let lookup = self.inner.get_or_lease(key, life, deadline).await?;
            question.answered()?;
            Ok(self.lookup(&mut question, key, lookup))
        })
    }

    fn get_many_or_lease<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, (Lookup, Vec<Option<Bytes>>)> {
        Box::pin(async move {
            let mut question = self.question("get_many_or_lease", deadline).await?;
            let asked = self.inner.get_many_or_lease(key, others, life, deadline);
            let (lookup, found) = asked.await?;
            question.answered()?;
            let found = self.replies(&mut question, others, found);
            Ok((self.lookup(&mut question, key, lookup), found))
        })
    }

    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        Box::pin(async move {
            let question = self.question("lease", deadline).await?;
            let lease = self.inner.lease(key, life, deadline).await?;
            question.answered().map(|()| lease)
        })
    }

    fn fill<'a>(
        &'a self,
        key: &'a str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let mut question = self.question("fill", deadline).await?;
            if lease == VOID {
                return question.answered().map(|()| false);
            }
            let written = self.schedule().write(&mut question.turn, key, &value, life);
            let fill = async || {
                let fill = self.inner.fill(key, lease, value.clone(), life, deadline);
                let stored = fill.await?;
                if stored {
                    self.schedule().wrote(key, value.clone());
                }
                Ok(stored)
            };
            let stored = match written {
                Written::Once => fill().await?,
                Written::Twice => {
                    fill().await?;
                    fill().await?
                }
                Written::Never => true,
                Written::Refused => return Err(full()),
            };
            question.answered().map(|()| stored)
        })
    }

    fn release(&self, key: &str, lease: Lease) {
        if self.schedule().lets_pass("release") && lease != VOID {
            self.inner.release(key, lease);
        }
    }

    fn discard(&self, keys: &[&str]) {
        if self.schedule().lets_pass("discard") {
            self.inner.discard(keys);
        }
    }
}
