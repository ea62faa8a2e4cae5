//! What is obviously not a secret: placeholders, patterns, too little of anything.

use super::Secret;
use crate::error::SecretProblem;

/// The longest pattern whose repetition is looked for.
const LONGEST_PATTERN: usize = 16;

/// 32 random bytes have about 30 different ones, 64 random hexadecimal digits nearly always all 16.
const FEWEST_DIFFERENT: usize = 8;

/// What stands in examples and in configuration that nobody has filled in.
///
/// None has fewer than six letters: each of six is in one of 30 million random secrets in base64.
const PLACEHOLDERS: [&str; 12] = [
    "abcdefgh",
    "change",
    "default",
    "development",
    "example",
    "insecure",
    "password",
    "placeholder",
    "qwerty",
    "replace",
    "secret",
    "12345678",
];

/// Refuses what is too short, or obviously not random.
///
/// No constant-time care is taken: this runs once, at start, and tells nobody how long it took.
pub(super) fn check(bytes: &[u8]) -> Result<(), SecretProblem> {
    if bytes.len() < Secret::MIN_BYTES {
        return Err(SecretProblem::Short { bytes: bytes.len() });
    }
    if repeats(bytes) || counts(bytes) || few_different(bytes) {
        return Err(SecretProblem::Pattern);
    }
    check_words(bytes)
}

/// Refuses text that is a placeholder, whatever it decodes to: words are valid base64.
pub(super) fn check_text(text: &str) -> Result<(), SecretProblem> {
    check_words(text.as_bytes())
}

fn check_words(text: &[u8]) -> Result<(), SecretProblem> {
    if is_placeholder(text) {
        return Err(SecretProblem::Placeholder);
    }
    Ok(())
}

/// Whether all is one short pattern, again and again; one byte is the shortest.
fn repeats(bytes: &[u8]) -> bool {
    (1..=LONGEST_PATTERN).any(|period| bytes[period..] == bytes[..bytes.len() - period])
}

/// Whether each byte is the one before plus the same step: `00 01 02 ..`.
fn counts(bytes: &[u8]) -> bool {
    let mut steps = bytes.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let first = steps.next();
    steps.all(|step| Some(step) == first)
}

fn few_different(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    for &byte in bytes {
        seen[usize::from(byte)] = true;
    }
    seen.into_iter().filter(|&seen| seen).count() < FEWEST_DIFFERENT
}

/// Whether one of the words is in it that random bytes do not have, whatever is around it.
fn is_placeholder(bytes: &[u8]) -> bool {
    PLACEHOLDERS.iter().any(|word| {
        bytes
            .windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::check;
    use crate::error::SecretProblem as Problem;

    const RANDOM: &[u8; 64] = b"9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4f1a3c";

    #[test]
    fn length_is_counted_in_bytes() {
        assert_eq!(check(&RANDOM[..32]), Ok(()));
        assert_eq!(check(&RANDOM[..31]), Err(Problem::Short { bytes: 31 }));
        assert_eq!(check(b""), Err(Problem::Short { bytes: 0 }));
    }

    #[test]
    fn patterns_are_refused() {
        let counted_up: Vec<u8> = (0..32).collect();
        let counted_down: Vec<u8> = (0..40).rev().collect();
        let repeated = RANDOM[..16].repeat(3);
        let mut nearly_empty = [0; 32];
        nearly_empty[20..26].copy_from_slice(b"s3cr3t");
        for weak in [
            &[0; 32][..],
            &[b'x'; 100],
            &counted_up,
            &counted_down,
            &repeated,
            &repeated[..33],
            &nearly_empty,
            b"abcabcabcabcabcabcabcabcabcabcabcabc",
        ] {
            assert_eq!(check(weak), Err(Problem::Pattern), "{weak:02x?}");
        }
    }

    #[test]
    fn placeholders_are_refused_in_any_case() {
        for weak in [
            "ChangeMe-before-you-go-to-production",
            "my-very-long-PASSWORD-for-the-cache!",
            "example key, replace with your own..",
            "mein Passwort für alles: changeme, äöü",
        ] {
            assert_eq!(check(weak.as_bytes()), Err(Problem::Placeholder), "{weak}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_are_not(bytes: [u8; 32]) {
            // Proptest likes small and equal bytes; what it makes is random behind a hash.
            let digest = <sha2::Sha256 as sha2::Digest>::digest(bytes);
            prop_assert_eq!(check(&digest), Ok(()));
        }
    }
}
