//! Which nodes of a cluster are left alone for a while: each has a circuit breaker, so that one that is gone is no reason to leave the others
//! alone, too. What fails at one node says nothing about the cluster, so that it doesn't count for the runtime's breaker.

use std::time::Instant;

use once_cell::race::OnceBox;

use super::error;
use super::url::{Address, Servers};
use crate::backend::{BackendError, Tells};
use crate::breaker::{Breaker, Change, Ending, Monotonic, Permit};

/// The nodes that were asked so far; none for other servers than those of a cluster.
pub(super) struct Nodes(Option<Known>);

/// They are few, and never forgotten. Nothing is locked to find one, or else a forked child could wait for it.
type Known = OnceBox<Node>;

struct Node {
    address: Address,
    breaker: Breaker,
    next: Known,
}

/// The leave to ask one server.
pub(super) struct Leave<'a>(Option<(&'a Node, Permit<'a>)>);

impl Nodes {
    pub(super) fn of(servers: &Servers) -> Self {
        Self(matches!(servers, Servers::Cluster(_)).then(Known::new))
    }

    /// The leave to ask this server until then.
    ///
    /// # Errors
    /// It is left alone, or there is no time left, which is not its fault.
    pub(super) fn admit(
        &self,
        address: &Address,
        until: Instant,
    ) -> Result<Leave<'_>, BackendError> {
        let Some(mut known) = self.0.as_ref() else {
            return Ok(Leave(None));
        };
        if Instant::now() >= until {
            return Err(error::late());
        }
        let node = loop {
            let node = known.get_or_init(|| Box::new(Node::new(address)));
            if node.address == *address {
                break node;
            }
            known = &node.next;
        };
        match node.breaker.admit() {
            Some(permit) => Ok(Leave(Some((node, permit)))),
            None => Err(BackendError::unasked(
                "the cluster's node fails, and is left alone for a while",
            )),
        }
    }
}

impl Node {
    fn new(address: &Address) -> Self {
        Self {
            address: address.clone(),
            breaker: Breaker::new(Monotonic::system()),
            next: Known::new(),
        }
    }

    fn tell(&self, change: Option<Change>) {
        let node = &self.address;
        match change {
            Some(Change::Opened) => tracing::warn!(
                target: "cache_memoize",
                %node,
                "a node of the cluster fails again and again; it is left alone, and what it has is computed"
            ),
            Some(Change::Closed) => {
                tracing::warn!(target: "cache_memoize", %node, "the node of the cluster answers again");
            }
            None => {}
        }
    }
}

impl Leave<'_> {
    pub(super) fn answered(self) {
        if let Some((node, permit)) = self.0 {
            node.tell(permit.end(Ending::Answered));
        }
    }

    /// The error of the server there, as it is told on.
    pub(super) fn failed(self, address: &Address, error: BackendError) -> BackendError {
        let error = error.at(address);
        let Some((node, permit)) = self.0 else {
            return error;
        };
        if error.tells() != Tells::Fails {
            node.tell(permit.end(Ending::Answered));
            return error;
        }
        node.tell(permit.end(Ending::Failed));
        error.telling_nothing()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::url::Target;
    use super::{BackendError, Nodes, Tells};

    #[test]
    fn each_node_is_left_alone_by_itself() {
        let cluster = Target::parse("redis+cluster://a,b").expect("it is valid");
        let [a, b] = cluster.servers.addresses() else {
            panic!("it names two");
        };
        let nodes = Nodes::of(&cluster.servers);
        let later = Instant::now() + Duration::from_secs(3600);
        for _ in 0..5 {
            assert!(nodes.admit(a, Instant::now()).is_err(), "there is no time");
        }
        for _ in 0..5 {
            let leave = nodes.admit(a, later).expect("it may be asked");
            let error = leave.failed(a, BackendError::new("no answer in time"));
            assert_eq!(error.to_string(), "no answer in time (a:6379)");
            assert!(error.tells() == Tells::Nothing, "of all the others");
            nodes.admit(b, later).expect("it works").answered();
        }
        assert!(nodes.admit(a, later).is_err());
        assert!(nodes.admit(b, later).is_ok());
    }

    #[test]
    fn a_single_server_is_the_runtimes_to_leave_alone() {
        let single = Target::parse("redis://a").expect("it is valid");
        let nodes = Nodes::of(&single.servers);
        for _ in 0..50 {
            let address = &single.servers.addresses()[0];
            let leave = nodes.admit(address, Instant::now());
            let leave = leave.expect("it may be asked");
            let error = leave.failed(address, BackendError::new("no answer in time"));
            assert!(error.tells() == Tells::Fails);
        }
    }
}
