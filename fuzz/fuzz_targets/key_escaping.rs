//! Any texts as the parts of a key: other texts give another key.

#![no_main]

use cache_memoize::{KeyOptions, make_cache_key};
use libfuzzer_sys::fuzz_target;

fn key(parts: (&str, &str)) -> String {
    let key = make_cache_key(parts, &KeyOptions::default());
    assert!(key.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(key.as_str().len() <= 240);
    key.as_str().to_owned()
}

fuzz_target!(|texts: (&str, &str, &str, &str)| {
    let (a, b, c, d) = texts;
    assert_eq!(key((a, b)) == key((c, d)), (a, b) == (c, d));
    // Moved from one part to the other.
    for (at, _) in b.char_indices().skip(1) {
        let (head, tail) = b.split_at(at);
        let moved = format!("{a}{head}");
        assert_ne!(key((a, b)), key((&moved, tail)));
    }
});
