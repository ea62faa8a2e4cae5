use cache_memoize::cache_memoize;

#[cache_memoize]
#[track_caller]
fn line() -> u32 {
    std::panic::Location::caller().line()
}

#[cache_memoize]
#[cfg_attr(all(), inline, track_caller)]
fn conditional() -> u32 {
    std::panic::Location::caller().line()
}

#[cache_memoize]
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn fast(id: u64) -> u64 {
    id
}

fn main() {
    line::refresh();
    conditional::refresh();
}
