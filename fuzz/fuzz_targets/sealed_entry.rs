//! Any bytes as a sealed entry, and sealed again as the content of one.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use memoize_runtime::fuzzing;

fuzz_target!(|data: &[u8]| {
    let Some((bits, data)) = data.split_first() else {
        return;
    };
    if bits & 8 == 0 {
        fuzzing::entry::<BTreeMap<String, Option<Vec<u32>>>>(true, *bits, data);
    } else {
        fuzzing::entry::<Vec<(u64, String)>>(true, *bits, data);
    }
});
