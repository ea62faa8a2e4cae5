//! What a type asks for when it is read: the canonical description of its serialized form.
//!
//! A [`Shape`] is a graph, since types may be recursive. It is canonical: two types that ask for the same things, in the
//! same order and under the same names, have the same one, however often their parts are shared.
//! [`merge`](super::merge) sees to that.

use std::any::TypeId;
use std::fmt::Write as _;
use std::iter;

/// A node's place in its [`Shape`].
pub(crate) type Id = usize;

/// The serialized form of a type. Its root is the first node, and each node is met from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(super) nodes: Vec<Node>,
    has_unseen: bool,
    /// Fields are read by functions of the user's: `with`, `deserialize_with`.
    has_readers: bool,
    /// The same with hash sets and maps apart from what serde takes for the same, where that makes a difference.
    apart: Option<Box<Self>>,
}

/// One thing that is asked for, with what is asked for inside of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// The type is made without asking for anything.
    Nothing,
    Scalar(Scalar),
    UnitStruct(&'static str),
    Option(Id),
    Newtype(&'static str, Id),
    /// The elements in the order they are asked for; the last one goes on for ever.
    Seq {
        elements: Vec<Id>,
        order: Order,
    },
    Map {
        key: Id,
        value: Id,
        order: Order,
    },
    Tuple {
        name: Option<&'static str>,
        elements: Vec<Id>,
    },
    Struct {
        name: Option<&'static str>,
        fields: Vec<Field>,
        /// Whether its fields can be read by their order, which is how postcard does it.
        by_order: bool,
    },
    Enum {
        name: &'static str,
        variants: Vec<Variant>,
        /// Whether its variants can be told by their number, which is how postcard does it.
        by_number: bool,
    },
    Unseen(Unseen),
}

/// What names and sizes of types tell of the order of a list or map. It is not part of the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    pub(crate) hashed: Hashed,
    pub(crate) shown: Shown,
}

/// Whose readings show that a list or map comes in the order in which it was written, if it has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Shown {
    /// Those of the first values, as far as there is time: a collection of std reads itself, so that only what is around it could lose
    /// the order.
    #[default]
    Few,
    /// Those of values that have it read by this seed.
    Values(Option<TypeId>),
    /// Each value's own: it is read through a collection that has no order, so that one reading may be chance.
    Each,
    /// Each value's own, of which one does: it is read through a collection that sorts it.
    EachOnce,
}

impl Shown {
    /// Whether other values show nothing.
    pub(crate) fn is_by_each(self) -> bool {
        matches!(self, Self::Each | Self::EachOnce)
    }
}

/// Whether the order of a list or map is no part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Hashed {
    /// What it is read into has an order.
    No,
    /// It is if it has another order each time that it is read.
    #[default]
    Perhaps,
    Yes,
}

/// What holds no further values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scalar {
    Unit,
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Field {
    pub(crate) names: Names,
    pub(crate) node: Id,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    pub(crate) names: Names,
    pub(crate) payload: Payload,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payload {
    Unit,
    Newtype(Id),
    /// A [`Node::Tuple`] without a name.
    Tuple(Id),
    /// A [`Node::Struct`] without a name.
    Struct(Id),
    /// The variant is known, and never read.
    Refused,
}

/// The names that a field or variant is known by: one, and its aliases, in the order of the alphabet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Names {
    first: &'static str,
    others: Vec<&'static str>,
}

/// A part of a type that can't be seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unseen {
    pub(crate) why: Why,
    pub(crate) facts: Facts,
}

/// Why a part can't be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    /// It takes whatever the bytes describe.
    Any,
    /// The same, to be looked at again later: `untagged`, `tag`, `flatten`.
    Buffered,
    /// It asks for the name of a field where there is no struct: `flatten`.
    Identifier,
    /// It takes whatever the bytes describe, and drops it.
    Ignored,
    /// It comes after a value that no sample was good enough for, or was itself not asked for.
    Unreached,
    /// The same, where nothing of the user's is tried out, since a panic of it would end the process.
    Untried,
    /// The type's code had panicked more than once by then.
    Panicked,
    /// It was beyond the bounds of a trace.
    Beyond,
    /// To make a value of it would take too much of a thread's stack.
    Large,
    /// There are more elements in a row than are looked at one by one.
    Wide,
}

