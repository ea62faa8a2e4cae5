//! The whole of everyday use: `cargo run --example quickstart`.

use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cache_memoize::{Memory, Runtime, cache_memoize};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Forecast {
    city: String,
    celsius: i32,
}

/// A slow function that can fail. Both arguments are in the key; an `Err` is never stored.
#[cache_memoize(key = "forecast:<city>:<day>", expiration = "15m")]
fn forecast(city: &str, day: u8) -> Result<Forecast, String> {
    if day > 7 {
        return Err(format!("no forecast for {day} days ahead"));
    }
    sleep(Duration::from_millis(200));
    Ok(Forecast {
        city: city.to_owned(),
        celsius: 20 - i32::from(day),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    // Optional: without it, a store of 128 MiB is there by itself.
    Runtime::builder()
        .namespace("weather")
        .backend(Memory::new(16 << 20))
        .install()?;

    for round in ["computed", "remembered"] {
        let start = Instant::now();
        let today = forecast("Reykjavík", 0)?;
        println!("{round:>10}: {} °C in {:?}", today.celsius, start.elapsed());
    }

    // The function's companions have its name and check their arguments' types.
    println!("       key: {}", forecast::key("Reykjavík", 0).as_str());
    assert_eq!(forecast::peek("Oslo", 1), None);
    let city = "Oslo".to_owned();
    forecast::prime("Oslo", 1, Forecast { city, celsius: 12 });
    assert_eq!(forecast("Oslo", 1)?.celsius, 12);
    forecast::invalidate("Oslo", 1);
    assert_eq!(forecast("Oslo", 1)?.celsius, 19);

    // Errors come through, each time anew.
    assert!(forecast("Oslo", 9).is_err());
    assert!(forecast("Oslo", 9).is_err());

    let stats = forecast::stats();
    println!("     stats: {} hits, {} misses", stats.hits, stats.misses());
    Ok(())
}
