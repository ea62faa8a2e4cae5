use cache_memoize::cache_memoize;

#[cache_memoize(key = "<T:?>:<N.0>:<id>")]
fn load<T, const N: usize>(id: u64) -> u64 {
    id
}

fn main() {
    load::key::<u8, 1>(1);
}
