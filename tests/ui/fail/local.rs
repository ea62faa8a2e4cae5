use std::cell::Cell;
use std::io;

use cache_memoize::cache_memoize;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Single(u64);

#[cache_memoize(local = true)]
fn single(id: u64) -> Single {
    Single(id)
}

#[cache_memoize(local = "5s")]
fn of_one_thread(id: u64) -> io::Result<Cell<u64>> {
    Ok(Cell::new(id))
}

#[cache_memoize(local = true)]
fn items(count: u64) -> impl Iterator<Item = u64> {
    0..count
}

#[cache_memoize(local = "0s")]
fn at_no_time(id: u64) -> u64 {
    id
}

fn main() {
    single::stats();
    of_one_thread::stats();
    items::stats();
    at_no_time::stats();
}
