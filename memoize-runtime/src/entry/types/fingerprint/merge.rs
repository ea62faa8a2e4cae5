//! Makes a traced graph canonical: nodes that nothing tells apart become one.
//!
//! A trace meets the parts of a type as the type happens to be written: twice the same struct, or two alike from different
//! modules; a list whose first element stands outside of it. Two nodes are the same if all that can be read from them is.
//! As for the states of an automaton, this is found from the other end: all nodes of one kind are taken for the same until
//! something inside tells them apart; and after that, only what is around a node that has changed is looked at again, since there may be
//! a hundred thousand of them, a hundred deep.

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
    let mut class_of: Vec<usize> = nodes
        .iter()
        .map(|node| {
            let next = known.len();
            *known.entry(node.renumbered(|_| 0)).or_insert(next)
        })
        .collect();
    let mut sizes = vec![0; known.len()];
    for &class in &class_of {
        sizes[class] += 1;
    }
    let parents = parents(nodes);
    let mut to_look_at: Vec<Id> = (0..nodes.len()).collect();
    while !to_look_at.is_empty() {
        let mut changed = Vec::new();
        for (class, parts) in parts(nodes, &class_of, &to_look_at) {
            let mut parts: Vec<Vec<Id>> = parts.into_values().collect();
            parts.sort_unstable_by_key(Vec::len);
            // What isn't looked at has nothing new inside, and stays. Else the largest part does: less is around the others.
            if parts.iter().map(Vec::len).sum::<usize>() == sizes[class] {
                parts.pop();
            }
            for part in parts {
                sizes[class] -= part.len();
                for &id in &part {
                    class_of[id] = sizes.len();
                }
                sizes.push(part.len());
                changed.extend(part);
            }
        }
        to_look_at = changed
            .iter()
            .flat_map(|&id| &parents[id])
            .copied()
            .collect();
        to_look_at.sort_unstable();
        to_look_at.dedup();
    }
    class_of
}

/// By the class they are in now: these nodes, by the classes of what is inside of them.
fn parts(
    nodes: &[Node],
    class_of: &[usize],
    of: &[Id],
) -> HashMap<usize, HashMap<Vec<usize>, Vec<Id>>> {
    let mut parts: HashMap<usize, HashMap<Vec<usize>, Vec<Id>>> = HashMap::new();
    for &id in of {
        let mut inside = Vec::new();
        nodes[id].for_each_child(|_, child| inside.push(class_of[child]));
        let of_class = parts.entry(class_of[id]).or_default();
        of_class.entry(inside).or_default().push(id);
    }
    parts
}

/// The nodes around each node.
fn parents(nodes: &[Node]) -> Vec<Vec<Id>> {
    let mut parents = vec![Vec::new(); nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        node.for_each_child(|_, child| parents[child].push(id));
    }
    parents
}
