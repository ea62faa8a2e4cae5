//! A crate that hands the attribute on under a path of its own.

mod caching {
    pub use cache_memoize::*;
}

#[caching::cache_memoize(crate = caching, key = "<id>")]
fn relative(id: u64) -> u64 {
    id
}

#[caching::cache_memoize(crate = crate::caching)]
fn absolute(id: u64) -> Result<u64, String> {
    Ok(id)
}

macro_rules! by_macro {
    ($($path:tt)*) => {
        #[caching::cache_memoize(crate = $($path)*)]
        fn substituted(id: u64) -> u64 {
            id
        }
    };
}

by_macro!(crate::caching);

fn main() {
    assert_eq!(relative(1), 1);
    assert_eq!(absolute::refresh(1), Ok(1));
    assert_eq!(substituted::peek(1), None);
    assert_eq!(substituted(1), 1);
}
