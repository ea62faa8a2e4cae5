//! Installing a runtime: a binary of its own, since it is for the whole process.

use cache_memoize::{Memory, Runtime, cache_memoize};

#[cache_memoize(key = "installed:<x>")]
fn installed(x: u64) -> u64 {
    x
}

#[test]
fn the_first_installed_runtime_is_the_process_s_and_a_second_is_an_error() {
    let runtime = |namespace: &str| {
        Runtime::builder()
            .namespace(namespace)
            .backend(Memory::new(1 << 20))
            .build()
            .expect("valid settings")
    };
    // On the embedded backend, which is not seen any more afterwards.
    assert_eq!(installed(1), 1);
    assert_eq!(installed::key(1).as_str(), "cache:installed:1");

    let first = runtime("first");
    first.clone().install().expect("none is installed yet");
    let error = runtime("second").install().expect_err("one is");
    assert!(error.is_already_installed());

    assert_eq!(installed::peek(1), None);
    assert_eq!((installed(1), installed(1)), (1, 1));
    assert_eq!(installed::key(1).as_str(), "first:installed:1");
    assert_eq!(
        std::thread::spawn(|| installed::peek(1))
            .join()
            .expect("no panic"),
        Some(1)
    );
    assert_eq!((first.stats().hits, first.stats().misses()), (1, 1));
}
