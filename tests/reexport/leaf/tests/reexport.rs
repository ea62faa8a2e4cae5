//! The attribute where only a crate that re-exports it is known.

#[middle::cache_memoize(crate = middle, key = "from_the_root:<id>", expiration = "1h")]
fn from_the_root(id: u64) -> u64 {
    id
}

#[middle::cache_memoize(crate = ::middle::caching::cache_memoize)]
fn from_a_module(id: u64, text: &str) -> Result<String, std::fmt::Error> {
    if id == 0 {
        return Err(std::fmt::Error);
    }
    Ok(text.repeat(2))
}

struct Double(u64);

impl Double {
    #[middle::cache_memoize(crate = middle, key = "inline:<self.0>")]
    fn inline(&self) -> u64 {
        self.0 * 2
    }

    #[middle::cache_memoize(crate = middle, key = "beside:<self.0>")]
    pub(crate) fn beside(&self) -> u64 {
        self.0 * 2
    }
}

#[test]
fn every_form_finds_what_it_needs() {
    assert_eq!(from_the_root(1), 1);
    assert_eq!(from_the_root::peek(1), Some(1));
    let key: middle::CacheKey = from_the_root::key(1);
    assert_eq!(key.as_str(), "cache:from_the_root:1");

    assert_eq!(from_a_module(0, "ab"), Err(std::fmt::Error));
    assert_eq!(from_a_module(1, "ab").as_deref(), Ok("abab"));
    assert_eq!(from_a_module::peek(1, "ab").as_deref(), Some("abab"));

    let double = Double(3);
    assert_eq!((double.inline(), double.inline()), (6, 6));
    assert_eq!(double.beside(), 6);
    assert_eq!(double.beside_peek(), Some(6));
}
