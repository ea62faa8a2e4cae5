use cache_memoize::cache_memoize;

#[cache_memoize(expiration = 0)]
fn zero() -> u8 {
    1
}

#[cache_memoize(expiration = "0h0s")]
fn zero_text() -> u8 {
    1
}

#[cache_memoize(expiration = "1 hour")]
fn words() -> u8 {
    1
}

#[cache_memoize(expiration = 1.5)]
fn float() -> u8 {
    1
}

#[cache_memoize(expiration = "99999999999999999999w")]
fn too_long() -> u8 {
    1
}

#[cache_memoize(expiration = 18446744073709551615)]
fn too_long_seconds() -> u8 {
    1
}

fn main() {
    zero::key();
    zero_text::key();
    words::key();
    float::key();
    too_long::key();
    too_long_seconds::key();
}
