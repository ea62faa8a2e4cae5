//! Elements one after another: of tuples and lists, and of structs that can't be read by name.

use serde::de::{DeserializeSeed, SeqAccess, Visitor};

use super::access::Inside;
use super::draft::{Ask, Child, List, MAX_WIDTH};
use super::follow::stateless;
use super::sample::sample;
use super::stop::Stop;

pub(super) struct Elements<'g> {
    inside: Inside<'g>,
    at: usize,
}

/// What to do about an element.
enum Step {
    /// All is known of it: something is made up, and the next one looked at.
    Pass,
    Follow,
}

impl<'g> Elements<'g> {
    /// Goes to the first element that is not known.
    pub(super) fn explore<'de, V: Visitor<'de>>(
        inside: Inside<'g>,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let made = visitor.visit_seq(Self { inside, at: 0 });
        if made.is_ok() {
            let mut graph = inside.graph.borrow_mut();
            if !graph.is_over() {
                graph.draft(inside.id).closed = true;
                graph.note();
            }
        }
        made
    }

    fn step<S>(&self) -> Result<Step, Stop> {
        let id = self.inside.id;
        let mut graph = self.inside.graph.borrow_mut();
        graph.step()?;
        let aim = graph.aim(id);
        let draft = graph.draft(id);
        let known = draft.children.len();
        if self.at < aim {
            return Ok(Step::Pass);
        }
        if self.at < known {
            return Ok(Step::Follow);
        }
        let len = match draft.ask {
            Ask::Tuple(len) | Ask::TupleStruct(_, len) => len,
            Ask::Struct(_, List(fields)) => fields.len(),
            _ => usize::MAX,
        };
        // Asked for more than there are, it is told that there are no more, as by a codec.
        if self.at >= len || draft.is_long_enough() {
            draft.closed = true;
            return Err(graph.learn());
        }
        if self.at >= MAX_WIDTH {
            return Err(graph.is_too_wide(id));
        }
        // A list that asks for the same once more will do so for ever.
        let last = draft.last_seed.replace(typeid::of::<S>());
        if matches!(draft.ask, Ask::Seq(_)) && last == draft.last_seed {
            draft.closed = true;
            return Err(graph.learn());
        }
        let Some(same) = stateless::<S>().and_then(|seed| graph.of_seed(seed)) else {
            return Ok(Step::Follow);
        };
        let draft = graph.draft(id);
        draft.children.push(Child::Is(same));
        if !matches!(draft.ask, Ask::Seq(_)) && draft.children.len() == len {
            draft.closed = true;
            return Err(graph.learn());
        }
        graph.note();
        Ok(Step::Pass)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let inside = self.inside;
        inside.answer(seed, |seed| self.element(seed))
    }
}

impl Elements<'_> {
    fn element<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let step = self.step::<S>()?;
        let at = self.at;
        self.at += 1;
        match step {
            Step::Pass => sample(self.inside.graph, seed),
            Step::Follow => {
                let end = self.inside.child(at).seed(seed);
                self.close_after(at);
                Err(end)
            }
        }
    }

    /// The last element of a tuple needs no run of its own to say that it was the last.
    fn close_after(&self, at: usize) {
        let mut graph = self.inside.graph.borrow_mut();
        let draft = graph.draft(self.inside.id);
        let len = match draft.ask {
            Ask::Tuple(len) | Ask::TupleStruct(_, len) => len,
            Ask::Struct(_, List(fields)) => fields.len(),
            _ => return,
        };
        if at + 1 >= len && draft.children.len() >= len {
            draft.closed = true;
        }
    }
}
