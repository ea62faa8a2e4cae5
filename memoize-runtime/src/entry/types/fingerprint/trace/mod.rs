//! Finds out what a type asks for when it is read, without a value of it, by running its `Deserialize`.
//!
//! One run can't see everything: a struct's first field has to come out as a value before the second is asked for, and there is
//! none to give. So each run follows one path from the root, writes down the next thing that was not known, and ends with an
//! error. Runs go on, depth first, until nothing is unknown. A field of a struct is gone to by its name, a variant by
//! its number, a map's value without a key, so that nothing has to be made before it; only where something stands
//! before what is looked for, as in a tuple, a [`sample`] is made up.
//!
//! What was met is known again by the visitor's type, if the visitor holds nothing: it is then all that decides. The
//! visited type or a name would not do, since all struct variants of an enum share those.
//!
//! The type's code is the user's: it may panic, ask for something else each time, or never come to an end of
//! asking. So everything is counted, and what is beyond a bound is said to be unseen. Time is no bound: the
//! result must not depend on the machine. The program's hook sees each panic, so a type has two.

mod access;
mod draft;
mod element;
mod field;
mod follow;
mod foreign;
mod freeze;
mod given;
mod graph;
mod order;
mod reader;
mod sample;
mod stop;
mod values;
mod variant;

use std::cell::RefCell;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::merge::merge;
use super::shape::{Facts, Shape};
use crate::entry::header::Codec;
use crate::guard::{discard, guard};
use follow::Follow;
pub(crate) use foreign::Panics;
use graph::Graph;

/// What `T` asks a codec for, or an account of why that can't be seen: the same in every process of one build. What may be
/// tried out depends on what becomes of `panics`.
pub(crate) fn trace<T: DeserializeOwned>(codec: Codec, panics: Panics) -> Shape {
    let graph = RefCell::new(Graph::new(Facts::of::<T>(), codec, panics));
    loop {
        // A run leaves the graph whole, wherever the user's code ends it.
        let run = || Follow::root(&graph, Facts::of::<T>()).seed(PhantomData::<T>);
        let returned = guard(run).map(discard).is_some();
        if graph.borrow_mut().settle(returned) {
            break;
        }
    }
    let graph = graph.into_inner();
    let has_readers = graph.has_readers;
    let (nodes, root) = graph.freeze();
    merge(&nodes, root).with_readers(has_readers)
}
