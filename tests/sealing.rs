//! Sealed entries through the public API: what is stored, what is read, and what is neither.
#![cfg(feature = "encrypt")]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use cache_memoize::{
    Backend, BackendError, Bytes, Deadline, KeyOptions, Lease, Limits, Lookup, Memo, Memory,
    Runtime, RuntimeBuilder, Secret, Stats, cache_memoize, make_cache_key,
};
use memoize_runtime::testing::ManualClock;

const KEY: (&str, &str) = ("patient", "Ada Lovelace");
const VALUE: &str = "the diagnosis that nobody else may read";
const LIFE: Duration = Duration::from_secs(60);

/// A shared backend in plain sight: what was stored, and what was asked.
#[derive(Clone, Default)]
struct Open {
    entries: Arc<Mutex<BTreeMap<String, Bytes>>>,
    asked: Arc<Mutex<Vec<String>>>,
    private: bool,
}

impl Open {
    fn private() -> Self {
        Self {
            private: true,
            ..Self::default()
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.entries.lock().expect("no test panics in here")
    }

    fn names(&self) -> Vec<String> {
        self.entries().keys().cloned().collect()
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no test panics in here"))
    }

    fn note(&self, question: String) {
        self.asked
            .lock()
            .expect("no test panics in here")
            .push(question);
    }

    /// Replaces the one entry there is.
    fn change(&self, change: impl Fn(Vec<u8>) -> Vec<u8>) {
        let mut entries = self.entries();
        assert_eq!(entries.len(), 1);
        for bytes in entries.values_mut() {
            *bytes = change(bytes.to_vec()).into();
        }
    }
}

impl Backend for Open {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        self.note("get".to_owned());
        Ok(self.entries().get(key).cloned())
    }

    fn set(&self, key: &str, value: Bytes, _: Duration, _: Deadline) -> Result<(), BackendError> {
        self.note("set".to_owned());
        self.entries().insert(key.to_owned(), value);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        self.note("delete".to_owned());
        self.entries().remove(key);
        Ok(())
    }

    fn get_many(&self, keys: &[&str], _: Deadline) -> Result<Vec<Option<Bytes>>, BackendError> {
        self.note(format!("get_many of {}", keys.len()));
        let entries = self.entries();
        Ok(keys.iter().map(|key| entries.get(*key).cloned()).collect())
    }

    fn get_many_or_lease(
        &self,
        key: &str,
        others: &[&str],
        _: Duration,
        deadline: Deadline,
    ) -> Result<(Lookup, Vec<Option<Bytes>>), BackendError> {
        let mut found = self.get_many(&[&[key], others].concat(), deadline)?;
        let granted = Lookup::Granted(Lease::UNCONDITIONAL);
        let lookup = found.remove(0).map_or(granted, Lookup::Found);
        Ok((lookup, found))
    }

    fn delete_many(&self, keys: &[&str], _: Deadline) -> Result<(), BackendError> {
        self.note(format!("delete_many of {}", keys.len()));
        for key in keys {
            self.entries().remove(*key);
        }
        Ok(())
    }

    fn limits(&self) -> Limits {
        // Little, so that what is larger is in chunks.
        let limits = Limits::new().shared(!self.private).blocking(false);
        limits.value_bytes(4096)
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().expect("no test panics in here");
        log.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn secret(number: u64) -> Secret {
    // Random enough for the checks, and told apart.
    let mut bytes = *b"\x9f\x3c\x5d\x0b\xe2\xa1\x47\x86\xb1\xe0\xc7\xd2\xf4\xa8\x93\x5e\x6c\x1b\x7d\x20\xa4\xe8\xf3\x91\0\0\0\0\0\0\0\0";
    bytes[24..].copy_from_slice(&number.to_le_bytes());
    Secret::from_bytes(bytes).expect("it is long enough")
}

fn build(builder: RuntimeBuilder) -> Runtime {
    builder.build().expect("valid settings")
}

fn sealed(backend: &Open) -> Runtime {
    build(
        Runtime::builder()
            .backend(backend.clone())
            .secret(secret(1)),
    )
}

fn memo() -> Memo {
    Memo::new(KEY).expiration(LIFE).encrypt()
}

/// Asks for the value; whether it was computed.
fn is_computed(runtime: &Runtime, memo: impl FnOnce() -> Memo) -> bool {
    let mut computed = false;
    let value: String = runtime.scope(|| {
        memo().get_or_compute(|| {
            computed = true;
            VALUE.to_owned()
        })
    });
    assert_eq!(value, VALUE);
    computed
}

#[test]
fn nothing_that_is_stored_shows_key_or_value() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    assert!(is_computed(&runtime, memo));
    assert!(!is_computed(&runtime, memo));

    let entries = backend.entries();
    let (name, entry) = entries.first_key_value().expect("it was stored");
    let everything = [name.as_bytes(), entry].concat();
    for word in ["patient", "Ada", "Lovelace", "diagnosis", "cache", VALUE] {
        let shown = everything
            .windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word.as_bytes()));
        assert!(!shown, "{word}");
    }
}

