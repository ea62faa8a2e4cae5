//! While secrets are rotated; the rest of it is in `tests/rotation`.

use std::time::Duration;

use cache_memoize::{Bytes, Runtime, RuntimeBuilder};
use memoize_runtime::testing::ManualClock;

use super::{LIFE, Open, build, is_computed, memo, sealed, secret};

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
    // In the end it looks whether somebody has sealed it anew meanwhile.
    let asked = ["get_many of 2", "delete_many of 2", "get_many of 2"];
    assert_eq!(backend.asked(), asked);
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
