//! The deserializer on the path that a run follows: it writes down what is asked of it, and leads on to what is not known.

use std::any::TypeId;
use std::cell::RefCell;

use serde::de::{DeserializeSeed, Deserializer, Visitor};

use super::super::shape::{Facts, Scalar, Why};
use super::access::Inside;
use super::draft::{Ask, Content, List, Slot};
use super::element::Elements;
use super::field;
use super::graph::Graph;
use super::order::{Place, is_read_with, order};
use super::reader::{Probe, is_plain};
use super::stop::Stop;
use super::variant::Variants;

#[derive(Clone, Copy)]
pub(super) struct Follow<'g> {
    pub(super) graph: &'g RefCell<Graph>,
    slot: Slot,
    /// What Rust says of the type that is read here.
    facts: Facts,
    /// What it says of the type around it.
    outer: Facts,
    /// What it says of the type that this becomes, which may be another than it is read as.
    place: Place,
    /// What the type is called whose reader asks next.
    expected: &'static str,
    /// The key before this value was made up, so that the value may be one that nobody is interested in.
    below_sample: bool,
}

impl<'g> Follow<'g> {
    pub(super) fn root(graph: &'g RefCell<Graph>, facts: Facts) -> Self {
        Self {
            graph,
            slot: Slot {
                parent: None,
                index: 0,
            },
            facts,
            outer: facts,
            place: Place::of_itself(facts),
            expected: facts.name,
            below_sample: false,
        }
    }

    /// On the way to a child of a node.
    pub(super) fn child(inside: Inside<'g>, index: usize) -> Self {
        Self {
            graph: inside.graph,
            slot: Slot {
                parent: Some(inside.id),
                index,
            },
            facts: inside.facts,
            outer: inside.facts,
            place: inside.place,
            expected: inside.facts.name,
            below_sample: false,
        }
    }

    pub(super) fn below_sample(self) -> Self {
        Self {
            below_sample: true,
            ..self
        }
    }

    /// Lets `seed` ask for what it wants. The run is at its end then, in whichever way.
    pub(super) fn seed<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Stop {
        let id = stateless::<S>();
        let facts = Facts::of::<S::Value>();
        if is_read_with(facts) {
            self.graph.borrow_mut().has_readers = true;
        }
        if !self.graph.borrow().has_room_for(facts.size) {
            return self.leaf(Ask::Unseen(Why::Large, facts));
        }
        let made = seed.deserialize(Self {
            facts,
            place: Place { facts, seed: id },
            expected: facts.name,
            ..self
        });
        let mut graph = self.graph.borrow_mut();
        if made.is_ok() && graph.child(self.slot).is_none() {
            graph.leaf(self.slot, Ask::Nothing);
        }
        if let (Some(seed), Some(node)) = (id, graph.child(self.slot)) {
            graph.remember_seed(seed, node);
        }
        graph.end()
    }

    /// Takes note of who asks.
    fn asked_by<'de, V: Visitor<'de>>(&self) {
        if !is_plain::<V>(self.expected) {
            self.graph.borrow_mut().has_readers = true;
        }
    }

    /// Enters what is asked for, if there is something to find out in it.
    pub(super) fn enter<'de, V: Visitor<'de>>(
        &self,
        ask: Ask,
        facts: Facts,
    ) -> Result<Inside<'g>, Stop> {
        self.asked_by::<V>();
        let visitor = stateless::<V>();
        let place = match ask {
            Ask::Option | Ask::Newtype(_) => self.place.inside(facts),
            _ => Place::of_itself(facts),
        };
        let id = self
            .graph
            .borrow_mut()
            .enter(self.slot, visitor, ask, facts, place)?;
        Ok(Inside {
            graph: self.graph,
            id,
            facts,
            place,
        })
    }

    /// A variant with one value in it, which no visitor stands for.
    pub(super) fn enter_newtype_variant(&self) -> Result<Inside<'g>, Stop> {
        let facts = self.outer;
        let place = Place::of_itself(facts);
        let id =
            self.graph
                .borrow_mut()
                .enter(self.slot, None, Ask::NewtypeVariant, facts, place)?;
        Ok(Inside {
            graph: self.graph,
            id,
            facts,
            place,
        })
    }

    /// What is read here is kept, to be looked at later.
    pub(super) fn buffered(&self) -> Stop {
        self.leaf(Ask::Unseen(Why::Buffered, self.outer))
    }

    pub(super) fn leaf(&self, ask: Ask) -> Stop {
        self.graph.borrow_mut().leaf(self.slot, ask)
    }

    /// Nothing is made of it in a trace, but whenever it is read.
    fn scalar<T>(self, scalar: Scalar) -> Result<T, Stop> {
        let facts = Facts::of::<T>();
        let has_room = self.graph.borrow().has_room_for(facts.size);
        Err(self.leaf(if has_room {
            Ask::Scalar(scalar)
        } else {
            Ask::Unseen(Why::Large, facts)
        }))
    }

    fn unseen<T>(self, why: Why) -> Result<T, Stop> {
        // What serde keeps to look at later is of a type of its own, which says nothing of the one that it is kept for. What that is
        // called is serde's affair, but not the crate that it is in.
        let name = self.facts.name;
        let buffers = name.starts_with("serde::") || name.starts_with("serde_core::");
        let (why, facts) = match why {
            Why::Any if buffers => (Why::Buffered, self.outer),
            Why::Ignored if self.below_sample => (self.graph.borrow().unreached(), self.outer),
            why => (why, self.facts),
        };
        Err(self.leaf(Ask::Unseen(why, facts)))
    }
}