#[test]
fn without_a_secret_a_backend_of_our_own_is_sealed_all_the_same() {
    let backend = Open::private();
    let runtime = build(Runtime::builder().backend(backend.clone()));
    assert!(is_computed(&runtime, memo));
    assert!(!is_computed(&runtime, memo));
    assert!(backend.names()[0].starts_with("cm1e:"));

    let other_process = build(Runtime::builder().backend(backend));
    assert!(is_computed(&other_process, memo));
}

#[test]
fn without_a_secret_nothing_is_stored_on_a_shared_backend() {
    let backend = Open::default();
    let runtime = build(Runtime::builder().backend(backend.clone()));
    for _ in 0..3 {
        assert!(is_computed(&runtime, memo));
    }
    runtime.scope(|| {
        assert_eq!(memo().key().as_str(), "!");
        assert!(!memo().invalidate(), "another process may have stored it");
    });
    assert_eq!(backend.asked(), [""; 0]);
    let stats = runtime.stats();
    assert_eq!((stats.unsealed, stats.stores, stats.misses()), (4, 0, 0));

    // What is not to be sealed is not affected.
    let plain = || Memo::new(KEY);
    assert!(is_computed(&runtime, plain));
    assert!(!is_computed(&runtime, plain));
}

#[test]
fn that_there_is_no_secret_is_said_once_and_clearly() {
    let log = Log::default();
    let (writer, here) = (log.clone(), thread::current().id());
    let of_this_thread = move || {
        if thread::current().id() == here {
            writer.clone()
        } else {
            Log::default()
        }
    };
    // For all threads: what is first logged by one without a subscriber may be taken for of no interest to anybody.
    let subscriber = tracing_subscriber::fmt().with_writer(of_this_thread);
    subscriber.with_ansi(false).init();
    let runtime = build(Runtime::builder().backend(Open::default()));
    for _ in 0..3 {
        assert!(is_computed(&runtime, memo));
    }
    let log = log.0.lock().expect("no test panics in here");
    let log = str::from_utf8(&log).expect("text");
    assert_eq!(log.matches("there is no secret").count(), 1, "{log}");
    assert!(
        log.contains("WARN") && log.contains("`CACHE_MEMOIZE_SECRET`"),
        "{log}"
    );
    assert!(!log.contains("Ada") && !log.contains(VALUE), "{log}");
}

#[test]
fn a_secret_of_ones_own_needs_none_of_the_runtimes() {
    let backend = Open::default();
    let runtime = build(Runtime::builder().backend(backend.clone()));
    let (one, other) = (secret(1), secret(2));
    let with = |secret: &Secret| Memo::new(KEY).encryption_key(secret);
    assert!(is_computed(&runtime, || with(&one)));
    assert!(!is_computed(&runtime, || with(&one)));
    assert!(is_computed(&runtime, || with(&other)));
    assert_eq!(backend.names().len(), 2);

    // It is the same entry as where the runtime has that secret.
    assert!(!is_computed(&sealed(&backend), memo));
}

#[test]
fn everything_is_sealed_where_it_is_forced() {
    let backend = Open::default();
    let forced = || {
        Runtime::builder()
            .backend(backend.clone())
            .force_encryption(true)
    };
    let runtime = build(forced().secret(secret(1)));
    assert!(is_computed(&runtime, || Memo::new(KEY)));
    assert!(backend.names()[0].starts_with("cm1e:"));
    // A function that asks for it reads the same entry.
    assert!(!is_computed(&sealed(&backend), memo));

    let error = forced().build().expect_err("it could store nothing");
    assert!(error.to_string().contains("`force_encryption`"), "{error}");
}

