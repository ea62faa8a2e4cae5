use cache_memoize::cache_memoize;

#[cache_memoize(key = 1, expiration, skip = id, version = "2", companions = "types", crate = 7, force_overwrite, cache_if = )]
fn load(id: u64) -> u64 {
    id
}

#[cache_memoize("user:<id>")]
fn unnamed(id: u64) -> u64 {
    id
}

#[cache_memoize(version = 2 expiration = 1)]
fn without_comma(id: u64) -> u64 {
    id
}

#[cache_memoize(version = 4294967296, companions = true)]
fn too_large(id: u64) -> u64 {
    id
}

fn main() {
    load::refresh(1);
    unnamed::refresh(1);
    without_comma::refresh(1);
    too_large::refresh(1);
}
