use cache_memoize::cache_memoize;

#[cache_memoize(force_overwrite = refresh)]
fn by_default(id: u64, refresh: bool) -> u64 {
    id + u64::from(refresh)
}

#[cache_memoize(key = "user:<id>:<refresh:?>", force_overwrite = refresh)]
fn by_template(id: u64, refresh: bool) -> u64 {
    id + u64::from(refresh)
}

#[cache_memoize(force_overwrite = !(*cached))]
fn negated((id, cached): (u64, bool)) -> u64 {
    id + u64::from(cached)
}

#[cache_memoize(key = "user:<id>", force_overwrite = refresh)]
fn nowhere(id: u64, refresh: bool) -> u64 {
    id + u64::from(refresh)
}

fn main() {
    by_default::key(1, false);
    by_template::key(1, false);
    negated::key((1, true));
    nowhere::key(1, false);
}
