//! Redis and Valkey: one server, a master that sentinels name, or a cluster.
//!
//! What is asked (`command`), whom (`router`, `slot`) and what is to be asked again (`exchange`) is decided without I/O, and
//! two clients carry it: `blocking`, and with the feature `redis-tokio` `asynchronous`.

#[cfg(feature = "redis-tokio")]
mod asynchronous;
mod blocking;
mod command;
mod error;
mod exchange;
mod login;
mod lookup;
mod nodes;
mod origin;
mod router;
mod search;
mod slot;
mod tls;
mod url;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;

use super::{AsyncBackend, Backend, BackendError, Bytes, Changes, Deadline, Lease, Limits, Lookup};
use crate::error::ConfigError;
use command::Request;
use exchange::Exchange;
use lookup::{Looking, Taking, Unanswered};
use nodes::Nodes;
use router::Router;
use tls::Tls;
use url::Target;

/// The largest value that is stored as one. A server works on one command at a time: larger ones would keep others waiting,
/// and take longer on the way than the budget of a call allows.
const VALUE_BYTES: usize = 1 << 20;

/// The longest answer that is read: another program may have put something larger under a key of ours.
const ANSWER_BYTES: usize = 8 << 20;

/// How long is waited at the most where the caller has no deadline.
const LONGEST: Duration = Duration::from_secs(5);

/// A backend on Redis 6 or later, or Valkey, shared by all processes that use the same server and namespace.
///
/// | URL | servers |
/// |---|---|
/// | `redis://user:password@host:6379/0` | one; `rediss://` with TLS |
/// | `redis+unix:///path/of/the/socket` | one, by a Unix socket; also `unix:` |
/// | `redis+sentinel://host:26379,host/service/0` | the master of a service, as the sentinels name it; `rediss+sentinel://` with TLS |
/// | `redis+cluster://host:6379,host` | a cluster, of which any nodes are named; `rediss+cluster://` with TLS |
///
/// User and password are percent-encoded. Behind a `?` may stand `protocol=resp3`, and in place of what a URL has no room for
/// `user`, `password`, `db`, `sentinel_user` and `sentinel_password`. TLS takes the feature `redis-tls`, and a C compiler to build; it trusts
/// the certificate authorities of the system, of the file that the variable `SSL_CERT_FILE` names, or with `ca_certificate=/path/of/ca.pem`
/// behind the `?` those of that file alone.
///
/// # Connections
///
/// Nothing is connected before something is asked, and what was lost is connected again when it is: the server may be absent
/// at start, come later and go away. Sync functions have connections of their own, as many as there are threads that ask at one
/// time, of which up to 32 stay open to each server; who gets none, as the server has no room (`maxclients`), computes. With the feature `redis-tokio`, async functions share one connection to
/// each server; without it, outside of a tokio runtime, or in one that was built without `enable_io`, they ask from a few threads, see
/// [`Unblock`](crate::Unblock). That I/O is missing tokio says by a panic, once a runtime, which is caught; a program in which panics abort
/// takes `enable_io`. A connection
/// is dropped after a missed deadline, an answer that makes no sense and any error that is not a refusal of the command, so that a late answer is never
/// taken for another's. One that turns out lost, by a restart
/// of the server say, is followed by another, once and in the same time; what must not be done twice, `prime` say, fails. A forked process uses none of its
/// parent's. Every nine seconds a call makes another one to find out, by `INFO`, whether the address still leads to the same server, and sentinels are asked
/// anew every seven: for some ten seconds the one before may be asked. Where a server refuses `INFO`, all connections are made anew each minute.
///
/// Each node of a cluster has a [circuit breaker](crate::RuntimeBuilder::breaker) of its own, which can't be switched off: what a node has that is gone is
/// computed, and what the others have is found.
///
/// # What is asked
///
/// A lookup is one round trip, hit or miss, of two commands: a script by its digest, which leases what is absent, and a `GET`. The server's own
/// statistics show them as `evalsha` and `get`. A user of
/// the server (ACL) needs `+get +set +del +unlink +pttl +evalsha +eval`, but for a cluster `+info`, in a cluster `+cluster|slots +asking`, for a database other than 0 `+select`, of
/// sentinels `+sentinel|get-master-addr-by-name` and of their masters `+role`, and the keys
/// `~namespace:*` and, for the records of leases, `~{namespace:*`; for sealed ones also `~cm1e:*` and `~{cm1e:*`, whatever the namespace.
///
/// Evicted or lost records of leases cost computations, never a wrong value. Replication is asynchronous: after a failover an
/// invalidation may be lost. So it may where a server restarts from a snapshot, entries that were invalidated since being there again: have it
/// keep nothing (`save ""`), or all (`appendfsync always`).
///
/// # Copies in this process
///
/// Of a single server (`redis://`, `rediss://` and `redis+unix://`), values that can be cloned and sent are kept in this process too, up to 32 MiB unless [`local_capacity`](crate::RuntimeBuilder::local_capacity) says otherwise,
/// and a hit asks nobody. One more connection, with a thread of its own, is told of changes (client tracking, by RESP3 whatever the URL says;
/// `+client|tracking +hello +info`): a change is seen once its news has arrived. A connection that is silent is asked each second, so
/// that two seconds is the longest that it is believed in vain, and nothing is kept of a server that is not a master. Each seven seconds another
/// connection finds out whether the address still leads to the same server; where a server refuses `INFO`, all copies are dropped each minute.
/// Redis tells nobody of `SWAPDB`. Without the connection, and while it is lost, all is asked of the server. A second one is told of what is
/// sealed, by all that use the server, once a function has `encrypt` and `local = true`. A process that was forked from one that
/// keeps values keeps none. Neither does one that asks a cluster, or a master that sentinels name: there only what `local = "5s"` allows is kept.
///
/// # Limits
///
/// A value of more than 1 MiB is stored in chunks. An answer of more than 8 MiB isn't read by sync functions; async ones rely
/// on the server's own limit, `proto-max-bulk-len`.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

