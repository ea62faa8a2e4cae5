//! What happens to the server meanwhile.

use std::ops::AddAssign;
use std::thread;
use std::time::{Duration, Instant};

use test_servers::{Random, RedisServer};

/// How often each thing happened.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    pub(crate) killed: u64,
    pub(crate) stopped: u64,
    cut_off: u64,
    scripts_forgotten: u64,
    emptied: u64,
}

impl AddAssign<&Self> for Troubles {
    fn add_assign(&mut self, other: &Self) {
        self.killed += other.killed;
        self.stopped += other.stopped;
        self.cut_off += other.cut_off;
        self.scripts_forgotten += other.scripts_forgotten;
        self.emptied += other.emptied;
    }
}

impl Troubles {
    /// Makes troubles one after the other, with some quiet between them.
    pub(crate) fn make(&mut self, server: &mut RedisServer, random: &mut Random, time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time {
            pause(random, 700);
            match random.below(8) {
                0..2 => {
                    server.kill();
                    pause(random, 200);
                    server.restart();
                    self.killed += 1;
                }
                // Longer than a call waits for it, as often as not.
                2..5 => {
                    server.stop();
                    pause(random, 250);
                    server.cont();
                    self.stopped += 1;
                }
                5 => {
                    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
                    self.cut_off += 1;
                }
                6 => {
                    server.command(&["SCRIPT", "FLUSH"]);
                    self.scripts_forgotten += 1;
                }
                _ => {
                    server.command(&["FLUSHALL"]);
                    self.emptied += 1;
                }
            }
        }
    }
}

fn pause(random: &mut Random, longest_ms: u64) {
    thread::sleep(Duration::from_millis(random.below(longest_ms)));
}
