//! The Redis backend on real servers: each of these on the client of sync functions and, where it is built, on that of async ones.
#![cfg(unix)]

mod clients;
mod conformance;
mod faults;
mod leases;
#[cfg(feature = "redis-tokio")]
mod polled;
mod servers;
mod values;
