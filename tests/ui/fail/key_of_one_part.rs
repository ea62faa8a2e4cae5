//! A single part that is no text has to be a tuple.

use cache_memoize::Memo;

fn main() {
    let _seven: u8 = Memo::new(7).get_or_compute(|| 7);
}