/// What both clients have.
struct Shared {
    target: Target,
    tls: Option<Tls>,
    router: Router,
    nodes: Nodes,
    blocking: blocking::Client,
    /// Each connection that is open holds one, but for those that are tried out or tell of something.
    connected: Arc<()>,
    unanswered: Unanswered,
}

impl Shared {
    /// Why another connection could not be opened. Where the server has no room for one and others stand, it works.
    fn unconnected(&self, error: BackendError) -> BackendError {
        if error::is_for_lack_of_room(&error) && Arc::strong_count(&self.connected) > 1 {
            return error.telling_nothing();
        }
        self.router.doubt();
        error
    }

    fn look<'a>(
        &'a self,
        key: &'a str,
        others: &'a [&'a str],
        life: Duration,
    ) -> Result<Looking<'a>, BackendError> {
        self.unanswered.look(key, others, life, &self.router)
    }

    fn take<'a>(&'a self, key: &'a str, life: Duration) -> Result<Taking<'a>, BackendError> {
        self.unanswered.lease(key, life, &self.router)
    }
}

impl Redis {
    /// The backend that a URL stands for. Nothing is connected yet.
    ///
    /// # Errors
    /// The URL can't be used; the text says why and what to write, and repeats no part of it.
    pub fn open(url: &str) -> Result<Self, ConfigError> {
        let target = Target::parse(url)?;
        let tls = Tls::of(&target)?;
        Ok(Self::new(target, tls))
    }

    /// The same with TLS that trusts these certificate authorities, in PEM, in place of the system's. Where the URL doesn't ask for
    /// TLS, nothing changes.
    ///
    /// # Errors
    /// It is no certificate.
    #[cfg(feature = "redis-tls")]
    pub fn ca_certificate(self, pem: &[u8]) -> Result<Self, ConfigError> {
        let tls = Tls::trusting(pem)?;
        let target = self.shared.target.clone();
        let tls = target.tls.then_some(tls);
        Ok(Self::new(target, tls))
    }

    fn new(target: Target, tls: Option<Tls>) -> Self {
        let router = Router::new(target.servers.clone());
        let nodes = Nodes::of(&target.servers);
        Self {
            shared: Arc::new(Shared {
                target,
                tls,
                router,
                nodes,
                blocking: blocking::Client::new(),
                connected: Arc::default(),
                unanswered: Unanswered::default(),
            }),
        }
    }

    fn ask(&self, exchange: &mut Exchange, deadline: Deadline) -> Result<Vec<Value>, BackendError> {
        self.shared.blocking.ask(&self.shared, exchange, deadline)
    }

    fn ask_one(&self, request: Request, deadline: Deadline) -> Result<Value, BackendError> {
        self.ask(&mut Exchange::new([request]), deadline)
            .and_then(only)
    }
}

