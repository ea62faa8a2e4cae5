use cache_memoize::cache_memoize;

#[cache_memoize]
#[cache_memoize(expiration = 5)]
fn load(id: u64) -> u64 {
    id
}

#[cache_memoize]
#[cache_memoize::cache_memoize]
fn by_path(id: u64) -> u64 {
    id
}

fn main() {
    load::key(1);
    by_path::key(1);
}
