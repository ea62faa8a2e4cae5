//! Which server to ask: a matter of the URL for a single one, of the sentinels' or the cluster's own word else.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use redis::{Cmd, Value};

use super::blocking::share;
use super::origin::Origin;
use super::search::{Searches, Searching, Waiting};
use super::slot::SLOTS;
use super::url::{Address, Servers};
use crate::backend::BackendError;
use crate::locks::lock;
use crate::process::PerProcess;

/// So many answers that came too late are a reason to ask whether the servers are still the same.
const MOST_LATE: u32 = 3;

/// How often sentinels are asked anew: a master that another has replaced may not know it, and answer as before.
const ASKED: Duration = Duration::from_secs(7);

/// After this nobody goes on with what was known before they answer.
const FORGOTTEN: Duration = Duration::from_secs(10);

/// What is known about the servers so far. Of a single one all is known from the start.
pub(super) struct Router {
    servers: Servers,
    state: PerProcess<State>,
}

#[derive(Default)]
struct State {
    known: Mutex<Known>,
    searches: Searches,
    origin: Origin,
}

#[derive(Default)]
struct Known {
    found: Option<Found>,
    /// When they were asked last, if ever.
    asked: Option<Instant>,
    /// Whether it may have changed, so that somebody should ask. Until then it may still do.
    is_doubted: bool,
    late: u32,
    searches: usize,
}

enum Found {
    Master(Address),
    Cluster(Nodes),
}

struct Nodes {
    addresses: Vec<Address>,
    /// The index of each slot's address.
    by_slot: Box<[u16]>,
}

