//! Single flight: of the callers that miss one key at one time, one computes, and the others get what it lands.
//!
//! A flight begins with the first caller of a cold key, its leader, and stands in a table under the entry's name until the
//! value is stored, so that whoever looked just before that finds the one or the other. Threads and tasks wait alike: a
//! waiter is a future, and a thread blocks on it.
//!
//! # What ends a wait
//!
//! - The leader lands a value: every waiter gets it.
//! - The leader fails: it panics, or its result is one that isn't to be shared. The first waiter to come takes its place.
//!   If that one fails too, the others compute side by side: one failing body must not line up all callers behind each
//!   other. A leader whose future is dropped has not failed; its place is taken each time.
//! - The waiter's own patience, which is bounded by whoever waits. The first relieves the leader, which may be stuck: it leads beside
//!   it, by the same lease, and its end is the flight's. The others wait for that one as long again. The first whose second patience ends relieves it in turn, and the rest compute
//!   beside that one for themselves.
//! - The key was invalidated, and the leader fails: those who waited join the flight that newcomers do, once.
//!
//! A forked child has none of its parent's threads, and a table of its own. Flights of another process that are there all the same are
//! nobody's, and those who come begin anew.
//!
//! A caller that would wait for itself doesn't: the flights that a thread or task leads are known, and so is who waits for
//! whom.
//!
//! # Leases
//!
//! The right to store is the backend's to grant, and callers ask for it before they come here. So the one that was granted it may
//! find another leading, who was told that it is taken: it offers it, and the leader begins to compute. A leader that computes
//! already takes none, as the value may be older than the lease.
//!
//! # Locks
//!
//! A shard of the table, then a flight, then who waits for whom; each for a few instructions, with no code of the user's or of
//! an executor's inside. Nobody waits for another key: what is waited for is a flight, and each key has its own.

mod block;
mod held;
mod leader;
mod state;
mod waiter;

pub(crate) use block::block_on;
pub(crate) use held::{Node, Running};
pub(crate) use leader::Leader;
pub(crate) use waiter::{Offer, Waiter};

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::locks::lock;
use crate::shards::Shards;
use crate::shim::{Mutex, MutexGuard};
use held::{Held, Waits, nodes};
use state::State;

/// The flights of one runtime, whose values are `T`, stored by leases `L`. Clones are the same table.
pub(crate) struct Flights<T, L>(Arc<Table<T, L>>);

struct Table<T, L> {
    flights: Shards<Flight<T, L>>,
    waits: Mutex<Waits>,
}

/// One computation that others may wait for.
struct Flight<T, L> {
    /// Unlike its name, no other flight of any table has it: a computation may lead flights of several.
    id: u64,
    name: Box<str>,
    /// What is computed: callers of one name may want different types.
    kind: u64,
    /// The process that it began in.
    process: u32,
    state: Mutex<State<T, L>>,
}

/// What became of a caller that missed.
pub(crate) enum Joined<T, L> {
    Plays(Part<T, L>),
    Waits(Waiter<T, L>),
}

/// The part of a caller in the flight of its key.
pub(crate) enum Part<T, L> {
    /// Compute, for all that come meanwhile.
    Leads(Leader<T, L>),
    /// The value is there.
    Landed(T),
    /// Compute, for itself: what the others wait for is not what it wants, or nobody leads any more.
    Alone,
    /// Compute, and store nothing: others are computing it to store it, and have been for too long.
    Beside,
    /// Compute, and store nothing: the flight is led by whoever waits for this call, which will store.
    Inside,
}

