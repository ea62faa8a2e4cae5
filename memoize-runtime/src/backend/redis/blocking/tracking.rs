//! The connection by which a server tells of changes: client tracking of RESP3.
//!
//! It tells of all keys with our prefix (`BCAST`), and not of those that each connection has read: then it takes one connection, on
//! which nothing is asked, whatever the pools do, and the server remembers no keys. What it costs is that all processes are told of
//! each write, their own included.
//!
//! Answers come by other connections, so one may arrive after the news that overtook it, or before. Who keeps copies deals with the
//! first (a [`Ticket`](crate::local::Ticket)); the second is how long the news is on its way. A connection that says nothing is asked
//! whether it still stands, since one whose peer is gone looks just like it.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Cmd, Parser, PushKind, Value};

use super::super::error::{self, Failure};
use super::super::login::Greeting;
use super::super::url::{Address, Servers};
use super::super::{Shared, only};
use super::link::Link;
use crate::backend::{BackendError, Changes};

/// How long it may say nothing before it is asked, and how long it may then take: together the longest that a value may be stale
/// when a network fails silently.
const BEAT: Duration = Duration::from_secs(1);

/// How long is waited before another connection is tried, at the least and at the most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Tells of changes from now on; says whether it will. Of a cluster or a master that sentinels name it is not known which
/// server would have to tell.
pub(in super::super) fn start(shared: &Arc<Shared>, prefix: &str, changes: Changes) -> bool {
    let Servers::One(address) = &shared.target.servers else {
        return false;
    };
    let mut tracker = Tracker {
        shared: Arc::downgrade(shared),
        address: address.clone(),
        question: question(prefix),
        changes,
    };
    thread::Builder::new()
        .name("cache-memoize-tracking".to_owned())
        .spawn(move || tracker.run())
        .is_ok()
}

struct Tracker {
    shared: Weak<Shared>,
    address: Address,
    question: Cmd,
    changes: Changes,
}

impl Tracker {
    fn run(&mut self) {
        let mut pause = SHORTEST_PAUSE;
        while self.changes.is_heard() {
            let started = Instant::now();
            // What goes wrong here costs hits; calls find out for themselves whether the server is there.
            let ended = self.listen();
            self.changes.lost();
            if ended.is_ok() {
                return;
            }
            pause = if started.elapsed() > LONGEST_PAUSE {
                SHORTEST_PAUSE
            } else {
                (pause * 2).min(LONGEST_PAUSE)
            };
            thread::sleep(pause);
        }
    }

    /// Until nobody listens any more.
    ///
    /// # Errors
    /// The connection is lost, or there is none.
    fn listen(&mut self) -> Result<(), BackendError> {
        let Some(mut ear) = self.connect()? else {
            return Ok(());
        };
        ear.ask(&self.question, &self.changes)?;
        self.changes.stand();
        while self.changes.is_heard() {
            let until = Instant::now() + BEAT;
            while let Some(said) = ear.hear(until)? {
                if tell(said, &self.changes).is_some() {
                    return Err(nonsense());
                }
            }
            ear.ask(&redis::cmd("PING"), &self.changes)?;
        }
        Ok(())
    }

    /// None where the backend is gone.
    fn connect(&self) -> Result<Option<Ear>, BackendError> {
        let Some(shared) = self.shared.upgrade() else {
            return Ok(None);
        };
        let greeting = Greeting::to_track(&shared.target);
        let until = Instant::now() + 2 * BEAT;
        let link = Link::open(&self.address, shared.tls.as_ref(), &greeting, until)?;
        Ok(Some(Ear {
            link,
            parser: Parser::new(),
        }))
    }
}

/// A connection that speaks unasked, with what it said and was not heard yet.
struct Ear {
    link: Link,
    parser: Parser,
}

impl Ear {
    /// Asks, and tells what is said before the answer.
    fn ask(&mut self, question: &Cmd, changes: &Changes) -> Result<(), BackendError> {
        let until = Instant::now() + BEAT;
        let sent = self.link.send(&[question], until);
        sent.map_err(Failure::of_new_connection)?;
        while let Some(said) = self.hear(until)? {
            if let Some(answer) = tell(said, changes) {
                return Greeting::check(vec![answer]);
            }
        }
        Err(BackendError::new(error::LATE))
    }

    /// The next thing that is said; none if nothing is until then.
    fn hear(&mut self, until: Instant) -> Result<Option<Value>, BackendError> {
        self.link.hear(&mut self.parser, until)
    }
}

/// Tells what was said of changes; returns what is none.
fn tell(said: Value, changes: &Changes) -> Option<Value> {
    let Value::Push { kind, data } = said else {
        return Some(said);
    };
    if kind != PushKind::Invalidate {
        return None;
    }
    match only(data) {
        Ok(Value::Array(keys)) => keys.iter().for_each(|key| match key {
            Value::BulkString(key) => match str::from_utf8(key) {
                Ok(key) => changes.changed(key),
                // It is none of ours.
                Err(_) => {}
            },
            _ => changes.all_changed(),
        }),
        // The server was emptied, or says what nobody understands.
        _ => changes.all_changed(),
    }
    None
}

fn question(prefix: &str) -> Cmd {
    let mut tracking = redis::cmd("CLIENT");
    tracking.arg("TRACKING").arg("ON").arg("BCAST");
    tracking.arg("PREFIX").arg(prefix);
    tracking
}

fn nonsense() -> BackendError {
    BackendError::new("the server's answer makes no sense")
}
