//! How much memory a stream of a gigabyte takes, written to a directory and read back.
//!
//! `cargo bench --bench gigabyte`; `MEBIBYTES` by environment variable, 1024 unless given. It fails where memory grows by
//! more than 16 MiB, and where an item is not handed on at once. Memory is the peak that Linux tells of; elsewhere only
//! the rest is shown.

use std::cell::Cell;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use cache_memoize::{Backend, BackendError, Bytes, Deadline, Limits, Memo, Runtime};

const MIB: u64 = 1 << 20;

/// The most by which memory may grow.
const MOST: u64 = 16 * MIB;

const ITEM: usize = 1000;

/// A file for each entry; gone when it is dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("cache-memoize-gigabyte-{}", process::id()));
        fs::create_dir(&path).expect("a directory for temporary files");
        Self(path)
    }

    fn bytes(&self) -> u64 {
        let files = fs::read_dir(&self.0).expect("our own directory");
        files
            .map(|file| {
                file.and_then(|file| file.metadata())
                    .map_or(0, |file| file.len())
            })
            .sum()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("our own directory");
    }
}

/// The same, as a backend.
struct Files(PathBuf);

impl Files {
    fn path(&self, key: &str) -> PathBuf {
        self.0.join(key.replace(':', "_"))
    }
}

fn failed(error: std::io::Error) -> BackendError {
    BackendError::new("a file could not be used").with_source(error)
}

impl Backend for Files {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        match fs::read(self.path(key)) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn set(&self, key: &str, value: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        fs::write(self.path(key), value).map_err(failed)
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        fs::remove_file(self.path(key)).map_err(failed)
    }

    fn limits(&self) -> Limits {
        Limits::new()
    }
}

/// The most memory that this process had resident since the last call.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    // "5" resets the peak; where that is not allowed it stays, and hides nothing.
    fs::write("/proc/self/clear_refs", "5").ok()?;
    Some(kib * 1024)
}

/// Items that don't compress, the same in each run.
fn items(count: u64, produced: &Cell<u64>) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|index| {
        produced.set(index + 1);
        let mut state = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut item = Vec::with_capacity(ITEM);
        while item.len() < ITEM {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            item.extend_from_slice(&state.to_le_bytes());
        }
        item
    })
}

fn run(directory: &Path, mebibytes: u64) {
    let runtime = Runtime::builder()
        .backend(Files(directory.to_owned()))
        .build()
        .expect("valid settings");
    let count = mebibytes * MIB / ITEM as u64;
    let before = peak();
    for step in ["written", "read"] {
        let produced = Cell::new(0);
        let started = Instant::now();
        let (mut first, mut taken, mut sum) = (None, 0_u64, 0_u64);
        runtime.scope(|| {
            for item in Memo::new("gigabyte").iter(|| items(count, &produced)) {
                first.get_or_insert_with(|| started.elapsed());
                taken += 1;
                sum = sum.wrapping_add(item.iter().map(|byte| u64::from(*byte)).sum());
                assert!(
                    step == "read" || produced.get() == taken,
                    "an item was held back"
                );
            }
        });
        assert_eq!((taken, produced.get() == 0), (count, step == "read"));
        let took = started.elapsed();
        println!(
            "{step}: {mebibytes} MiB in {:.1} s, {} MiB/s, first item after {:.2} ms, sum {sum:x}",
            took.as_secs_f64(),
            u128::from(mebibytes) * 1000 / took.as_millis().max(1),
            first.expect("there is an item").as_secs_f64() * 1e3,
        );
        if let (Some(before), Some(peak)) = (before, peak()) {
            let grown = peak.saturating_sub(before);
            println!("{step}: peak memory grew by {} KiB", grown / 1024);
            assert!(grown <= MOST, "memory grew by {grown} bytes");
        }
    }
}

fn main() {
    // `cargo test` runs this too, to see that it works.
    let measures = env::args().any(|argument| argument == "--bench");
    let mebibytes = match env::var("MEBIBYTES") {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => {
            if measures {
                1024
            } else {
                8
            }
        }
    };
    let directory = Directory::new();
    run(&directory.0, mebibytes);
    println!("on disk: {} MiB", directory.bytes() / MIB);
}