/// What Rust says of a type, where serde says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Facts {
    pub(crate) name: &'static str,
    pub(crate) size: usize,
    pub(crate) align: usize,
}

impl Facts {
    pub(crate) fn of<T>() -> Self {
        Self {
            name: std::any::type_name::<T>(),
            size: size_of::<T>(),
            align: align_of::<T>(),
        }
    }
}

impl Names {
    pub(super) fn new(mut names: Vec<&'static str>) -> Self {
        names.sort_unstable();
        let mut names = names.into_iter();
        Self {
            first: names.next().unwrap_or_default(),
            others: names.collect(),
        }
    }

    pub(crate) fn first(&self) -> &'static str {
        self.first
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'static str> {
        [self.first].into_iter().chain(self.others.iter().copied())
    }

    #[inline]
    pub(crate) fn contain(&self, name: &str) -> bool {
        // Both come from one derive, and so often from one place in memory.
        std::ptr::eq(self.first, name) || self.first == name || self.are_also(name)
    }

    #[cold]
    fn are_also(&self, name: &str) -> bool {
        self.others.contains(&name)
    }
}

impl Shape {
    pub(crate) const ROOT: Id = 0;

    /// Of nothing that is ever written or read.
    pub(crate) const EMPTY: Self = Self {
        nodes: Vec::new(),
        has_unseen: false,
        has_readers: false,
        apart: None,
    };

    pub(super) fn new(nodes: Vec<Node>) -> Self {
        let has_unseen = nodes.iter().any(|node| matches!(node, Node::Unseen(_)));
        Self {
            nodes,
            has_unseen,
            has_readers: false,
            apart: None,
        }
    }

    pub(super) fn with_apart(self, apart: Self) -> Self {
        Self {
            apart: Some(Box::new(apart)),
            ..self
        }
    }

    pub(super) fn with_readers(self, has_readers: bool) -> Self {
        Self {
            has_readers,
            ..self
        }
    }

    /// Whether there are parts that can't be seen.
    #[cfg(test)]
    pub(crate) fn has_unseen(&self) -> bool {
        self.has_unseen
    }

    /// Whether that some values come back says nothing of others: a part can't be seen, or is made of what is asked for by a function.
    pub(crate) fn is_obscure(&self) -> bool {
        self.has_unseen || self.has_readers
    }

