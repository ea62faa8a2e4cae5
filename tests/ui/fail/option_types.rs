use cache_memoize::cache_memoize;

#[cache_memoize(expiration = id)]
fn expiration(id: u64) -> u64 {
    id
}

#[cache_memoize(force_overwrite = id + 1)]
fn force_overwrite(id: u64) -> u64 {
    id
}

#[cache_memoize(cache_if = |id: &String| id.is_empty())]
fn cache_if(id: u64) -> u64 {
    id
}

#[cache_memoize(share_errors)]
fn infallible(id: u64) -> u64 {
    id
}

#[cache_memoize(share_errors)]
fn unshareable(id: u64) -> std::io::Result<u64> {
    Ok(id)
}

fn main() {
    infallible(1);
    let _ = unshareable(1);
    expiration(1);
    force_overwrite(1);
    cache_if(1);
}
