//! The client of async functions: one connection to each server, which answers many at one time, in a tokio runtime.

mod client;
mod connection;
mod heard;
mod runtimes;
mod table;
mod together;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::Redis;
use super::command::{self, Request};
use crate::backend::{
    Answer, AsyncBackend, Backend, Bytes, Deadline, Lease, Limits, Lookup, Unblock,
};
use client::Client;
use heard::Heard;
use together::Together;

/// The same entries as those of a [`Redis`], awaited.
pub(super) struct Twin {
    client: Arc<Client>,
    reads: Together<Option<Bytes>>,
    lookups: Together<Heard>,
    /// For where there is no tokio runtime, or one without I/O.
    unblock: Unblock,
}

impl Twin {
    pub(super) fn new(redis: &Arc<Redis>) -> Self {
        Self {
            client: Arc::new(Client::new(&redis.shared)),
            reads: Together::default(),
            lookups: Together::default(),
            unblock: Unblock::shared(Arc::clone(redis) as Arc<dyn Backend>),
        }
    }

    /// That in which the connections can be used, if it is from here.
    fn runtime(&self) -> Option<Handle> {
        let runtime = Handle::try_current().ok()?;
        self.client.has_io(&runtime).then_some(runtime)
    }
}

/// Has a task done, or `otherwise` where its runtime ends before it is: nothing is done there any more.
fn spawn(
    runtime: &Handle,
    task: impl Future<Output = ()> + Send + 'static,
    otherwise: impl FnOnce() + Send + 'static,
) {
    let otherwise = Otherwise(Some(otherwise));
    runtime.spawn(async move {
        task.await;
        otherwise.spare();
    });
}

/// Done on drop.
struct Otherwise<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Otherwise<F> {
    fn spare(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for Otherwise<F> {
    fn drop(&mut self) {
        if let Some(otherwise) = self.0.take() {
            otherwise();
        }
    }
}

impl AsyncBackend for Twin {
    fn get<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, Option<Bytes>> {
        let Some(runtime) = self.runtime() else {
            return self.unblock.get(key, deadline);
        };
        let client = Arc::clone(&self.client);
        let question = move |key: Arc<str>, deadline| {
            let client = Arc::clone(&client);
            async move { command::found(client.ask_one(Request::get(&key), deadline).await?) }
        };
        let life = Duration::ZERO;
        Box::pin(async move {
            let found = self.reads.ask(&runtime, key, life, deadline, question);
            found.await
        })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        if self.runtime().is_none() {
            return self.unblock.set(key, value, life, deadline);
        }
        Box::pin(async move {
            let request = Request::set(key, &value, life);
            command::done(self.client.ask_one(request, deadline).await?)
        })
    }

    fn delete<'a>(&'a self, key: &'a str, deadline: Deadline) -> Answer<'a, ()> {
        if self.runtime().is_none() {
            return self.unblock.delete(key, deadline);
        }
        Box::pin(async move {
            command::done(self.client.ask_one(Request::delete(key), deadline).await?)
        })
    }

    fn limits(&self) -> Limits {
        super::limits()
    }

    fn get_many<'a>(
        &'a self,
        keys: &'a [&'a str],
        deadline: Deadline,
    ) -> Answer<'a, Vec<Option<Bytes>>> {
        if self.runtime().is_none() {
            return self.unblock.get_many(keys, deadline);
        }
        Box::pin(async move {
            let answers = self.client.ask(&mut super::gets(keys), deadline).await?;
            super::all(answers, command::found)
        })
    }

    fn set_many<'a>(
        &'a self,
        entries: &'a [(&'a str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, ()> {
        if self.runtime().is_none() {
            return self.unblock.set_many(entries, life, deadline);
        }
        Box::pin(async move {
            super::nothing(
                self.client
                    .ask(&mut super::sets(entries, life), deadline)
                    .await?,
            )
        })
    }

    fn delete_many<'a>(&'a self, keys: &'a [&'a str], deadline: Deadline) -> Answer<'a, ()> {
        if self.runtime().is_none() {
            return self.unblock.delete_many(keys, deadline);
        }
        Box::pin(async move {
            super::nothing(self.client.ask(&mut super::deletes(keys), deadline).await?)
        })
    }

    fn get_or_lease<'a>(
        &'a self,
        key: &'a str,
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, Lookup> {
        let Some(runtime) = self.runtime() else {
            return self.unblock.get_or_lease(key, life, deadline);
        };
        let client = Arc::clone(&self.client);
        let question = move |key: Arc<str>, deadline| {
            let client = Arc::clone(&client);
            async move {
                let (lookup, _) = client.look_up(&key, &[], life, deadline).await?;
                Ok(Heard::new(client, key, lookup))
            }
        };
        Box::pin(async move {
            let heard = self.lookups.ask(&runtime, key, life, deadline, question);
            Ok(heard.await?.take())
        })
    }

    fn get_many_or_lease<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
        deadline: Deadline,
    ) -> Answer<'a, (Lookup, Vec<Option<Bytes>>)> {
        if self.runtime().is_none() {
            return self.unblock.get_many_or_lease(key, others, life, deadline);
        }
        Box::pin(self.client.look_up(key, others, life, deadline))
    }

    fn lease<'a>(&'a self, key: &'a str, life: Duration, deadline: Deadline) -> Answer<'a, Lease> {
        if self.runtime().is_none() {
            return self.unblock.lease(key, life, deadline);
        }
        Box::pin(async move {
            let mut taking = self.client.shared.take(key, life)?;
            let answers = self.client.ask(&mut taking.exchange, deadline).await?;
            taking.answered(answers)
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
        if self.runtime().is_none() {
            return self.unblock.fill(key, lease, value, life, deadline);
        }
        Box::pin(async move {
            let ending = self.client.shared.unanswered.ending(key, lease);
            let request = Request::fill(key, lease, &value, life);
            let answer = self.client.ask_one(request, deadline).await;
            ending.answered(answer.and_then(command::filled))
        })
    }

    fn release(&self, key: &str, lease: Lease) {
        let Some(runtime) = self.runtime() else {
            self.unblock.release(key, lease);
            return;
        };
        let client = Arc::clone(&self.client);
        let (key, unblock) = (key.to_owned(), self.unblock.clone());
        let asked = key.clone();
        let release = async move {
            let ending = client.shared.unanswered.ending(&asked, lease);
            let request = Request::release(&asked, &[lease]);
            let answer = client.ask_one(request, Deadline::NEVER).await;
            drop(ending.answered(answer));
        };
        spawn(&runtime, release, move || unblock.release(&key, lease));
    }

    fn discard(&self, keys: &[&str]) {
        let Some(runtime) = self.runtime() else {
            self.unblock.discard(keys);
            return;
        };
        let client = Arc::clone(&self.client);
        let mut requests = super::deletes(keys);
        let unblock = self.unblock.clone();
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        spawn(
            &runtime,
            async move { drop(client.ask(&mut requests, Deadline::NEVER).await) },
            move || unblock.discard(&keys.iter().map(String::as_str).collect::<Vec<_>>()),
        );
    }
}
