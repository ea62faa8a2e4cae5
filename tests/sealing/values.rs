//! What is stored of values, under which names, and with which secret.

use cache_memoize::{Bytes, KeyOptions, Memo, Memory, Runtime, Secret, make_cache_key};

use super::log::logged;
use super::{KEY, Open, VALUE, build, is_computed, memo, sealed, secret};

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
    let runtime = build(Runtime::builder().backend(Open::default()));
    let log = logged(|| {
        for _ in 0..3 {
            assert!(is_computed(&runtime, memo));
        }
    });
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
