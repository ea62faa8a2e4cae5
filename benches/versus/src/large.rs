//! A large value of bytes, sealed, beside the bare AEAD on as many.
//!
//! What memory costs that the system provides anew depends on what else the allocator holds. So it is measured in a process of its
//! own; once as it comes, and once with an allocator that gives nothing back, which shows what the rest takes.

use std::cell::Cell;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Tag};
use cache_memoize::{Memo, Memory, Runtime};
use serde_bytes::ByteBuf;

use crate::alone;
use crate::bench::{Bench, Rounds};
use crate::figure::Figure;
use crate::row::{Row, at_least};

pub const BYTES: usize = 12 << 20;

/// Has glibc keep what is freed.
const KEPT: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.trim_threshold=1073741824:glibc.malloc.mmap_threshold=1073741824",
);

/// Ours, and the two forms of the bare AEAD: in place, and in a buffer of its own.
const CONTESTS: [[&str; 3]; 2] = [
    ["write", "bare-seal", "fresh-seal"],
    ["read", "bare-open", "fresh-open"],
];

pub fn rows(bench: &Bench) -> Vec<Row> {
    let rounds = bench.or_quick("100", "1");
    let mut rows = Vec::new();
    for (how, variable, goal) in [
        ("", None, at_least(0.7)),
        (", memory kept", Some(KEPT), at_least(0.7)),
    ] {
        bench.progress(&format!("12 MiB{how}"));
        let found = bench.pinned(0, || alone::ask_with(variable, &["large", rounds]));
        for [ours, bare, fresh] in CONTESTS {
            let what = format!("12 MiB of bytes, {ours}{how}");
            let found = match &found {
                Ok(found) => found,
                Err(why) => {
                    rows.push(Row::missing(&what, why, goal));
                    continue;
                }
            };
            let number = |name: &str| {
                let found = found.iter().find(|(known, _)| known == name);
                found.map_or(f64::NAN, |(_, number)| *number)
            };
            let rate = |name| Figure::Throughput(BYTES as f64 / number(name));
            let faults = Figure::Count(number(&format!("{ours}-faults")));
            let theirs = ("aes-gcm, bare", rate(bare));
            rows.push(Row::ratio(&what, rate(ours), theirs, goal).beside([
                (
                    "aes-gcm, bare, in a buffer of its own".to_owned(),
                    rate(fresh),
                ),
                ("pages of ours that the system provided".to_owned(), faults),
            ]));
        }
    }
    rows
}

/// The process itself.
pub fn run(rounds: u32) {
    // The chunks of what was overwritten stay for a while, and would push out those that are read.
    let memory = Memory::new(512 << 20);
    let runtime = Runtime::builder()
        .backend(memory)
        .build()
        .expect("valid settings");
    let value = &ByteBuf::from(vec![0x5A; BYTES]);
    let (mut to_seal, mut to_open) = (value.to_vec(), value.to_vec());
    let mut sealed = value.to_vec();
    let tag = seal(&mut sealed);
    let (written, read) = (Cell::new(0), Cell::new(0));
    let times = Rounds::new()
        .timed("bare-seal", 1, || timed(|| _ = seal(&mut to_seal)))
        .timed("fresh-seal", 1, || {
            timed(|| _ = seal(&mut black_box(value.to_vec())))
        })
        .timed("write", 1, || {
            runtime.scope(|| {
                let memo = || Memo::new("large").encrypt();
                memo().invalidate();
                let value = value.clone();
                counted(&written, || {
                    drop(black_box(memo().get_or_compute(|| value)));
                })
            })
        })
        .timed("bare-open", 1, || {
            let tag = seal(&mut to_open);
            timed(|| open(&mut to_open, &tag))
        })
        .timed("fresh-open", 1, || {
            timed(|| open(&mut black_box(sealed.clone()), &tag))
        })
        .timed("read", 1, || {
            let never = || -> ByteBuf { panic!("it was written just now") };
            let memo = || Memo::new("large").encrypt();
            runtime.scope(|| counted(&read, || drop(black_box(memo().get_or_compute(never)))))
        })
        .run(&Bench::new(false), rounds);
    for name in CONTESTS.as_flattened() {
        println!("{name} {}", times.of(name));
    }
    for (name, faults) in [("write", written), ("read", read)] {
        println!("{name}-faults {}", faults.get() / u64::from(rounds));
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// The same, and adds the pages that the system provided meanwhile.
fn counted(faults: &Cell<u64>, work: impl FnOnce()) -> Duration {
    let before = minor_faults();
    let elapsed = timed(work);
    faults.set(faults.get() + minor_faults() - before);
    elapsed
}

fn minor_faults() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux tells of faults");
    // Behind the name, which may hold anything, it is the eighth.
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    let number = behind_name.split_whitespace().nth(7);
    number
        .and_then(|number| number.parse().ok())
        .expect("a number of faults")
}

/// With a key that is new to the AEAD, as each entry's is.
fn aead() -> Aes256Gcm {
    Aes256Gcm::new((&black_box([7; 32])).into())
}

fn seal(text: &mut [u8]) -> Tag {
    let tag = aead().encrypt_inout_detached((&[0; 12]).into(), b"", text.into());
    tag.expect("it is short enough")
}

fn open(text: &mut [u8], tag: &Tag) {
    let opened = aead().decrypt_inout_detached((&[0; 12]).into(), b"", text.into(), tag);
    opened.expect("it was sealed so");
}
