use cache_memoize::cache_memoize;

#[cache_memoize(expiration = 3600, version = 1, expiration = "1h")]
fn load(id: u64) -> u64 {
    id
}

fn main() {
    load::peek(1);
}
