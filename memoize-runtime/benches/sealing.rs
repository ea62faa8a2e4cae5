//! What sealing costs: `cargo bench -p memoize-runtime --bench sealing`, and the same with `--features aws-lc-rs`.
//!
//! Each figure is the least of many rounds in which everything is measured in turn, so that a slow moment of the machine
//! is nobody's disadvantage. The bare AEAD gets its key anew for each message, as an entry does.

use std::env;
use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use memoize_runtime::{Bytes, Memo, Memory, Runtime, Secret};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use sha2::Sha256;

const MIB: usize = 1 << 20;

type Small = (u64, String, bool);

/// Bytes that serde takes as bytes, and which cost nothing to clone.
#[derive(Clone)]
struct Blob(Bytes);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsBytes;

        impl Visitor<'_> for AsBytes {
            type Value = Blob;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(Bytes::copy_from_slice(bytes)))
            }
        }

        deserializer.deserialize_bytes(AsBytes)
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Sealed,
}

fn memo(kind: Kind, key: &str) -> Memo {
    match kind {
        Kind::Plain => Memo::new(key),
        Kind::Sealed => Memo::new(key).encrypt(),
    }
}

fn read<T: memoize_runtime::Cacheable>(kind: Kind, key: &str) -> T {
    memo(kind, key).get_or_compute(|| unreachable!("it was written"))
}

fn write<T: memoize_runtime::Cacheable>(kind: Kind, key: &str, value: T) -> T {
    memo(kind, key)
        .force_overwrite(true)
        .get_or_compute(|| value)
}

/// The AEAD that the runtime uses, and nothing around it.
#[cfg(not(feature = "aws-lc-rs"))]
mod bare {
    use aes_gcm::aead::AeadInOut;
    use aes_gcm::{Aes256Gcm, KeyInit};

    pub(crate) const NAME: &str = "aes-gcm";

    pub(crate) fn seal(key: &[u8; 32], text: &mut [u8]) -> [u8; 16] {
        Aes256Gcm::new(key.into())
            .encrypt_inout_detached((&[0; 12]).into(), b"", text.into())
            .expect("it is short")
            .into()
    }

    pub(crate) fn open(key: &[u8; 32], text: &mut [u8], tag: &[u8; 16]) {
        Aes256Gcm::new(key.into())
            .decrypt_inout_detached((&[0; 12]).into(), b"", text.into(), tag.into())
            .expect("it was sealed so");
    }
}

#[cfg(feature = "aws-lc-rs")]
mod bare {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

    pub(crate) const NAME: &str = "aws-lc-rs";

    fn key(key: &[u8; 32]) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes"))
    }

    fn nonce() -> Nonce {
        Nonce::assume_unique_for_key([0; 12])
    }

    pub(crate) fn seal(bytes: &[u8; 32], text: &mut [u8]) -> [u8; 16] {
        let tag = key(bytes).seal_in_place_separate_tag(nonce(), Aad::empty(), text);
        let tag = tag.expect("it is short");
        tag.as_ref().try_into().expect("16 bytes")
    }

    pub(crate) fn open(bytes: &[u8; 32], text: &mut [u8], tag: &[u8; 16]) {
        key(bytes)
            .open_in_place_separate_tag(nonce(), Aad::empty(), tag, text)
            .expect("it was sealed so");
    }
}

/// What is derived for each entry, from states that are kept as the runtime keeps them: its name, then its key, nonce and
/// commitment.
struct Derivation {
    name: Hmac<Sha256>,
    seal: Hkdf<Sha256>,
}

impl Derivation {
    fn new() -> Self {
        Self {
            name: Hmac::new_from_slice(&[7; 32]).expect("HMAC takes keys of any length"),
            seal: Hkdf::from_prk(&[7; 32]).expect("the key has the length of a SHA-256"),
        }
    }

    fn run(&self, full_key: &str) -> [u8; 60] {
        let name = self.name.clone().chain_update(full_key).finalize();
        let (header, salt) = ([7; 32], [7; 16]);
        let info: [&[u8]; 4] = [b"cm1 entry", &header, &salt, &name.into_bytes()];
        let mut okm = [0; 60];
        self.seal
            .expand_multi_info(&info, &mut okm)
            .expect("it is short");
        okm
    }
}