/// What the type of a visitor or seed is known by, if there is nothing in it that could decide otherwise another time.
pub(super) fn stateless<T>() -> Option<TypeId> {
    (size_of::<T>() == 0).then(typeid::of::<T>)
}

macro_rules! scalars {
    ($($method:ident => $scalar:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
            self.asked_by::<V>();
            self.scalar(Scalar::$scalar)
        }
    )*};
}

impl<'de> Deserializer<'de> for Follow<'_> {
    type Error = Stop;

    scalars! {
        deserialize_bool => Bool,
        deserialize_i8 => I8,
        deserialize_i16 => I16,
        deserialize_i32 => I32,
        deserialize_i64 => I64,
        deserialize_i128 => I128,
        deserialize_u8 => U8,
        deserialize_u16 => U16,
        deserialize_u32 => U32,
        deserialize_u64 => U64,
        deserialize_u128 => U128,
        deserialize_f32 => F32,
        deserialize_f64 => F64,
        deserialize_char => Char,
        deserialize_str => Str,
        deserialize_string => Str,
        deserialize_bytes => Bytes,
        deserialize_byte_buf => Bytes,
        deserialize_unit => Unit,
    }

    fn is_human_readable(&self) -> bool {
        self.graph.borrow().codec.is_human_readable()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: V,
    ) -> Result<V::Value, Stop> {
        self.asked_by::<V>();
        Err(self.leaf(Ask::UnitStruct(name)))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.unseen(Why::Any)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        Err(self.leaf(Ask::Unseen(Why::Identifier, self.outer)))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        self.unseen(Why::Ignored)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let inside = self.enter::<V>(Ask::Option, Facts::of::<V::Value>())?;
        visitor.visit_some(inside.child(0))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let is_plain = is_plain::<V>(self.expected);
        let inside = self.enter::<V>(Ask::Newtype(name), Facts::of::<V::Value>())?;
        let mut graph = self.graph.borrow_mut();
        let content = &mut graph.draft(inside.id).content;
        let child = inside.child(0);
        let inner = match *content {
            Content::NotAsked => {
                *content = Content::Unknown;
                graph.learn();
                drop(graph);
                return visitor.visit_seq(Probe(inside));
            }
            Content::Unknown => Self {
                expected: "",
                ..child
            },
            Content::Is(place) => Self {
                expected: place.facts.name,
                // What derived code reads is what it holds.
                place: if is_plain { place } else { child.place },
                ..child
            },
        };
        drop(graph);
        visitor.visit_newtype_struct(inner)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let facts = Facts::of::<V::Value>();
        let inside = self.enter::<V>(Ask::Seq(order(self.place, facts)), facts)?;
        Elements::explore(inside, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        let inside = self.enter::<V>(Ask::Tuple(len), Facts::of::<V::Value>())?;
        Elements::explore(inside, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let inside = self.enter::<V>(Ask::TupleStruct(name, len), Facts::of::<V::Value>())?;
        Elements::explore(inside, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let facts = Facts::of::<V::Value>();
        let inside = self.enter::<V>(Ask::Map(order(self.place, facts)), facts)?;
        visitor.visit_map(super::access::Entries::new(inside))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let inside = self.enter::<V>(
            Ask::Struct(Some(name), List(fields)),
            Facts::of::<V::Value>(),
        )?;
        field::explore(inside, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let inside = self.enter::<V>(Ask::Enum(name, List(variants)), Facts::of::<V::Value>())?;
        visitor.visit_enum(Variants::new(inside, variants))
    }
}