#[test]
fn keys_are_shown_as_they_are_stored() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    is_computed(&runtime, memo);
    runtime.scope(|| {
        let stored = backend.names();
        assert_eq!(memo().key().as_str(), stored[0]);
        assert_eq!(
            make_cache_key(KEY, &KeyOptions::new().encrypt()).as_str(),
            stored[0]
        );
        let own = KeyOptions::new().encryption_key(&secret(1));
        assert_eq!(make_cache_key(KEY, &own).as_str(), stored[0]);
        assert_ne!(
            make_cache_key(KEY, &own.namespace("other")).as_str(),
            stored[0]
        );
    });
}

#[test]
fn what_was_sealed_with_a_previous_secret_is_a_hit_and_sealed_anew() {
    let backend = Open::default();
    assert!(is_computed(&sealed(&backend), memo));
    let old = backend.names();
    backend.asked();

    let rotated = build(
        Runtime::builder()
            .backend(backend.clone())
            .secret(secret(2))
            .previous_secret(secret(1))
            .previous_secret(secret(0)),
    );
    assert!(!is_computed(&rotated, memo));
    assert_eq!(backend.asked(), ["get_many of 3", "set", "get"]);
    assert_eq!((rotated.stats().hits, rotated.stats().resealed), (1, 1));
    // Found under the current name, it stays.
    assert!(!is_computed(&rotated, memo));
    assert_eq!(backend.asked(), ["get_many of 3"]);

    // What was written is the current secret's alone.
    backend.entries().retain(|name, _| !old.contains(name));
    let after = build(
        Runtime::builder()
            .backend(backend.clone())
            .secret(secret(2)),
    );
    assert!(!is_computed(&after, memo));
    assert!(is_computed(&sealed(&backend), memo));
}

#[test]
fn rotation_prolongs_nothing() {
    let backend = Open::default();
    let clock = ManualClock::new();
    let runtime =
        |builder: RuntimeBuilder| build(builder.backend(backend.clone()).clock(clock.clone()));
    let old = runtime(Runtime::builder().secret(secret(1)));
    let new = runtime(
        Runtime::builder()
            .secret(secret(2))
            .previous_secret(secret(1)),
    );
    assert!(is_computed(&old, memo));
    let millisecond = Duration::from_millis(1);
    clock.advance(LIFE.saturating_sub(millisecond));
    assert!(!is_computed(&new, memo), "sealed anew at the last moment");
    assert!(!is_computed(&new, memo));
    clock.advance(millisecond);
    assert!(is_computed(&new, memo));
    let stats = new.stats();
    let under_both = (stats.expired, stats.passed_over, stats.misses());
    assert_eq!(under_both, (2, 1, 1));
}

#[test]
fn invalidation_reaches_all_names() {
    let backend = Open::default();
    assert!(is_computed(&sealed(&backend), memo));
    let rotated = build(
        Runtime::builder()
            .backend(backend.clone())
            .secret(secret(2))
            .previous_secret(secret(1)),
    );
    assert!(!is_computed(&rotated, memo));
    assert_eq!(backend.names().len(), 2);
    backend.asked();
    assert!(rotated.scope(|| memo().invalidate()));
    // Before and after the current name, for processes that take the one for the other.
    assert_eq!(
        backend.asked(),
        [
            "get_many of 2",
            "delete_many of 1",
            "delete",
            "delete_many of 1"
        ]
    );
    assert_eq!(backend.names(), [""; 0]);
}

#[test]
fn what_cannot_be_read_under_the_current_name_does_not_hide_the_previous() {
    let backend = Open::default();
    assert!(is_computed(&sealed(&backend), memo));
    let rotated = build(
        Runtime::builder()
            .backend(backend.clone())
            .secret(secret(2))
            .previous_secret(secret(1)),
    );
    let name = rotated.scope(|| memo().key());
    backend
        .entries()
        .insert(name.as_str().to_owned(), Bytes::from_static(b"rubbish"));
    assert!(!is_computed(&rotated, memo));
}

