//! Which types and values can be stored, and what the log says of the others.
//!
//! What is known and told of a type is kept for the whole process: a test that minds has types of its own.

mod codec;
#[path = "../common/mod.rs"]
mod common;
mod crates;
mod limits;
mod refused;
