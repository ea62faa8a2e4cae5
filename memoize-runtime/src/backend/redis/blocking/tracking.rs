//! The connection by which a server tells of changes: client tracking of RESP3.
//!
//! It tells of all keys with our prefix (`BCAST`), and not of those that each connection has read: then it takes one connection, on
//! which nothing is asked, whatever the pools do, and the server remembers no keys. What it costs is that all processes are told of
//! each write, their own included.
//!
//! Answers come by other connections, so one may arrive after the news that overtook it, or before. Who keeps copies deals with the
//! first (a [`Ticket`](crate::local::Ticket)); the second is how long the news is on its way. A connection that says nothing is asked
//! whether it still stands, since one whose peer is gone looks just like it, and whether it is still a master's.
//!
//! The server must be the one that is asked (`origin`), and an address may lead to another one by now, which nobody hears of as long as all
//! connections stand. So from time to time, and where a question gives reason to doubt it, the address is tried out.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Cmd, Parser, PushKind, Value};

use super::super::error::{self, Failure};
use super::super::login::{self, Greeting};
use super::super::origin::{RENEWED, RunId};
use super::super::url::{Address, Servers};
use super::super::{Shared, only};
use super::link::Link;
use crate::backend::{BackendError, Changes};

/// How long it may say nothing before it is asked, and how long it may then take: together the longest that a value may be stale
/// when a network fails silently.
const BEAT: Duration = Duration::from_secs(1);

/// After this an address is tried out. With the beat before it, and as long for trying, a copy is behind by ten seconds at the most.
const TRIED_OUT: Duration = Duration::from_secs(7);

/// How long is waited before another connection is tried, at the least and at the most.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The same where the server refuses to tell of changes: that is so until somebody sets it up otherwise.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(60);

/// Tells of changes from now on, where it is known which server has to: not of a cluster, nor of the master that sentinels name.
pub(in super::super) fn start(shared: &Arc<Shared>, prefix: &str, changes: Changes) {
    let Servers::One(address) = &shared.target.servers else {
        return;
    };
    let mut tracker = Tracker {
        shared: Arc::downgrade(shared),
        address: address.clone(),
        question: question(prefix),
        changes,
        is_refusal_told: false,
        epoch: None,
    };
    // Without a thread there are no copies, that is all.
    let _ = thread::Builder::new()
        .name("cache-memoize-tracking".to_owned())
        .spawn(move || tracker.run());
}

struct Tracker {
    shared: Weak<Shared>,
    address: Address,
    question: Cmd,
    changes: Changes,
    /// Since changes were told the last time.
    is_refusal_told: bool,
    /// In which it stood last.
    epoch: Option<u64>,
}

/// Why no changes are told any more.
enum Ended {
    /// The connection is lost, or there is none, or the server can't tell for the moment. Calls find out for themselves whether it is there.
    Lost,
    /// The server won't tell. Why is not known where it refuses the login: then it refuses calls as well, which say so.
    Refused(Option<BackendError>),
}

impl From<BackendError> for Ended {
    fn from(_: BackendError) -> Self {
        Self::Lost
    }
}

impl Tracker {
    fn run(&mut self) {
        let mut pause = SHORTEST_PAUSE;
        while self.changes.is_heard() {
            let started = Instant::now();
            let ended = self.listen();
            self.changes.lost();
            pause = match ended {
                Ok(()) => return,
                Err(Ended::Lost) if started.elapsed() > LONGEST_PAUSE => SHORTEST_PAUSE,
                Err(Ended::Lost) => (pause * 2).min(LONGEST_PAUSE),
                Err(Ended::Refused(why)) => {
                    if let Some(why) = why
                        && !std::mem::replace(&mut self.is_refusal_told, true)
                    {
                        tell_of_refusal(&why);
                    }
                    PAUSE_AFTER_REFUSAL
                }
            };
            thread::sleep(pause);
        }
    }

