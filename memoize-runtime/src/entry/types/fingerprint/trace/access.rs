//! Ways into a node: to the one value of an option or newtype, and to the entries of a map.

use std::cell::RefCell;

use serde::de::{DeserializeSeed, MapAccess};

use super::super::shape::{Facts, Id};
use super::follow::Follow;
use super::graph::{Afterthought, Graph};
use super::order::Place;
use super::sample::sample;
use super::stop::Stop;

/// A node that the run has come to, and that has something to find out about.
#[derive(Clone, Copy)]
pub(super) struct Inside<'g> {
    pub(super) graph: &'g RefCell<Graph>,
    pub(super) id: Id,
    pub(super) facts: Facts,
    /// What Rust says of the type that the value becomes one of, where it has no type of its own in between.
    pub(super) place: Place,
}

impl<'g> Inside<'g> {
    pub(super) fn child(self, index: usize) -> Follow<'g> {
        Follow::child(self, index)
    }

    pub(super) fn aim(self) -> usize {
        self.graph.borrow_mut().aim(self.id)
    }

    /// Gives `seed` what it asks for, but for what is asked after the end of the run.
    pub(super) fn answer<'de, S: DeserializeSeed<'de>>(
        self,
        seed: S,
        within_run: impl FnOnce(S) -> Result<S::Value, Stop>,
    ) -> Result<Option<S::Value>, Stop> {
        let afterthought = self.graph.borrow_mut().afterthought();
        match afterthought {
            None => within_run(seed).map(Some),
            Some(Afterthought::Nothing) => Ok(None),
            Some(Afterthought::Sample) => sample(self.graph, seed).map(Some),
        }
    }
}

const VALUE: usize = 1;

/// One entry: its key in one run, its value in another.
pub(super) struct Entries<'g> {
    inside: Inside<'g>,
    aim: usize,
}

impl<'g> Entries<'g> {
    pub(super) fn new(inside: Inside<'g>) -> Self {
        Self {
            inside,
            aim: inside.aim(),
        }
    }
}

impl Entries<'_> {
    fn key<'de, K: DeserializeSeed<'de>>(&self, seed: K) -> Result<K::Value, Stop> {
        self.inside.graph.borrow_mut().step()?;
        let child = self.inside.child(self.aim);
        if self.aim != VALUE {
            return Err(child.seed(seed));
        }
        // The struct around a `flatten` has fields of its own, and which one is read depends on the key that is made up.
        if self.inside.graph.borrow().asks_for_names(self.inside.id) {
            return Err(child.buffered());
        }
        sample(self.inside.graph, seed)
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
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
        Err(self.inside.child(VALUE).below_sample().seed(seed))
    }

    /// Most maps ask for both at once, and then no key has to be made up.
    fn next_entry_seed<K: DeserializeSeed<'de>, V: DeserializeSeed<'de>>(
        &mut self,
        key: K,
        value: V,
    ) -> Result<Option<(K::Value, V::Value)>, Stop> {
        let afterthought = self.inside.graph.borrow_mut().afterthought();
        match afterthought {
            Some(Afterthought::Nothing) => return Ok(None),
            Some(Afterthought::Sample) => {
                let key = sample(self.inside.graph, key)?;
                let value = sample(self.inside.graph, value)?;
                return Ok(Some((key, value)));
            }
            None => {}
        }
        self.inside.graph.borrow_mut().step()?;
        let child = self.inside.child(self.aim);
        Err(if self.aim == VALUE {
            child.seed(value)
        } else {
            child.seed(key)
        })
    }
}
