//! The primitives that single flight and the breaker are made of. A test compiles the same code with those of `shuttle` in their place
//! (`tests/flight_schedules.rs`), which tries out schedules.

pub(crate) use std::sync::atomic::AtomicU64;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread_local;
