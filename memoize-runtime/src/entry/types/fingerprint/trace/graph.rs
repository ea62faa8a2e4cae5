//! What is known of a type so far, and what the run at hand is after.

use std::any::TypeId;
use std::collections::HashMap;
use std::panic::resume_unwind;

use super::super::shape::{Facts, Id, Why};
use super::draft::{Ask, Child, Draft, List, Slot, Way};
use super::foreign::Panics;
use super::order::Place;
use super::sample::Samples;
use super::stop::Stop;
use crate::entry::header::Codec;

/// Things asked for, in all runs together, samples included. It takes some milliseconds.
const MAX_STEPS: usize = 100_000;

/// What a node counts for beside, since it is written down, merged with its like, and hashed.
const STEPS_OF_A_NODE: usize = 20;

/// Things asked for within one another. Only a type that nests by hand gets there: others come back to a known visitor.
const MAX_DEPTH: usize = 128;

/// Questions after the end of a run that are answered by an error, as it should be; a type that passes over errors would ask
/// for ever.
const MAX_AFTERTHOUGHTS: usize = 100;

/// Questions after the end of what there is, before a type that takes neither an error nor an end for an answer is left by force.
pub(super) const MAX_INSISTENCE: usize = 1_000;

/// Panics that the program's hook is told of.
const MAX_PANICS: usize = 2;

/// Sizes of the values that are being made within one another, in bytes. Without optimization each takes a dozen times as much,
/// of the 2 MiB of stack that threads have by default.
const MAX_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Graph {
    pub(super) drafts: Vec<Draft>,
    by_ask: HashMap<Ask, Id>,
    /// By visitors that hold nothing, and by where what is inside stands.
    by_visitor: HashMap<(TypeId, Ask, Place), Id>,
    /// By seeds that hold nothing.
    by_seed: HashMap<TypeId, Id>,
    pub(super) root: Option<Id>,
    facts: Facts,
    pub(super) codec: Codec,
    steps: usize,
    pub(super) samples: Samples,
    /// Fields are read by functions of the user's.
    pub(super) has_readers: bool,

    /// The nodes that the run at hand went through.
    path: Vec<Id>,
    /// Sizes of the values that are made in them.
    path_bytes: usize,
    run: Run,
    /// How many runs before it panicked.
    panicked: usize,
}

/// How far the run at hand has come.
#[derive(Debug, Default)]
struct Run {
    /// It is to end, and nothing more is to be written down.
    over: bool,
    /// It has brought something new.
    learned: bool,
    /// It was left by force.
    left: bool,
    /// How often it asked on after its end.
    afterthoughts: usize,
}

/// What a visitor is told that asks on after the end of the run, where it is no error.
pub(super) enum Afterthought {
    /// That there is nothing more.
    Nothing,
    /// Something made up, since it can't be left by force.
    Sample,
}

impl Graph {
    pub(super) fn new(facts: Facts, codec: Codec, panics: Panics) -> Self {
        Self {
            drafts: Vec::new(),
            by_ask: HashMap::new(),
            by_visitor: HashMap::new(),
            by_seed: HashMap::new(),
            root: None,
            facts,
            codec,
            steps: 0,
            samples: Samples::new(panics),
            has_readers: false,
            path: Vec::new(),
            path_bytes: 0,
            run: Run::default(),
            panicked: 0,
        }
    }

    pub(super) fn draft(&mut self, id: Id) -> &mut Draft {
        &mut self.drafts[id]
    }

    pub(super) fn child(&self, slot: Slot) -> Option<Id> {
        match slot.parent {
            None => self.root,
            Some(parent) => match self.drafts[parent].children.get(slot.index) {
                Some(Child::Is(id)) => Some(*id),
                _ => None,
            },
        }
    }

    /// Whether the keys of this map are names of fields.
    pub(super) fn asks_for_names(&self, map: Id) -> bool {
        match self.drafts[map].children.first() {
            Some(Child::Is(key)) => {
                matches!(self.drafts[*key].ask, Ask::Unseen(Why::Identifier, _))
            }
            _ => false,
        }
    }

