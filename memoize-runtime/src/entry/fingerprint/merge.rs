//! Makes a traced graph canonical: nodes that nothing tells apart become one.
//!
//! A trace meets the parts of a type as the type happens to be written: twice the same struct, or two alike from different
//! modules; a list whose first element stands outside of it. Two nodes are the same if all that can be read from them is.
//! As for the states of an automaton, this is found from the other end: all nodes of one kind are taken for the same until
//! something inside tells them apart.

use std::collections::HashMap;

use super::shape::{Id, Node, Shape};

/// The canonical shape of what is reached from `root`, which keeps what is hashed apart from what isn't beside it.
pub(super) fn merge(nodes: &[Node], root: Id) -> Shape {
    let apart = merge_alike(nodes, root);
    let as_text: Vec<Node> = nodes.iter().map(Node::as_text).collect();
    if as_text == nodes {
        return apart;
    }
    let shape = merge_alike(&as_text, root);
    if shape.nodes.len() == apart.nodes.len() {
        return apart;
    }
    shape.with_apart(apart)
}

fn merge_alike(nodes: &[Node], root: Id) -> Shape {
    let class_of = classes(nodes);
    // Numbered in the order in which they are read, so that the order in which they were met doesn't show.
    let mut numbers: HashMap<usize, Id> = HashMap::new();
    let mut in_order = Vec::new();
    let mut to_visit = vec![root];
    while let Some(id) = to_visit.pop() {
        if numbers.contains_key(&class_of[id]) {
            continue;
        }
        numbers.insert(class_of[id], in_order.len());
        in_order.push(id);
        let at = to_visit.len();
        nodes[id].for_each_child(|_, child| to_visit.push(child));
        to_visit[at..].reverse();
    }
    let renumbered = |&id: &Id| nodes[id].renumbered(|child| numbers[&class_of[child]]);
    Shape::new(in_order.iter().map(renumbered).collect())
}

/// The class of each node: two have the same one only if nothing tells them apart.
fn classes(nodes: &[Node]) -> Vec<usize> {
    let mut known = HashMap::new();
    let kinds: Vec<usize> = nodes
        .iter()
        .map(|node| {
            let next = known.len();
            *known.entry(node.renumbered(|_| 0)).or_insert(next)
        })
        .collect();
    let mut count = known.len();
    let mut class_of = kinds.clone();
    loop {
        let mut known = HashMap::new();
        let refined: Vec<usize> = nodes
            .iter()
            .zip(&kinds)
            .map(|(node, &kind)| {
                let mut signature = vec![kind];
                node.for_each_child(|_, child| signature.push(class_of[child]));
                let next = known.len();
                *known.entry(signature).or_insert(next)
            })
            .collect();
        // Classes are only ever split, so an unchanged count is an unchanged division.
        if known.len() == count {
            return class_of;
        }
        count = known.len();
        class_of = refined;
    }
}
