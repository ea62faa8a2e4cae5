//! Servers that share the keys.

use std::ops::Range;

use crate::redis::RedisServer;
use crate::{Reply, eventually};

/// How many slots the keys of a cluster are in.
const SLOTS: usize = 16_384;

/// A Redis cluster of masters without replicas.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts `nodes` servers, at least three, and waits until each says that the cluster is whole.
    pub fn start(nodes: usize) -> Self {
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "3000"];
        let nodes: Vec<_> = (0..nodes).map(|_| RedisServer::with(&options)).collect();
        let cluster = Self { nodes };
        for (index, node) in cluster.nodes.iter().enumerate() {
            let slots: Vec<_> = cluster
                .slots_of(index)
                .map(|slot| slot.to_string())
                .collect();
            let mut command = vec!["CLUSTER", "ADDSLOTS"];
            command.extend(slots.iter().map(String::as_str));
            node.command(&command);
            let epoch = (index + 1).to_string();
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
            let first = cluster.nodes[0].address().port().to_string();
            node.command(&["CLUSTER", "MEET", "127.0.0.1", &first]);
        }
        cluster.await_whole();
        cluster
    }

    /// Starts a node that was killed, and waits until all nodes say that the cluster is whole.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
        self.await_whole();
    }

    /// `redis+cluster://` with the address of every node.
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|node| node.address().to_string())
            .collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// The servers.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The servers, to be killed and stopped.
    pub fn nodes_mut(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    fn await_whole(&self) {
        eventually("every node of the cluster knows all slots", || {
            self.nodes.iter().all(|node| self.is_whole_to(node))
        });
    }

    fn slots_of(&self, node: usize) -> Range<usize> {
        let nodes = self.nodes.len();
        SLOTS * node / nodes..SLOTS * (node + 1) / nodes
    }

    fn is_whole_to(&self, node: &RedisServer) -> bool {
        let info = node.command(&["CLUSTER", "INFO"]).text();
        let says = |line: &str| info.lines().any(|found| found == line);
        // A node that was just met may not yet have said at which address it is.
        let Reply::Array(ranges) = node.command(&["CLUSTER", "SLOTS"]) else {
            return false;
        };
        says("cluster_state:ok")
            && says(&format!("cluster_slots_ok:{SLOTS}"))
            && says(&format!("cluster_known_nodes:{}", self.nodes.len()))
            && ranges.len() == self.nodes.len()
    }
}
