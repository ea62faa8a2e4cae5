use cache_memoize::cache_memoize;

#[cache_memoize]
fn load(id: u64, #[cfg(unix)] mode: u32) -> u64 {
    id + u64::from(mode)
}

#[cache_memoize(key = "<id>")]
fn of_another_platform(id: u64, #[cfg(target_os = "none")] handle: os::Handle) -> u64 {
    id
}

fn main() {
    of_another_platform::key(1);
    load::key(1, 2);
}
