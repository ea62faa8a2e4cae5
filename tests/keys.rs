//! Keys: no two different calls share one, and every key is one that a backend can take.

use std::collections::HashMap;

use cache_memoize::{KeyOptions, Memo, Runtime, cache_memoize, make_cache_key};
use proptest::prelude::*;

#[cache_memoize(key = "one:<a>")]
fn one(a: &str) -> u8 {
    let _ = a;
    0
}

#[cache_memoize(key = "two:<a>:<b>")]
fn two(a: &str, b: &str) -> u8 {
    let _ = (a, b);
    0
}

#[cache_memoize(key = "<a>/<b>|<c>")]
fn three(a: &str, b: &str, c: &str) -> u8 {
    let _ = (a, b, c);
    0
}

#[cache_memoize(key = "<a>,<b>;<c>#<d>=")]
fn four(a: &str, b: &str, c: &str, d: &str) -> u8 {
    let _ = (a, b, c, d);
    0
}

#[cache_memoize]
fn by_default(a: &str, b: u8, c: Option<String>, d: &[String]) -> u8 {
    let _ = (a, b, c, d);
    0
}

fn assert_fits(key: &str) {
    assert!(key.len() <= 240, "{}", key.len());
    assert!(
        key.bytes().all(|byte| (0x21..=0x7e).contains(&byte)),
        "{key}"
    );
}

/// Texts that are likely to meet: short, of few characters, among them those that separate and escape.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab:%2/|,;#=é ]{0,4}",
        1 => any::<String>(),
        1 => "[a:]{100,300}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn a_key_of_one_part_tells_its_calls_apart(a in text(), b in text()) {
        prop_assert_eq!(one::key(&a) == one::key(&b), a == b);
        assert_fits(one::key(&a).as_str());
    }

    #[test]
    fn a_key_of_two_parts_tells_its_calls_apart(a in (text(), text()), b in (text(), text())) {
        let key = |(x, y): &(String, String)| two::key(x, y);
        prop_assert_eq!(key(&a) == key(&b), a == b);
        assert_fits(key(&a).as_str());
    }

    #[test]
    fn a_key_of_three_parts_tells_its_calls_apart(a in (text(), text(), text()), b in (text(), text(), text())) {
        let key = |(x, y, z): &(String, String, String)| three::key(x, y, z);
        prop_assert_eq!(key(&a) == key(&b), a == b);
        assert_fits(key(&a).as_str());
    }

    #[test]
    fn a_key_of_four_parts_tells_its_calls_apart(
        a in (text(), text(), text(), text()),
        b in (text(), text(), text(), text()),
    ) {
        let key = |(w, x, y, z): &(String, String, String, String)| four::key(w, x, y, z);
        prop_assert_eq!(key(&a) == key(&b), a == b);
        assert_fits(key(&a).as_str());
    }

    #[test]
    fn moving_a_character_over_a_separator_changes_the_key(whole in "[a:/%]{1,8}", at in 0_usize..8, to in 0_usize..8) {
        let (at, to) = (at.min(whole.len()), to.min(whole.len()));
        let key = |at| two::key(&whole[..at], &whole[at..]);
        prop_assert_eq!(key(at) == key(to), at == to);
    }

    #[test]
    fn a_default_key_tells_its_calls_apart(
        a in (text(), 0_u8..2, prop::option::of("[ab]?"), prop::collection::vec("[ab]?", 0..3)),
        b in (text(), 0_u8..2, prop::option::of("[ab]?"), prop::collection::vec("[ab]?", 0..3)),
    ) {
        type Arguments = (String, u8, Option<String>, Vec<String>);
        let key = |(w, x, y, z): &Arguments| by_default::key(w, *x, y.clone(), z);
        prop_assert_eq!(key(&a) == key(&b), a == b);
        assert_fits(key(&a).as_str());
    }

    #[test]
    fn parts_of_a_memo_are_told_apart(a in prop::collection::vec(text(), 0..4), b in prop::collection::vec(text(), 0..4)) {
        let key = |parts: &Vec<String>| make_cache_key(parts, &KeyOptions::new());
        prop_assert_eq!(key(&a) == key(&b), a == b);
        prop_assert_eq!(Memo::new(&a).key(), key(&a));
        assert_fits(key(&a).as_str());
    }
}

