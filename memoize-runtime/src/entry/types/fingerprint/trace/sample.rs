//! Values that are made up to get past them, to what is asked for next.
//!
//! A type may refuse what it is given, so each type of seed has a count of attempts, and each attempt gives it something
//! else. Refusals are counted against the innermost type that still has attempts left. A type that is being made can't be
//! made again within itself, so recursion ends at the next variant.

use std::any::{TypeId, type_name};
use std::cell::RefCell;
use std::collections::HashMap;

use serde::de::DeserializeSeed;

use super::foreign::{Panics, is_of_std};
use super::given::Sample;
use super::graph::Graph;
use super::stop::Stop;

/// Attempts for one type of seed.
const MAX_ATTEMPTS: usize = 64;

/// Samples within one another, where no seeds are between them that would tell.
pub(super) const MAX_DEPTH: usize = 64;

/// Things asked for in one sample. A value of so many parts is not worth the bound on all steps.
const MAX_PARTS: usize = 5_000;

/// What attempts are counted for: a type of seed, and, if it has a state that may make another seed of it, how deep it is.
type Seed = (TypeId, usize);

#[derive(Debug)]
pub(super) struct Samples {
    pub(super) panics: Panics,
    attempts: HashMap<Seed, usize>,
    /// The seeds that are being made, the innermost last.
    making: Vec<Seed>,
    /// What the outermost of them took so far.
    parts: usize,
    /// The refusal was counted against a type, which will be given something else.
    blamed: bool,
}

impl Samples {
    pub(super) fn new(panics: Panics) -> Self {
        Self {
            panics,
            attempts: HashMap::new(),
            making: Vec::new(),
            parts: 0,
            blamed: false,
        }
    }

    fn begin(&mut self, seed: Seed, name: &str) -> Result<usize, Stop> {
        let attempts = self.attempts.get(&seed).copied().unwrap_or(0);
        if attempts >= MAX_ATTEMPTS
            || !(self.panics == Panics::AreCaught || is_of_std(name))
            || self.making.len() >= MAX_DEPTH
            || self.making.contains(&seed)
        {
            return Err(Stop);
        }
        if self.making.is_empty() {
            self.parts = 0;
        }
        self.making.push(seed);
        Ok(attempts)
    }

    fn blame(&mut self, seed: Seed) {
        let attempts = self.attempts.entry(seed).or_default();
        if !self.blamed && *attempts < MAX_ATTEMPTS {
            *attempts += 1;
            self.blamed = true;
        }
    }

    /// Counts one thing asked for in a sample.
    pub(super) fn part(&mut self) -> Result<(), Stop> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            self.forget();
            return Err(Stop);
        }
        Ok(())
    }

    /// None of what is being made is tried again.
    fn forget(&mut self) {
        for seed in &self.making {
            self.attempts.insert(*seed, MAX_ATTEMPTS);
        }
    }

    /// Ends the run, and says whether another one would try something else.
    pub(super) fn next_try(&mut self) -> bool {
        // What is still being made panicked. Each panic is seen by the program's hook, so one is enough.
        self.forget();
        self.making.clear();
        std::mem::take(&mut self.blamed)
    }
}

/// A value for `seed`, if one of the attempts is good enough for it.
pub(super) fn sample<'de, S: DeserializeSeed<'de>>(
    graph: &RefCell<Graph>,
    seed: S,
) -> Result<S::Value, Stop> {
    make(graph, seed, 0, 0)
}

pub(super) fn make<'de, S: DeserializeSeed<'de>>(
    graph: &RefCell<Graph>,
    seed: S,
    outer: usize,
    depth: usize,
) -> Result<S::Value, Stop> {
    let id = {
        let level = graph.borrow().samples.making.len();
        (
            typeid::of::<S>(),
            if size_of::<S>() == 0 { 0 } else { level },
        )
    };
    let attempt = graph.borrow_mut().samples.begin(id, type_name::<S>())?;
    let made = seed.deserialize(Sample {
        graph,
        attempt: attempt + outer,
        depth,
    });
    let mut graph = graph.borrow_mut();
    graph.samples.making.pop();
    if made.is_err() {
        graph.samples.blame(id);
    }
    made
}
