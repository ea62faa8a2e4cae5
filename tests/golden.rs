//! Entries that were written once and are kept in the repository: what a deployed process has stored must stay readable, and what
//! is written today must be readable by it.
//!
//! `UPDATE_GOLDEN=1 cargo test --all-features --test golden` writes those that are missing. Where the format has changed it first wants
//! another version byte, so that processes of before and after don't read each other's entries.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, Limits, Runtime, Stats, cache_memoize,
};
use memoize_runtime::testing::ManualClock;
use serde::{Deserialize, Serialize};

/// One of each thing that serde has a form for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    unit: (),
    flag: bool,
    small: (u8, i8, u16, i16),
    large: (u32, i32, u64, i64, u128, i128),
    fractions: (f32, f64),
    letter: char,
    text: String,
    maybe: Option<u32>,
    nothing: Option<u32>,
    list: Vec<Shape>,
    map: BTreeMap<String, u8>,
    marker: Marker,
    wrapped: Wrapped,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i32, i32),
    Box { width: u16, height: u16 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Marker;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u64);

fn record() -> Record {
    Record {
        unit: (),
        flag: true,
        small: (200, -100, 60_000, -30_000),
        large: (1 << 31, -1, u64::MAX, i64::MIN, 1 << 100, -(1 << 100)),
        fractions: (0.25, -1e300),
        letter: '🦀',
        text: "grüß dich\n".to_owned(),
        maybe: Some(7),
        nothing: None,
        list: vec![
            Shape::Point,
            Shape::Circle(1.5),
            Shape::Line(-3, 4),
            Shape::Box {
                width: 5,
                height: 6,
            },
        ],
        map: BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]),
        marker: Marker,
        wrapped: Wrapped(300),
    }
}

/// Long enough to be compressed, and shrinks.
fn long() -> Vec<String> {
    (0..100)
        .map(|n| format!("the line with the number {n}"))
        .collect()
}

/// What one kept file is about.
struct Case {
    name: &'static str,
    /// What its backend takes: little, where there are to be chunks.
    value_bytes: usize,
    /// Whether the same bytes are written each time: neither random numbers nor another crate's choice are in them.
    is_exact: bool,
    store: fn(),
    /// Calls the function, and checks what it returns.
    load: fn(),
}

const WHOLE: usize = 1 << 20;

/// More than a busy machine takes: what is given up as late isn't read or written, whatever the format.
const BUDGET: Duration = Duration::from_secs(600);

/// A function for each way to store a value, and its case.
macro_rules! value {
    ($name:ident, $value:ident, $Value:ty, $value_bytes:expr, $is_exact:expr, [$($option:tt)*]) => {{
        #[cache_memoize(expiration = "30d", $($option)*)]
        fn $name() -> $Value {
            $value()
        }
        Case {
            name: stringify!($name),
            value_bytes: $value_bytes,
            is_exact: $is_exact,
            store: || assert!($name::prime($value())),
            load: || assert_eq!($name(), $value()),
        }
    }};
}

/// The same for a stream.
macro_rules! stream {
    ($name:ident, [$($option:tt)*]) => {{
        #[cache_memoize(expiration = "30d", $($option)*)]
        fn $name() -> impl Iterator<Item = String> {
            long().into_iter()
        }
        Case {
            name: stringify!($name),
            value_bytes: 1200,
            is_exact: false,
            store: || assert_eq!($name().count(), 100),
            load: || assert!($name().eq(long())),
        }
    }};
}

fn cases() -> Vec<Case> {
    let mut cases = plain_cases();
    cases.extend(sealed_cases());
    cases
}

