use cache_memoize::cache_memoize;

use std::fmt::Display;

#[cache_memoize]
fn text(id: u64) -> impl Display {
    id
}

#[cache_memoize]
fn inside(id: u64) -> Option<impl Display> {
    Some(id)
}

fn main() {
    text::uncached(1).to_string();
    inside::key(1);
}
