//! Who may fill which key of the memory backend.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::backend::Lease;
use crate::locks::lock;

const SHARDS: usize = 16;

/// At this many a shard is searched for leases that ran out: those of computations that were forgotten rather than
/// dropped, which nothing else would remove.
const CROWDED: usize = 1024;

pub(super) struct Leases {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

/// The next lease's token; 0 is the unconditional one. That of a child begins where its parent's was when it was forked: what its parent
/// granted is never taken for its own.
static NEXT_TOKEN: AtomicU64 = AtomicU64::new(1);

/// The leases of a share of all keys.
#[derive(Default)]
struct Shard {
    held: HashMap<Box<str>, Held, RandomState>,
    /// When it is searched next; twice what was left the last time, so that grants stay cheap on average.
    crowded: usize,
}

struct Held {
    lease: Lease,
    /// None where the clock can't tell it: until it is used or ended.
    until: Option<Instant>,
}

impl Held {
    fn stands(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// The leases of a share of the keys, for as long as nobody else writes one of these keys.
pub(super) struct Locked<'a> {
    shard: MutexGuard<'a, Shard>,
}

impl Leases {
    pub(super) fn new() -> Self {
        Self {
            shards: [(); SHARDS].map(|()| {
                Mutex::new(Shard {
                    held: HashMap::default(),
                    crowded: CROWDED,
                })
            }),
            hasher: RandomState::default(),
        }
    }

    pub(super) fn of(&self, key: &str) -> Locked<'_> {
        let hash = self.hasher.hash_one(key);
        let shard = usize::try_from(hash >> 32).unwrap_or(0) % SHARDS;
        Locked {
            shard: lock(&self.shards[shard]),
        }
    }

    /// All names that are in here.
    #[cfg(all(test, feature = "encrypt"))]
    pub(super) fn held_names(&self) -> Vec<Box<str>> {
        let shards = self.shards.iter();
        shards
            .flat_map(|shard| lock(shard).held.keys().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Leaves all of it where it is, as nobody may look at it.
    pub(super) fn forget(&mut self) {
        mem::forget(mem::take(&mut self.shards));
    }

    pub(super) fn end_all(&self) {
        for shard in &self.shards {
            lock(shard).held.clear();
        }
    }
}

impl Locked<'_> {
    /// A lease in place of whichever stands.
    pub(super) fn grant(&mut self, key: &str, life: Duration) -> Lease {
        let now = Instant::now();
        self.make_room(now);
        let lease = Lease::new(NEXT_TOKEN.fetch_add(1, Ordering::Relaxed));
        let held = Held {
            lease,
            until: now.checked_add(life),
        };
        self.shard.held.insert(key.into(), held);
        lease
    }

    pub(super) fn grant_if_free(&mut self, key: &str, life: Duration) -> Option<Lease> {
        let held = self.shard.held.get(key);
        let is_taken = held.is_some_and(|held| held.stands(Instant::now()));
        (!is_taken).then(|| self.grant(key, life))
    }

    /// Ends this lease; says whether it stood.
    pub(super) fn take(&mut self, key: &str, lease: Lease) -> bool {
        let stands = self
            .shard
            .held
            .get(key)
            .is_some_and(|held| held.lease == lease);
        if stands {
            self.shard.held.remove(key);
        }
        stands
    }

    /// Ends whichever lease stands.
    pub(super) fn end(&mut self, key: &str) {
        self.shard.held.remove(key);
    }

    fn make_room(&mut self, now: Instant) {
        let shard = &mut *self.shard;
        if shard.held.len() >= shard.crowded {
            shard.held.retain(|_, held| held.stands(now));
            shard.crowded = CROWDED.max(shard.held.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CROWDED, Leases, SHARDS};

    #[test]
    fn a_lease_without_end_stands_until_it_is_used() {
        let leases = Leases::new();
        let lease = leases.of("key").grant("key", Duration::MAX);
        assert_eq!(leases.of("key").grant_if_free("key", Duration::MAX), None);
        assert!(leases.of("key").take("key", lease));
        assert!(
            leases
                .of("key")
                .grant_if_free("key", Duration::MAX)
                .is_some()
        );
    }

    #[test]
    fn leases_that_ran_out_leave_when_it_gets_crowded() {
        let leases = Leases::new();
        let many = SHARDS * CROWDED * 2;
        for n in 0..many {
            let key = format!("key:{n}");
            leases.of(&key).grant(&key, Duration::ZERO);
        }
        let held: usize = leases
            .shards
            .iter()
            .map(|shard| shard.lock().expect("nothing panicked").held.len())
            .sum();
        assert!(held <= SHARDS * CROWDED, "{held} of {many}");
    }
}
