//! Secrets, from which all keys of sealed entries are derived.

mod ring;
mod shown;
mod strength;

pub(crate) use ring::Ring;

use std::env::{self, VarError};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use crate::crypto::{self, Keys};
use crate::error::{ConfigError, ConfigErrorKind, SecretOrigin, SecretProblem};

/// A file longer than this is not one that a secret was written to.
const LONGEST_FILE: u64 = 4096;

/// What entries are sealed with: at least 32 random bytes, the same in every process that shares the cache.
///
/// Make one with `openssl rand -hex 32` and keep it where you keep passwords. Whoever has it can read and write every sealed
/// entry. Clones are the same secret, and `Debug` shows nothing.
///
/// Only keys that were derived from it stay in memory, and are wiped when the last clone is dropped; so are, at once, the copies of it that
/// are made here to read and decode it. What you hand in is yours to wipe, a variable stays in the process's environment, and copies that
/// the primitives made on the stack while they computed are not wiped.
///
/// Every constructor refuses fewer than 32 bytes, and what is obviously not random: a repeated or counted-up pattern, very
/// few different bytes, or a word such as "password" or "changeme" in it, in upper or lower case, among whatever bytes, and in the text that
/// they were decoded from. That is a net for placeholders and not a measure of strength: 32 bytes of prose pass, and should not be used. A
/// random secret is refused by it less often than once in a million.
///
/// ```
/// # use cache_memoize::{Runtime, Secret};
/// # fn main() -> Result<(), cache_memoize::ConfigError> {
/// # let from_your_vault = "9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4f1a3c";
/// Runtime::builder()
///     .secret(Secret::from_hex(from_your_vault)?)
///     .install()
/// # }
/// ```
#[derive(Clone)]
pub struct Secret {
    keys: Arc<Keys>,
    /// What is still read, in the order in which it is asked for.
    previous: Option<Arc<[Secret]>>,
}

impl Secret {
    /// The fewest bytes that a secret may have.
    pub const MIN_BYTES: usize = 32;

