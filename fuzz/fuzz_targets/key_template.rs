//! Any text as the template of a key.

#![no_main]
#![allow(
    dead_code,
    reason = "the macro uses more of its files than their parser"
)]

#[path = "../../memoize-macros/src/item.rs"]
mod item;
#[path = "../../memoize-macros/src/scan.rs"]
mod scan;
#[path = "../../memoize-macros/src/separator.rs"]
mod separator;
#[path = "../../memoize-macros/src/template.rs"]
mod template;

use libfuzzer_sys::fuzz_target;
use template::{Segment, Template};

fuzz_target!(|source: &str| {
    let parsed = Template::parse(source);
    for problem in &parsed.problems {
        assert!(!problem.to_string().is_empty());
    }
    for text in parsed.text() {
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
    }
    if parsed.problems.is_empty() {
        // Between two values stands something that no value holds.
        let mut apart = true;
        for segment in &parsed.segments {
            match segment {
                Segment::Text(text) => apart |= text.chars().any(separator::is_separator),
                Segment::Placeholder(_) => assert!(std::mem::take(&mut apart), "{source:?}"),
            }
        }
    }
});
