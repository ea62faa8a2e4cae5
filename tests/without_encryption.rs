//! A build that can't seal: nothing that is to be sealed is stored, and nobody is told otherwise.
#![cfg(not(feature = "encrypt"))]

use cache_memoize::{Memo, Memory, Runtime, Secret};

const HEX: &str = "9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4ffbff";

#[test]
fn what_is_to_be_sealed_is_computed_each_time() {
    let memory = Memory::new(1 << 20);
    let runtime = Runtime::builder().backend(memory.clone()).build();
    let runtime = runtime.expect("valid settings");
    runtime.scope(|| {
        for expected in 0..3 {
            let memo = Memo::new("key").encrypt();
            assert_eq!(memo.key().as_str(), "!");
            assert_eq!(memo.get_or_compute(|| expected), expected);
        }
    });
    assert_eq!(runtime.stats().unsealed, 3);
    assert!(memory.is_empty());
}

#[test]
fn a_secret_is_refused_and_not_ignored() {
    let error = Secret::from_hex(HEX).expect_err("there is nothing to do with it");
    assert!(error.to_string().contains("feature `encrypt`"), "{error}");
    let forced = Runtime::builder().force_encryption(true).build();
    let error = forced.expect_err("it could store nothing");
    assert!(error.to_string().contains("`encrypt`"), "{error}");
}
