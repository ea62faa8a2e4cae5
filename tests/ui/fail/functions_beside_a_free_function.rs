use cache_memoize::cache_memoize;

#[cache_memoize(companions = "functions")]
fn load(id: u64) -> u64 {
    id
}

fn main() {
    load(1);
}
