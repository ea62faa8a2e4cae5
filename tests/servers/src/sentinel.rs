//! A master, its replica, and a sentinel that puts the one in the other's place.

use crate::redis::RedisServer;
use crate::{Reply, eventually, resp};

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
        sentinel.await_replica(1);
        sentinel
    }

    /// `redis+sentinel://<the sentinel>/main`.
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/{SERVICE}", self.sentinel.address())
    }

    /// The server that the sentinel takes for the master.
    pub fn master(&mut self) -> &mut RedisServer {
        let master = self.master_index();
        &mut self.servers[master]
    }

    /// The same, to look at.
    pub fn named(&self) -> &RedisServer {
        &self.servers[self.master_index()]
    }

    /// Kills the master, and waits until the other server has its place.
    pub fn fail_over(&mut self) {
        let killed = self.master_index();
        self.servers[killed].kill();
        eventually("the sentinel names another master", || {
            self.master_index() != killed
        });
    }

    /// Has the sentinel put the replica in the place of the master, which lives on as its replica; gives that one back.
    pub fn demote(&mut self) -> &RedisServer {
        let master = self.master_index();
        let asked = ["SENTINEL", "FAILOVER", SERVICE].map(str::as_bytes);
        eventually("the sentinel does as it is told", || {
            let answer = resp::ask(&self.sentinel.socket(), &asked, resp::ONCE);
            answer.is_ok_and(|answer| answer == Reply::Status("OK".to_owned()))
        });
        eventually("the master is a replica", || {
            // Our own connection is among those that the sentinel has the server end.
            let socket = self.servers[master].socket();
            let info = resp::ask(&socket, &[b"INFO", b"replication"], resp::ONCE);
            self.master_index() != master
                && info.is_ok_and(|info| info.text().contains("role:slave"))
        });
        &self.servers[master]
    }

    /// Has the sentinel name this server from now on. The master hears nothing of it, as where the network is divided.
    pub fn name_another(&self, server: &RedisServer) {
        let port = server.address().port().to_string();
        self.sentinel.command(&["SENTINEL", "REMOVE", SERVICE]);
        self.sentinel
            .command(&["SENTINEL", "MONITOR", SERVICE, "127.0.0.1", &port, "1"]);
    }

    /// Starts the server that was killed, as a replica, and waits until it is in step.
    pub fn restore(&mut self) {
        let replica = 1 - self.master_index();
        let port = self.master().address().port().to_string();
        let server = &mut self.servers[replica];
        server.restart();
        server.command(&["REPLICAOF", "127.0.0.1", &port]);
        self.await_replica(replica);
    }

    fn master_index(&self) -> usize {
        let asked = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE];
        let Reply::Array(address) = self.sentinel.command(&asked) else {
            panic!("the sentinel knows no master");
        };
        let port = address.into_iter().nth(1).map(Reply::text);
        let is_master = |server: &RedisServer| Some(server.address().port().to_string()) == port;
        let master = self.servers.iter().position(is_master);
        master.expect("the master is one of the two")
    }

    fn await_replica(&self, replica: usize) {
        let what = "the sentinel knows the replica, and the replica is in step";
        eventually(what, || {
            let info = self.sentinel.command(&["INFO", "sentinel"]).text();
            let replication = self.servers[replica].command(&["INFO", "replication"]);
            info.contains("status=ok,")
                && info.contains("slaves=1")
                && replication.text().contains("master_link_status:up")
        });
    }
}
