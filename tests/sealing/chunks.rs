//! Streams, and values that are in chunks.

use cache_memoize::{Bytes, Memo, Runtime};

use super::{KEY, Open, VALUE, build, sealed, secret};

pub(crate) const ITEMS: usize = 200;

fn items(of: &str) -> Vec<String> {
    (0..ITEMS)
        .map(|n| format!("{VALUE}, item {n} of {of}"))
        .collect()
}

/// Reads a stream of some chunks; whether it was computed.
pub(crate) fn is_stream_computed(runtime: &Runtime, of: &str) -> bool {
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
