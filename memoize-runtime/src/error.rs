//! The errors a caller can meet: all of them while setting up, none while calling a memoized function.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A setting of the [runtime](crate::Runtime) that can't be used.
///
/// Its text names the setting, what is wrong, and what to write. It never contains a secret or a URL's password.
pub struct ConfigError(ConfigErrorKind);

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigErrorKind {
    AlreadyInstalled,
    EmptyNamespace,
    LongNamespace {
        bytes: usize,
        limit: usize,
    },
    ZeroExpiration,
    ExpirationOverLongest,
    NoCapacity,
    UnknownUrl {
        scheme: String,
    },
    NoScheme,
    RedisUrl {
        problem: &'static str,
    },
    MemorySize,
    Duration {
        variable: &'static str,
    },
    NotUnicode {
        variable: &'static str,
    },
    Secret {
        origin: SecretOrigin,
        problem: SecretProblem,
    },
    SecretTwice,
    ManyPreviousSecrets {
        limit: usize,
    },
    PreviousSecretAlone,
    ForcedWithoutSecret,
    ZeroPadding,
    ZeroBudget,
}

/// Where a secret came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretOrigin {
    Given,
    Variable(String),
    /// The so many-th of a variable that holds several.
    Listed {
        variable: &'static str,
        nth: usize,
    },
    /// Its name may be a secret.
    HiddenVariable,
    File(PathBuf),
    /// Its path may be a secret.
    HiddenFile,
}

/// Why a secret can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecretProblem {
    Short {
        bytes: usize,
    },
    Pattern,
    Placeholder,
    NotHex,
    OddHex {
        digits: usize,
    },
    NotBase64,
    /// Neither of the two.
    NotEncoded,
    NotText,
    Utf16,
    /// Hexadecimal digits in place of what they stand for.
    Undecoded,
    /// The same in base64.
    UndecodedBase64,
    Unset,
    NotAName,
    Unreadable(io::ErrorKind),
    LongFile,
    #[cfg_attr(
        feature = "encrypt",
        expect(dead_code, reason = "this build has the feature")
    )]
    NotBuilt,
}

impl ConfigError {
    /// Whether a runtime was installed before, so that this one wasn't.
    pub fn is_already_installed(&self) -> bool {
        self.0 == ConfigErrorKind::AlreadyInstalled
    }
}

impl From<ConfigErrorKind> for ConfigError {
    fn from(kind: ConfigErrorKind) -> Self {
        Self(kind)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ConfigErrorKind as Kind;
        match &self.0 {
            Kind::AlreadyInstalled => f.write_str(
                "a runtime is installed already; call `install` once, early in `main`, and use `scope` in tests",
            ),
            Kind::EmptyNamespace => {
                f.write_str("`namespace` is empty; give it a name such as \"example.com\", or leave it out")
            }
            Kind::LongNamespace { bytes, limit } => write!(
                f,
                "`namespace` takes {bytes} bytes in a key; shorten it to {limit} or fewer"
            ),
            Kind::ZeroExpiration => {
                f.write_str("an expiration of zero would store nothing; give it at least one millisecond")
            }
            Kind::ExpirationOverLongest => {
                f.write_str("`expiration` is above `longest_expiration`; lower the one or raise the other")
            }
            Kind::NoCapacity => {
                f.write_str("the memory backend is too small to hold an entry; give it at least 4 KiB")
            }
            Kind::UnknownUrl { scheme } => write!(
                f,
                "`CACHE_MEMOIZE_URL` has the scheme `{scheme}`, which there is no backend for; write `memory:`, `memory:256MiB` \
                 or `redis://host:6379/`"
            ),
            Kind::NoScheme => f.write_str(
                "`CACHE_MEMOIZE_URL` has no scheme; write `redis://host:6379/`, or `memory:256MiB`",
            ),
            Kind::RedisUrl { problem } => write!(f, "the URL of Redis {problem}"),
            Kind::MemorySize => f.write_str(
                "`CACHE_MEMOIZE_URL` has a size that can't be read, or is above 16 TiB; write whole bytes, `KiB`, `MiB` or `GiB`, as in \
                 `memory:256MiB`",
            ),
            Kind::Duration { variable } => write!(
                f,
                "`{variable}` is no duration; write `10s`, `1m30s` or whole seconds"
            ),
            Kind::NotUnicode { variable } => {
                write!(f, "`{variable}` is not valid UTF-8; set it to plain text")
            }
            Kind::Secret { origin, problem } => write!(f, "{origin} {problem}"),
            Kind::SecretTwice => f.write_str(
                "two of the secrets are the same or share a key id; leave one out, or make a new one with `openssl rand -hex 32`",
            ),
            Kind::ManyPreviousSecrets { limit } => write!(
                f,
                "there are too many previous secrets; keep the latest {limit} or fewer"
            ),
            Kind::PreviousSecretAlone => f.write_str(
                "`previous_secret` is given without a current one; give the one to write with to `secret`, or set \
                 `CACHE_MEMOIZE_SECRET`",
            ),
            Kind::ForcedWithoutSecret => f.write_str(if cfg!(feature = "encrypt") {
                "`force_encryption` on a shared backend without a secret would cache nothing; give one to `secret`"
            } else {
                "`force_encryption` would cache nothing, as this build can't seal; enable the feature `encrypt` of `cache-memoize`"
            }),
            Kind::ZeroBudget => f.write_str(
                "a `budget` of zero would never ask the backend; give it the time that a call may wait for the cache",
            ),
            Kind::ZeroPadding => {
                f.write_str("`pad_to` of no bytes hides nothing; give it a size, or leave it out")
            }
        }
    }
}

