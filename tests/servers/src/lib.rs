//! Real servers for tests: [`RedisServer`], [`RedisCluster`], [`RedisSentinel`], and a network that fails: [`Proxy`],
//! [`BlackHole`], [`closed_port`]. And [`Random`], which makes tests repeatable.
//!
//! What is started here stops when its value is dropped, and when the process of the test ends in whatever way: each server
//! has a shell beside it that waits for the end of a pipe, and then kills it and removes its files. Nothing is shared between
//! two servers, so tests run side by side.
//!
//! `redis-server` is taken from the `PATH`; the environment variable `TEST_REDIS_SERVER` names another one, such as
//! `valkey-server`. Certificates take `openssl`. Where something can't be had the test panics and says what is missing.
#![cfg(unix)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a test has nothing better to do than to panic, and all of these do"
)]

mod cluster;
mod network;
mod process;
mod proxy;
mod random;
mod redis;
mod resp;
mod sentinel;
mod tls;

pub use cluster::RedisCluster;
pub use network::{BlackHole, closed_port};
pub use proxy::{Faults, Proxy};
pub use random::Random;
pub use redis::RedisServer;
pub use resp::Reply;
pub use sentinel::RedisSentinel;

use std::fmt;
use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

/// Shows what a test did, as `println!` with `--nocapture`: also where the test passes, and its output is kept back.
#[macro_export]
macro_rules! shown {
    ($($text:tt)*) => {
        $crate::show(::std::format_args!($($text)*))
    };
}

#[doc(hidden)]
pub fn show(text: fmt::Arguments<'_>) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Asks `condition` until it holds; panics with `what` if that takes longer than 20 seconds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "waited 20 s in vain: {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}