impl<T: Clone, L> Flights<T, L> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Table {
            flights: Shards::new(),
            waits: Mutex::new(Waits::default()),
        }))
    }

    /// Joins the flight of `name`, or begins one, in the process of this number.
    ///
    /// A caller that `insists` on a new computation never gets one that began before it came.
    pub(crate) fn join(&self, process: u32, name: &str, kind: u64, insists: bool) -> Joined<T, L> {
        let held = Held::current();
        let mut shard = self.0.flights.lock(name);
        let found = shard.get(name).cloned();
        if let Some(flight) = &found
            && held.as_ref().is_some_and(|held| held.contains(flight.id))
        {
            return Joined::Plays(Part::Inside);
        }
        let Some(flight) = found.filter(|flight| flight.process == process) else {
            let flight = Arc::new(Flight::new(name, kind, process));
            let inherited = shard.insert(name, Arc::clone(&flight));
            drop(shard);
            drop(inherited);
            return Joined::Plays(Part::Leads(Leader::new(self.clone(), flight, held, 0)));
        };
        if insists || flight.kind != kind {
            return Joined::Plays(Part::Alone);
        }
        let mut state = flight.lock();
        if let Some(value) = state.landed() {
            return Joined::Plays(Part::Landed(value.clone()));
        }
        let generation = state.generation;
        if state.succeed() {
            drop(state);
            drop(shard);
            let leader = Leader::new(self.clone(), flight, held, generation);
            return Joined::Plays(Part::Leads(leader));
        }
        if !lock(&self.0.waits).begin(held.as_ref(), flight.id) {
            return Joined::Plays(Part::Inside);
        }
        state.waiters += 1;
        drop(state);
        drop(shard);
        Joined::Waits(Waiter::new(self.clone(), flight, held, generation))
    }

    /// Takes the flight of `name` out of sight: who comes from now on computes anew. Who waits already still gets its value.
    pub(crate) fn void(&self, name: &str) {
        let removed = self.0.flights.lock(name).remove(name);
        if let Some(flight) = removed {
            flight.lock().void = true;
        }
    }

    /// Notes, for as long as what is returned lives, that this thread, of this number, is blocked until `target` goes on. None where it
    /// never would, as it waits for what this thread leads or writes.
    pub(crate) fn block(&self, thread: u64, target: Node) -> Option<Blocked<'_>> {
        let held = Held::current();
        let waiting: Vec<_> = nodes(held.as_ref(), thread).collect();
        let waits = &self.0.waits;
        // Dropped, it takes the lock: it is not to be made where there is nothing to forget.
        let may_wait = lock(waits).note(&waiting, target);
        may_wait.then(|| Blocked {
            waits,
            waiting,
            target,
        })
    }

    /// Whether who joins this flight now would wait. Only to be relied on for what is as right without it.
    pub(crate) fn contains(&self, name: &str, kind: u64) -> bool {
        let found = self.0.flights.find(name);
        found.is_some_and(|flight| flight.kind == kind)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.flights.is_empty()
    }

    /// How many flights are in the table, and how many of those wait for others.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.0.flights.len(), lock(&self.0.waits).len())
    }
}

impl<T, L> Flights<T, L> {
    /// Changes a flight by a step after which it may have no place in the table.
    fn step(&self, flight: &Arc<Flight<T, L>>, step: impl FnOnce(&mut State<T, L>)) {
        let mut shard = self.0.flights.lock(&flight.name);
        let mut state = flight.lock();
        step(&mut state);
        if state.retired {
            shard.remove_same(&flight.name, flight);
        }
        let woken = state.take_woken();
        drop(state);
        drop(shard);
        woken.wake();
    }
}

/// A thread that waits, until dropped.
pub(crate) struct Blocked<'a> {
    waits: &'a Mutex<Waits>,
    waiting: Vec<Node>,
    target: Node,
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        let waiting = mem::take(&mut self.waiting);
        lock(self.waits).forget(waiting, self.target);
    }
}

impl<T, L> Clone for Flights<T, L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T, L> Flight<T, L> {
    fn new(name: &str, kind: u64, process: u32) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            kind,
            process,
            state: Mutex::new(State::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, L>> {
        lock(&self.state)
    }
}
