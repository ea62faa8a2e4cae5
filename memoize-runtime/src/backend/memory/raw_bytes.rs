//! All that the store has of a function with `encrypt`, as who dumps it finds it: no text of a key, and none of a value.

use std::cell::RefCell;

use super::Memory;
use crate::Runtime;
use crate::local::Kept;
use crate::site::Site;

const PATIENT: &str = "Lovelace";
const VALUE: &str = "diagnosis ";

/// What the store takes as one, what it takes in chunks, and a stream of two chunks.
const SMALL: usize = 1;
const LARGE: usize = 120_000;
const ITEMS: usize = 300;
const ITEM: usize = 100;

/// What is in the names that have an entry or a lease, and in the entries.
struct Raw {
    bytes: Vec<u8>,
    /// How many values are kept as they are.
    values: usize,
}

impl Raw {
    fn of(memory: &Memory) -> Self {
        let leased = memory.store().leases.held_names();
        let mut raw = Self {
            bytes: leased.concat().into_bytes(),
            values: 0,
        };
        for (name, item) in memory.store().entries.items() {
            raw.bytes.extend_from_slice(name.as_bytes());
            match item.kept {
                Kept::Bytes(bytes) => raw.bytes.extend_from_slice(&bytes),
                Kept::Value(_) => raw.values += 1,
            }
        }
        raw
    }

    /// Which of these texts are in there: the key's template, its argument, the value.
    fn shows(&self) -> Vec<&'static str> {
        let mut words = vec!["patient", PATIENT, VALUE];
        words.retain(|word| {
            let mut parts = self.bytes.windows(word.len());
            parts.any(|part| part == word.as_bytes())
        });
        words
    }
}

/// What is shown while a value, a large value and a stream are computed, and when all three have been read from the cache.
fn shown_by(value: &'static Site, stream: &'static Site) -> ([Vec<&'static str>; 2], Raw) {
    let memory = Memory::new(2 << 20);
    let runtime = Runtime::builder().backend(memory.clone()).build();
    let runtime = runtime.expect("valid settings");
    let meanwhile = RefCell::new(Vec::new());
    let look = || meanwhile.borrow_mut().extend(Raw::of(&memory).shows());
    runtime.scope(|| {
        for _ in 0..2 {
            for repeats in [SMALL, LARGE] {
                let key = value.key::<String>(|| ()).arg(PATIENT).__text();
                let called = key.arg(&repeats).__text().__call().run(|| {
                    look();
                    VALUE.repeat(repeats)
                });
                assert_eq!(called.len(), repeats * VALUE.len());
            }
            let key = stream.key::<String>(|| ()).arg(PATIENT).__text();
            let items = key.__bytes().iter(|| {
                let item = |n| {
                    if n + 1 == ITEMS {
                        look();
                    }
                    VALUE.repeat(ITEM)
                };
                (0..ITEMS).map(item)
            });
            assert_eq!(items.count(), ITEMS);
        }
    });
    let stats = runtime.stats();
    assert_eq!((stats.hits, stats.stores), (3, 3));
    let raw = Raw::of(&memory);
    ([meanwhile.into_inner(), raw.shows()], raw)
}

#[test]
fn nothing_of_key_or_value_is_kept_of_what_is_sealed() {
    static SEALED: Site = Site::new("clinic", "value", &["patient:", ":"]).encrypt();
    static STREAM: Site = Site::new("clinic", "stream", &["patient:"]).encrypt();
    static PLAIN: Site = Site::new("clinic", "plain_value", &["patient:", ":"]);
    static PLAIN_STREAM: Site = Site::new("clinic", "plain_stream", &["patient:"]);

    let (shown, raw) = shown_by(&SEALED, &STREAM);
    assert_eq!(shown, [[""; 0]; 2]);
    assert_eq!(raw.values, 0);
    assert!(raw.bytes.len() > LARGE * VALUE.len() + ITEMS * ITEM * VALUE.len());

    // What would be found otherwise.
    let ([meanwhile, afterwards], _) = shown_by(&PLAIN, &PLAIN_STREAM);
    assert!(meanwhile.contains(&"patient") && meanwhile.contains(&PATIENT));
    assert_eq!(afterwards, ["patient", PATIENT, VALUE]);
}

/// `local = true` gives the value away, and still not the key's text.
#[test]
fn a_sealed_value_is_kept_as_it_is_where_that_is_asked_for() {
    static LOCAL: Site = Site::new("clinic", "local_value", &["patient:", ":"])
        .encrypt()
        .local();
    static STREAM: Site = Site::new("clinic", "beside_local", &["patient:"]).encrypt();
    let (shown, raw) = shown_by(&LOCAL, &STREAM);
    assert_eq!(shown, [[""; 0]; 2]);
    assert_eq!(raw.values, 1);
}
