//! What is sensitive, sealed: `cargo run --example sealed`.
//!
//! With `--features redis`, `CACHE_MEMOIZE_URL=redis://127.0.0.1` and a `CACHE_MEMOIZE_SECRET`, a second run finds what the first one sealed.

use std::env;
use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

use cache_memoize::{Runtime, cache_memoize};

/// Neither the patient nor the diagnosis can be read in the cache.
#[cache_memoize(key = "diagnosis:<patient>", expiration = "10m", encrypt)]
fn diagnosis(patient: &str) -> String {
    sleep(Duration::from_millis(200));
    format!("{patient} is well")
}

/// A stream is sealed chunk by chunk.
#[cache_memoize(key = "visits:<patient>", expiration = "10m", encrypt)]
fn visits(patient: &str) -> impl Iterator<Item = String> {
    (1..=3).map(move |nth| format!("visit {nth} of {patient}"))
}

fn main() -> Result<(), Box<dyn Error>> {
    // Without a URL that is the memory of this process, which seals with a secret made at random unless it is given one.
    Runtime::from_env()?.install()?;
    if env::var_os("CACHE_MEMOIZE_SECRET").is_none() {
        println!("CACHE_MEMOIZE_SECRET is not set; `openssl rand -hex 32` makes one");
    }

    println!("{}", diagnosis("Ann"));
    assert_eq!(diagnosis("Ann"), "Ann is well");
    assert_eq!(visits("Ann").count(), 3);
    assert_eq!(visits("Ann").last().as_deref(), Some("visit 3 of Ann"));

    println!(
        "the key of it in the cache: {}",
        diagnosis::key("Ann").as_str()
    );
    let stats = diagnosis::stats();
    println!("{} hits, {} misses", stats.hits, stats.misses());
    Ok(())
}
