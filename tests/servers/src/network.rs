//! Ports: free ones, closed ones, and one that never answers.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;

/// Below the ports that systems give to clients, so that none of these takes the place of a server that is away for a moment; and
/// so that a cluster's second port, 10000 above, is there as well.
const PORTS: Range<u16> = 10_000..22_000;

/// A port that was free just now, on 127.0.0.1.
pub(crate) fn free_port() -> u16 {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let span = u64::from(PORTS.end - PORTS.start);
    let start = RandomState::new().hash_one(()) % span;
    let ports = (0..span).map(|n| {
        let offset = u16::try_from((start + n) % span).expect("the span of ports is a u16");
        PORTS.start + offset
    });
    ports
        .into_iter()
        .find(free)
        .expect("one of many ports is free")
}

/// An address that refuses connections.
pub fn closed_port() -> SocketAddr {
    ([127, 0, 0, 1], free_port()).into()
}

/// A port that takes connections and never says a word.
#[derive(Debug)]
pub struct BlackHole(TcpListener);

impl BlackHole {
    /// Opens the port; it is closed on drop. Nothing is ever accepted: the system completes the first connections, and leaves
    /// those after them waiting to be connected.
    pub fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a port is free"))
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("a bound socket has an address")
    }
}
