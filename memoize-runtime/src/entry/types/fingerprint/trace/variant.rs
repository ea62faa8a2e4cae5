//! The variants of an enum.

use std::collections::HashSet;

use serde::de::value::{BorrowedStrDeserializer, U32Deserializer};
use serde::de::{DeserializeSeed, EnumAccess, VariantAccess, Visitor};

use super::super::shape::{Facts, Scalar};
use super::access::Inside;
use super::draft::{Ask, Child, List, MAX_WIDTH, Way};
use super::element::Elements;
use super::field;
use super::field::key_of;
use super::stop::Stop;

/// One variant: by its number, or by its name where numbers are refused.
pub(super) struct Variants<'g> {
    inside: Inside<'g>,
    names: &'static [&'static str],
}

/// What is in the variant that the run goes to.
pub(super) struct InVariant<'g> {
    inside: Inside<'g>,
    variant: usize,
}

impl<'g> Variants<'g> {
    pub(super) fn new(inside: Inside<'g>, names: &'static [&'static str]) -> Self {
        Self { inside, names }
    }

    /// Reads the key of the variant that the run is after.
    fn by_number<'de, S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, InVariant<'g>), Stop> {
        let variant = self.inside.aim();
        let number = u32::try_from(variant).map_err(|_| Stop)?;
        let read = seed.deserialize(U32Deserializer::<Stop>::new(number));
        let mut graph = self.inside.graph.borrow_mut();
        let draft = graph.draft(self.inside.id);
        let Ok(key) = read else {
            // The first: numbers are refused. A later one: there are no more.
            if variant == 0 {
                draft.way = Way::Other;
            } else {
                self.name_or_close(&mut graph);
            }
            return Err(graph.learn());
        };
        draft.keys.resize(draft.keys.len().max(variant + 1), None);
        draft.keys[variant] = key_of(&key, self.names.len());
        drop(graph);
        Ok((
            key,
            InVariant {
                inside: self.inside,
                variant,
            },
        ))
    }

    /// All that have a number are known: with fewer numbers than names, some names are aliases.
    fn name_or_close(&self, graph: &mut super::graph::Graph) {
        let draft = graph.draft(self.inside.id);
        if draft.children.len() < self.names.len() {
            draft.way = Way::Naming;
        } else {
            draft.closed = true;
        }
    }

    fn by_name<'de, S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, InVariant<'g>), Stop> {
        let variant = self.inside.aim();
        let Some(name) = self.names.get(variant) else {
            let mut graph = self.inside.graph.borrow_mut();
            graph.draft(self.inside.id).closed = true;
            return Err(graph.learn());
        };
        let read = seed.deserialize(BorrowedStrDeserializer::<Stop>::new(name));
        let mut graph = self.inside.graph.borrow_mut();
        let draft = graph.draft(self.inside.id);
        // Noted even if refused, so that the variant and not the enum is given up.
        draft.keys.resize(draft.keys.len().max(variant + 1), None);
        let key = read?;
        draft.keys[variant] = key_of(&key, self.names.len());
        drop(graph);
        Ok((
            key,
            InVariant {
                inside: self.inside,
                variant,
            },
        ))
    }

    /// Finds out which variant the next name is of.
    fn name<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Stop {
        let asked = {
            let mut graph = self.inside.graph.borrow_mut();
            let draft = graph.draft(self.inside.id);
            draft
                .keys
                .resize(draft.keys.len().max(draft.children.len()), None);
            draft.keys.len() - draft.children.len()
        };
        let Some(name) = self.names.get(asked) else {
            return self.inside.graph.borrow_mut().end();
        };
        let read = seed.deserialize(BorrowedStrDeserializer::<Stop>::new(name));
        let mut graph = self.inside.graph.borrow_mut();
        let draft = graph.draft(self.inside.id);
        draft
            .keys
            .push(read.ok().and_then(|key| key_of(&key, self.names.len())));
        draft.closed = asked + 1 == self.names.len();
        graph.learn()
    }
}

impl<'de, 'g> EnumAccess<'de> for Variants<'g> {
    type Error = Stop;
    type Variant = InVariant<'g>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, InVariant<'g>), Stop> {
        let (way, closed) = {
            let mut graph = self.inside.graph.borrow_mut();
            graph.step()?;
            let draft = graph.draft(self.inside.id);
            (draft.way, draft.closed)
        };
        match way {
            Way::Naming if !closed => Err(self.name(seed)),
            Way::Other => self.by_name(seed),
            Way::AskingForOrder | Way::ByName { .. } | Way::ByNumber | Way::Naming => {
                self.by_number(seed)
            }
        }
    }
}

impl<'g> InVariant<'g> {
    fn follow(&self) -> super::follow::Follow<'g> {
        self.close_after();
        self.inside.child(self.variant)
    }

    /// With as many variants as names there is nothing more to ask.
    fn close_after(&self) {
        let mut graph = self.inside.graph.borrow_mut();
        if graph.is_over() {
            return;
        }
        let draft = graph.draft(self.inside.id);
        let Ask::Enum(_, List(names)) = draft.ask else {
            return;
        };
        if draft.way != Way::Naming && self.variant + 1 >= names.len().min(MAX_WIDTH) {
            // Numbers beyond the last may be read as the variant with `other`: then some names are aliases.
            if draft.way == Way::ByNumber && some_are_equal(&draft.keys) {
                draft.way = Way::Naming;
            } else {
                draft.closed = true;
            }
            if draft.children.len() <= self.variant {
                draft.children.resize(self.variant + 1, Child::Unknown);
            }
        }
    }
}

/// Whether keys can be told apart, and some are the same nevertheless.
fn some_are_equal(keys: &[Option<u64>]) -> bool {
    let distinct: HashSet<_> = keys.iter().collect();
    distinct.len() > 1 && distinct.len() < keys.len()
}

impl<'de> VariantAccess<'de> for InVariant<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Err(self.follow().leaf(Ask::Scalar(Scalar::Unit)))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        let inside = self.follow().enter_newtype_variant()?;
        Err(inside.child(0).seed(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        let facts = Facts::of::<V::Value>();
        let inside = self.follow().enter::<V>(Ask::Tuple(len), facts)?;
        Elements::explore(inside, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let facts = Facts::of::<V::Value>();
        let inside = self
            .follow()
            .enter::<V>(Ask::Struct(None, List(fields)), facts)?;
        field::explore(inside, fields, visitor)
    }
}