    /// The shape in which hash sets and maps are told from what serde takes for the same.
    pub(crate) fn told_apart(&self) -> &Self {
        self.apart.as_deref().unwrap_or(self)
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    #[inline]
    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The first part that `is` picks, with the way to it, in the order in which a value is read.
    pub(crate) fn find<T>(&self, is: impl Fn(&Node) -> Option<T>) -> Option<(String, T)> {
        self.find_all(is).next()
    }

    /// All parts that `is` picks, in that order; those of a type that is met twice are looked for in one place.
    pub(crate) fn find_all<T>(
        &self,
        is: impl Fn(&Node) -> Option<T>,
    ) -> impl Iterator<Item = (String, T)> {
        let mut met = vec![false; self.nodes.len()];
        let mut to_visit = vec![(Self::ROOT, String::new())];
        iter::from_fn(move || {
            while let Some((id, path)) = to_visit.pop() {
                // Parts that are picked are so in each place, as they may be shared by fields that have nothing else in common.
                if let Some(found) = is(&self.nodes[id]) {
                    return Some((path, found));
                }
                if std::mem::replace(&mut met[id], true) {
                    continue;
                }
                let at = to_visit.len();
                self.nodes[id].for_each_child(|segment, child| {
                    to_visit.push((child, segment.after(&path)));
                });
                to_visit[at..].reverse();
            }
            None
        })
    }
}

/// One step on the way to a part of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Segment {
    /// An option or newtype: it isn't written.
    Inside,
    Name(&'static str),
    Index(usize),
    Element,
    Key,
    Value,
    Variant(&'static str),
    VariantField(&'static str, usize),
}

impl Segment {
    /// The way that goes on from `path` by this step.
    pub(crate) fn after(self, path: &str) -> String {
        let mut whole = path.to_owned();
        let dot = if path.is_empty() { "" } else { "." };
        let written = match self {
            Self::Inside => Ok(()),
            Self::Name(name) => write!(whole, "{dot}{name}"),
            Self::Index(index) => write!(whole, "{dot}{index}"),
            Self::Element => write!(whole, "[]"),
            Self::Key => write!(whole, "{{key}}"),
            Self::Value => write!(whole, "{{}}"),
            Self::Variant(name) => write!(whole, "::{name}"),
            Self::VariantField(name, index) => write!(whole, "::{name}.{index}"),
        };
        written.expect("writing to a string doesn't fail");
        whole
    }
}

impl Node {
    /// What the type is called that is read here, if it has a name of its own.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self::UnitStruct(name) | Self::Newtype(name, _) | Self::Enum { name, .. } => Some(name),
            Self::Tuple { name, .. } | Self::Struct { name, .. } => *name,
            _ => None,
        }
    }

    /// The nodes inside of this one, in the order in which they are read.
    pub(super) fn for_each_child(&self, mut visit: impl FnMut(Segment, Id)) {
        match self {
            Self::Nothing | Self::Scalar(_) | Self::UnitStruct(_) | Self::Unseen(_) => {}
            Self::Option(inner) | Self::Newtype(_, inner) => visit(Segment::Inside, *inner),
            Self::Seq { elements, .. } => {
                for element in elements {
                    visit(Segment::Element, *element);
                }
            }
            Self::Map { key, value, .. } => {
                visit(Segment::Key, *key);
                visit(Segment::Value, *value);
            }
            Self::Tuple { elements, .. } => {
                for (index, element) in elements.iter().enumerate() {
                    visit(Segment::Index(index), *element);
                }
            }
            Self::Struct { fields, .. } => {
                for field in fields {
                    visit(Segment::Name(field.names.first), field.node);
                }
            }
            Self::Enum { variants, .. } => {
                for variant in variants {
                    match variant.payload {
                        Payload::Unit | Payload::Refused => {}
                        Payload::Newtype(id) | Payload::Tuple(id) | Payload::Struct(id) => {
                            visit(Segment::Variant(variant.names.first), id);
                        }
                    }
                }
            }
        }
    }

    /// The same node without what isn't part of the text.
    pub(super) fn as_text(&self) -> Self {
        let mut node = self.clone();
        if let Self::Seq { order, .. } | Self::Map { order, .. } = &mut node {
            *order = Order::default();
        }
        node
    }

    /// The same node with other numbers for what is inside.
    pub(super) fn renumbered(&self, mut number: impl FnMut(Id) -> Id) -> Self {
        let mut node = self.clone();
        match &mut node {
            Self::Nothing | Self::Scalar(_) | Self::UnitStruct(_) | Self::Unseen(_) => {}
            Self::Option(inner) | Self::Newtype(_, inner) => *inner = number(*inner),
            Self::Seq { elements, .. } | Self::Tuple { elements, .. } => {
                for element in elements {
                    *element = number(*element);
                }
            }
            Self::Map { key, value, .. } => {
                *key = number(*key);
                *value = number(*value);
            }
            Self::Struct { fields, .. } => {
                for field in fields {
                    field.node = number(field.node);
                }
            }
            Self::Enum { variants, .. } => {
                for variant in variants {
                    match &mut variant.payload {
                        Payload::Unit | Payload::Refused => {}
                        Payload::Newtype(id) | Payload::Tuple(id) | Payload::Struct(id) => {
                            *id = number(*id);
                        }
                    }
                }
            }
        }
        node
    }
}