fn plain_cases() -> Vec<Case> {
    vec![
        value!(
            plain,
            record,
            Record,
            WHOLE,
            true,
            [key = "golden:plain", compress = false]
        ),
        value!(
            chunked,
            long,
            Vec<String>,
            1200,
            false,
            [key = "golden:chunked", compress = false]
        ),
        value!(
            versioned,
            record,
            Record,
            WHOLE,
            true,
            [key = "golden:versioned", version = 7, compress = false]
        ),
        stream!(plain_stream, [key = "golden:stream", compress = false]),
        #[cfg(feature = "compress")]
        value!(
            compressed,
            long,
            Vec<String>,
            WHOLE,
            false,
            [key = "golden:compressed"]
        ),
        #[cfg(feature = "compress")]
        stream!(compressed_stream, [key = "golden:compressed_stream"]),
        #[cfg(feature = "msgpack")]
        value!(
            msgpack,
            record,
            Record,
            WHOLE,
            true,
            [key = "golden:msgpack", codec = "msgpack", compress = false]
        ),
        #[cfg(feature = "msgpack")]
        stream!(
            msgpack_stream,
            [
                key = "golden:msgpack_stream",
                codec = "msgpack",
                compress = false
            ]
        ),
    ]
}

#[cfg(not(feature = "encrypt"))]
fn sealed_cases() -> Vec<Case> {
    Vec::new()
}

#[cfg(feature = "encrypt")]
fn sealed_cases() -> Vec<Case> {
    vec![
        value!(
            sealed,
            record,
            Record,
            WHOLE,
            false,
            [key = "golden:sealed", encrypt]
        ),
        value!(
            sealed_chunked,
            long,
            Vec<String>,
            1200,
            false,
            [key = "golden:sealed_chunked", encrypt]
        ),
        stream!(sealed_stream, [key = "golden:sealed_stream", encrypt]),
        #[cfg(feature = "compress")]
        value!(
            sealed_compressed,
            long,
            Vec<String>,
            WHOLE,
            false,
            [key = "golden:sealed_compressed", encrypt, compress = true]
        ),
        #[cfg(feature = "msgpack")]
        value!(
            sealed_msgpack,
            record,
            Record,
            WHOLE,
            false,
            [key = "golden:sealed_msgpack", encrypt, codec = "msgpack"]
        ),
        #[cfg(feature = "msgpack")]
        stream!(
            sealed_msgpack_stream,
            [
                key = "golden:sealed_msgpack_stream",
                encrypt,
                codec = "msgpack"
            ]
        ),
    ]
}

/// The time at which the entries were written.
fn runtime(shelf: &Shelf, later: Duration) -> Runtime {
    let clock = ManualClock::new();
    clock.advance(later);
    let builder = Runtime::builder()
        .namespace("golden")
        .clock(clock)
        .budget(BUDGET)
        .backend(shelf.clone());
    #[cfg(feature = "encrypt")]
    let builder = {
        // Kept in the open, so that the entries stay readable: it seals nothing else.
        let secret = "9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4f1a3c";
        builder.secret(cache_memoize::Secret::from_hex(secret).expect("32 bytes"))
    };
    builder.build().expect("valid settings")
}

fn written(case: &Case) -> Entries {
    let shelf = Shelf::new(case.value_bytes, Entries::new());
    runtime(&shelf, Duration::ZERO).scope(case.store);
    shelf.entries().clone()
}

#[test]
fn entries_of_before_are_read() {
    for case in cases() {
        let Some(kept) = read(case.name) else {
            panic!("{} is missing; run with UPDATE_GOLDEN=1", case.name);
        };
        for later in [Duration::ZERO, Duration::from_secs(29 * 24 * 3600)] {
            let runtime = runtime(&Shelf::new(case.value_bytes, kept.clone()), later);
            runtime.scope(case.load);
            let Stats {
                hits,
                computations,
                faults,
                ..
            } = runtime.stats();
            assert_eq!(
                (hits, computations, faults),
                (1, 0, 0),
                "{}: what was stored can't be read any more; {FIX}",
                case.name
            );
        }
        let expired = Duration::from_secs(30 * 24 * 3600);
        let runtime = runtime(&Shelf::new(case.value_bytes, kept), expired);
        runtime.scope(case.load);
        assert_eq!((runtime.stats().hits, runtime.stats().expired), (0, 1));
    }
}

