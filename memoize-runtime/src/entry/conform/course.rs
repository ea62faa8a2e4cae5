//! What a value goes through on its way along the shape.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ptr;

use super::super::fingerprint::shape::{Hashed, Node, Payload, Shape};

/// A part of a shape that not every value goes through: a list or map with more than one element, a `Some`, a variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Passage {
    /// Where the node is in memory, which is what it is known by while there is the shape.
    node: usize,
    branch: usize,
}

impl Passage {
    fn new(node: &Node, branch: usize) -> Self {
        Self {
            node: ptr::from_ref(node).addr(),
            branch,
        }
    }
}

impl Shape {
    /// How many passages there are.
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
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    List,
    Map,
}

/// Told by a [`Watch`](super::Watch), step by step.
#[derive(Debug, Default)]
pub(crate) struct Course {
    begun: Cell<Hashed>,
    gone_through: RefCell<BTreeSet<Passage>>,
}

impl Course {
    /// Of the list or map that begins now: whether it is hashed.
    pub(crate) fn begun(&self) -> Hashed {
        self.begun.get()
    }

    pub(crate) fn into_gone_through(self) -> BTreeSet<Passage> {
        self.gone_through.into_inner()
    }

    pub(super) fn begins(&self, node: &Node, kind: Kind, len: Option<usize>) {
        self.begun.set(match (node, kind) {
            (Node::Seq { hashed, .. } | Node::Map { hashed, .. }, _) => *hashed,
            (_, Kind::Map) => Hashed::Perhaps,
            // An `untagged` enum may have read a list as a set.
            (_, Kind::List) => Hashed::No,
        });
        // One element has no order.
        if len.is_some_and(|len| len > 1) {
            self.goes_through(node, 0);
        }
    }

    pub(super) fn goes_through(&self, node: &Node, branch: usize) {
        self.gone_through
            .borrow_mut()
            .insert(Passage::new(node, branch));
    }
}
