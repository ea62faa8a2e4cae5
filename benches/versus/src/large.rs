//! A large value of bytes, sealed, beside the bare AEAD on as many.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use cache_memoize::{Memo, Memory, Runtime};
use serde_bytes::ByteBuf;

use crate::bench::{Bench, Rounds};
use crate::figure::Figure;
use crate::row::{Row, at_least};

pub const BYTES: usize = 12 << 20;

pub fn rows(bench: &Bench) -> Vec<Row> {
    // The chunks of what was overwritten stay for a while, and would push out those that are read.
    let memory = Memory::new(512 << 20);
    let runtime = Runtime::builder()
        .backend(memory)
        .build()
        .expect("valid settings");
    let value = ByteBuf::from(vec![0x5A; BYTES]);
    let times = bench.pinned(0, || {
        let (mut sealed, mut opened) = (value.to_vec(), value.to_vec());
        Rounds::new()
            .timed("bare seal", 1, || bare(&mut sealed).0)
            .timed("write", 1, || {
                runtime.scope(|| {
                    let memo = || Memo::new("large").encrypt();
                    memo().invalidate();
                    let value = value.clone();
                    timed(|| drop(black_box(memo().get_or_compute(|| value))))
                })
            })
            .timed("bare open", 1, || bare(&mut opened).1)
            .timed("read", 1, || {
                let never = || -> ByteBuf { panic!("it was written just now") };
                let read = || Memo::new("large").encrypt().get_or_compute(never);
                runtime.scope(|| timed(|| drop(black_box(read()))))
            })
            .run(bench, bench.or_quick(100, 1))
    });
    let rate = |name| Figure::Throughput(BYTES as f64 / times.of(name));
    ["write", "read"]
        .into_iter()
        .zip(["bare seal", "bare open"])
        .map(|(ours, theirs)| {
            let what = format!("12 MiB of bytes, {ours}");
            Row::ratio(
                &what,
                rate(ours),
                ("aes-gcm, bare", rate(theirs)),
                at_least(0.7),
            )
        })
        .collect()
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// Seals and opens in place, with a key that is new to the AEAD, as each entry's is.
fn bare(text: &mut [u8]) -> (Duration, Duration) {
    let aead = || Aes256Gcm::new((&black_box([7; 32])).into());
    let started = Instant::now();
    let tag = aead().encrypt_inout_detached((&[0; 12]).into(), b"", text.into());
    let (tag, sealed) = (tag.expect("it is short enough"), started.elapsed());
    let started = Instant::now();
    let opened = aead().decrypt_inout_detached((&[0; 12]).into(), b"", text.into(), &tag);
    opened.expect("it was sealed so");
    (sealed, started.elapsed())
}
