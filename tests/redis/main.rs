//! The cache on real Redis servers: one process finds what another stored, and whatever happens to a server, callers don't notice.
//!
//! What takes long is short unless a variable asks for more; each test prints how much it was. In full, which takes a quarter of an hour:
//!
//! ```text
//! CACHE_MEMOIZE_TEST_ROUNDS=100 CACHE_MEMOIZE_TEST_KILLS=200 CACHE_MEMOIZE_TEST_STOPS=50 CACHE_MEMOIZE_TEST_OUTAGES=10 CACHE_MEMOIZE_TEST_FAULTS=10000 \
//! CACHE_MEMOIZE_TEST_EVICTION_SECONDS=60 CACHE_MEMOIZE_TEST_FORKS=3000 \
//! cargo test --all-features --test redis -- --nocapture --test-threads 1
//! ```
#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;

mod bad_network;
mod burst;
mod census;
#[path = "../common/child.rs"]
mod child;
mod cold_key;
mod crowded;
mod everywhere;
mod eviction;
mod foreign;
mod fork;
mod item;
mod late;
mod outages;
mod round_trips;
mod storm;
mod tasks;
mod tracking;

use std::env;
use std::time::Duration;

use cache_memoize::{Redis, Runtime, RuntimeBuilder, Secret};

const SECRET: &str = "8d1f0c2be45a97630fe1b8d4c2a7953e61cb7d02a4f8e3951bc6d7208e4f3a1c";

/// A process's runtime, so to say: two of them share nothing but the server. It has as much time as a busy machine takes.
fn settings(redis: Redis) -> RuntimeBuilder {
    let secret = Secret::from_hex(SECRET).expect("it was made at random");
    Runtime::builder()
        .backend(redis)
        .secret(secret)
        // What is large is to be large on the server, too.
        .compress(false)
        .budget(Duration::from_secs(30))
}

fn runtime(url: &str) -> Runtime {
    let redis = Redis::open(url).expect("the URL is valid");
    settings(redis).build().expect("the settings are valid")
}

/// How many rounds: the variable `CACHE_MEMOIZE_TEST_<name>`, or a few.
fn rounds(name: &str, few: u64) -> u64 {
    let asked = env::var(format!("CACHE_MEMOIZE_TEST_{name}"));
    asked.map_or(few, |asked| asked.parse().expect("a number"))
}
