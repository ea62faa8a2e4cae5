//! Connections that nobody uses at the moment.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;

use super::super::url::Address;
use super::link::Link;
use crate::process;

/// As many stay open to one server; what more threads need at one time is opened for them, and closed after.
const MOST_IDLE: usize = 32;

pub(super) struct Pool {
    idle: Mutex<Idle>,
}

struct Idle {
    /// Whose connections these are. A forked child has its parent's sockets, and must not speak on them.
    process: u32,
    links: HashMap<Address, Vec<Link>>,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            idle: Mutex::new(Idle {
                process: process::current(),
                links: HashMap::new(),
            }),
        }
    }

    /// The connection to this server that was used last, of those that were opened in this epoch. The others are closed.
    pub(super) fn take(&self, address: &Address, epoch: u64) -> Option<Link> {
        loop {
            let mut link = self
                .lock_as(process::current())?
                .links
                .get_mut(address)?
                .pop()?;
            // Outside of the lock: it asks the system.
            if link.epoch == epoch && link.is_quiet() {
                link.reused = true;
                return Some(link);
            }
        }
    }

    pub(super) fn give_back(&self, address: &Address, link: Link) {
        // The same process as took it: the child of a fork has no thread that could give it back.
        let Some(mut idle) = self.lock_as(process::recent()) else {
            return;
        };
        match idle.links.get_mut(address) {
            Some(links) if links.len() < MOST_IDLE => links.push(link),
            Some(_) => {}
            None => {
                idle.links.insert(address.clone(), vec![link]);
            }
        }
    }

    /// Closes what is open to a server that failed: most of it is lost as well.
    pub(super) fn forget(&self, address: &Address) {
        let idle = self.lock_as(process::current());
        let forgotten = idle.and_then(|mut idle| idle.links.remove(address));
        drop(forgotten);
    }

    /// Closes what is open to other servers than these: those that left a cluster are never asked again.
    pub(super) fn keep(&self, is_kept: impl Fn(&Address) -> bool) {
        let Some(mut idle) = self.lock_as(process::current()) else {
            return;
        };
        let left: Vec<_> = idle
            .links
            .extract_if(|address, _| !is_kept(address))
            .collect();
        drop(idle);
        drop(left);
    }

    /// The connections of this process. Nothing where the lock can't be had: the child of a fork may find it locked by a
    /// thread that it doesn't have.
    fn lock_as(&self, process: u32) -> Option<MutexGuard<'_, Idle>> {
        // It is held for moments only.
        const ATTEMPTS: usize = 10_000;
        for _ in 0..ATTEMPTS {
            let mut idle = match self.idle.try_lock() {
                Ok(idle) => idle,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    thread::yield_now();
                    continue;
                }
            };
            if idle.process != process {
                // Closed here only, and without a word: the parent goes on with them.
                idle.links.clear();
                idle.process = process;
            }
            return Some(idle);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::super::super::login::Greeting;
    use super::super::super::url::{Servers, Target};
    use super::{Link, Pool};
    use crate::process;

    #[test]
    fn what_is_open_to_servers_that_left_is_closed() {
        let servers =
            [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a port is free"));
        let pool = Pool::new();
        let (addresses, mut peers): (Vec<_>, Vec<_>) = servers
            .iter()
            .map(|server| {
                let url = format!("redis://{}", server.local_addr().expect("it is bound"));
                let target = Target::parse(&url).expect("it is valid");
                let address = target.servers.addresses()[0].clone();
                let until = Instant::now() + Duration::from_secs(10);
                let link = Link::open(&address, None, &Greeting::none(), until);
                pool.give_back(&address, link.expect("it listens"));
                (address, server.accept().expect("it was connected").0)
            })
            .unzip();
        pool.keep(|address| *address == addresses[0]);
        assert!(pool.take(&addresses[0], 0).is_some());
        assert!(pool.take(&addresses[1], 0).is_none());
        let read = peers[1].read(&mut [0]);
        assert_eq!(read.expect("it is closed"), 0);
    }

    #[test]
    fn a_forked_child_closes_its_parents_connections_without_a_word() {
        let server = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let url = format!("redis://{}", server.local_addr().expect("it is bound"));
        let target = Target::parse(&url).expect("it is valid");
        let Servers::One(address) = &target.servers else {
            panic!("the URL has one host");
        };
        let until = Instant::now() + Duration::from_secs(10);
        let link = Link::open(address, None, &Greeting::none(), until);
        let link = link.expect("it listens");
        let (mut peer, _) = server.accept().expect("it was connected");
        let pool = Pool::new();
        pool.give_back(address, link);
        let used = pool.take(address, 0).expect("this process may use it");
        pool.give_back(address, used);
        // What the child of a fork does first.
        let child = process::current() ^ 1;
        assert!(pool.lock_as(child).expect("it is free").links.is_empty());
        let mut said = Vec::new();
        peer.read_to_end(&mut said).expect("it is closed");
        assert_eq!(said, b"");
    }
}
