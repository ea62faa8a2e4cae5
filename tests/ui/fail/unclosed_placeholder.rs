use cache_memoize::cache_memoize;

#[cache_memoize(key = "user:<id")]
fn load(id: u64) -> u64 {
    id
}

fn main() {
    load::key(1);
}
