//! The client of functions that block: connections of its own, and no async runtime.

mod link;
mod pool;
mod socket;

pub(super) use socket::Socket;

use std::time::{Duration, Instant};

use redis::Value;

use super::exchange::{Exchange, MOST_ROUNDS};
use super::login::Greeting;
use super::url::Address;
use super::{Shared, until};
use crate::backend::{BackendError, Deadline};
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
        mut exchange: Exchange,
        deadline: Deadline,
    ) -> Result<Vec<Value>, BackendError> {
        let until = until(deadline);
        for _ in 0..MOST_ROUNDS {
            if shared.router.is_lost() {
                let found = find_servers(shared, until);
                // What was known before may still do.
                if shared.router.knows_nothing() {
                    found?;
                }
            }
            // To all servers first, so that they work at the same time.
            let mut asked = Vec::new();
            for group in exchange.groups(&shared.router)? {
                let commands = exchange.commands(&group);
                let sent = self
                    .connect(shared, &group.address, until)
                    .and_then(|mut link| {
                        link.send(&commands, until)?;
                        Ok(link)
                    });
                let link = self.or_forget(shared, &group.address, sent)?;
                let answers = commands.len();
                asked.push((group, link, answers));
            }
            for (group, mut link, answers) in asked {
                let received = link.receive(answers, until);
                let answers = self.or_forget(shared, &group.address, received)?;
                if exchange.take(&group, answers, &shared.router)? {
                    self.pool.give_back(&group.address, link);
                }
            }
            match exchange.finish() {
                Ok(answers) => return Ok(answers),
                Err(unfinished) => exchange = unfinished,
            }
        }
        Err(BackendError::new("the cluster sends us from node to node"))
    }

    fn connect(
        &self,
        shared: &Shared,
        address: &Address,
        until: Instant,
    ) -> Result<Link, BackendError> {
        if let Some(link) = self.pool.take(address) {
            return Ok(link);
        }
        let greeting = Greeting::to_servers(&shared.target);
        Link::open(address, shared.tls.as_ref(), &greeting, until)
    }

    /// After a failure no connection to that server is believed to work, nor that it is the right one.
    fn or_forget<T>(
        &self,
        shared: &Shared,
        address: &Address,
        result: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        if result.is_err() {
            self.pool.forget(address);
            shared.router.doubt();
        }
        result
    }
}

/// Asks where the servers are.
fn find_servers(shared: &Shared, until: Instant) -> Result<(), BackendError> {
    let mut guides = shared.router.guides();
    let mut last = BackendError::new("no server is known");
    while let Some(guide) = guides.pop_front() {
        let until = share(until, guides.len());
        let found =
            ask_guide(shared, &guide, until).and_then(|answer| shared.router.learn(&guide, answer));
        match found {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
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
    link.send(&[&shared.router.question()], until)?;
    super::only(link.receive(1, until)?)
}

/// When the first of those that are left must have answered, so that each has a share of the time.
pub(super) fn share(until: Instant, others: usize) -> Instant {
    let now = Instant::now();
    let left: Duration = until.saturating_duration_since(now);
    now + left / u32::try_from(others + 1).unwrap_or(u32::MAX)
}