#[test]
fn each_reason_is_counted_apart() {
    type Change = fn(Vec<u8>) -> Vec<u8>;
    type Counted = fn(Stats) -> u64;
    let cases: [(&str, Change, Counted); 6] = [
        (
            "tampered",
            |mut entry| {
                let last = entry.len() - 1;
                entry[last] ^= 1;
                entry
            },
            |stats| stats.tampered,
        ),
        (
            "unknown key",
            |mut entry| {
                entry[4] ^= 1;
                entry
            },
            |stats| stats.unknown_key,
        ),
        (
            "expired",
            |mut entry| {
                entry[24..32].fill(0);
                entry
            },
            |stats| stats.expired,
        ),
        (
            "wrong type",
            |mut entry| {
                entry[8] ^= 1;
                entry
            },
            |stats| stats.wrong_type,
        ),
        (
            "downgrade",
            |mut entry| {
                entry[3] = 0;
                entry
            },
            |stats| stats.downgraded,
        ),
        ("damaged", |_| b"rubbish".to_vec(), |stats| stats.damaged),
    ];
    for (reason, change, counted) in cases {
        let backend = Open::default();
        let runtime = sealed(&backend);
        assert!(is_computed(&runtime, memo));
        backend.change(change);
        assert!(is_computed(&runtime, memo), "{reason}");
        let stats = runtime.stats();
        assert_eq!((counted(stats), stats.misses()), (1, 2), "{reason}");
    }
}

#[test]
fn a_plain_entry_is_never_read_for_a_sealed_one() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    assert!(is_computed(&runtime, || Memo::new(KEY)));
    let name = runtime.scope(|| memo().key().as_str().to_owned());
    let plain = backend.entries().pop_first().expect("it was stored").1;
    backend.entries().insert(name, plain);
    assert!(is_computed(&runtime, memo));
    assert_eq!(runtime.stats().downgraded, 1);
}

#[test]
fn padding_leaves_few_lengths() {
    let backend = Open::default();
    let runtime = build(
        Runtime::builder()
            .backend(backend.clone())
            .secret(secret(1))
            .pad_to(512),
    );
    for len in [0, 1, 200, 395, 600, 900] {
        let value = "x".repeat(len);
        runtime.scope(|| {
            for _ in 0..2 {
                let memo = Memo::new(("text", len)).encrypt();
                assert_eq!(memo.get_or_compute(|| value.clone()), value);
            }
        });
    }
    assert_eq!(runtime.stats().hits, 6);
    let mut lengths: Vec<usize> = backend.entries().values().map(Bytes::len).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [512, 512, 512, 512, 1024, 1024]);
}

