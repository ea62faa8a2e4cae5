//! The errors a caller can meet: all of them while setting up, none while calling a memoized function.

use std::error::Error;
use std::fmt;

/// A setting of the [runtime](crate::Runtime) that can't be used.
///
/// Its text names the setting, what is wrong, and what to write. It never contains a secret or a URL's password.
pub struct ConfigError(ConfigErrorKind);

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigErrorKind {
    AlreadyInstalled,
    EmptyNamespace,
    LongNamespace { bytes: usize, limit: usize },
    ZeroExpiration,
    ExpirationOverLongest,
    NoCapacity,
    UnknownUrl { scheme: String },
    MemorySize,
    NotUnicode { variable: &'static str },
    SecretUnsupported,
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
                "`CACHE_MEMOIZE_URL` has the scheme `{scheme}`, which this build has no backend for; write `memory:` or \
                 `memory:256MiB`"
            ),
            Kind::MemorySize => f.write_str(
                "`CACHE_MEMOIZE_URL` has a size that can't be read, or is above 16 TiB; write whole bytes, `KiB`, `MiB` or `GiB`, as in \
                 `memory:256MiB`",
            ),
            Kind::NotUnicode { variable } => {
                write!(f, "`{variable}` is not valid UTF-8; set it to plain text")
            }
            Kind::SecretUnsupported => f.write_str(
                "`CACHE_MEMOIZE_SECRET` is set, but this version can't seal entries; unset it",
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
