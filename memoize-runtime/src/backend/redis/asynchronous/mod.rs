//! The client of async functions: one connection to each server, which answers many at one time, in a tokio runtime.

mod connection;
mod runtimes;
mod table;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::blocking::share;
use super::command::{self, Request};
use super::error::{self, Failure};
use super::exchange::{Exchange, Group, MOST_ROUNDS};
use super::login::Greeting;
use super::nodes::Leave;
use super::router::Step;
use super::url::Address;
use super::{Redis, Shared, until};
use crate::backend::{
    Answer, AsyncBackend, Backend, BackendError, Bytes, Deadline, Lease, Limits, Lookup, Unblock,
};
use crate::timer::timeout;
use connection::Connection;
use runtimes::WithoutIo;
use table::Table;

/// The same entries as those of a [`Redis`], awaited.
pub(super) struct Twin {
    client: Arc<Client>,
    /// For where there is no tokio runtime, or one without I/O.
    unblock: Unblock,
}

struct Client {
    shared: Arc<Shared>,
    table: Table,
    without_io: WithoutIo,
}

type Answers = Result<Vec<Value>, Failure>;

/// What came of asking one server, by which connection, and by whose leave.
type Asked<'a> = (Group, Connection, Answers, Leave<'a>);

impl Twin {
    pub(super) fn new(redis: &Arc<Redis>) -> Self {
        Self {
            client: Arc::new(Client {
                shared: Arc::clone(&redis.shared),
                table: Table::default(),
                without_io: WithoutIo::default(),
            }),
            unblock: Unblock::shared(Arc::clone(redis) as Arc<dyn Backend>),
        }
    }

    /// That in which the connections can be used, if it is from here.
    fn runtime(&self) -> Option<Handle> {
        let runtime = Handle::try_current().ok()?;
        (!self.client.without_io.has(&runtime)).then_some(runtime)
    }
}

impl Client {
    /// As [the other](super::blocking::Client::ask) does.
    async fn ask(
        &self,
        exchange: &mut Exchange,
        deadline: Deadline,
    ) -> Result<Vec<Value>, BackendError> {
        let until = until(deadline);
        for _ in 0..MOST_ROUNDS {
            self.find_servers(until).await?;
            for (group, connection, answers, leave) in self.send(exchange, until).await? {
                match answers {
                    Ok(answers) => {
                        leave.answered();
                        let taken = exchange.take(&group, answers, &self.shared.router);
                        if !matches!(taken, Ok(true)) {
                            self.table.forget(&group.address, &connection);
                        }
                        taken?;
                    }
                    Err(failure) => {
                        // It is not believed to work.
                        self.table.forget(&group.address, &connection);
                        let failed = exchange.fail(&group, failure, &self.shared.router);
                        failed.map_err(|error| leave.failed(&group.address, error))?;
                    }
                }
            }
            if let Some(answers) = exchange.finish() {
                return Ok(answers);
            }
        }
        Err(BackendError::new("the cluster sends us from node to node"))
    }

