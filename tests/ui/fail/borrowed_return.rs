use cache_memoize::cache_memoize;

use std::borrow::Cow;
use std::path::Path;

#[cache_memoize]
fn text(name: &str) -> &str {
    name
}

#[cache_memoize]
fn bytes<'a>(name: &'a str, _other: &str) -> Option<&'a [u8]> {
    Some(name.as_bytes())
}

#[cache_memoize]
fn path(name: &str) -> Result<&'static Path, &str> {
    Err(name)
}

#[cache_memoize]
fn cow(name: &str) -> Cow<'_, str> {
    name.into()
}

fn main() {
    text::peek("");
    bytes::peek("", "");
    path::peek("");
    cow::peek("");
}