    /// Until nobody listens any more.
    fn listen(&mut self) -> Result<(), Ended> {
        let Some(shared) = self.shared.upgrade() else {
            return Ok(());
        };
        let mut ear = self.connect(&shared)?;
        for command in &Greeting::to_track(&shared.target).commands() {
            must_be_masters(&ear.ask(command, &self.changes)?)?;
        }
        let run_id = ear.ask_run_id(&self.changes)?;
        ear.ask(&self.question, &self.changes)?;
        let origin = shared.router.origin();
        let epoch = origin.vouch(run_id.clone(), self.epoch, Instant::now());
        self.epoch = Some(epoch);
        drop(shared);
        self.changes.stand();
        self.is_refusal_told = false;
        let mut tried_out = Instant::now();
        let mut until = tried_out + BEAT;
        while self.changes.is_heard() {
            while let Some(said) = ear.hear(until)? {
                if tell(said, &self.changes).is_some() {
                    return Err(Ended::Lost);
                }
            }
            must_be_masters(&ear.ask(&is_master(), &self.changes)?)?;
            // What follows is a part of the time until it is asked again.
            until = Instant::now() + BEAT;
            let Some(shared) = self.shared.upgrade() else {
                return Ok(());
            };
            let origin = shared.router.origin();
            let often = run_id.as_ref().map_or(RENEWED, |_| TRIED_OUT);
            if origin.was_doubted() || tried_out.elapsed() >= often {
                if run_id.is_none() {
                    return Err(Ended::Lost);
                }
                tried_out = Instant::now();
                drop(super::open(&shared, &self.address, until)?);
            }
            if !origin.stands(epoch) {
                return Err(Ended::Lost);
            }
        }
        Ok(())
    }

    /// A connection on which nothing was said.
    fn connect(&self, shared: &Shared) -> Result<Ear, BackendError> {
        let until = Instant::now() + 2 * BEAT;
        let link = Link::open(&self.address, shared.tls.as_ref(), &Greeting::none(), until)?;
        Ok(Ear {
            link,
            parser: Parser::new(),
        })
    }
}

/// A connection that speaks unasked, with what it said and was not heard yet.
struct Ear {
    link: Link,
    parser: Parser,
}

impl Ear {
    /// Asks, and tells what is said before the answer.
    fn ask(&mut self, question: &Cmd, changes: &Changes) -> Result<Value, Ended> {
        match self.answer(question, changes)? {
            Value::ServerError(refusal) if error::is_lasting(&refusal) => {
                let why = !error::is_of_the_login(&refusal);
                Err(Ended::Refused(why.then(|| error::of_tracking(&refusal))))
            }
            Value::ServerError(_) => Err(Ended::Lost),
            answer => Ok(answer),
        }
    }

    /// Which server it is; one that won't say is none.
    fn ask_run_id(&mut self, changes: &Changes) -> Result<Option<RunId>, Ended> {
        let answer = self.answer(&login::run_id(), changes)?;
        Ok(RunId::of(&answer))
    }

    fn answer(&mut self, question: &Cmd, changes: &Changes) -> Result<Value, Ended> {
        let until = Instant::now() + BEAT;
        let sent = self.link.send(&[question], until);
        sent.map_err(Failure::of_new_connection)?;
        while let Some(said) = self.hear(until)? {
            if let Some(answer) = tell(said, changes) {
                return Ok(answer);
            }
        }
        Err(Ended::Lost)
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
            Value::BulkString(key) => {
                // All of ours are text.
                let _ = str::from_utf8(key).map(|key| changes.changed(key));
            }
            _ => changes.all_changed(),
        }),
        // The server was emptied, or says what nobody understands.
        _ => changes.all_changed(),
    }
    None
}

/// What is answered with the server's role, by those who may be told of changes.
fn is_master() -> Cmd {
    let mut hello = redis::cmd("HELLO");
    hello.arg(3);
    hello
}

/// A replica hears of changes by its master alone, and not at all where the two are apart.
fn must_be_masters(greeting: &Value) -> Result<(), Ended> {
    let is = |value: &Value, text: &str| match value {
        Value::BulkString(bytes) => bytes == text.as_bytes(),
        Value::SimpleString(other) => other == text,
        _ => false,
    };
    match greeting {
        Value::Map(facts)
            if (facts.iter()).any(|(name, role)| is(name, "role") && !is(role, "master")) =>
        {
            Err(Ended::Lost)
        }
        _ => Ok(()),
    }
}

fn question(prefix: &str) -> Cmd {
    let mut tracking = redis::cmd("CLIENT");
    tracking.arg("TRACKING").arg("ON").arg("BCAST");
    tracking.arg("PREFIX").arg(prefix);
    tracking
}

fn tell_of_refusal(why: &BackendError) {
    tracing::warn!(
        target: "cache_memoize",
        reason = %why,
        "the server doesn't tell of changes, so no values are kept in this process; \
         it takes Redis 6, and a user with `+client|tracking +hello +info`"
    );
}
