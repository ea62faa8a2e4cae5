//! From the full key to the name an entry is stored under.

use std::borrow::Cow;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

/// The longest name that is written out; a backend's own limit can be lower.
const LONGEST: usize = 240;

/// Below this there would be no room for a digest and a prefix; a backend that says less is not believed.
const SHORTEST: usize = 64;

/// What stands between the readable prefix and the digest. No escaped value can hold it.
const MARK: char = '#';

/// A SHA-256 as base64url without padding.
const DIGEST_CHARS: usize = 43;

/// Shortens `full_key` to what the backend takes.
///
/// A key that is too long keeps a readable prefix; its tail is replaced by a digest of the whole. Two keys can still only
/// meet if SHA-256 collides, and the entry itself is bound to the full key.
pub(crate) fn shorten(full_key: &str, backend_limit: usize) -> Cow<'_, str> {
    let limit = backend_limit.clamp(SHORTEST, LONGEST);
    if full_key.len() <= limit {
        return Cow::Borrowed(full_key);
    }
    let digest = Sha256::digest(full_key.as_bytes());
    let prefix = &full_key[..limit - MARK.len_utf8() - DIGEST_CHARS];
    let digest = Base64UrlUnpadded::encode_string(&digest);
    Cow::Owned(format!("{prefix}{MARK}{digest}"))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, SHORTEST, shorten};

    #[test]
    fn a_key_of_the_limit_stays_and_one_more_is_shortened() {
        for limit in [SHORTEST, 100, LONGEST] {
            for length in [limit - 1, limit] {
                let key = "k".repeat(length);
                assert_eq!(shorten(&key, limit), key);
            }
            let long = shorten(&"k".repeat(limit + 1), limit).into_owned();
            assert_eq!(long.len(), limit);
            assert!(long.starts_with("kkkk") && long.contains('#'));
            assert_ne!(long, shorten(&"k".repeat(limit + 2), limit));
        }
    }

    #[test]
    fn a_backend_can_lower_the_limit_but_not_raise_it() {
        assert_eq!(shorten(&"k".repeat(500), 1000).len(), LONGEST);
        assert_eq!(shorten(&"k".repeat(500), 10).len(), SHORTEST);
    }
}
