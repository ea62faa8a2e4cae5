use cache_memoize::cache_memoize;

#[cache_memoize(expiration = id)]
fn expiration(id: u64) -> u64 {
    id
}

#[cache_memoize(force_overwrite = id)]
fn force_overwrite(id: u64) -> u64 {
    id
}

#[cache_memoize(cache_if = |id: &String| id.is_empty())]
fn cache_if(id: u64) -> u64 {
    id
}

fn main() {
    expiration(1);
    force_overwrite(1);
    cache_if(1);
}
