//! Two processes of which one is done rotating and the other isn't: each takes the other's current name for a previous one.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use cache_memoize::{Runtime, cache_memoize};
use futures::executor::block_on;

use super::{COMPUTED, Leased, rights, secret};

/// The same entry, awaited.
#[cache_memoize(key = "rights", encrypt)]
async fn awaited() -> String {
    COMPUTED.to_owned()
}

type Meanwhile = Box<dyn FnOnce()>;

thread_local! {
    static MEANWHILE: RefCell<Option<Meanwhile>> = const { RefCell::new(None) };
}

/// The same entry again, while whose computation something happens.
#[cache_memoize(key = "rights", encrypt)]
fn slow() -> String {
    let meanwhile = MEANWHILE.take();
    meanwhile.expect("it is computed once")();
    "outdated".to_owned()
}

/// An operation of one side on the entry, blocking and awaited.
type Both<T> = [(&'static str, fn() -> T); 2];

const INVALIDATE: Both<bool> = [
    ("blocking", rights::invalidate),
    ("awaited", || block_on(awaited::invalidate())),
];

const PRIME: Both<bool> = [
    ("blocking", || rights::prime("primed".to_owned())),
    ("awaited", || block_on(awaited::prime("primed".to_owned()))),
];

/// The process that still writes with the old secret, and the one that writes with the new one.
fn sides(backend: &Leased) -> [Runtime; 2] {
    [(1, 2), (2, 1)].map(|(current, previous)| {
        let builder = Runtime::builder().backend(backend.clone());
        let builder = builder.secret(secret(current));
        let built = builder.previous_secret(secret(previous)).build();
        built.expect("valid settings")
    })
}

/// Each side with the other, both ways.
fn pairs(sides: [Runtime; 2]) -> [[Runtime; 2]; 2] {
    let [behind, ahead] = sides;
    [[behind.clone(), ahead.clone()], [ahead, behind]]
}

#[test]
fn an_invalidation_by_one_side_wins_over_sealing_anew_by_the_other() {
    for (name, invalidate) in INVALIDATE {
        for (nth, removals) in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)] {
            let backend = Leased::new();
            let [one, other] = pairs(sides(&backend))[nth].clone();
            assert!(one.scope(|| rights::prime("old".to_owned())));
            let reader = other.clone();
            let read = move || {
                reader.scope(rights);
            };
            *backend.before_delete.lock().expect("not poisoned") = Some((removals, Box::new(read)));
            assert!(one.scope(invalidate), "{name}");
            for side in [&one, &other] {
                let left = side.scope(rights::peek);
                let late = left.as_deref() == Some("old");
                assert!(!late, "{name}, {nth}, read before removal {removals}");
            }
        }
    }
}

#[test]
fn what_one_side_primes_is_not_replaced_by_what_the_other_began_to_compute_before() {
    for (name, prime) in PRIME {
        for nth in 0..2 {
            let backend = Leased::new();
            let [one, other] = pairs(sides(&backend))[nth].clone();
            let primer = one.clone();
            MEANWHILE.set(Some(Box::new(move || assert!(primer.scope(prime)))));
            assert_eq!(other.scope(slow), "outdated", "it is the caller's own");
            for side in [&one, &other] {
                let left = side.scope(rights::peek);
                assert_eq!(left.as_deref(), Some("primed"), "{name}, {nth}");
            }
        }
    }
}

/// Two readers, one of each side, that wait before they store what they have sealed anew.
struct Readers {
    sides: [Runtime; 2],
    backend: Leased,
    running: Vec<(Sender<()>, JoinHandle<()>)>,
}

impl Readers {
    /// Has the one whose side this is read, up to where it would store what it found, or to its end.
    fn begin(&mut self, side: usize) {
        let ((reached, is_reached), (go, may_go)) = (channel(), channel());
        let ends = reached.clone();
        let hook = move || {
            reached.send(()).expect("it is awaited");
            may_go.recv().expect("it may go at last");
        };
        *self.backend.before_fill.lock().expect("not poisoned") = Some(Box::new(hook));
        let reader = self.sides[side].clone();
        let reading = thread::spawn(move || {
            reader.scope(rights);
            // Who found it under its own name stored nothing.
            let _nobody_waits = ends.send(());
        });
        is_reached.recv().expect("it comes there, or to its end");
        self.running.push((go, reading));
    }

    fn end_all(&mut self) {
        for (go, reading) in self.running.drain(..) {
            let _has_ended = go.send(());
            reading.join().expect("no panic");
        }
    }
}

/// What was sealed anew by one side is sealed anew by the other, back under the name from where it was removed.
#[test]
fn an_invalidation_wins_over_those_who_seal_anew_from_one_another() {
    for (name, invalidate) in INVALIDATE {
        for (first, second) in [(1, 2), (1, 3), (2, 3), (2, 4), (3, 4)] {
            for nth in 0..2 {
                let backend = Leased::new();
                let [one, other] = pairs(sides(&backend))[nth].clone();
                assert!(one.scope(|| rights::prime("old".to_owned())));
                let readers = Readers {
                    sides: [one.clone(), other.clone()],
                    backend: backend.clone(),
                    running: Vec::new(),
                };
                let readers = Arc::new(Mutex::new(readers));
                let begin = {
                    let readers = Arc::clone(&readers);
                    move || readers.lock().expect("no panic").begin(1)
                };
                let go_on = {
                    let readers = Arc::clone(&readers);
                    move || {
                        let mut readers = readers.lock().expect("no panic");
                        readers.end_all();
                        readers.begin(0);
                    }
                };
                *backend.before_delete.lock().expect("not poisoned") =
                    Some((first, Box::new(begin)));
                let then = Some((second - first, Box::new(go_on) as _));
                *backend.then.lock().expect("not poisoned") = then;
                assert!(one.scope(invalidate), "{name}");
                readers.lock().expect("no panic").end_all();
                for side in [&one, &other] {
                    let left = side.scope(rights::peek);
                    let late = left.as_deref() == Some("old");
                    assert!(
                        !late,
                        "{name}, {nth}, read before removals {first} and {second}"
                    );
                }
            }
        }
    }
}
