use cache_memoize::cache_memoize;

#[cache_memoize(key = "<a><b>-<c>:<d>")]
fn load(a: u8, b: u8, c: u8, d: u8) -> u8 {
    a + b + c + d
}

fn main() {
    load::key(1, 2, 3, 4);
}
