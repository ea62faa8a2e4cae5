//! What was found out, as the nodes of a shape.

use super::super::shape::{Field, Id, Names, Node, Payload, Unseen, Variant, Why};
use super::draft::{Ask, Child, Draft, List, MAX_WIDTH, Way};
use super::graph::Graph;

impl Graph {
    /// The nodes as they are at the end, and which one is the root.
    pub(super) fn freeze(mut self) -> (Vec<Node>, Id) {
        if self.root.is_none() {
            self.leaf_at_root();
        }
        let nodes = (0..self.drafts.len()).map(|id| self.node(id)).collect();
        (nodes, self.root.unwrap_or_default())
    }

    fn node(&self, id: Id) -> Node {
        let draft = &self.drafts[id];
        let mut children = draft.children.iter().filter_map(|child| match *child {
            Child::Is(id) => Some(id),
            Child::Unknown | Child::AliasOf(_) => None,
        });
        let unseen = Node::Unseen(Unseen {
            why: Why::Beyond,
            facts: draft.facts,
        });
        match draft.ask {
            Ask::Nothing | Ask::Refused => Node::Nothing,
            Ask::Scalar(scalar) => Node::Scalar(scalar),
            Ask::UnitStruct(name) => Node::UnitStruct(name),
            Ask::Option => children.next().map_or(unseen, Node::Option),
            Ask::Newtype(name) => children
                .next()
                .map_or(unseen, |inner| Node::Newtype(name, inner)),
            Ask::NewtypeVariant => children
                .next()
                .map_or(unseen, |inner| Node::Newtype("", inner)),
            Ask::Seq(order) => Node::Seq {
                elements: children.collect(),
                order,
            },
            Ask::Map(order) => match (children.next(), children.next()) {
                (Some(key), Some(value)) => Node::Map { key, value, order },
                _ => unseen,
            },
            Ask::Tuple(len) => Node::Tuple {
                name: None,
                elements: self.to_the_end(children.collect(), len),
            },
            Ask::TupleStruct(name, len) => Node::Tuple {
                name: Some(name),
                elements: self.to_the_end(children.collect(), len),
            },
            Ask::Struct(name, List(names)) => Node::Struct {
                name,
                fields: self.fields(draft, names),
                by_order: draft.way != (Way::ByName { by_order: false }),
            },
            Ask::Enum(name, List(names)) => Node::Enum {
                name,
                variants: self.variants(draft, names),
                by_number: draft.way != Way::Other,
            },
            Ask::Unseen(why, facts) => Node::Unseen(Unseen { why, facts }),
        }
    }

    /// What stands behind the first element that could not be reached could not be, either.
    fn to_the_end(&self, mut elements: Vec<Id>, len: usize) -> Vec<Id> {
        if let Some(&last) = elements.last()
            && elements.len() < len.min(MAX_WIDTH)
            && self.is_out_of_reach(last)
        {
            elements.resize(len.min(MAX_WIDTH), last);
        }
        elements
    }

    fn fields(&self, draft: &Draft, names: &[&'static str]) -> Vec<Field> {
        let mut fields = draft.fields(names);
        if let Some(last) = fields.last()
            && self.is_out_of_reach(last.node)
        {
            let node = last.node;
            let missing = names[..names.len().min(MAX_WIDTH)]
                .iter()
                .skip(draft.children.len());
            fields.extend(missing.map(|name| Field {
                names: Names::new(vec![name]),
                node,
            }));
        }
        fields
    }

    fn is_out_of_reach(&self, id: Id) -> bool {
        let ask = self.drafts[id].ask;
        matches!(
            ask,
            Ask::Unseen(
                Why::Unreached | Why::Untried | Why::Panicked | Why::Beyond,
                _
            )
        )
    }

    fn variants(&self, draft: &Draft, names: &[&'static str]) -> Vec<Variant> {
        let numbered = draft.children.len();
        draft
            .children
            .iter()
            .enumerate()
            .filter(|(index, _)| !draft.is_read_as_earlier(*index))
            .map(|(index, child)| Variant {
                names: draft.variant_names(names, index, numbered),
                payload: match *child {
                    Child::Is(id) => self.payload(id),
                    Child::Unknown | Child::AliasOf(_) => Payload::Refused,
                },
            })
            .collect()
    }

    fn payload(&self, id: Id) -> Payload {
        let draft = &self.drafts[id];
        match draft.ask {
            Ask::Scalar(_) => Payload::Unit,
            Ask::NewtypeVariant => match draft.children[..] {
                [Child::Is(inner)] => Payload::Newtype(inner),
                _ => Payload::Refused,
            },
            Ask::Tuple(_) => Payload::Tuple(id),
            Ask::Struct(..) => Payload::Struct(id),
            Ask::Unseen(..) => Payload::Newtype(id),
            _ => Payload::Refused,
        }
    }
}

impl Draft {
    fn fields(&self, names: &[&'static str]) -> Vec<Field> {
        let by_name = matches!(self.way, Way::ByName { .. });
        let mut fields = Vec::new();
        for (index, child) in self.children.iter().enumerate() {
            let Child::Is(node) = *child else { continue };
            let mut known: Vec<&'static str> = names.get(index).copied().into_iter().collect();
            if by_name {
                let aliases = self.children.iter().zip(names);
                known.extend(
                    aliases
                        .filter(|(child, _)| **child == Child::AliasOf(index))
                        .map(|(_, name)| *name),
                );
            }
            fields.push(Field {
                names: Names::new(known),
                node,
            });
        }
        fields
    }

    /// Whether the number is read as a variant that has an earlier one.
    fn is_read_as_earlier(&self, index: usize) -> bool {
        let keys = self.keys.get(..=index).unwrap_or_default();
        self.way == Way::Naming
            && keys
                .split_last()
                .is_some_and(|(key, earlier)| earlier.contains(key))
    }

    /// The names of the variant with this number, of so many.
    fn variant_names(&self, names: &[&'static str], index: usize, numbered: usize) -> Names {
        if self.way == Way::Naming {
            let (of_numbers, of_names) = self.keys.split_at(numbered.min(self.keys.len()));
            let own = of_numbers.get(index).copied().flatten();
            let known: Vec<&'static str> = names
                .iter()
                .zip(of_names)
                .filter(|(_, key)| own.is_some() && **key == own)
                .map(|(name, _)| *name)
                .collect();
            if !known.is_empty() {
                return Names::new(known);
            }
        }
        Names::new(names.get(index).copied().into_iter().collect())
    }
}
