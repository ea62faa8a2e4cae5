use cache_memoize::cache_memoize;

#[cache_memoize]
const fn load(id: u64) -> u64 {
    id
}

const ONE: u64 = load(1);

fn main() {
    load::key(ONE);
}
