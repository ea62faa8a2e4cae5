//! The client of functions that block: connections of its own, and no async runtime.

mod link;
mod pool;
mod socket;
pub(super) mod tracking;

pub(super) use socket::Socket;
#[cfg(feature = "redis-tokio")]
pub(super) use socket::{find, on_a_thread, panicked};

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;

use super::error::{self, Failure};
use super::exchange::{Exchange, MOST_ROUNDS};
use super::login::Greeting;
use super::router::Step;
use super::url::Address;
use super::{Shared, until};
use crate::backend::{BackendError, Deadline};
use crate::flight::block_on;
use link::Link;
use pool::Pool;

pub(super) struct Client {
    pool: Pool,
}

impl Client {
    pub(super) fn new() -> Self {
        Self { pool: Pool::new() }
    }

    /// The answers to all requests of an exchange, in their order. What goes to one server is one round trip.
    pub(super) fn ask(
        &self,
        shared: &Shared,
        exchange: &mut Exchange,
        deadline: Deadline,
    ) -> Result<Vec<Value>, BackendError> {
        let until = until(deadline);
        for _ in 0..MOST_ROUNDS {
            find_servers(shared, until)?;
            // To all servers first, so that they work at the same time.
            let mut asked = Vec::new();
            for group in exchange.groups(&shared.router)? {
                let leave = shared.nodes.admit(&group.address, until)?;
                let mut link = match self.connect(shared, &group.address, until) {
                    Ok(link) => link,
                    Err(error) => return Err(leave.failed(&group.address, error)),
                };
                let commands = exchange.commands(&group);
                let sent = link.send(&commands, until).map(|()| commands.len());
                asked.push((group, link, sent, leave));
            }
            for (group, mut link, sent, leave) in asked {
                match sent.and_then(|answers| link.receive(answers, until)) {
                    Ok(answers) => {
                        leave.answered();
                        if exchange.take(&group, answers, &shared.router)? {
                            self.pool.give_back(&group.address, link);
                        }
                    }
                    Err(failure) => {
                        // None of the others is believed to work.
                        if !matches!(failure, Failure::TooLong) {
                            self.pool.forget(&group.address);
                        }
                        let failed = exchange.fail(&group, failure, &shared.router);
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

    /// Closes the connections to servers that are not among those that are known now.
    pub(super) fn keep_known(&self, shared: &Shared) {
        self.pool.keep(|address| shared.router.knows(address));
    }

    fn connect(
        &self,
        shared: &Shared,
        address: &Address,
        until: Instant,
    ) -> Result<Link, BackendError> {
        let origin = shared.router.origin();
        if origin.is_due(Instant::now()) {
            // Where it fails, those that stand may still do, if some of the time is left.
            drop(open(shared, address, share(until, 1)));
        }
        let standing = self.pool.take(address, origin.epoch(Instant::now()));
        standing.map_or_else(|| open(shared, address, until), Ok)
    }
}

/// Another connection, which says which server its address leads to.
fn open(shared: &Shared, address: &Address, until: Instant) -> Result<Link, BackendError> {
    let origin = shared.router.origin();
    let epoch = origin.epoch(Instant::now());
    let greeting = Greeting::to_servers(&shared.target);
    let opened = Link::open(address, shared.tls.as_ref(), &greeting, until);
    let mut link = opened.map_err(|error| shared.unconnected(error))?;
    link.among = Some(Arc::clone(&shared.connected));
    link.epoch = epoch;
    if greeting.asks_run_id {
        origin.opened(link.run_id.take(), epoch, Instant::now());
    }
    Ok(link)
}

/// Asks where the servers are, if that is to be done, or waits until another thread has.
fn find_servers(shared: &Shared, until: Instant) -> Result<(), BackendError> {
    loop {
        match shared.router.step(until) {
            Step::Nothing => return Ok(()),
            Step::Search(search) => {
                let found = ask_guides(shared, search.until);
                shared.blocking.keep_known(shared);
                return shared.router.searched(search, found);
            }
            Step::Wait(search) => {
                let end = until.min(search.until);
                block_on(pin!(search), Some(end)).unwrap_or(Ok(()))?;
            }
        }
        if Instant::now() >= until {
            return Err(error::late());
        }
    }
}

fn ask_guides(shared: &Shared, until: Instant) -> Result<(), BackendError> {
    let mut guides = shared.router.guides();
    let mut last = BackendError::new("no server is known");
    while let Some(guide) = guides.pop_front() {
        let until = share(until, guides.len());
        let found =
            ask_guide(shared, &guide, until).and_then(|answer| shared.router.learn(&guide, answer));
        match found {
            Ok(()) => return Ok(()),
            Err(error) => last = error.at(&guide),
        }
    }
    Err(last)
}

fn ask_guide(shared: &Shared, guide: &Address, until: Instant) -> Result<Value, BackendError> {
    let greeting = if shared.router.asks_sentinels() {
        Greeting::to_sentinels(&shared.target)
    } else {
        Greeting::to_servers(&shared.target)
    };
    // Not one of the pool: it is rarely asked for, and may be the one that is lost.
    let mut link = Link::open(guide, shared.tls.as_ref(), &greeting, until)?;
    let answers = link.ask(&[&shared.router.question()], until);
    super::only(answers.map_err(Failure::of_new_connection)?)
}

/// When the first of those that are left must have answered, so that each has a share of the time.
pub(super) fn share(until: Instant, others: usize) -> Instant {
    let now = Instant::now();
    let left: Duration = until.saturating_duration_since(now);
    now + left / u32::try_from(others + 1).unwrap_or(u32::MAX)
}
