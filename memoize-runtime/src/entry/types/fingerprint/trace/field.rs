//! The fields of a struct.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::discriminant;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::access::Inside;
use super::draft::{Child, Unknown, Way};
use super::element::Elements;
use super::stop::Stop;

/// A name that no struct has.
const NO_NAME: &str = "\u{1}no field has this name";

/// Asks once whether the struct can be read by the order of its fields, and then goes to each by its name.
///
/// By order, each field but the first would need samples of those before it.
pub(super) fn explore<'de, V: Visitor<'de>>(
    inside: Inside<'_>,
    names: &'static [&'static str],
    visitor: V,
) -> Result<V::Value, Stop> {
    let way = inside.graph.borrow_mut().draft(inside.id).way;
    match way {
        Way::AskingForOrder => {
            let made = visitor.visit_seq(Order { inside });
            // A struct without fields asks for nothing.
            if made.is_ok() {
                learn_order(inside);
            }
            Err(Stop)
        }
        Way::ByName { .. } => {
            let aim = inside.aim();
            visitor.visit_map(Named { inside, aim, names })
        }
        Way::Other | Way::ByNumber | Way::Naming => Elements::explore(inside, visitor),
    }
}

fn learn_order(inside: Inside<'_>) -> Stop {
    let mut graph = inside.graph.borrow_mut();
    if graph.is_over() {
        return Stop;
    }
    graph.draft(inside.id).way = Way::ByName { by_order: true };
    graph.learn()
}

/// Sees whether something is asked for.
struct Order<'g> {
    inside: Inside<'g>,
}

impl<'de> SeqAccess<'de> for Order<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        self.inside.answer(seed, |_| Err(learn_order(self.inside)))
    }
}

/// One field, by its name.
struct Named<'g> {
    inside: Inside<'g>,
    aim: usize,
    names: &'static [&'static str],
}

impl<'de> MapAccess<'de> for Named<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Stop> {
        self.inside.answer(seed, |seed| self.key(seed))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        if self.inside.graph.borrow().is_over() {
            return Err(Stop);
        }
        Err(self.inside.child(self.aim).seed(seed))
    }
}

impl Named<'_> {
    fn key<'de, K: DeserializeSeed<'de>>(&self, seed: K) -> Result<K::Value, Stop> {
        let (graph, id) = (self.inside.graph, self.inside.id);
        graph.borrow_mut().step()?;
        let asks_unknown = graph.borrow_mut().draft(id).unknown == Unknown::ToBeAsked;
        if asks_unknown {
            let read = seed.deserialize(BorrowedStrDeserializer::<Stop>::new(NO_NAME));
            let mut graph = graph.borrow_mut();
            let key = read.ok().and_then(|key| key_of(&key, self.names.len()));
            graph.draft(id).unknown = key.map_or(Unknown::Refused, Unknown::ReadAs);
            return Err(graph.learn());
        }
        let Some(name) = self.names.get(self.aim) else {
            return Err(graph.borrow_mut().end());
        };
        let key = seed.deserialize(BorrowedStrDeserializer::<Stop>::new(name))?;
        if let Some(key) = key_of(&key, self.names.len()) {
            self.check_alias(key)?;
        }
        Ok(key)
    }

    /// Names that are read as one and the same key are aliases of each other, unless all names are read so: then keys
    /// are no enum, and don't tell.
    fn check_alias(&self, key: u64) -> Result<(), Stop> {
        let mut graph = self.inside.graph.borrow_mut();
        let draft = graph.draft(self.inside.id);
        draft.keys.resize(draft.keys.len().max(self.aim + 1), None);
        draft.keys[self.aim] = Some(key);
        let Some(first) = draft.keys[..self.aim]
            .iter()
            .position(|known| *known == Some(key))
        else {
            return Ok(());
        };
        match draft.unknown {
            Unknown::OfNoInterest => {
                draft.unknown = Unknown::ToBeAsked;
                Err(graph.learn())
            }
            Unknown::ReadAs(unknown) if unknown == key => Ok(()),
            Unknown::ToBeAsked | Unknown::ReadAs(_) | Unknown::Refused => {
                draft.children[self.aim] = Child::AliasOf(first);
                Err(graph.learn())
            }
        }
    }
}

/// What tells one key from another, where keys are an enum without fields, as derived code makes them for so many names.
///
/// Of a key that may hold more, such as the number of the name, its variant doesn't tell.
pub(super) fn key_of<T>(key: &T, names: usize) -> Option<u64> {
    let at_most = if names < 256 { 1 } else { 2 };
    if size_of::<T>() > at_most {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    discriminant(key).hash(&mut hasher);
    Some(hasher.finish())
}