#[test]
fn entries_are_written_as_before() {
    for case in cases() {
        let fresh = written(&case);
        let kept = read(case.name);
        let is_same = kept.as_ref().is_some_and(|kept| {
            outline(kept) == outline(&fresh) && (!case.is_exact || *kept == fresh)
        });
        if is_same {
            continue;
        }
        assert!(
            std::env::var_os("UPDATE_GOLDEN").is_some(),
            "{}: the format of entries has changed; {FIX}",
            case.name
        );
        if let Some(kept) = kept {
            assert!(
                version(&fresh) > version(&kept),
                "{}: the format has changed, and its version byte has not; {FIX}",
                case.name
            );
        }
        write(case.name, &fresh);
    }
}

const FIX: &str = "if that is meant, raise `VERSION` in `memoize-runtime/src/entry/header.rs`, so that processes of before and after don't read \
                   each other's entries, and run with UPDATE_GOLDEN=1";

#[test]
fn no_kept_entry_is_left_over() {
    let names: Vec<&str> = cases().iter().map(|case| case.name).collect();
    let all_features = cfg!(all(
        feature = "encrypt",
        feature = "compress",
        feature = "msgpack"
    ));
    for file in fs::read_dir(folder()).expect("it is in the repository") {
        let path = file.expect("it is in the repository").path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        assert!(
            !all_features || names.contains(&&*name),
            "{name} belongs to no case; remove it"
        );
    }
}

type Entries = BTreeMap<String, Bytes>;

/// What is the same each time: names, where a chunk's generation is random, and lengths; of what is no chunk, the header.
fn outline(entries: &Entries) -> Vec<(String, usize, Bytes)> {
    let mut outline: Vec<_> = entries
        .iter()
        .map(
            |(name, bytes)| match name.rsplitn(3, '.').collect::<Vec<_>>()[..] {
                [index, generation, of] if generation.len() == 22 => {
                    (format!("{of}.*.{index}"), bytes.len(), Bytes::new())
                }
                _ => (name.clone(), bytes.len(), bytes.slice(..32)),
            },
        )
        .collect();
    outline.sort();
    outline
}

fn version(entries: &Entries) -> u8 {
    let (.., header) = outline(entries)
        .into_iter()
        .find(|(.., header)| !header.is_empty())
        .expect("one is no chunk");
    header[2]
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Lines of a name and the bytes in hexadecimal.
fn read(name: &str) -> Option<Entries> {
    let text = fs::read_to_string(folder().join(name).with_extension("hex")).ok()?;
    let bytes = |hex: &str| {
        let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
        (0..hex.len()).step_by(2).map(digit).collect::<Bytes>()
    };
    let entries = text.lines().map(|line| {
        let (name, hex) = line.split_once(' ').expect("a name, a space, bytes");
        (name.to_owned(), bytes(hex))
    });
    Some(entries.collect())
}

fn write(name: &str, entries: &Entries) {
    use std::fmt::Write;
    let mut text = String::new();
    for (name, bytes) in entries {
        let _ = write!(text, "{name} ");
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }
    let path = folder().join(name).with_extension("hex");
    fs::write(path, text).expect("the folder can be written to");
}

/// A backend that holds what it is given.
#[derive(Clone)]
struct Shelf {
    entries: Arc<Mutex<Entries>>,
    value_bytes: usize,
}

impl Shelf {
    fn new(value_bytes: usize, entries: Entries) -> Self {
        Self {
            entries: Arc::new(Mutex::new(entries)),
            value_bytes,
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().expect("no test panics in here")
    }
}

impl Backend for Shelf {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        Ok(self.entries().get(key).cloned())
    }

    fn set(&self, key: &str, value: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        self.entries().insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.entries().remove(key);
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::new().value_bytes(self.value_bytes)
    }
}