#[test]
fn a_key_of_the_limit_stays_as_it_is() {
    let fixed = "cache:one:".len();
    for (length, shortened) in [(239, false), (240, false), (241, true)] {
        let key = one::key(&"x".repeat(length - fixed));
        assert_eq!(key.as_str().len(), length.min(240));
        assert!(
            key.as_str().starts_with("cache:one:xxx"),
            "a readable prefix stays"
        );
        assert_eq!(key.as_str().contains('#'), shortened);
        assert_fits(key.as_str());
    }
}

#[test]
fn long_keys_that_differ_at_the_end_are_two_entries() {
    #[cache_memoize(key = "length:<text>")]
    fn length(text: &str) -> usize {
        text.len()
    }
    let long = "x".repeat(300);
    let longer = "x".repeat(301);
    for _ in 0..2 {
        assert_eq!((length(&long), length(&longer)), (300, 301));
    }
    assert_eq!(length::stats().hits, 2);
}

#[test]
fn the_key_is_readable() {
    #[cache_memoize(key = "a b:<x>:<y:.2>:<z:?>:<<:<pair.1>")]
    fn readable(x: &str, y: f64, z: Option<u8>, pair: (u8, u8)) -> u8 {
        let _ = (x, y, z, pair);
        0
    }
    assert_eq!(
        readable::key("v w", 1.0, Some(3), (4, 5)).as_str(),
        "cache:a%20b:v%20w:1.00:Some%283%29:<:5"
    );
    let path = by_default::key("x", 2, None, &[]);
    assert!(
        path.as_str().starts_with("cache:keys::by_default:x:2:"),
        "{}",
        path.as_str()
    );
}

#[test]
fn the_namespace_ends_at_the_first_separator() {
    let in_namespace = |namespace: &str, key: &str| {
        let runtime = Runtime::builder()
            .namespace(namespace)
            .build()
            .expect("a valid namespace");
        runtime.scope(|| one::key(key))
    };
    assert_ne!(in_namespace("a:one", "b"), in_namespace("a", "one:b"));
    assert_eq!(
        in_namespace("example.com", "b").as_str(),
        "example.com:one:b"
    );
}

#[test]
fn a_digest_does_not_depend_on_the_order_of_a_map() {
    #[cache_memoize(key = "map:<map:#>")]
    fn of_map(map: &HashMap<u32, u32>) -> usize {
        map.len()
    }
    let forwards: HashMap<u32, u32> = (0..100).map(|n| (n, n)).collect();
    let backwards: HashMap<u32, u32> = (0..100).rev().map(|n| (n, n)).collect();
    assert_eq!(of_map::key(&forwards), of_map::key(&backwards));
    let other: HashMap<u32, u32> = (0..100).map(|n| (n, n + 1)).collect();
    assert_ne!(of_map::key(&forwards), of_map::key(&other));
}

#[test]
fn debug_shows_no_key() {
    let key = one::key("hunter2");
    assert!(!format!("{key:?} {:?}", Memo::new(("hunter2",))).contains("hunter2"));
}

/// The macro's own words on what separates, held against what the runtime escapes.
#[path = "../memoize-macros/src/separator.rs"]
mod separator;

#[test]
fn what_the_macro_takes_for_a_separator_is_in_no_value() {
    let separators: Vec<char> = ('\0'..='\x7f')
        .filter(|&c| separator::is_separator(c))
        .collect();
    assert!(separators.contains(&':'));
    for c in separators {
        let key = one::key(&format!("x{c}y"));
        let value = key.as_str().strip_prefix("cache:one:");
        assert!(value.is_some_and(|value| !value.contains(c)), "{c}");
    }
}
