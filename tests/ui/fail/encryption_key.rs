use std::sync::LazyLock;

use cache_memoize::{Secret, cache_memoize};

static SECRET: LazyLock<Secret> = LazyLock::new(|| Secret::from_env("SECRET").unwrap());

#[cache_memoize(encryption_key = "correct horse battery staple")]
fn no_secret(id: u64) -> u64 {
    id
}

#[cache_memoize(skip(secret), encryption_key = secret)]
fn not_in_the_key(id: u64, secret: &Secret) -> u64 {
    id
}

#[cache_memoize(encryption_key = &SECRET)]
fn right(id: u64) -> u64 {
    id
}

fn main() {
    no_secret(1);
    not_in_the_key(1, &SECRET);
    right(1);
}