impl Backend for Redis {
    fn get(&self, key: &str, deadline: Deadline) -> Result<Option<Bytes>, BackendError> {
        command::found(self.ask_one(Request::get(key), deadline)?)
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        command::done(self.ask_one(Request::set(key, &value, life), deadline)?)
    }

    fn delete(&self, key: &str, deadline: Deadline) -> Result<(), BackendError> {
        command::done(self.ask_one(Request::delete(key), deadline)?)
    }

    fn limits(&self) -> Limits {
        limits()
    }

    fn get_many(
        &self,
        keys: &[&str],
        deadline: Deadline,
    ) -> Result<Vec<Option<Bytes>>, BackendError> {
        all(self.ask(&mut gets(keys), deadline)?, command::found)
    }

    fn set_many(
        &self,
        entries: &[(&str, Bytes)],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        nothing(self.ask(&mut sets(entries, life), deadline)?)
    }

    fn delete_many(&self, keys: &[&str], deadline: Deadline) -> Result<(), BackendError> {
        nothing(self.ask(&mut deletes(keys), deadline)?)
    }

    fn get_or_lease(
        &self,
        key: &str,
        life: Duration,
        deadline: Deadline,
    ) -> Result<Lookup, BackendError> {
        let (lookup, _) = self.get_many_or_lease(key, &[], life, deadline)?;
        Ok(lookup)
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        life: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        loop {
            let mut looking = self.shared.look(key, others, life)?;
            let answers = self.ask(&mut looking.exchange, deadline)?;
            if let Some(found) = looking.answered(answers)? {
                return Ok(found);
            }
        }
    }

    fn lease(&self, key: &str, life: Duration, deadline: Deadline) -> Result<Lease, BackendError> {
        let mut taking = self.shared.take(key, life)?;
        let answers = self.ask(&mut taking.exchange, deadline)?;
        taking.answered(answers)
    }

    fn fill(
        &self,
        key: &str,
        lease: Lease,
        value: Bytes,
        life: Duration,
        deadline: Deadline,
    ) -> Result<bool, BackendError> {
        let ending = self.shared.unanswered.ending(key, lease);
        let answer = self.ask_one(Request::fill(key, lease, &value, life), deadline);
        ending.answered(answer.and_then(command::filled))
    }

    fn release(&self, key: &str, lease: Lease, deadline: Deadline) -> Result<(), BackendError> {
        let ending = self.shared.unanswered.ending(key, lease);
        let answer = self.ask_one(Request::release(key, &[lease]), deadline);
        ending.answered(answer.and_then(command::done))
    }

    fn watch(&self, prefix: &str, changes: Changes) {
        blocking::tracking::start(&self.shared, prefix, changes);
    }

    fn async_twin(self: Arc<Self>) -> Option<Arc<dyn AsyncBackend>> {
        #[cfg(feature = "redis-tokio")]
        return Some(Arc::new(asynchronous::Twin::new(&self)));
        #[cfg(not(feature = "redis-tokio"))]
        None
    }
}

fn limits() -> Limits {
    Limits::new().value_bytes(VALUE_BYTES)
}

fn gets(keys: &[&str]) -> Exchange {
    Exchange::new(keys.iter().map(|key| Request::get(key)))
}

fn sets(entries: &[(&str, Bytes)], life: Duration) -> Exchange {
    let set = |(key, value): &(&str, Bytes)| Request::set(key, value, life);
    Exchange::new(entries.iter().map(set))
}

fn deletes(keys: &[&str]) -> Exchange {
    Exchange::new(keys.iter().map(|key| Request::delete(key)))
}

fn only(answers: Vec<Value>) -> Result<Value, BackendError> {
    let mut answers = answers.into_iter();
    answers.next().ok_or_else(command::nonsense)
}

fn all<T>(
    answers: Vec<Value>,
    read: impl Fn(Value) -> Result<T, BackendError>,
) -> Result<Vec<T>, BackendError> {
    answers.into_iter().map(read).collect()
}

fn nothing(answers: Vec<Value>) -> Result<(), BackendError> {
    answers.into_iter().try_for_each(command::done)
}

/// When an answer must be there.
fn until(deadline: Deadline) -> Instant {
    let longest = Instant::now() + LONGEST;
    deadline.0.map_or(longest, |until| until.min(longest))
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { target, .. } = &*self.shared;
        let addresses: Vec<String> = target
            .servers
            .addresses()
            .iter()
            .map(ToString::to_string)
            .collect();
        write!(f, "Redis({}://{})", target.scheme(), addresses.join(","))
    }
}