    /// Sends what there is to send, to all servers at the same time.
    async fn send(
        &self,
        exchange: &mut Exchange,
        until: Instant,
    ) -> Result<Vec<Asked<'_>>, BackendError> {
        let mut groups = exchange.groups(&self.shared.router)?;
        if groups.len() <= 1 {
            let Some(group) = groups.pop() else {
                return Ok(Vec::new());
            };
            let (connection, reused, leave) = self.connection(&group.address, until).await?;
            let asked = connection.ask(&exchange.commands(&group), until).await;
            return Ok(vec![(group, connection, stale_if(reused, asked), leave)]);
        }
        let mut asking = JoinSet::new();
        let mut leaves = Vec::with_capacity(groups.len());
        for (index, group) in groups.iter().enumerate() {
            let (connection, reused, leave) = self.connection(&group.address, until).await?;
            leaves.push(leave);
            let commands: Vec<_> = exchange.commands(group).into_iter().cloned().collect();
            asking.spawn(async move {
                let commands: Vec<_> = commands.iter().collect();
                let asked = connection.ask(&commands, until).await;
                (index, connection, stale_if(reused, asked))
            });
        }
        let mut groups: Vec<_> = groups.into_iter().zip(leaves).map(Some).collect();
        let mut answered = Vec::with_capacity(groups.len());
        while let Some(joined) = asking.join_next().await {
            let (index, connection, asked) =
                joined.map_err(|error| BackendError::new("it panicked").with_source(error))?;
            if let Some((group, leave)) = groups[index].take() {
                answered.push((group, connection, asked, leave));
            }
        }
        Ok(answered)
    }

    /// Asks where the servers are, if that is to be done, or waits until another task has.
    async fn find_servers(&self, until: Instant) -> Result<(), BackendError> {
        loop {
            match self.shared.router.step(until) {
                Step::Nothing => return Ok(()),
                Step::Search(search) => {
                    let found = Box::pin(self.ask_guides(search.until)).await;
                    self.shared.blocking.keep_known(&self.shared);
                    self.table.keep(|address| self.shared.router.knows(address));
                    return self.shared.router.searched(search, found);
                }
                Step::Wait(search) => {
                    let end = until.min(search.until);
                    timeout(Some(end), search).await.unwrap_or(Ok(()))?;
                }
            }
            if Instant::now() >= until {
                return Err(error::late());
            }
        }
    }

    async fn ask_guides(&self, until: Instant) -> Result<(), BackendError> {
        let router = &self.shared.router;
        let mut guides = router.guides();
        let mut last = BackendError::new("no server is known");
        while let Some(guide) = guides.pop_front() {
            let until = share(until, guides.len());
            let answer = self.ask_guide(&guide, until).await;
            match answer.and_then(|answer| router.learn(&guide, answer)) {
                Ok(()) => return Ok(()),
                Err(error) => last = error.at(&guide),
            }
        }
        Err(last)
    }

    async fn ask_guide(&self, guide: &Address, until: Instant) -> Result<Value, BackendError> {
        let greeting = if self.shared.router.asks_sentinels() {
            Greeting::to_sentinels(&self.shared.target)
        } else {
            Greeting::to_servers(&self.shared.target)
        };
        let tls = self.shared.tls.as_ref();
        let connection = Connection::open(guide, tls, &greeting, until).await?;
        let answers = connection
            .ask(&[&self.shared.router.question()], until)
            .await;
        super::only(answers.map_err(Failure::of_new_connection)?)
    }

    async fn connection(
        &self,
        address: &Address,
        until: Instant,
    ) -> Result<(Connection, bool, Leave<'_>), BackendError> {
        let leave = self.shared.nodes.admit(address, until)?;
        let origin = self.shared.router.origin();
        if origin.is_due(Instant::now()) {
            // As the other does.
            drop(self.open(address, share(until, 1)).await);
        }
        let epoch = origin.epoch(Instant::now());
        let open = self.open(address, until);
        let opened = self.table.get_or_open(address, epoch, open, until).await;
        match opened {
            Ok((connection, reused)) => Ok((connection, reused, leave)),
            Err(error) => Err(leave.failed(address, error)),
        }
    }

    /// Another connection, which says which server its address leads to. In a box, as it is large and seldom needed.
    fn open<'a>(&'a self, address: &'a Address, until: Instant) -> Answer<'a, Connection> {
        Box::pin(self.without_io.open(async move {
            let router = &self.shared.router;
            let epoch = router.origin().epoch(Instant::now());
            let greeting = Greeting::to_servers(&self.shared.target);
            let tls = self.shared.tls.as_ref();
            let opened = Connection::open(address, tls, &greeting, until).await;
            let mut connection = opened.map_err(|error| self.shared.unconnected(error))?;
            connection.among = Some(Arc::clone(&self.shared.connected));
            connection.epoch = epoch;
            if greeting.asks_run_id {
                let run_id = connection.run_id.take();
                router.origin().opened(run_id, epoch, Instant::now());
            }
            Ok(connection)
        }))
    }

    async fn ask_one(&self, request: Request, deadline: Deadline) -> Result<Value, BackendError> {
        let answers = self.ask(&mut Exchange::new([request]), deadline).await?;
        super::only(answers)
    }

    async fn look_up(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        loop {
            let mut looking = self.shared.look(key, others, life)?;
            let answers = self.ask(&mut looking.exchange, deadline).await?;
            if let Some(found) = looking.answered(answers)? {
                return Ok(found);
            }
        }
    }
}

/// A connection that was opened for a question can't have been lost before it.
fn stale_if(reused: bool, answers: Answers) -> Answers {
    answers.map_err(|failure| match failure {
        Failure::Stale(error) if !reused => Failure::Other(error),
        failure => failure,
    })
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
        if self.runtime().is_none() {
            return self.unblock.get(key, deadline);
        }
        Box::pin(
            async move { command::found(self.client.ask_one(Request::get(key), deadline).await?) },
        )
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
        if self.runtime().is_none() {
            return self.unblock.get_or_lease(key, life, deadline);
        }
        Box::pin(async move {
            let (lookup, _) = self.client.look_up(key, &[], life, deadline).await?;
            Ok(lookup)
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
