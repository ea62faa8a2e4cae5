//! The client of async functions: one connection to each server, which answers many at one time, in a tokio runtime.

mod connection;
mod runtimes;
mod table;
mod together;

use std::future::Future;
use std::mem;
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
use together::Together;

/// The same entries as those of a [`Redis`], awaited.
pub(super) struct Twin {
    client: Arc<Client>,
    reads: Together<Option<Bytes>>,
    lookups: Together<Heard>,
    /// For where there is no tokio runtime, or one without I/O.
    unblock: Unblock,
}

struct Client {
    shared: Arc<Shared>,
    table: Table,
    without_io: WithoutIo,
}

/// What a lookup was answered with. Dropped before its caller has it, a lease is noted as one that nobody will use.
struct Heard {
    client: Arc<Client>,
    key: Arc<str>,
    lookup: Lookup,
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
            reads: Together::default(),
            lookups: Together::default(),
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
        self: &Arc<Self>,
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
        self: &Arc<Self>,
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
        let runtime = runtimes::current()?;
        let mut leaves = Vec::with_capacity(groups.len());
        for (index, group) in groups.iter().enumerate() {
            let (connection, reused, leave) = self.connection(&group.address, until).await?;
            leaves.push(leave);
            let commands: Vec<_> = exchange.commands(group).into_iter().cloned().collect();
            let asked = async move {
                let commands: Vec<_> = commands.iter().collect();
                let asked = connection.ask(&commands, until).await;
                (index, connection, stale_if(reused, asked))
            };
            asking.spawn_on(asked, &runtime);
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
    async fn find_servers(self: &Arc<Self>, until: Instant) -> Result<(), BackendError> {
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

    async fn ask_guides(self: &Arc<Self>, until: Instant) -> Result<(), BackendError> {
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

    async fn ask_guide(
        self: &Arc<Self>,
        guide: &Address,
        until: Instant,
    ) -> Result<Value, BackendError> {
        let greeting = if self.shared.router.asks_sentinels() {
            Greeting::to_sentinels(&self.shared.target)
        } else {
            Greeting::to_servers(&self.shared.target)
        };
        let opening = runtimes::current()?.spawn(self.open_by(guide, greeting, until));
        let opened = timeout(Some(until), opening).await;
        let connection = opened
            .ok_or_else(error::late)?
            .map_err(|_| runtimes::ended())??;
        let answers = connection
            .ask(&[&self.shared.router.question()], until)
            .await;
        super::only(answers.map_err(Failure::of_new_connection)?)
    }

    async fn connection(
        self: &Arc<Self>,
        address: &Address,
        until: Instant,
    ) -> Result<(Connection, bool, Leave<'_>), BackendError> {
        let leave = self.shared.nodes.admit(address, until)?;
        let origin = self.shared.router.origin();
        if origin.is_due(Instant::now()) {
            // As the other does.
            let until = share(until, 1);
            let trial = runtimes::current()?.spawn(self.open(address, until));
            drop(timeout(Some(until), trial).await);
        }
        let epoch = origin.epoch(Instant::now());
        let open = || self.open(address, until);
        let opened = self.table.get_or_open(address, epoch, open, until).await;
        match opened {
            Ok((connection, reused)) => Ok((connection, reused, leave)),
            Err(error) => Err(leave.failed(address, error)),
        }
    }

    /// Another connection, which says which server its address leads to. In a box, as it is large and seldom needed.
    fn open(self: &Arc<Self>, address: &Address, until: Instant) -> Answer<'static, Connection> {
        let (client, address) = (Arc::clone(self), address.clone());
        Box::pin(async move {
            let shared = &client.shared;
            let origin = shared.router.origin();
            let epoch = origin.epoch(Instant::now());
            let greeting = Greeting::to_servers(&shared.target);
            let asks_run_id = greeting.asks_run_id;
            let opened = client.open_by(&address, greeting, until).await;
            let mut connection = opened.map_err(|error| shared.unconnected(error))?;
            connection.among = Some(Arc::clone(&shared.connected));
            connection.epoch = epoch;
            if asks_run_id {
                origin.opened(connection.run_id.take(), epoch, Instant::now());
            }
            Ok(connection)
        })
    }

    /// One that begins with a greeting, to be awaited in a task of the runtime: what polls a call may not poll it for long, or elsewhere.
    fn open_by(
        self: &Arc<Self>,
        address: &Address,
        greeting: Greeting,
        until: Instant,
    ) -> Answer<'static, Connection> {
        let (client, address) = (Arc::clone(self), address.clone());
        Box::pin(async move {
            let tls = client.shared.tls.as_ref();
            let opening = Connection::open(&address, tls, &greeting, until);
            client.without_io.open(opening).await
        })
    }

    async fn ask_one(
        self: &Arc<Self>,
        request: Request,
        deadline: Deadline,
    ) -> Result<Value, BackendError> {
        let answers = self.ask(&mut Exchange::new([request]), deadline).await?;
        super::only(answers)
    }

    async fn look_up(
        self: &Arc<Self>,
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

impl Heard {
    fn new(client: Arc<Client>, key: Arc<str>, lookup: Lookup) -> Self {
        Self {
            client,
            key,
            lookup,
        }
    }

    fn take(mut self) -> Lookup {
        mem::replace(&mut self.lookup, Lookup::Busy)
    }
}

impl together::Shared for Heard {
    fn share(&self) -> Self {
        let lookup = match &self.lookup {
            Lookup::Found(bytes) => Lookup::Found(bytes.clone()),
            Lookup::Granted(_) | Lookup::Busy => Lookup::Busy,
        };
        Self::new(Arc::clone(&self.client), Arc::clone(&self.key), lookup)
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        if let Some(lease) = self.lookup.granted() {
            drop(self.client.shared.unanswered.ending(&self.key, lease));
        }
    }
}

impl together::Shared for Option<Bytes> {
    fn share(&self) -> Self {
        self.clone()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::together::Shared;
    use super::{Heard, Lease, Lookup, Redis, Request, Twin};

    #[test]
    fn a_lease_that_is_not_heard_of_is_taken_over() {
        let redis = Arc::new(Redis::open("redis://localhost").expect("it is valid"));
        let twin = Twin::new(&redis);
        let granted = |key: &str| {
            let granted = Lookup::Granted(Lease::new(7));
            Heard::new(Arc::clone(&twin.client), key.into(), granted)
        };
        let taken_over = |key| {
            let looking = redis.shared.look(key, &[], Duration::MAX);
            let looking = looking.expect("there are random numbers");
            let leases = looking.exchange.first().map(Request::leases);
            leases.expect("it asks for one").contains(&Lease::new(7))
        };
        let heard = granted("heard");
        assert!(
            matches!(heard.share().take(), Lookup::Busy),
            "it has one holder"
        );
        assert!(matches!(heard.take(), Lookup::Granted(_)));
        assert!(!taken_over("heard"));
        drop(granted("dropped"));
        assert!(taken_over("dropped"));
    }
}
