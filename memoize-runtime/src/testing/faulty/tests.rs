use std::time::Duration;

use super::{Fault, Faulty};
use crate::backend::{Backend, Bytes, Deadline, Memory};

const LIFE: Duration = Duration::from_secs(60);

/// Everything that is seen of a backend through 2000 questions.
fn played(faulty: &Faulty<Memory>) -> Vec<String> {
    (0..2000_u64)
        .map(|n| {
            let key = format!("key:{}", n % 7);
            match n % 3 {
                0 => {
                    let value = Bytes::from(vec![n.to_le_bytes()[0]; 40]);
                    format!("{:?}", faulty.set(&key, value, LIFE, Deadline::NEVER))
                }
                1 => format!("{:?}", faulty.get(&key, Deadline::NEVER)),
                _ => format!("{:?}", faulty.get_many(&[&key, "key:0"], Deadline::NEVER)),
            }
        })
        .collect()
}

#[test]
fn one_seed_is_one_schedule() {
    let faulty = |seed| {
        Faulty::new(Memory::new(1 << 20), seed)
            .all(0.05)
            .delay(Duration::ZERO)
    };
    let (one, same, other) = (faulty(1), faulty(1), faulty(2));
    assert_eq!(played(&one), played(&same));
    assert_eq!(one.log(), same.log());
    assert_ne!(played(&other), played(&faulty(1)));
    assert!(!one.log().is_empty());
}

#[test]
fn each_fault_strikes_is_counted_and_stops() {
    for fault in Fault::ALL {
        let faulty = Faulty::new(Memory::new(1 << 20), 3)
            .rate(fault, 0.2)
            .delay(Duration::ZERO);
        let seen = played(&faulty);
        let struck = faulty.count(fault);
        assert!(struck > 50, "{fault:?} struck {struck} times");
        let total: u64 = Fault::ALL.iter().map(|fault| faulty.count(*fault)).sum();
        assert_eq!(total, struck, "only {fault:?} was asked for");
        let sound = played(&Faulty::new(Memory::new(1 << 20), 3));
        // A delay of zero and a write that is made twice change nothing that one thread sees here.
        let visible = !matches!(fault, Fault::Delay | Fault::Duplicate);
        assert_eq!(seen != sound, visible, "{fault:?}");
        faulty.stop();
        played(&faulty);
        assert_eq!(faulty.count(fault), struck);
    }
}

#[test]
fn a_write_that_is_made_twice_outlives_what_came_between() {
    let memory = Memory::new(1 << 20);
    let faulty = Faulty::new(memory.clone(), 3).rate(Fault::Duplicate, 1.0);
    let set = |backend: &dyn Backend, value: &'static str| {
        let written = backend.set("key", value.into(), LIFE, Deadline::NEVER);
        written.expect("memory always answers");
    };
    set(&faulty, "first");
    set(&memory, "second");
    let found = faulty.get("key", Deadline::NEVER);
    let found = found.expect("memory always answers");
    assert_eq!(found.as_deref(), Some(&b"first"[..]));
}

#[test]
fn a_delay_ends_with_the_deadline() {
    let faulty = Faulty::new(Memory::new(1 << 20), 3)
        .rate(Fault::Delay, 1.0)
        .delay(Duration::from_secs(3600));
    let answer = faulty.get("key", Deadline::after(Duration::ZERO));
    assert!(answer.is_err());
}
