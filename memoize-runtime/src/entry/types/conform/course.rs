//! What a value goes through on its way along the shape.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ptr;
use std::sync::Arc;

use super::super::fingerprint::shape::{Hashed, Node, Order, Payload, Shape, Shown};

/// A part of a shape that not every value goes through: a list or map with more than one element, a `Some`, a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Passage {
    /// Where the node is in memory, which is what it is known by while there is the shape.
    node: usize,
    branch: u64,
}

impl Passage {
    fn new(node: &Node, branch: u64) -> Self {
        Self {
            node: ptr::from_ref(node).addr(),
            branch,
        }
    }
}

/// What one reading of a value shows of a passage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trial {
    /// To read it so by chance is as likely as this many coins that all come up heads.
    pub(crate) bits: u32,
    pub(crate) shown: Shown,
}

impl Trial {
    /// As many bits as make it certain: a chance of 2^-40, even if a hash table keeps two elements in order 9 times out of 16.
    pub(crate) const CERTAIN: u32 = 48;

    const OF_BRANCH: Self = Self {
        bits: Self::CERTAIN,
        shown: Shown::Few,
    };
}

impl Shape {
    /// How many passages there are, but for what is in parts that can't be seen.
    pub(crate) fn passages(&self) -> usize {
        let of_node = |node: &Node| match node {
            Node::Option(_) | Node::Seq { .. } | Node::Map { .. } => 1,
            Node::Enum { variants, .. } => {
                let refused = |payload: &Payload| *payload == Payload::Refused;
                let known = variants.iter().filter(|known| !refused(&known.payload));
                known.count()
            }
            _ => 0,
        };
        self.nodes().map(of_node).sum()
    }

    /// The lists and maps.
    pub(crate) fn lists(&self) -> impl Iterator<Item = Passage> {
        let lists = self
            .nodes()
            .filter(|node| matches!(node, Node::Seq { .. } | Node::Map { .. }));
        lists.map(|node| Passage::new(node, 0))
    }
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    List,
    Map,
}

/// A list or map that is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) order: Order,
    passage: Passage,
    /// Nothing is known of it, but its place in the value.
    is_unseen: bool,
}

impl Begun {
    fn new(node: &Node, kind: Kind) -> Self {
        let order = match (node, kind) {
            (Node::Seq { order, .. } | Node::Map { order, .. }, _) => *order,
            (_, Kind::Map) => Order::default(),
            // An `untagged` enum may have read a list as a set.
            (_, Kind::List) => Order {
                hashed: Hashed::No,
                ..Order::default()
            },
        };
        Self {
            order,
            passage: Passage::new(node, 0),
            is_unseen: matches!(node, Node::Unseen(_)),
        }
    }
}

impl Begun {
    /// What goes through it, where it stands at this `place` in the value.
    pub(crate) fn passage(self, place: u64) -> Passage {
        Passage {
            branch: if self.is_unseen { place } else { 0 },
            ..self.passage
        }
    }
}

/// Told by a [`Watch`](super::Watch), step by step.
#[derive(Debug, Default)]
pub(crate) struct Course {
    begun: Cell<Option<Begun>>,
    gone_through: RefCell<BTreeMap<Passage, Trial>>,
}

impl Course {
    /// The list or map that begins now.
    pub(crate) fn begun(&self) -> Option<Begun> {
        self.begun.get()
    }

    pub(crate) fn into_gone_through(self) -> BTreeMap<Passage, Trial> {
        self.gone_through.into_inner()
    }

    pub(super) fn begins(&self, node: &Node, kind: Kind) {
        self.begun.set(Some(Begun::new(node, kind)));
    }

    pub(super) fn goes_through(&self, node: &Node, branch: usize) {
        self.adds(Passage::new(node, branch as u64), Trial::OF_BRANCH);
    }

    /// A value goes through this, which shows so much of it: of the lists in one place, the one that shows least counts.
    pub(crate) fn adds(&self, passage: Passage, trial: Trial) {
        let mut gone_through = self.gone_through.borrow_mut();
        let known = gone_through.entry(passage).or_insert(trial);
        known.bits = known.bits.min(trial.bits);
    }
}

/// Looks for lists and maps of more than one element whose order was not shown by a value before.
#[derive(Debug)]
pub(crate) struct Search {
    wanted: Arc<[Passage]>,
    has_found: Cell<bool>,
}

impl Search {
    pub(crate) fn new(wanted: Arc<[Passage]>) -> Self {
        Self {
            wanted,
            has_found: Cell::new(false),
        }
    }

    pub(crate) fn has_found(&self) -> bool {
        self.has_found.get()
    }

    pub(super) fn begins(&self, node: &Node, len: Option<usize>) {
        let has_order = len.is_none_or(|len| len > 1);
        if has_order && self.wanted.contains(&Passage::new(node, 0)) {
            self.has_found.set(true);
        }
    }
}
