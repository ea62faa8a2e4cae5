//! What a value goes through on its way along the shape.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ptr;
use std::sync::Arc;

use super::super::fingerprint::shape::{Hashed, Node, Order, Payload, Shape, Shown};

/// A part of a shape that not every value goes through: a list or map with one element, or with more, a `Some`, a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Passage {
    /// Where the node is in memory, which is what it is known by while there is the shape.
    node: usize,
    branch: u64,
}

/// The branches of a list or map: that of those with an order, and that of those that aren't empty.
const ORDER: u64 = 0;
const ELEMENT: u64 = 1;

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

    pub(crate) const OF_BRANCH: Self = Self {
        bits: Self::CERTAIN,
        shown: Shown::Few,
    };
}

impl Shape {
    /// All passages, but for those in parts that can't be seen.
    pub(crate) fn passages(&self) -> impl Iterator<Item = Passage> {
        self.nodes().flat_map(|node| {
            let branches = match node {
                Node::Option(_) => 1,
                Node::Seq { .. } | Node::Map { .. } => 2,
                Node::Enum { variants, .. } => variants.len(),
                _ => 0,
            };
            let branches = (0..branches).filter(|branch| !is_refused(node, *branch));
            branches.map(|branch| Passage::new(node, branch as u64))
        })
    }

    /// The lists and maps.
    pub(crate) fn lists(&self) -> impl Iterator<Item = Passage> {
        let lists = self
            .nodes()
            .filter(|node| matches!(node, Node::Seq { .. } | Node::Map { .. }));
        lists.map(|node| Passage::new(node, ORDER))
    }
}

/// Whether nothing can be written as this variant, so that no value goes through it.
fn is_refused(node: &Node, variant: usize) -> bool {
    let Node::Enum { variants, .. } = node else {
        return false;
    };
    variants[variant].payload == Payload::Refused
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
            passage: Passage::new(node, ORDER),
            is_unseen: matches!(node, Node::Unseen(_)),
        }
    }
}

impl Begun {
    /// What goes through it, where it stands at this `place` in the value.
    pub(crate) fn passage(self, place: u64) -> Passage {
        Passage {
            branch: if self.is_unseen { place } else { ORDER },
            ..self.passage
        }
    }

    /// What goes through it that isn't empty.
    pub(crate) fn element(self) -> Option<Passage> {
        let element = Passage {
            branch: ELEMENT,
            ..self.passage
        };
        (!self.is_unseen).then_some(element)
    }
}

/// Told by a [`Watch`](super::Watch), step by step.
#[derive(Debug, Default)]
pub(crate) struct Course {
    begun: Cell<Option<Begun>>,
    /// It was written by other code than what is derived for the types that are read.
    has_writers: Cell<bool>,
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

    pub(crate) fn has_writers(&self) -> bool {
        self.has_writers.get()
    }

    pub(super) fn meets_writer(&self) {
        self.has_writers.set(true);
    }

    pub(super) fn begins(&self, node: &Node, kind: Kind) {
        self.begun.set(Some(Begun::new(node, kind)));
    }

    pub(super) fn goes_through(&self, node: &Node, branch: u64) {
        self.adds(Passage::new(node, branch), Trial::OF_BRANCH);
    }

    /// A value goes through this, which shows so much of it: of the lists in one place, the one that shows least counts.
    pub(crate) fn adds(&self, passage: Passage, trial: Trial) {
        let mut gone_through = self.gone_through.borrow_mut();
        let known = gone_through.entry(passage).or_insert(trial);
        known.bits = known.bits.min(trial.bits);
    }
}

/// Looks for what no value was seen to come back from before: parts that none had, and orders that weren't shown.
#[derive(Debug)]
pub(crate) struct Search {
    /// In order.
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
        if len.is_none_or(|len| len > 1) {
            self.goes_through(node, ORDER);
        }
        if len != Some(0) {
            self.goes_through(node, ELEMENT);
        }
    }

    pub(super) fn goes_through(&self, node: &Node, branch: u64) {
        let passage = Passage::new(node, branch);
        if !self.has_found() && self.wanted.binary_search(&passage).is_ok() {
            self.has_found.set(true);
        }
    }
}