    fn set_child(&mut self, slot: Slot, id: Id) {
        match slot.parent {
            None => self.root = Some(id),
            Some(parent) => {
                let children = &mut self.drafts[parent].children;
                if children.len() <= slot.index {
                    children.resize(slot.index + 1, Child::Unknown);
                }
                children[slot.index] = Child::Is(id);
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.run.over
    }

    /// Whether a visitor asks on and on after the end of the run, and what it has to be told then.
    ///
    /// At first it gets an error, which ends all the visitors around it, too: one that is told of an end gives a value, of which a
    /// list may then want another. One that wants neither is left by force.
    pub(super) fn afterthought(&mut self) -> Option<Afterthought> {
        self.run.afterthoughts += usize::from(self.run.over);
        if self.run.afterthoughts <= MAX_AFTERTHOUGHTS {
            return None;
        }
        if self.run.afterthoughts > MAX_INSISTENCE {
            self.leave();
        }
        Some(if self.takes_samples_only() {
            Afterthought::Sample
        } else {
            Afterthought::Nothing
        })
    }

    /// Unwinds through the type's code without telling the program's hook, where panics are caught.
    pub(super) fn leave(&mut self) {
        if Panics::OF_THIS_BUILD == Panics::AreCaught {
            self.run.left = true;
            resume_unwind(Box::new(Stop));
        }
    }

    /// Whether neither an error nor an end was the end, and the run can't be left. Either may yet be, of something around it.
    fn takes_samples_only(&self) -> bool {
        self.run.afterthoughts > MAX_INSISTENCE && !self.run.afterthoughts.is_multiple_of(3)
    }

    /// Ends the run; what comes after is not written down.
    pub(super) fn end(&mut self) -> Stop {
        self.run.over = true;
        Stop
    }

    /// Ends the run, which has brought something new.
    pub(super) fn learn(&mut self) -> Stop {
        self.run.learned = true;
        self.end()
    }

    /// Notes that the run has brought something new, and goes on.
    pub(super) fn note(&mut self) {
        self.run.learned = true;
    }

    /// Counts one thing that is asked for.
    pub(super) fn step(&mut self) -> Result<(), Stop> {
        if self.run.over && !self.takes_samples_only() {
            return Err(Stop);
        }
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(self.end());
        }
        Ok(())
    }

    /// Whether the stack has room for a value of this size inside of those on the path.
    pub(super) fn has_room_for(&self, size: usize) -> bool {
        self.path_bytes.saturating_add(size) <= MAX_BYTES
    }

    /// Something without anything inside is asked for at `slot`.
    pub(super) fn leaf(&mut self, slot: Slot, ask: Ask) -> Stop {
        if self.step().is_ok() {
            let id = self.shared(ask);
            self.set_child(slot, id);
            self.learn();
        }
        Stop
    }

    /// Something with further things inside is asked for at `slot`: its node, if the run goes on into it.
    pub(super) fn enter(
        &mut self,
        slot: Slot,
        visitor: Option<TypeId>,
        ask: Ask,
        facts: Facts,
        place: Place,
    ) -> Result<Id, Stop> {
        self.step()?;
        if self.path.len() >= MAX_DEPTH {
            return Err(self.leaf(slot, Ask::Unseen(Why::Beyond, facts)));
        }
        if !self.has_room_for(facts.size) {
            return Err(self.leaf(slot, Ask::Unseen(Why::Large, facts)));
        }
        let id = match self.child(slot) {
            Some(id) if self.drafts[id].ask == ask => id,
            // It asked for something else before.
            Some(_) => return Err(self.leaf(slot, Ask::Unseen(self.unreached(), facts))),
            None => {
                let known = visitor.and_then(|visitor| self.by_visitor.get(&(visitor, ask, place)));
                let id = known.copied().unwrap_or_else(|| self.add(ask, facts));
                if let Some(visitor) = visitor {
                    self.by_visitor.insert((visitor, ask, place), id);
                }
                self.set_child(slot, id);
                self.note();
                id
            }
        };
        if self.is_settled(id) {
            return Err(self.end());
        }
        self.go_into(id);
        Ok(id)
    }

    fn go_into(&mut self, id: Id) {
        let draft = &mut self.drafts[id];
        draft.is_on_path = true;
        self.path.push(id);
        self.path_bytes += draft.facts.size;
    }

    pub(super) fn remember_seed(&mut self, seed: TypeId, id: Id) {
        self.by_seed.insert(seed, id);
    }

    /// The node of a seed that holds nothing and was met before.
    pub(super) fn of_seed(&self, seed: TypeId) -> Option<Id> {
        self.by_seed
            .get(&seed)
            .copied()
            .filter(|&id| self.is_settled(id))
    }

    /// Whether there is nothing to be found out below: all is known, or the run is inside of it anyway.
    pub(super) fn is_settled(&self, id: Id) -> bool {
        self.drafts[id].done || self.drafts[id].is_on_path
    }

    /// The first child that there is something to find out about: how many there are, if all are known.
    pub(super) fn aim(&mut self, id: Id) -> usize {
        // What was done once stays so, and isn't looked at again.
        let done = |child: &Child| match *child {
            Child::Unknown => false,
            Child::Is(child) => self.drafts[child].done,
            Child::AliasOf(_) => true,
        };
        let draft = &self.drafts[id];
        let more = draft.children[draft.done_children..].iter();
        let done = draft.done_children + more.take_while(|child| done(child)).count();
        self.drafts[id].done_children = done;

        let children = &self.drafts[id].children;
        children[done..]
            .iter()
            .position(|child| match *child {
                Child::Unknown => true,
                Child::Is(child) => !self.is_settled(child),
                Child::AliasOf(_) => false,
            })
            .map_or(children.len(), |open| done + open)
    }

    /// Draws the conclusions of a run, which `returned` or panicked; says whether it was the last.
    pub(super) fn settle(&mut self, returned: bool) -> bool {
        // Counted too, for a type that panics before it asks for anything.
        self.steps += 1 + self.run.afterthoughts / MAX_AFTERTHOUGHTS;
        self.panicked += usize::from(!returned && !self.run.left);
        if self.steps > MAX_STEPS {
            self.cut(Why::Beyond);
            return true;
        }
        if !self.run.learned && !self.samples.next_try() {
            match self.path.last() {
                Some(&deepest) => self.give_up(deepest),
                None if self.root.is_none() => {
                    self.leaf_at_root();
                }
                None => {}
            }
        }
        // From the deepest outwards: what is still on the path is around the node, and comes to its own end.
        while let Some(&id) = self.path.last() {
            let aim = self.aim(id);
            let draft = &mut self.drafts[id];
            draft.done = draft.closed && aim == draft.children.len();
            draft.is_on_path = false;
            self.path_bytes -= draft.facts.size;
            self.path.pop();
        }
        self.run = Run::default();
        let is_done = self.root.is_some_and(|root| self.drafts[root].done);
        if !is_done && self.panicked >= MAX_PANICS {
            self.cut(Why::Panicked);
            return true;
        }
        is_done
    }

    /// The type as a whole asked for nothing.
    pub(super) fn leaf_at_root(&mut self) {
        let ask = Ask::Unseen(self.unreached(), self.facts);
        self.root = Some(self.shared(ask));
    }

    /// Nearly all that stands behind a type of the user's is unreached where nothing of theirs is tried out.
    pub(super) fn unreached(&self) -> Why {
        match self.samples.panics {
            Panics::AreCaught => Why::Unreached,
            Panics::Abort => Why::Untried,
        }
    }

    /// More is asked for one after another than is looked at.
    pub(super) fn is_too_wide(&mut self, id: Id) -> Stop {
        let wide = self.shared(Ask::Unseen(Why::Wide, self.drafts[id].facts));
        let draft = &mut self.drafts[id];
        draft.children.push(Child::Is(wide));
        draft.closed = true;
        self.learn()
    }

    /// What the run was after in the deepest node that it came to can't be reached.
    fn give_up(&mut self, id: Id) {
        let aim = self.aim(id);
        let facts = self.drafts[id].facts;
        let unreached = self.shared(Ask::Unseen(self.unreached(), facts));
        let refused = self.shared(Ask::Refused);
        let draft = &mut self.drafts[id];
        let known = draft.children.len();
        match (draft.ask, draft.way) {
            (Ask::Struct(..), Way::AskingForOrder) => {
                draft.way = Way::ByName { by_order: false };
            }
            // The first name was refused, so they may all be.
            (Ask::Struct(..), Way::ByName { by_order: true })
                if draft.children.iter().all(|child| *child == Child::Unknown) =>
            {
                draft.way = Way::Other;
                draft.children.clear();
                draft.done_children = 0;
                draft.closed = false;
            }
            (Ask::Enum(_, List(names)), Way::ByNumber) if draft.keys.is_empty() => {
                draft.way = Way::Other;
                draft.closed = names.is_empty();
            }
            (Ask::Enum(..), Way::ByNumber | Way::Other) if draft.keys.len() > aim => {
                draft.children.resize(known.max(aim + 1), Child::Unknown);
                draft.children[aim] = Child::Is(refused);
            }
            // A list without an end, or whose elements refuse all samples: more of the same, as far as can be seen.
            (Ask::Seq(_), _) if aim == known && aim > 0 => draft.closed = true,
            _ => {
                if aim < known {
                    draft.children[aim] = Child::Is(unreached);
                } else {
                    draft.children.push(Child::Is(unreached));
                }
                draft.closed = true;
            }
        }
    }

    /// A bound is reached: what is not known by now is beyond it.
    fn cut(&mut self, why: Why) {
        for id in 0..self.drafts.len() {
            if self.drafts[id].done {
                continue;
            }
            let beyond = self.shared(Ask::Unseen(why, self.drafts[id].facts));
            let draft = &mut self.drafts[id];
            for child in &mut draft.children {
                if *child == Child::Unknown {
                    *child = Child::Is(beyond);
                }
            }
            if !draft.closed {
                draft.children.push(Child::Is(beyond));
            }
        }
        if self.root.is_none() {
            self.root = Some(self.shared(Ask::Unseen(why, self.facts)));
        }
    }

    /// A node with nothing inside, of which there is one for all.
    fn shared(&mut self, ask: Ask) -> Id {
        if let Some(id) = self.by_ask.get(&ask) {
            return *id;
        }
        let id = self.add(ask, self.facts);
        self.by_ask.insert(ask, id);
        id
    }

    fn add(&mut self, ask: Ask, facts: Facts) -> Id {
        self.steps += STEPS_OF_A_NODE;
        self.drafts.push(Draft::new(ask, facts));
        self.drafts.len() - 1
    }
}
