use cache_memoize::cache_memoize;

#[cache_memoize(expiraton = 3600)]
fn near(id: u64) -> u64 {
    id
}

#[cache_memoize(ttl = 3600)]
fn far(id: u64) -> u64 {
    id
}

fn main() {
    near::key(1);
    far::invalidate(1);
}
