use cache_memoize::cache_memoize;

use std::fmt::Display;

#[cache_memoize]
fn rows(count: u64) -> impl Iterator<Item = u64> {
    0..count
}

#[cache_memoize]
fn boxed_rows(count: u64) -> Box<dyn Iterator<Item = u64>> {
    Box::new(0..count)
}

#[cache_memoize]
fn text(id: u64) -> impl Display {
    id
}

#[cache_memoize]
fn inside(id: u64) -> Option<impl Display> {
    Some(id)
}

fn main() {
    rows(1).count();
    rows::refresh(1).count();
    boxed_rows::refresh(1).count();
    text::uncached(1).to_string();
    inside::key(1);
}
