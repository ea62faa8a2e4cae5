//! A master, its replica, and a sentinel that puts the one in the other's place.

use crate::redis::RedisServer;
use crate::{Reply, eventually};

/// What the sentinel calls the master.
const SERVICE: &str = "main";

/// A master, a replica, and one sentinel that watches them.
#[derive(Debug)]
pub struct RedisSentinel {
    servers: [RedisServer; 2],
    sentinel: RedisServer,
}

impl RedisSentinel {
    /// Starts all three and waits until the sentinel knows both servers. A master that is away for a second is replaced.
    pub fn start() -> Self {
        let master = RedisServer::start();
        let port = master.address().port().to_string();
        let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &port]);
        let settings = format!(
            "sentinel monitor {SERVICE} 127.0.0.1 {port} 1\n\
             sentinel down-after-milliseconds {SERVICE} 1000\n\
             sentinel failover-timeout {SERVICE} 5000\n"
        );
        let sentinel = RedisServer::sentinel(settings);
        let sentinel = Self {
            servers: [master, replica],
            sentinel,
        };
        eventually(
            "the sentinel knows the replica, and the replica is in step",
            || {
                let info = sentinel.sentinel.command(&["INFO", "sentinel"]).text();
                let replication = sentinel.servers[1].command(&["INFO", "replication"]).text();
                info.contains("status=ok,")
                    && info.contains("slaves=1")
                    && replication.contains("master_link_status:up")
            },
        );
        sentinel
    }

    /// `redis+sentinel://<the sentinel>/main`.
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/{SERVICE}", self.sentinel.address())
    }

    /// The server that the sentinel takes for the master.
    pub fn master(&mut self) -> &mut RedisServer {
        let asked = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE];
        let Reply::Array(address) = self.sentinel.command(&asked) else {
            panic!("the sentinel knows no master");
        };
        let port = address.into_iter().nth(1).map(Reply::text);
        let is_master =
            |server: &&mut RedisServer| Some(server.address().port().to_string()) == port;
        self.servers
            .iter_mut()
            .find(is_master)
            .expect("the master is one of the two")
    }
}
