//! What an error may show of a name or path: nothing that may be the secret, given in its place by mistake.

use std::path::Path;

use super::decode_text;
use crate::error::SecretOrigin;

/// As many characters may be a secret; a name of so many is looked at closely.
const LONG: usize = 32;

impl SecretOrigin {
    pub(super) fn variable(name: &str) -> Self {
        if is_name(name) {
            Self::Variable(name.to_owned())
        } else {
            Self::HiddenVariable
        }
    }

    pub(super) fn file(path: &Path) -> Self {
        let is_secret = path
            .to_str()
            .is_some_and(|text| text.len() >= LONG && decode_text(text.trim()).is_ok());
        if is_secret {
            Self::HiddenFile
        } else {
            Self::File(path.to_owned())
        }
    }
}

/// Whether it looks like the name of a variable and not like a secret.
///
/// Secrets in hexadecimal have no `_`, and those in base64 have letters of both cases.
fn is_name(text: &str) -> bool {
    let has = |of: fn(&u8) -> bool| text.as_bytes().iter().any(of);
    let is_word = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_plain =
        has(|byte| *byte == b'_') && !(has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase));
    !text.is_empty()
        && is_word
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && (text.len() < LONG || is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_secrets() {
        for name in [
            "SECRET",
            "_cacheKey2",
            "THE_SECRET_OF_THE_CACHE_OF_OUR_APPLICATION",
            "the_secret_of_the_cache_of_our_application",
        ] {
            assert!(is_name(name), "{name}");
        }
        for secret in [
            "",
            "a-b",
            "2SECRET",
            "ef3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4ffbff",
            "EF3C5D0BE2A14786B1E0C7D2F4A8935E",
            "nzxdCAKhR4ax4MfS9KiTXmwbfSCk6PORW8bXAo5P_18",
        ] {
            assert!(!is_name(secret), "{secret}");
        }
    }

    #[test]
    fn paths_are_told_from_secrets() {
        let is_shown = |path: &str| SecretOrigin::file(Path::new(path)) != SecretOrigin::HiddenFile;
        assert!(is_shown("/run/secrets/the_secret_of_our_cache"));
        assert!(is_shown("secret"));
        assert!(!is_shown(
            "ef3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4ffbff"
        ));
        assert!(!is_shown("nzxdC+KhR4ax4MfS9KiTXmwbfSCk6PORW8bXAo5P+/8="));
    }
}
