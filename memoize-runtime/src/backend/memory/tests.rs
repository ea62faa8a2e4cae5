//! What the store keeps, for how long, and within which bounds.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::{Backend, Bytes, Clock, Deadline, Kept, Memory};
use crate::clock::millis;
use crate::entry::StoredType;
use crate::key::CacheKey;
use crate::local::{Facts, Shelved, Trust};

const FAR: Duration = Duration::from_secs(60);

#[derive(Clone, Default)]
struct Turned(Arc<AtomicU64>);

impl Clock for Turned {
    fn unix_millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn set(memory: &Memory, key: &str, length: usize, life: Duration) {
    memory
        .set(key, Bytes::from(vec![7; length]), life, Deadline::NEVER)
        .expect("memory always answers");
}

#[test]
fn stays_within_its_bytes() {
    let memory = Memory::new(1 << 20);
    for n in 0..10_000 {
        set(&memory, &format!("key:{n}"), 1000, Duration::from_secs(60));
        assert!(memory.bytes() <= 1 << 20);
    }
    assert!(
        memory.len() > 500,
        "it holds as much as fits: {}",
        memory.len()
    );
}

#[test]
fn what_is_in_use_is_asked_for_only_where_something_will_have_to_leave() {
    let memory = Memory::new(16 << 20);
    let fill = |first: u32, mib: u32| {
        let keys = first * 1000..(first + mib) * 1000;
        keys.for_each(|n| set(&memory, &format!("{n:>8}"), 864, FAR));
    };
    fill(0, 7);
    assert_eq!(memory.store().epoch(), 0, "half of it is free");
    fill(7, 4);
    let first = memory.store().epoch();
    assert!(first > 0, "it is about to be full");
    fill(11, 32);
    let passed = memory.store().epoch() - first;
    assert!(
        (16..=64).contains(&passed),
        "16 for as much as it holds: {passed}"
    );
    memory.clear();
    let before = memory.store().epoch();
    fill(0, 7);
    assert_eq!(memory.store().epoch(), before, "half of it is free again");
}

#[test]
fn a_sweep_frees_what_expired_and_nothing_else() {
    let clock = Turned::default();
    let memory = Memory::with_clock(1 << 20, clock.clone());
    for n in 0..100 {
        set(
            &memory,
            &format!("short:{n}"),
            10,
            Duration::from_millis(100),
        );
        set(
            &memory,
            &format!("long:{n}"),
            10,
            Duration::from_millis(200),
        );
    }
    clock.0.store(99, Ordering::Relaxed);
    memory.sweep();
    assert_eq!(memory.len(), 200);
    clock.0.store(100, Ordering::Relaxed);
    memory.sweep();
    assert_eq!(memory.len(), 100);
    clock.0.store(200, Ordering::Relaxed);
    memory.sweep();
    assert_eq!((memory.len(), memory.bytes()), (0, 0));
}

/// The room of the most that was ever there would be half of what a million small entries take.
#[test]
fn the_room_of_what_left_is_given_back() {
    const MANY: usize = 10_000;
    let clock = Turned::default();
    // Several shards.
    let memory = Memory::with_clock(64 << 20, clock.clone());
    let room = || memory.store().entries.room();
    let store_many = || (0..MANY).for_each(|n| set(&memory, &format!("{n}"), 10, FAR));
    let empty = room();
    set(&memory, "stays", 10, Duration::from_secs(3600));

    for round in 0..3 {
        store_many();
        let full = room();
        assert!(full > 50 * MANY, "{full}");
        match round {
            0 => {
                clock.0.fetch_add(millis(FAR), Ordering::Relaxed);
                memory.sweep();
            }
            1 => {
                (0..MANY).for_each(|n| {
                    let deleted = memory.delete(&format!("{n}"), Deadline::NEVER);
                    deleted.expect("memory always answers");
                });
                memory.sweep();
            }
            _ => memory.clear(),
        }
        assert!(room() < full / 50, "round {round}: {} of {full}", room());
        assert_eq!(memory.len(), usize::from(round < 2));
        assert_eq!(memory.kept("stays").is_some(), round < 2);
    }
    assert_eq!((room(), memory.bytes()), (empty, 0));
}

#[test]
fn half_of_the_entries_are_no_reason_to_move_the_others() {
    let clock = Turned::default();
    let memory = Memory::with_clock(1 << 20, clock.clone());
    for n in 0..1000 {
        let life = if n % 2 == 0 { FAR } else { 2 * FAR };
        set(&memory, &format!("{n}"), 10, life);
    }
    let full = memory.store().entries.room();
    clock.0.store(millis(FAR), Ordering::Relaxed);
    memory.sweep();
    assert_eq!(memory.len(), 500);
    assert_eq!(memory.store().entries.room(), full);
}

#[test]
fn expired_entries_leave_without_being_asked_for_and_the_sweeper_comes_back() {
    let memory = Memory::new(1 << 20);
    for round in 0..2 {
        set(&memory, "key", 10, Duration::from_millis(1));
        let start = Instant::now();
        while !memory.is_empty() {
            assert!(start.elapsed() < Duration::from_secs(60), "round {round}");
            thread::yield_now();
        }
    }
}

#[test]
fn a_value_of_the_limit_is_kept_whatever_the_capacity() {
    for bytes in [
        2 << 10,
        1 << 20,
        8 << 20,
        24 << 20,
        40 << 20,
        100 << 20,
        256 << 20,
    ] {
        let memory = Memory::new(bytes);
        let length = memory.limits().value_bytes;
        assert!(
            length > 0 && length >= (bytes / 2).min(4 << 20) - 1024,
            "{bytes}: {length}"
        );
        set(&memory, &"k".repeat(240), length, Duration::from_secs(60));
        assert_eq!(memory.len(), 1, "{bytes}");
    }
}

#[test]
fn a_capacity_may_be_without_a_limit() {
    let memory = Memory::new(usize::MAX);
    set(&memory, "key", 10, FAR);
    assert_eq!((memory.len(), memory.capacity()), (1, usize::MAX));
}

fn facts(name: &str) -> Facts {
    Facts {
        name: CacheKey::from_text(name, usize::MAX),
        full_key: None,
        stored: StoredType::unstored(),
        created_ms: 0,
        expires_ms: u64::MAX,
        cost: Duration::ZERO,
        compress: false,
        asked_ms: 0,
        trust: Trust::Own,
        bytes: 0,
        behind_arguments: 0,
    }
}

/// A value whose `Drop` asks for the same key.
struct Asks {
    memory: Memory,
    facts: Facts,
}

impl Drop for Asks {
    fn drop(&mut self) {
        let memory = self.memory.clone();
        let (answer, answered) = mpsc::channel();
        thread::spawn(move || {
            let asked = memory.get_or_lease("key", Duration::MAX, Deadline::NEVER);
            // If it comes too late nobody hears it.
            let _ = answer.send(asked.is_ok());
        });
        let answered = answered.recv_timeout(Duration::from_secs(10));
        assert_eq!(answered, Ok(true), "something is locked");
    }
}

impl Shelved for Asks {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn weight(&self) -> u64 {
        1
    }

