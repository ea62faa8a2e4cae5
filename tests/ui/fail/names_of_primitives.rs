use cache_memoize::cache_memoize;

#[cache_memoize]
fn u8(id: u8) -> u8 {
    id
}

#[cache_memoize]
fn r#str(text: &str) -> bool {
    text.is_empty()
}

#[cache_memoize(companions = bool)]
fn is_even(id: u64) -> bool {
    id % 2 == 0
}

fn main() {
    u8(1);
    r#str("");
    is_even(2);
}
