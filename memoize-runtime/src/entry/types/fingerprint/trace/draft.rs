//! What is known of one thing that is asked for, while it is being explored.

use std::any::TypeId;
use std::hash::{Hash, Hasher};

use super::super::shape::{Facts, Id, Order, Scalar, Why};
use super::order::Place;

/// Elements of one tuple, fields of one struct, or variants of one enum.
pub(super) const MAX_WIDTH: usize = 1 << 12;

/// Different elements of one sequence.
const MAX_SEQUENCE: usize = 16;

/// What was asked for, but for what is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ask {
    Nothing,
    Scalar(Scalar),
    UnitStruct(&'static str),
    Option,
    Newtype(&'static str),
    Seq(Order),
    Map(Order),
    Tuple(usize),
    TupleStruct(&'static str, usize),
    Struct(Option<&'static str>, List),
    Enum(&'static str, List),
    /// A variant with one value in it; the others are [`Ask::Scalar`], [`Ask::Tuple`] and [`Ask::Struct`].
    NewtypeVariant,
    /// The variant refuses to be read.
    Refused,
    Unseen(Why, Facts),
}

/// The names of fields or variants. It comes from one static, mostly, and is compared in every run.
#[derive(Clone, Copy, Debug, Eq)]
pub(super) struct List(pub(super) &'static [&'static str]);

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0) || self.0 == other.0
    }
}

impl Hash for List {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Where something is asked for: in which node, as its how manieth child.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) parent: Option<Id>,
    pub(super) index: usize,
}

/// A node that is being explored.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) ask: Ask,
    pub(super) facts: Facts,
    pub(super) children: Vec<Child>,
    /// How many of them, from the first on, are done.
    pub(super) done_children: usize,
    /// Whether there are no further children.
    pub(super) closed: bool,
    /// Whether all that is below is known too.
    pub(super) done: bool,
    /// Whether the run at hand went through it.
    pub(super) is_on_path: bool,
    /// What the last element was read by.
    pub(super) last_seed: Option<TypeId>,
    /// How a struct's fields or an enum's variants are gone to.
    pub(super) way: Way,
    /// What the key of each child, or else each name, was read as.
    pub(super) keys: Vec<Option<u64>>,
    /// What a name is read as that no field has.
    pub(super) unknown: Unknown,
    pub(super) content: Content,
}

/// What a newtype is around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    NotAsked,
    Unknown,
    Is(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    OfNoInterest,
    ToBeAsked,
    ReadAs(u64),
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    Unknown,
    Is(Id),
    /// Another name of an earlier one.
    AliasOf(usize),
}

/// How the children of a struct or an enum are gone to. Each begins with the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A struct is asked once whether it can be read by order, as postcard does.
    AskingForOrder,
    /// Fields by name; nothing has to be made before one.
    ByName { by_order: bool },
    /// Fields by their order, as names are refused; variants by name, as numbers are refused.
    Other,
    /// Variants by number.
    ByNumber,
    /// The variants are known, but not which names are theirs.
    Naming,
}

impl Draft {
    pub(super) fn new(ask: Ask, facts: Facts) -> Self {
        let (children, closed) = match ask {
            Ask::Option | Ask::Newtype(_) | Ask::NewtypeVariant => (1, true),
            Ask::Map(_) => (2, true),
            Ask::Struct(_, List(fields)) => (fields.len().min(MAX_WIDTH), true),
            Ask::Seq(_) => (0, false),
            Ask::Tuple(len) | Ask::TupleStruct(_, len) => (0, len == 0),
            Ask::Enum(_, List(variants)) => (0, variants.is_empty()),
            Ask::Nothing | Ask::Scalar(_) | Ask::UnitStruct(_) | Ask::Refused | Ask::Unseen(..) => {
                (0, true)
            }
        };
        Self {
            ask,
            facts,
            children: vec![Child::Unknown; children],
            done_children: 0,
            closed,
            done: closed && children == 0 && !matches!(ask, Ask::Struct(..)),
            is_on_path: false,
            last_seed: None,
            way: match ask {
                Ask::Enum(..) => Way::ByNumber,
                _ => Way::AskingForOrder,
            },
            keys: Vec::new(),
            unknown: Unknown::OfNoInterest,
            content: Content::NotAsked,
        }
    }

    /// Whether a sequence can't have further elements of another kind.
    pub(super) fn is_long_enough(&self) -> bool {
        matches!(self.ask, Ask::Seq(_)) && self.children.len() >= MAX_SEQUENCE
    }
}