/// What the documentation of `pad_to` says it does not hide.
#[test]
fn lengths_of_what_is_in_chunks_show_all_the_same() {
    let stored = |of: fn(usize), len: usize| {
        let backend = Open::default();
        let builder = Runtime::builder().backend(backend.clone());
        build(builder.secret(secret(1)).pad_to(512)).scope(|| of(len));
        let entries = backend.entries();
        entries.values().map(Bytes::len).sum::<usize>()
    };
    let value = |len| {
        let memo = Memo::new("large").encrypt();
        memo.get_or_compute(|| "x".repeat(len));
    };
    let stream = |len| {
        let items = Memo::new("stream")
            .encrypt()
            .iter(|| ["x".repeat(len)].into_iter());
        assert_eq!(items.count(), 1);
    };
    for (of, len) in [(value as fn(usize), 5000), (stream, 5000), (stream, 200)] {
        assert_eq!(stored(of, len + 1), stored(of, len) + 1, "{len}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let builder = Runtime::builder()
        .secret(secret(1))
        .previous_secret(secret(2));
    let own = secret(3);
    let options = KeyOptions::new().encryption_key(&own);
    let shown = format!("{builder:?} {options:?} {own:?}");
    let built = builder.backend(Memory::new(1 << 20)).build();
    let shown = format!("{shown} {:?}", built.expect("valid settings"));
    assert!(shown.contains("Secret(..)"), "{shown}");
    assert!(!shown.contains("159") && !shown.contains("9f"), "{shown}");
}

#[cache_memoize(key = "diagnosis:<patient>", encrypt)]
fn diagnosis(patient: &str) -> String {
    format!("{VALUE} about {patient}")
}

static OWN: LazyLock<Secret> = LazyLock::new(|| secret(7));

#[cache_memoize(key = "diagnosis:<patient>", encryption_key = &OWN)]
fn diagnosis_for_us(patient: &str) -> String {
    format!("{VALUE} about {patient}")
}

fn secret_of(tenant: u64) -> &'static Secret {
    static SECRETS: LazyLock<[Secret; 2]> = LazyLock::new(|| [secret(8), secret(9)]);
    &SECRETS[usize::from(tenant > 0)]
}

struct Clinic(&'static str);

static CLINIC: Clinic = Clinic("Bath");

impl Clinic {
    /// The secret is that of an argument, and there is nowhere to put companions.
    #[cache_memoize(key = "<tenant>:<patient>", skip(self), encryption_key = secret_of(*tenant), companions = "functions")]
    fn diagnosis(&self, tenant: u64, patient: &str) -> String {
        format!("{VALUE} about {patient} of {tenant} in {}", self.0)
    }

    #[cache_memoize(skip(self), encryption_key = secret_of(*tenant), companions = false)]
    fn inline(&self, tenant: u64, patient: &str) -> String {
        format!("{VALUE} about {patient} of {tenant} in {}", self.0)
    }

    #[cache_memoize(encrypt, companions = false, skip(self))]
    fn inline_for_all(&self, patient: &str) -> String {
        format!("{VALUE} about {patient} in {}", self.0)
    }
}

#[test]
fn the_attribute_seals() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    runtime.scope(|| {
        for _ in 0..2 {
            diagnosis("Ada");
            diagnosis_for_us("Ada");
            CLINIC.diagnosis(0, "Ada");
            CLINIC.diagnosis(1, "Ada");
            CLINIC.inline(0, "Ada");
            CLINIC.inline_for_all("Ada");
        }
    });
    assert_eq!((runtime.stats().hits, runtime.stats().stores), (6, 6));
    let names = backend.names();
    assert_eq!(names.len(), 6);
    assert!(names.iter().all(|name| name.starts_with("cm1e:")));
}

#[test]
fn companions_know_the_secret() {
    let backend = Open::default();
    sealed(&backend).scope(|| {
        assert!(diagnosis_for_us::prime("Ada", "none".to_owned()));
        assert_eq!(backend.names(), [diagnosis_for_us::key("Ada").as_str()]);
        assert_eq!(diagnosis_for_us::peek("Ada").as_deref(), Some("none"));
        // The same key with the runtime's secret is another entry.
        assert_eq!(diagnosis::peek("Ada"), None);
        assert_ne!(diagnosis_for_us::refresh("Ada"), "none");
        assert_ne!(diagnosis_for_us::peek("Ada").as_deref(), Some("none"));
        assert!(diagnosis_for_us::invalidate("Ada"));
        assert_eq!(backend.names(), [""; 0]);

        CLINIC.diagnosis(1, "Ada");
        let name = Clinic::diagnosis_key(1, "Ada");
        assert_eq!(backend.names(), [name.as_str()]);
        assert!(Clinic::diagnosis_invalidate(0, "Ada"));
        assert_eq!(backend.names().len(), 1);
        assert!(Clinic::diagnosis_invalidate(1, "Ada"));
        assert_eq!(backend.names().len(), 0);
    });
}

const ITEMS: usize = 200;

fn items(of: &str) -> Vec<String> {
    (0..ITEMS)
        .map(|n| format!("{VALUE}, item {n} of {of}"))
        .collect()
}

/// Reads a stream of some chunks; whether it was computed.
fn is_stream_computed(runtime: &Runtime, of: &str) -> bool {
    let mut computed = false;
    let found: Vec<String> = runtime.scope(|| {
        let stream = Memo::new((KEY.0, of)).encrypt().iter(|| {
            computed = true;
            items(of).into_iter()
        });
        stream.collect()
    });
    assert_eq!(found, items(of));
    computed
}

#[test]
fn streams_and_large_values_are_sealed_too() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    assert!(is_stream_computed(&runtime, "one"));
    assert!(!is_stream_computed(&runtime, "one"));
    let large = items("large").concat();
    for _ in 0..2 {
        let memo = || Memo::new("large").encrypt();
        let value = runtime.scope(|| memo().get_or_compute(|| large.clone()));
        assert_eq!(value, large);
    }
    assert_eq!((runtime.stats().hits, runtime.stats().stores), (2, 2));
    let entries = backend.entries();
    assert!(entries.len() > 6, "two manifests and their chunks");
    for (name, entry) in entries.iter() {
        assert!(name.starts_with("cm1e:"));
        for word in ["item", "diagnosis", "large"] {
            assert!(
                !entry
                    .windows(word.len())
                    .any(|part| part == word.as_bytes())
            );
        }
    }
}

