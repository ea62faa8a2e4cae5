use cache_memoize::cache_memoize;

#[cache_memoize]
fn load(id: u64, #[cfg(unix)] mode: u32) -> u64 {
    id + u64::from(mode)
}

fn main() {
    load::key(1, 2);
}