/// Bare opening needs something that was sealed, and leaves it opened: it is sealed again out of the clock's sight.
fn bare_open(text: &mut [u8], repeat: u32) -> Duration {
    let key = black_box([7; 32]);
    let mut total = Duration::ZERO;
    for _ in 0..repeat {
        let tag = bare::seal(&key, text);
        total += timed(1, || bare::open(&key, black_box(text), &tag));
    }
    total / repeat
}

fn timed<T>(repeat: u32, mut run: impl FnMut() -> T) -> Duration {
    let started = Instant::now();
    for _ in 0..repeat {
        black_box(run());
    }
    started.elapsed() / repeat
}

fn main() {
    let secret =
        Secret::from_hex("9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4f1a3c");
    let runtime = Runtime::builder()
        .backend(Memory::new(512 << 20))
        .secret(secret.expect("it is random"))
        .build()
        .expect("valid settings");
    // `cargo test` runs this too, to see that it works.
    let measures = env::args().any(|argument| argument == "--bench");
    runtime.scope(|| measure(if measures { 200 } else { 1 }));
}

fn measure(rounds: u32) {
    let small: Small = (7, "Ada Lovelace".to_owned(), true);
    let large = Blob(Bytes::from(vec![0x5A; MIB]));
    for kind in [Kind::Plain, Kind::Sealed] {
        write(kind, "small", small.clone());
        write(kind, "large", large.clone());
    }
    let mut small_text = [0x5A; 40];
    let mut large_text = vec![0x5A; MIB];

    let derivation = Derivation::new();

    let mut least = [Duration::MAX; 11];
    for _ in 0..rounds {
        let key = black_box([7; 32]);
        let round = [
            timed(200, || read::<Small>(Kind::Plain, "small")),
            timed(200, || read::<Small>(Kind::Sealed, "small")),
            timed(200, || write(Kind::Plain, "small", small.clone())),
            timed(200, || write(Kind::Sealed, "small", small.clone())),
            timed(200, || derivation.run(black_box("cache:small"))),
            timed(200, || bare::seal(&key, &mut small_text)),
            timed(2, || read::<Blob>(Kind::Plain, "large")),
            timed(2, || read::<Blob>(Kind::Sealed, "large")),
            bare_open(&mut large_text, 2),
            timed(2, || write(Kind::Sealed, "large", large.clone())),
            timed(2, || bare::seal(&key, &mut large_text)),
        ];
        for (least, time) in least.iter_mut().zip(round) {
            *least = time.min(*least);
        }
    }
    report(rounds, &least);
}

fn report(
    rounds: u32,
    &[
        plain_hit,
        sealed_hit,
        plain_store,
        sealed_store,
        derive,
        bare_small,
        plain_read,
        sealed_read,
        bare_open,
        sealed_write,
        bare_seal,
    ]: &[Duration; 11],
) {
    println!("the AEAD is {}; the least of {rounds} rounds", bare::NAME);
    println!("small value, memory backend");
    println!("  hit    plain {plain_hit:>9.2?}   sealed {sealed_hit:>9.2?}");
    println!("  store  plain {plain_store:>9.2?}   sealed {sealed_store:>9.2?}");
    println!("  name, key, nonce and commitment derived {derive:.2?}");
    println!("  bare AEAD, 40 bytes, its key included {bare_small:.2?}");
    println!("value of 1 MiB, memory backend");
    let line = |name, time: Duration, bare: Duration| {
        let rate = f64::from(1 << 20) / time.as_secs_f64() / 1e9;
        let share = bare.as_secs_f64() / time.as_secs_f64();
        println!("  {name:<11} {time:>9.2?}   {rate:>5.2} GB/s   {share:.2} of the bare AEAD");
    };
    println!("  read plain  {plain_read:>9.2?}");
    line("read", sealed_read, bare_open);
    line("bare open", bare_open, bare_open);
    line("write", sealed_write, bare_seal);
    line("bare seal", bare_seal, bare_seal);
}