    /// A secret of these bytes.
    ///
    /// # Errors
    /// There are fewer than [`MIN_BYTES`](Self::MIN_BYTES), they are obviously not random, or this build has no sealing
    /// (feature `encrypt`). So with the other constructors. Also if they are 64 or more hexadecimal digits, or 32 bytes written in base64
    /// with its padding: these stand for another secret, that of [`from_hex`](Self::from_hex) or [`from_base64`](Self::from_base64).
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let bytes = bytes.as_ref();
        let problem = if is_long_hex(bytes) {
            Err(SecretProblem::Undecoded)
        } else if is_padded_base64(bytes) {
            Err(SecretProblem::UndecodedBase64)
        } else {
            Ok(())
        };
        problem
            .and_then(|()| Self::checked(bytes))
            .map_err(SecretOrigin::Given.fault())
    }

    /// A secret that is written in hexadecimal, as by `openssl rand -hex 32`; white space around it is left out.
    ///
    /// # Errors
    /// Also if the text is not hexadecimal.
    pub fn from_hex(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        decode_hex_text(text)
            .and_then(|bytes| Self::checked_text(text, &bytes))
            .map_err(SecretOrigin::Given.fault())
    }

    /// A secret that is written in base64, as by `openssl rand -base64 32`; the alphabet of URLs and missing padding are
    /// understood, and white space around it is left out.
    ///
    /// # Errors
    /// Also if the text is not base64, or has 64 or more hexadecimal digits only.
    pub fn from_base64(text: &str) -> Result<Self, ConfigError> {
        let text = text.trim();
        let decoded = if is_long_hex(text.as_bytes()) {
            Err(SecretProblem::Undecoded)
        } else {
            decode_base64(text).ok_or(SecretProblem::NotBase64)
        };
        decoded
            .and_then(|bytes| Self::checked_text(text, &bytes))
            .map_err(SecretOrigin::Given.fault())
    }

    /// The secret that is in an environment variable, in hexadecimal or base64: what has hexadecimal digits only is taken
    /// for that.
    ///
    /// # Errors
    /// Also if the variable is not set, or is neither. The error shows its name, where that looks like one, and never what it
    /// holds.
    pub fn from_env(variable: &str) -> Result<Self, ConfigError> {
        let origin = SecretOrigin::variable(variable);
        let unset = match origin {
            SecretOrigin::HiddenVariable => SecretProblem::NotAName,
            _ => SecretProblem::Unset,
        };
        let fault = origin.fault();
        match env::var(variable) {
            Ok(text) => Self::from_text(&Zeroizing::new(text)).map_err(fault),
            Err(VarError::NotPresent) => Err(fault(unset)),
            Err(VarError::NotUnicode(_)) => Err(fault(SecretProblem::NotText)),
        }
    }

    /// The secret that is in a file, in hexadecimal or base64, as with [`from_env`](Self::from_env), or as raw bytes where
    /// they are not text.
    ///
    /// # Errors
    /// Also if the file can't be read, is longer than 4 KiB, or holds text that is neither, or is in UTF-16. The error shows the path, where that
    /// can't be a secret itself.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let fault = SecretOrigin::file(path).fault();
        let bytes = match read(path) {
            Ok(bytes) => bytes,
            Err(problem) => return Err(fault(problem)),
        };
        if is_utf16(&bytes) {
            return Err(fault(SecretProblem::Utf16));
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::from_text(text),
            Err(_) => Self::checked(&bytes),
        }
        .map_err(fault)
    }

    /// This secret, and `previous` with which entries may still be sealed; up to three, by as many calls.
    ///
    /// It is how an `encryption_key` is rotated, for which it is as [`previous_secret`](crate::RuntimeBuilder::previous_secret) for the
    /// runtime's, which takes a secret with previous ones as well: what is found under the previous one is a hit, and sealed anew. Those that `previous` has come along with it.
    ///
    /// # Errors
    /// There are more than three, or two of all are the same or share a key id.
    pub fn with_previous(self, previous: Self) -> Result<Self, ConfigError> {
        let ring = Ring::new(&self, &[previous])?;
        Ok(ring.into_secret())
    }

    /// A secret that only this process has, if the system gives random bytes.
    pub(crate) fn of_this_process() -> Option<Self> {
        let bytes = Zeroizing::new(crypto::random::<{ Self::MIN_BYTES }>().ok()?);
        Some(Self::alone(Keys::derive(&*bytes).ok()?))
    }

    /// The secret that `CACHE_MEMOIZE_SECRET` holds.
    pub(crate) fn from_variable(variable: &str, text: String) -> Result<Self, ConfigError> {
        Self::from_text(&Zeroizing::new(text))
            .map_err(SecretOrigin::Variable(variable.to_owned()).fault())
    }

    /// The secrets that `CACHE_MEMOIZE_PREVIOUS_SECRETS` holds, with commas between them.
    pub(crate) fn list_from_variable(
        variable: &'static str,
        text: String,
    ) -> Result<Vec<Self>, ConfigError> {
        let text = Zeroizing::new(text);
        // A comma behind the last one is no slip that loses anything.
        let list = text.trim_end();
        let parts = (1..).zip(list.strip_suffix(',').unwrap_or(list).split(','));
        parts
            .map(|(nth, part)| {
                let origin = SecretOrigin::Listed { variable, nth };
                Self::from_text(part).map_err(origin.fault())
            })
            .collect()
    }

    /// A secret that nobody should use: tests have known answers for it.
    #[cfg(test)]
    pub(crate) fn unchecked(bytes: &[u8]) -> Self {
        Self::alone(Keys::derive(bytes).expect("this build can seal"))
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The secrets that entries may still be sealed with.
    pub(crate) fn previous(&self) -> &[Self] {
        self.previous.as_deref().unwrap_or_default()
    }

    fn alone(keys: Keys) -> Self {
        Self {
            keys: Arc::new(keys),
            previous: None,
        }
    }

    fn from_text(text: &str) -> Result<Self, SecretProblem> {
        let text = text.trim();
        Self::checked_text(text, &decode_text(text)?)
    }

    /// The secret that `text` stands for. Words show in the text only: what they decode to looks random.
    fn checked_text(text: &str, bytes: &[u8]) -> Result<Self, SecretProblem> {
        strength::check_text(text)?;
        Self::checked(bytes)
    }

    fn checked(bytes: &[u8]) -> Result<Self, SecretProblem> {
        strength::check(bytes)?;
        Ok(Self::alone(Keys::derive(bytes)?))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl SecretOrigin {
    /// Makes an error of a problem with the secret that came from here.
    fn fault(self) -> impl FnOnce(SecretProblem) -> ConfigError {
        |problem| {
            let origin = self;
            ConfigErrorKind::Secret { origin, problem }.into()
        }
    }
}

/// Whether it is a secret in hexadecimal, which has another meaning in any other form. Of random ones none is.
fn is_long_hex(text: &[u8]) -> bool {
    text.len() >= 2 * Secret::MIN_BYTES && text.iter().all(u8::is_ascii_hexdigit)
}

/// The same for the 44 characters that `openssl rand -base64 32` writes.
fn is_padded_base64(text: &[u8]) -> bool {
    text.len() == 44
        && text.ends_with(b"=")
        && str::from_utf8(text).is_ok_and(|text| decode_base64(text).is_some())
}

/// The bytes that `text` writes with two hexadecimal digits each.
pub(crate) fn decode_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for [high, low] in pairs {
        let byte = digit(*high)? << 4 | digit(*low)?;
        bytes.push(u8::try_from(byte).ok()?);
    }
    Some(bytes)
}

fn decode_hex_text(text: &str) -> Result<Zeroizing<Vec<u8>>, SecretProblem> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    decode_hex(text).ok_or(if is_hex {
        SecretProblem::OddHex { digits: text.len() }
    } else {
        SecretProblem::NotHex
    })
}

/// The bytes that text in hexadecimal or base64 stands for.
fn decode_text(text: &str) -> Result<Zeroizing<Vec<u8>>, SecretProblem> {
    // Not the other way round: hexadecimal digits are base64 too, of fewer bits than it seems.
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        decode_hex_text(text)
    } else {
        decode_base64(text).ok_or(SecretProblem::NotEncoded)
    }
}

/// The bytes that `text` writes in either alphabet.
///
/// The alphabet is chosen first and the room is wiped, so that what was decoded before an error is not left in memory.
fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Zeroizing::new(vec![0; text.len()]);
    let decoded = if text.contains(['-', '_']) {
        Base64UrlUnpadded::decode(text, &mut bytes)
    } else {
        Base64Unpadded::decode(text, &mut bytes)
    };
    let len = decoded.ok()?.len();
    bytes.truncate(len);
    Some(bytes)
}

/// Whether it begins as text does that an editor or shell of Windows wrote. Of random bytes one in 32,000 begins so: to be refused at
/// start is better than to have another secret than who reads the text.
fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretProblem> {
    let unreadable = |error: std::io::Error| SecretProblem::Unreadable(error.kind());
    // Room for all, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
    File::open(path)
        .map_err(unreadable)?
        .take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(SecretProblem::LongFile);
    }
    Ok(bytes)
}
