//! The example, run twice: the second process finds the first one's work.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use test_servers::RedisServer;

/// The example with Redis, built here: `cargo test` builds it as a program or as a test of itself, as it was told.
static EXAMPLE: LazyLock<PathBuf> = LazyLock::new(|| {
    let own = env::current_exe().expect("a process knows its program");
    // As the test was built, so that cargo finds most of it done.
    let features = if cfg!(feature = "aws-lc-rs") {
        "--all-features"
    } else {
        "--features=redis-tokio,redis-tls"
    };
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", "census"])
        .args(["--profile", profile, features])
        .status()
        .expect("cargo starts");
    assert!(built.success(), "the example doesn't build");
    let target = own
        .ancestors()
        .nth(2)
        .expect("tests are in a folder of the profile's");
    target.join("examples").join("census")
});

/// Hits and misses of the first pass and of the first time that functions went by.
fn census(url: &str) -> Vec<String> {
    let output = Command::new(&*EXAMPLE)
        .args(["memoize-macros/src", "memoize-runtime/src/lib.rs"])
        .env("CACHE_MEMOIZE_URL", url)
        .output()
        .expect("the example starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("it is text");
    let first = |line: &&str| line.starts_with("first pass") || line.starts_with("streamed");
    let counts = text.lines().filter(first).map(|line| {
        let words: Vec<_> = line.split_whitespace().rev().take(4).collect();
        words.into_iter().rev().collect::<Vec<_>>().join(" ")
    });
    counts.collect()
}

#[test]
fn a_second_process_finds_the_work_of_the_first() {
    let server = RedisServer::start();
    let first = census(&server.url());
    let second = census(&server.url());
    println!("first process: {first:?}, second process: {second:?}");
    assert_eq!(first, ["0 hits 2 misses"; 2]);
    assert_eq!(second, ["2 hits 0 misses"; 2]);
}