impl fmt::Display for SecretOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str("the secret"),
            Self::Variable(name) => write!(f, "`{name}`"),
            Self::Listed { variable, nth } => {
                write!(f, "number {nth} of the secrets in `{variable}`")
            }
            Self::HiddenVariable => f.write_str("what was given to `from_env`"),
            Self::File(path) => write!(f, "the secret's file `{}`", path.display()),
            Self::HiddenFile => f.write_str("the secret's file"),
        }
    }
}

impl fmt::Display for SecretProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAKE: &str = "make a secret with `openssl rand -hex 32`";
        match self {
            Self::Short { bytes } => write!(f, "has {bytes} bytes, and 32 are needed; {MAKE}"),
            Self::Pattern => write!(f, "follows a pattern, so it can be guessed; {MAKE}"),
            Self::Placeholder => write!(f, "looks like a placeholder or a password; {MAKE}"),
            Self::NotHex => write!(f, "is not hexadecimal; {MAKE}"),
            Self::OddHex { digits } => write!(
                f,
                "has {digits} hexadecimal digits, and an even number is needed; look for one that is lost, or {MAKE}"
            ),
            Self::NotBase64 => f.write_str("is not base64; make a secret with `openssl rand -base64 32`"),
            Self::NotEncoded => write!(
                f,
                "is neither hexadecimal nor base64; write only the digits, without quotes, name or byte order mark, and commas only between \
                 several previous secrets, or {MAKE}"
            ),
            Self::NotText => write!(f, "is not valid UTF-8; {MAKE}"),
            Self::Utf16 => f.write_str("begins as text in UTF-16 does; write it in ASCII or UTF-8"),
            Self::Undecoded => f.write_str("has hexadecimal digits only; use `from_hex`"),
            Self::UndecodedBase64 => f.write_str("is text in base64; use `from_base64`"),
            Self::Unset => write!(f, "is not set; {MAKE}, and set it to that"),
            Self::NotAName => f.write_str(
                "is not the name of a variable; give it a name, and the secret itself to `from_hex` or `from_base64`",
            ),
            Self::Unreadable(kind) => write!(f, "can't be read ({kind}); check its path and permissions"),
            Self::LongFile => write!(f, "is longer than 4 KiB; {MAKE}"),
            Self::NotBuilt => f.write_str(
                "is of no use to this build, which can't seal; enable the feature `encrypt` of `cache-memoize`",
            ),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigError({:?})", self.to_string())
    }
}

impl Error for ConfigError {}