/// What is to be done before something is sent.
pub(super) enum Step<'a> {
    Nothing,
    /// To ask where the servers are.
    Search(Searching<'a>),
    /// To wait until another has asked.
    Wait(Waiting<'a>),
}

/// No node has the slot.
const NOBODY: u16 = u16::MAX;

impl Router {
    pub(super) fn new(servers: Servers) -> Self {
        Self {
            servers,
            state: PerProcess::new(),
        }
    }

    /// What who has time until a moment does first. One asks for all, and as long as something is known nobody waits for that.
    pub(super) fn step(&self, until: Instant) -> Step<'_> {
        if let Servers::One(_) = &self.servers {
            return Step::Nothing;
        }
        let state = self.state();
        let mut known = state.lock();
        let is_known = known.found.is_some();
        let age = known.asked.map(|asked| asked.elapsed());
        let is_older = |than| self.asks_sentinels() && age.is_none_or(|age| age >= than);
        if is_known && !known.is_doubted && !is_older(ASKED) {
            return Step::Nothing;
        }
        // Where they don't answer, what was known may still do, if some of the time is left.
        let until = if is_known { share(until, 1) } else { until };
        match state.searches.begin(until) {
            Ok(search) => {
                known.is_doubted = false;
                known.late = 0;
                known.searches += 1;
                Step::Search(search)
            }
            Err(_) if is_known && !is_older(FORGOTTEN) => Step::Nothing,
            Err(search) => Step::Wait(search),
        }
    }

    /// Ends a search; an error where it was in vain and nothing is known.
    ///
    /// # Errors
    /// Why it was in vain.
    pub(super) fn searched(
        &self,
        search: Searching<'_>,
        found: Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let mut known = self.state().lock();
        known.asked = Some(Instant::now());
        let Err(error) = found else { return Ok(()) };
        search.fail();
        // What was known before may still do.
        if known.found.is_some() {
            return Ok(());
        }
        Err(error)
    }

    /// The server to send to.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn route(&self, slot: u16) -> Result<Address, BackendError> {
        if let Servers::One(address) = &self.servers {
            return Ok(address.clone());
        }
        match &self.state().lock().found {
            Some(Found::Master(address)) => Ok(address.clone()),
            Some(Found::Cluster(nodes)) => {
                let index = usize::from(nodes.by_slot[usize::from(slot)]);
                let address = nodes.addresses.get(index).cloned();
                address
                    .ok_or_else(|| BackendError::new("no node of the cluster has the key's slot"))
            }
            None => Err(BackendError::new("no server is known")),
        }
    }

    /// Whether something may be sent to this server, as far as is known.
    pub(super) fn knows(&self, address: &Address) -> bool {
        match &self.state().lock().found {
            Some(Found::Master(master)) => master == address,
            Some(Found::Cluster(nodes)) => nodes.addresses.contains(address),
            None => true,
        }
    }

    /// Whom to ask where the servers are, in this order: of a cluster those known last, then those of the URL.
    pub(super) fn guides(&self) -> VecDeque<Address> {
        let mut guides = VecDeque::new();
        let known = self.state().lock();
        if let Some(Found::Cluster(nodes)) = &known.found {
            guides.extend(nodes.addresses.iter().cloned());
            // In another order each time, so that one which doesn't answer isn't asked first again.
            guides.rotate_left(known.searches % nodes.addresses.len());
        }
        drop(known);
        for address in self.servers.addresses() {
            if !guides.contains(address) {
                guides.push_back(address.clone());
            }
        }
        guides
    }

    /// What to ask them.
    pub(super) fn question(&self) -> Cmd {
        let mut command;
        if let Servers::Sentinels { service, .. } = &self.servers {
            command = redis::cmd("SENTINEL");
            command.arg("GET-MASTER-ADDR-BY-NAME").arg(service);
        } else {
            command = redis::cmd("CLUSTER");
            command.arg("SLOTS");
        }
        command
    }

    /// Whether those who are asked are sentinels, who have a login of their own.
    pub(super) fn asks_sentinels(&self) -> bool {
        matches!(self.servers, Servers::Sentinels { .. })
    }

    /// Takes what one of them answered.
    ///
    /// # Errors
    /// It doesn't say where the servers are.
    pub(super) fn learn(&self, guide: &Address, answer: Value) -> Result<(), BackendError> {
        let found = if self.asks_sentinels() {
            master(answer).map(Found::Master)
        } else {
            nodes(guide, answer).map(Found::Cluster)
        };
        let found = found.ok_or_else(|| {
            BackendError::new(if self.asks_sentinels() {
                "the sentinel doesn't know the service"
            } else {
                "the server is not a node of a working cluster"
            })
        })?;
        self.state().lock().found = Some(found);
        Ok(())
    }

    /// Notes that a slot is elsewhere, and others may be as well; says whether that can be followed.
    pub(super) fn moved(&self, slot: u16, to: &Address) -> bool {
        let mut known = self.state().lock();
        let Some(Found::Cluster(nodes)) = &mut known.found else {
            return false;
        };
        let index = nodes.index(to);
        nodes.by_slot[usize::from(slot)] = index;
        known.is_doubted = true;
        true
    }

    /// Notes that what is known can't be right, or that a server can't be reached.
    pub(super) fn doubt(&self) {
        match self.servers {
            Servers::One(_) => self.origin().doubt(),
            _ => self.state().lock().is_doubted = true,
        }
    }

    /// Which server it is, of those that one address may lead to.
    pub(super) fn origin(&self) -> &Origin {
        &self.state().origin
    }

    /// Notes that a server did not answer in time, which one that is busy doesn't either.
    pub(super) fn late(&self) {
        // The connection that tells of changes finds out whether it is there.
        if matches!(self.servers, Servers::One(_)) {
            return;
        }
        let mut known = self.state().lock();
        known.late += 1;
        let is_doubted = known.late >= MOST_LATE;
        drop(known);
        if is_doubted {
            self.doubt();
        }
    }

    fn state(&self) -> &State {
        self.state.get_or_make(State::default)
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

impl Nodes {
    fn index(&mut self, address: &Address) -> u16 {
        let index = self.addresses.iter().position(|known| known == address);
        let index = index.unwrap_or_else(|| {
            self.addresses.push(address.clone());
            self.addresses.len() - 1
        });
        u16::try_from(index).unwrap_or(NOBODY)
    }
}

/// What a redirection says: `3999 127.0.0.1:6381`.
pub(super) fn redirection(from: &Address, details: &str) -> Option<(u16, Address)> {
    let (slot, address) = details.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    let slot = slot.parse().ok().filter(|&slot| slot < SLOTS)?;
    Some((slot, node(from, host, port.parse().ok()?)))
}

/// A node that doesn't know its own name leaves the host out: it is that of who says so.
fn node(said_by: &Address, host: &str, port: u16) -> Address {
    let host = match said_by {
        Address::Tcp { host: same, .. } if host.is_empty() || host == "?" => same.clone(),
        _ => host.to_owned(),
    };
    Address::Tcp { host, port }
}

fn master(answer: Value) -> Option<Address> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [host, port] = &parts[..] else {
        return None;
    };
    let host = text(host)?.to_owned();
    let port = text(port)?.parse().ok()?;
    Some(Address::Tcp { host, port })
}

