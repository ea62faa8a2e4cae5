//! Any bytes as an entry, and as the content of one whose checksum holds.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use memoize_runtime::fuzzing;

fuzz_target!(|data: &[u8]| {
    let Some((bits, data)) = data.split_first() else {
        return;
    };
    if bits & 8 == 0 {
        fuzzing::entry::<BTreeMap<String, Option<Vec<u32>>>>(false, *bits, data);
    } else {
        fuzzing::entry::<Vec<(u64, String)>>(false, *bits, data);
    }
});
