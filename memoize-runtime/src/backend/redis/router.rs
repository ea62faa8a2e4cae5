//! Which server to ask: a matter of the URL for a single one, of the sentinels' or the cluster's own word else.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::{Cmd, Value};

use super::slot::SLOTS;
use super::url::{Address, Servers};
use crate::backend::BackendError;

/// What is known about the servers so far.
pub(super) struct Router {
    servers: Servers,
    known: Mutex<Known>,
}

enum Known {
    /// Nothing, or nothing that can be relied on; these were known last.
    Nothing(Vec<Address>),
    Master(Address),
    Cluster(Nodes),
}

struct Nodes {
    addresses: Vec<Address>,
    /// The index of each slot's address.
    by_slot: Box<[u16]>,
    /// Whether a slot was found elsewhere than it was said to be, so that others may have moved as well.
    outdated: bool,
}

/// No node has the slot.
const NOBODY: u16 = u16::MAX;

impl Router {
    pub(super) fn new(servers: Servers) -> Self {
        let known = match &servers {
            Servers::One(address) => Known::Master(address.clone()),
            _ => Known::Nothing(Vec::new()),
        };
        Self {
            servers,
            known: Mutex::new(known),
        }
    }

    /// Whether somebody should be asked where the servers are.
    pub(super) fn is_lost(&self) -> bool {
        match &mut *self.lock() {
            Known::Nothing(_) => true,
            Known::Master(_) => false,
            // Whoever sees it first asks for all.
            Known::Cluster(nodes) => std::mem::take(&mut nodes.outdated),
        }
    }

    /// Whether nothing can be sent before somebody was asked.
    pub(super) fn knows_nothing(&self) -> bool {
        matches!(&*self.lock(), Known::Nothing(_))
    }

    /// The server to send to.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn route(&self, slot: u16) -> Result<Address, BackendError> {
        match &*self.lock() {
            Known::Master(address) => Ok(address.clone()),
            Known::Cluster(nodes) => {
                let index = usize::from(nodes.by_slot[usize::from(slot)]);
                let address = nodes.addresses.get(index).cloned();
                address
                    .ok_or_else(|| BackendError::new("no node of the cluster has the key's slot"))
            }
            Known::Nothing(_) => Err(BackendError::new("no server is known")),
        }
    }

    /// Whom to ask where the servers are, in this order: of a cluster those known last, then those of the URL.
    pub(super) fn guides(&self) -> VecDeque<Address> {
        let named = self.servers.addresses().iter().cloned();
        let last = match &*self.lock() {
            Known::Nothing(last) => last.clone(),
            Known::Cluster(nodes) => nodes.addresses.clone(),
            Known::Master(_) => Vec::new(),
        };
        let mut guides: VecDeque<Address> = last.into();
        for address in named {
            if !guides.contains(&address) {
                guides.push_back(address);
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
        let known = if self.asks_sentinels() {
            master(answer).map(Known::Master)
        } else {
            nodes(guide, answer).map(Known::Cluster)
        };
        *self.lock() = known.ok_or_else(|| {
            BackendError::new(if self.asks_sentinels() {
                "the sentinel doesn't know the service"
            } else {
                "the server is not a node of a working cluster"
            })
        })?;
        Ok(())
    }

    /// Notes that a slot is elsewhere; says whether that can be followed.
    pub(super) fn moved(&self, slot: u16, to: &Address) -> bool {
        match &mut *self.lock() {
            Known::Cluster(nodes) => {
                let index = nodes.index(to);
                nodes.by_slot[usize::from(slot)] = index;
                nodes.outdated = true;
                true
            }
            Known::Nothing(_) | Known::Master(_) => false,
        }
    }

    /// Notes that what is known can't be right, or that a server can't be reached.
    pub(super) fn doubt(&self) {
        if matches!(self.servers, Servers::One(_)) {
            return;
        }
        let mut known = self.lock();
        // In another order, so that one which doesn't answer isn't asked first again.
        let last = match &mut *known {
            Known::Cluster(nodes) => {
                nodes.addresses.rotate_left(1);
                std::mem::take(&mut nodes.addresses)
            }
            Known::Nothing(last) => {
                let mut last = std::mem::take(last);
                if !last.is_empty() {
                    last.rotate_left(1);
                }
                last
            }
            Known::Master(_) => Vec::new(),
        };
        *known = Known::Nothing(last);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
        outdated: false,
    };
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
        let index = nodes.index(&address);
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
