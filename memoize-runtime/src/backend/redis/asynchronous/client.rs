//! Asking servers: which connection carries what, and what is to be asked again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::super::blocking::share;
use super::super::command::Request;
use super::super::error::{self, Failure};
use super::super::exchange::{Exchange, Group, MOST_ROUNDS};
use super::super::login::Greeting;
use super::super::nodes::Leave;
use super::super::router::Step;
use super::super::url::Address;
use super::super::{Shared, only, until};
use super::connection::Connection;
use super::runtimes::{self, WithoutIo};
use super::table::Table;
use crate::backend::{Answer, BackendError, Bytes, Deadline, Lookup};
use crate::timer::timeout;

pub(super) struct Client {
    pub(super) shared: Arc<Shared>,
    table: Table,
    without_io: WithoutIo,
}

type Answers = Result<Vec<Value>, Failure>;

/// What came of asking one server, by which connection, and by whose leave.
type Asked<'a> = (Group, Connection, Answers, Leave<'a>);

impl Client {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            table: Table::default(),
            without_io: WithoutIo::default(),
        }
    }

    /// Whether connections can be opened in that runtime, as far as is known.
    pub(super) fn has_io(&self, runtime: &Handle) -> bool {
        !self.without_io.has(runtime)
    }

    /// As [the other](super::super::blocking::Client::ask) does.
    pub(super) async fn ask(
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
        only(answers.map_err(Failure::of_new_connection)?)
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

    pub(super) async fn ask_one(
        self: &Arc<Self>,
        request: Request,
        deadline: Deadline,
    ) -> Result<Value, BackendError> {
        let answers = self.ask(&mut Exchange::new([request]), deadline).await?;
        only(answers)
    }

    pub(super) async fn look_up(
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

/// A connection that was opened for a question can't have been lost before it.
fn stale_if(reused: bool, answers: Answers) -> Answers {
    answers.map_err(|failure| match failure {
        Failure::Stale(error) if !reused => Failure::Other(error),
        failure => failure,
    })
}