#[test]
fn chunks_that_are_not_the_streams_own_are_a_miss_with_a_reason() {
    type Mischief = fn(&mut BTreeMap<String, Bytes>, &[String], &[String]);
    fn swap(entries: &mut BTreeMap<String, Bytes>, one: &str, other: &str) {
        let (a, b) = (entries[one].clone(), entries[other].clone());
        entries.insert(one.to_owned(), b);
        entries.insert(other.to_owned(), a);
    }
    let cases: [(&str, Mischief); 6] = [
        ("flipped", |entries, one, _| {
            for name in &one[1..] {
                let mut bytes = entries[name].to_vec();
                bytes[7] ^= 1;
                entries.insert(name.clone(), bytes.into());
            }
        }),
        ("cut", |entries, one, _| {
            let bytes = entries[&one[1]].slice(..100);
            entries.insert(one[1].clone(), bytes);
        }),
        ("swapped", |entries, one, _| swap(entries, &one[1], &one[2])),
        ("another stream's", |entries, one, other| {
            swap(entries, &one[2], &other[2]);
        }),
        ("all of another stream's", |entries, one, other| {
            for (one, other) in one[1..].iter().zip(&other[1..]) {
                swap(entries, one, other);
            }
        }),
        ("another stream's manifest", |entries, one, other| {
            swap(entries, &one[0], &other[0]);
        }),
    ];
    for (name, mischief) in cases {
        let backend = Open::default();
        let runtime = sealed(&backend);
        assert!(is_stream_computed(&runtime, "one"));
        let one = backend.names();
        assert!(is_stream_computed(&runtime, "two"));
        let mut other = backend.names();
        other.retain(|name| !one.contains(name));
        mischief(&mut backend.entries(), &one, &other);
        assert!(is_stream_computed(&runtime, "one"), "{name}");
        assert_eq!(runtime.stats().tampered, 1, "{name}");
    }
}

#[test]
fn chunks_of_two_writers_never_mix() {
    let backend = Open::default();
    let runtime = sealed(&backend);
    assert!(is_stream_computed(&runtime, "one"));
    let first = backend.entries().clone();
    runtime.scope(|| {
        let again = Memo::new((KEY.0, "one")).encrypt().force_overwrite(true);
        assert_eq!(again.iter(|| items("one").into_iter()).count(), ITEMS);
    });
    // The second writer's manifest lists its own chunks; the first one's bytes are put under their names.
    let mut entries = backend.entries();
    let chunks = |names: Vec<&String>, old: bool| -> Vec<String> {
        let is_chunk = |name: &&&String| name.contains('.') && first.contains_key(**name) == old;
        names
            .iter()
            .filter(is_chunk)
            .map(|name| (*name).clone())
            .collect()
    };
    let (old, new) = (
        chunks(entries.keys().collect(), true),
        chunks(entries.keys().collect(), false),
    );
    assert_eq!((old.len(), old.len()), (new.len(), first.len() - 1));
    for (old, new) in old.iter().zip(&new) {
        entries.insert(new.clone(), first[old].clone());
    }
    drop(entries);
    assert!(is_stream_computed(&runtime, "one"));
    assert_eq!(runtime.stats().tampered, 1);
}

#[test]
fn a_stream_of_a_previous_secret_is_a_hit_and_sealed_anew() {
    let backend = Open::default();
    assert!(is_stream_computed(&sealed(&backend), "one"));
    let names = backend.names();
    let rotated = build(
        Runtime::builder()
            .backend(backend.clone())
            .secret(secret(2))
            .previous_secret(secret(1)),
    );
    assert!(!is_stream_computed(&rotated, "one"));
    assert_eq!(rotated.stats().resealed, 1);
    assert_eq!(backend.names().len(), 2 * names.len());
    assert!(rotated.scope(|| Memo::new((KEY.0, "one")).encrypt().invalidate()));
    assert_eq!(backend.names(), [""; 0], "chunks included");
}

#[test]
fn what_is_sealed_is_compressed_where_it_is_asked_for() {
    let value = "a".repeat(2000);
    let length = |memo: fn() -> Memo| {
        let backend = Open::default();
        let runtime = sealed(&backend);
        for _ in 0..2 {
            assert_eq!(
                runtime.scope(|| memo().get_or_compute(|| value.clone())),
                value
            );
        }
        assert_eq!(runtime.stats().hits, 1);
        let entries = backend.entries();
        entries.values().map(Bytes::len).sum::<usize>()
    };
    assert!(length(|| Memo::new("v").encrypt()) > 2000);
    let asked_for = length(|| Memo::new("v").encrypt().compress(true));
    assert_eq!(asked_for < 200, cfg!(feature = "compress"), "{asked_for}");
}
