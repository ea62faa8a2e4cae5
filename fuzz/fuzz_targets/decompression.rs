//! Any bytes as what LZ4 made.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memoize_runtime::fuzzing;

fuzz_target!(|data: &[u8]| {
    fuzzing::decompress(data, 1 << 20);
    fuzzing::decompress(data, 100);
});