/// Reads `CLUSTER SLOTS`: ranges of slots, each with its master and then its replicas.
fn nodes(guide: &Address, answer: Value) -> Option<Nodes> {
    let Value::Array(ranges) = answer else {
        return None;
    };
    let mut nodes = Nodes {
        addresses: Vec::new(),
        by_slot: vec![NOBODY; usize::from(SLOTS)].into_boxed_slice(),
    };
    let mut indices = HashMap::new();
    // No slot is in two ranges, so that there are no more of them than this is asked for.
    let mut unsaid = usize::from(SLOTS);
    for range in &ranges {
        let Value::Array(range) = range else {
            return None;
        };
        let [
            Value::Int(first),
            Value::Int(last),
            Value::Array(master),
            ..,
        ] = &range[..]
        else {
            return None;
        };
        let [host, Value::Int(port), ..] = &master[..] else {
            return None;
        };
        let address = node(guide, text(host).unwrap_or(""), u16::try_from(*port).ok()?);
        let slots = usize::try_from(*first).ok()?..usize::try_from(*last).ok()?.checked_add(1)?;
        unsaid = unsaid.checked_sub(slots.len().max(1))?;
        let index = *indices.entry(address).or_insert_with_key(|address| {
            nodes.addresses.push(address.clone());
            u16::try_from(nodes.addresses.len() - 1).unwrap_or(NOBODY)
        });
        nodes.by_slot.get_mut(slots)?.fill(index);
    }
    Some(nodes).filter(|nodes| !nodes.addresses.is_empty())
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::super::url::Target;
    use super::{Address, Router};

    fn address(port: u16) -> Address {
        let host = "node".to_owned();
        Address::Tcp { host, port }
    }

    fn range(first: i64, last: i64, port: u16) -> Value {
        let master = vec![
            Value::BulkString(b"node".to_vec()),
            Value::Int(i64::from(port)),
        ];
        Value::Array(vec![
            Value::Int(first),
            Value::Int(last),
            Value::Array(master),
        ])
    }

    fn cluster() -> Router {
        let target = Target::parse("redis+cluster://node:1").expect("it is valid");
        Router::new(target.servers)
    }

    #[test]
    fn nodes_that_left_are_not_known_any_more() {
        let router = cluster();
        assert!(router.knows(&address(9)), "as nothing is known");
        let nodes = |ports: [u16; 2]| {
            let [first, second] = ports;
            Value::Array(vec![range(0, 8191, first), range(8192, 16383, second)])
        };
        for (ports, gone) in [([1, 2], 3), ([2, 3], 1)] {
            let learned = router.learn(&address(1), nodes(ports));
            learned.expect("it is a working cluster");
            assert!(ports.iter().all(|&port| router.knows(&address(port))));
            assert!(!router.knows(&address(gone)));
        }
    }

    #[test]
    fn as_many_nodes_as_there_are_slots_are_read() {
        let router = cluster();
        let ranges =
            (0..16384).map(|slot| range(slot, slot, u16::try_from(slot + 1).expect("small")));
        let learned = router.learn(&address(1), Value::Array(ranges.collect()));
        learned.expect("each slot has a node");
        assert_eq!(router.route(9_999).expect("it has one"), address(10_000));
    }

    #[test]
    fn ranges_that_say_more_than_there_is_are_refused() {
        for ranges in [
            vec![range(0, 16383, 1); 2],
            // Empty ones as well: to read them takes time.
            vec![range(1, 0, 1); 16385],
        ] {
            let learned = cluster().learn(&address(1), Value::Array(ranges));
            learned.expect_err("slots are in one range each");
        }
    }
}
