//! Which flights this thread or task leads, and which of the flights wait for which: what it takes to never wait for oneself.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::iter;
use std::sync::Arc;

use crate::shim::thread_local;

thread_local! {
    /// The flights whose computation is running on this thread right now, the innermost first.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// A flight that is led, and those around it: a computation that calls another memoized function leads both.
///
/// It belongs to the computation and not to the thread: a future takes it along.
#[derive(Clone)]
pub(super) struct Held(Arc<Link>);

struct Link {
    flight: u64,
    around: Option<Held>,
}

/// On this thread a leader's computation is running; until dropped.
#[must_use = "the computation is known for as long as this lives"]
pub(crate) struct Running {
    before: Option<Held>,
}

impl Held {
    pub(super) fn new(flight: u64, around: Option<Self>) -> Self {
        Self(Arc::new(Link { flight, around }))
    }

    /// Those of the computation that makes this call.
    pub(super) fn current() -> Option<Self> {
        // A call made while the thread's locals are torn down is in no computation.
        HELD.try_with(|held| held.borrow().clone()).unwrap_or(None)
    }

    pub(super) fn enter(self) -> Running {
        Running {
            before: replace(Some(self)),
        }
    }

    pub(super) fn contains(&self, flight: u64) -> bool {
        self.flights().any(|led| led == flight)
    }

    fn flights(&self) -> impl Iterator<Item = u64> {
        iter::successors(Some(self), |held| held.0.around.as_ref()).map(|held| held.0.flight)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _left = replace(self.before.take());
    }
}

impl Drop for Link {
    /// Link by link: a chain as deep as a recursion, dropped by recursion, would overflow the stack.
    fn drop(&mut self) {
        let mut around = self.around.take();
        while let Some(held) = around {
            around = Arc::into_inner(held.0).and_then(|mut link| link.around.take());
        }
    }
}

fn replace(held: Option<Held>) -> Option<Held> {
    HELD.try_with(|slot| slot.replace(held)).unwrap_or(None)
}

/// Who waits for whom: from each flight that a waiter leads, and from a thread that is blocked, to what it waits for.
///
/// Without this, two threads that each lead what the other wants would wait until their patience is over.
#[derive(Default)]
pub(super) struct Waits(HashMap<Node, Vec<Node>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    Flight(u64),
    /// A thread, by its number. It writes an iterator that others follow, or would.
    Thread(u64),
}

impl Waits {
    /// Notes that the leader of `held` waits for `flight`; `false` where that would never end.
    pub(super) fn begin(&mut self, held: Option<&Held>, flight: u64) -> bool {
        // A caller that leads nothing is waited for by nobody.
        held.is_none_or(|_| self.note(&nodes(held, 0).collect::<Vec<_>>(), Node::Flight(flight)))
    }

    /// Notes that each of `waiting` waits for `target`; `false` where that would never end.
    pub(super) fn note(&mut self, waiting: &[Node], target: Node) -> bool {
        if self.reaches(target, waiting) {
            return false;
        }
        for node in waiting {
            self.0.entry(*node).or_default().push(target);
        }
        true
    }

    /// Whether `target`, or what it waits for, is one of `these`.
    fn reaches(&self, target: Node, these: &[Node]) -> bool {
        let mut seen = HashSet::new();
        let mut next = vec![target];
        while let Some(node) = next.pop() {
            if these.contains(&node) {
                return true;
            }
            if seen.insert(node) {
                next.extend(self.0.get(&node).into_iter().flatten());
            }
        }
        false
    }

    pub(super) fn forget(&mut self, waiting: impl IntoIterator<Item = Node>, target: Node) {
        for node in waiting {
            if let Some(targets) = self.0.get_mut(&node) {
                if let Some(at) = targets.iter().position(|one| *one == target) {
                    targets.swap_remove(at);
                }
                if targets.is_empty() {
                    self.0.remove(&node);
                }
            }
        }
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Those that wait where a thread of this number does that leads `held`. Without a number nobody knows of the thread.
pub(super) fn nodes(held: Option<&Held>, thread: u64) -> impl Iterator<Item = Node> {
    let flights = held.into_iter().flat_map(Held::flights);
    let thread = (thread != 0).then_some(Node::Thread(thread));
    flights.map(Node::Flight).chain(thread)
}

#[cfg(test)]
mod tests {
    use super::{Held, Node, Waits, nodes};

    fn held(flights: &[u64]) -> Option<Held> {
        flights
            .iter()
            .fold(None, |around, flight| Some(Held::new(*flight, around)))
    }

    #[test]
    fn who_leads_nothing_waits_for_anybody() {
        let mut waits = Waits::default();
        assert!(waits.begin(None, 1));
        assert_eq!(waits.len(), 0);
    }

    #[test]
    fn nobody_waits_for_itself() {
        let mut waits = Waits::default();
        for flight in [1, 2, 3] {
            assert!(!waits.begin(held(&[1, 2, 3]).as_ref(), flight));
        }
        assert!(waits.begin(held(&[1, 2, 3]).as_ref(), 4));
    }

    #[test]
    fn a_circle_is_seen_by_the_one_that_would_close_it() {
        let mut waits = Waits::default();
        let (a, b, c) = (held(&[1]), held(&[2, 20]), held(&[3]));
        assert!(waits.begin(a.as_ref(), 2));
        assert!(waits.begin(b.as_ref(), 3));
        assert!(!waits.begin(c.as_ref(), 1));
        // Once one of them got what it wanted, there is no circle.
        waits.forget(nodes(b.as_ref(), 0), Node::Flight(3));
        assert!(waits.begin(c.as_ref(), 1));
        waits.forget(nodes(a.as_ref(), 0), Node::Flight(2));
        waits.forget(nodes(c.as_ref(), 0), Node::Flight(1));
        assert_eq!(waits.len(), 0);
    }

    #[test]
    fn a_circle_over_threads_is_seen() {
        use Node::{Flight, Thread};
        let mut waits = Waits::default();
        // One leads a flight, and follows what the other writes.
        assert!(waits.note(&[Thread(1), Flight(7)], Thread(2)));
        assert!(!waits.note(&[Thread(2)], Flight(7)));
        assert!(!waits.note(&[Thread(2)], Thread(1)));
        assert!(waits.note(&[Thread(3)], Thread(1)));
        waits.forget([Thread(1), Flight(7)], Thread(2));
        assert!(waits.note(&[Thread(2)], Thread(1)));
        waits.forget([Thread(2), Thread(3)], Thread(1));
        assert_eq!(waits.len(), 0);
    }

    #[test]
    fn a_deep_chain_is_dropped() {
        let flights: Vec<u64> = (0..1_000_000).collect();
        drop(held(&flights));
    }
}