    fn begin(&self, _: u32) {}

    fn end(&self) {}

    fn leave(&self) {}

    fn to_bytes(&self) -> Option<Bytes> {
        None
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

#[test]
fn values_are_dropped_without_a_lock() {
    let memory = Memory::new(1 << 20);
    let value = || {
        Kept::Value(Arc::new(Asks {
            memory: memory.clone(),
            facts: facts("key"),
        }))
    };
    let fill = |lease| memory.store().fill("key", lease, value(), Duration::MAX);
    let lease = || {
        let lease = memory.lease("key", Duration::MAX, Deadline::NEVER);
        lease.expect("memory always answers")
    };
    let outdated = lease();
    assert!(fill(lease()), "the first");
    assert!(!fill(outdated), "which isn't taken");
    assert!(fill(lease()), "in place of the first");
    memory.clear();
    assert!(memory.is_empty());
}

#[test]
fn the_sweeper_ends_with_its_store() {
    let memory = Memory::new(1 << 20);
    set(&memory, "key", 10, Duration::from_secs(600));
    let store = Arc::downgrade(memory.store());
    drop(memory);
    // The sweeper holds the store for moments only, and gives it up for good once woken.
    let start = Instant::now();
    while store.strong_count() > 0 {
        assert!(start.elapsed() < Duration::from_secs(60));
        thread::yield_now();
    }
}
