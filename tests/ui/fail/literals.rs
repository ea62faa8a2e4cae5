use cache_memoize::cache_memoize;

#[cache_memoize(encryption_key, compress = 1, codec = "json", local = "soon", share_errors = true)]
fn wrong_forms(id: u64) -> u64 {
    id
}

fn main() {
    wrong_forms::stats();
}
