//! A runtime from environment variables.

use std::env;
use std::time::Duration;

use super::{Runtime, RuntimeBuilder};
use crate::backend::Memory;
use crate::error::{ConfigError, ConfigErrorKind};
use crate::secret::Secret;

const URL: &str = "CACHE_MEMOIZE_URL";
const NAMESPACE: &str = "CACHE_MEMOIZE_NAMESPACE";
const LONGEST_WAIT: &str = "CACHE_MEMOIZE_LONGEST_WAIT";
const SECRET: &str = "CACHE_MEMOIZE_SECRET";
const PREVIOUS_SECRETS: &str = "CACHE_MEMOIZE_PREVIOUS_SECRETS";

impl Runtime {
    /// Settings from the environment: what isn't set there, or is empty, keeps its default.
    ///
    /// | variable | meaning |
    /// |---|---|
    /// | `CACHE_MEMOIZE_URL` | the backend: `memory:`, or `memory:256MiB` (also `KiB`, `GiB`, or bytes without a unit); with the feature `redis` a URL that `Redis::open` takes |
    /// | `CACHE_MEMOIZE_NAMESPACE` | [`namespace`](RuntimeBuilder::namespace) |
    /// | `CACHE_MEMOIZE_LONGEST_WAIT` | [`longest_wait`](RuntimeBuilder::longest_wait): `10s`, `1m30s`, `500ms`, or whole seconds without a unit |
    /// | `CACHE_MEMOIZE_SECRET` | [`secret`](RuntimeBuilder::secret), in hexadecimal or base64: `openssl rand -hex 32` |
    /// | `CACHE_MEMOIZE_PREVIOUS_SECRETS` | up to three of [`previous_secret`](RuntimeBuilder::previous_secret), each written like that, with commas between them |
    ///
    /// ```
    /// # use cache_memoize::Runtime;
    /// Runtime::from_env()?.install()?;
    /// # Ok::<(), cache_memoize::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// A variable is set to something that can't be used; the text says which and what to write.
    pub fn from_env() -> Result<RuntimeBuilder, ConfigError> {
        from_variables(|name| match env::var(name) {
            Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => {
                Err(ConfigErrorKind::NotUnicode { variable: name }.into())
            }
        })
    }
}

fn from_variables(
    variable: impl Fn(&'static str) -> Result<Option<String>, ConfigError>,
) -> Result<RuntimeBuilder, ConfigError> {
    let mut builder = Runtime::builder();
    if let Some(url) = variable(URL)? {
        builder = if is_redis(&url) {
            redis(builder, &url)?
        } else {
            builder.backend(memory(&url)?)
        };
    }
    if let Some(namespace) = variable(NAMESPACE)? {
        builder = builder.namespace(namespace);
    }
    if let Some(wait) = variable(LONGEST_WAIT)? {
        let variable = LONGEST_WAIT;
        let wait = duration(&wait).ok_or(ConfigErrorKind::Duration { variable })?;
        builder = builder.longest_wait(wait);
    }
    if let Some(secret) = variable(SECRET)? {
        builder = builder.secret(Secret::from_variable(SECRET, secret)?);
    }
    if let Some(secrets) = variable(PREVIOUS_SECRETS)? {
        let secrets = Secret::list_from_variable(PREVIOUS_SECRETS, secrets)?;
        builder = secrets
            .into_iter()
            .fold(builder, RuntimeBuilder::previous_secret);
    }
    Ok(builder)
}

fn is_redis(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    let family = scheme.split('+').next().unwrap_or_default();
    ["redis", "rediss", "valkey", "valkeys", "unix"]
        .iter()
        .any(|known| family.eq_ignore_ascii_case(known))
}

#[cfg(feature = "redis")]
fn redis(builder: RuntimeBuilder, url: &str) -> Result<RuntimeBuilder, ConfigError> {
    Ok(builder.backend(crate::backend::Redis::open(url)?))
}

#[cfg(not(feature = "redis"))]
fn redis(_: RuntimeBuilder, _: &str) -> Result<RuntimeBuilder, ConfigError> {
    let problem = "is of no use to this build, which has no client; enable the feature `redis` of `cache-memoize`";
    Err(ConfigErrorKind::RedisUrl { problem }.into())
}

fn memory(url: &str) -> Result<Memory, ConfigError> {
    let (scheme, size) = url.split_once(':').unwrap_or((url, ""));
    if !scheme.eq_ignore_ascii_case("memory") {
        if !url.contains("://") {
            return Err(ConfigErrorKind::NoScheme.into());
        }
        let scheme = scheme
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(16)
            .collect();
        return Err(ConfigErrorKind::UnknownUrl { scheme }.into());
    }
    if size.is_empty() {
        return Ok(Memory::default());
    }
    match bytes(size) {
        Some(bytes) => Ok(Memory::new(bytes)),
        None => Err(ConfigErrorKind::MemorySize.into()),
    }
}

/// A larger size is a slip of the unit.
const LARGEST: usize = 1 << 44;

/// Reads "1048576", "64KiB", "256MiB", "2GiB".
fn bytes(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    let bytes = digits.parse::<usize>().ok()?.checked_mul(1 << shift)?;
    (bytes <= LARGEST).then_some(bytes)
}

/// Reads "90", "90s", "1m30s": as the attribute's `expiration` is written.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut millis = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after.find(|c: char| c.is_ascii_digit());
        let (unit, after) = after.split_at(end.unwrap_or(after.len()));
        let unit = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60 * 1000,
            "h" => 60 * 60 * 1000,
            "d" => 24 * 60 * 60 * 1000,
            "w" => 7 * 24 * 60 * 60 * 1000,
            _ => return None,
        };
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = after;
    }
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, duration, from_variables};
    use crate::RuntimeBuilder;
    use crate::error::ConfigError;

    fn with(variables: &'static [(&str, &str)]) -> Result<RuntimeBuilder, ConfigError> {
        from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        })
    }

    #[test]
    fn nothing_set_is_the_default() {
        let runtime = with(&[])
            .and_then(RuntimeBuilder::build)
            .expect("the defaults are valid");
        assert_eq!(runtime.namespace(), "cache");
    }

    #[test]
    fn reads_what_is_set() {
        let runtime = with(&[
            ("CACHE_MEMOIZE_URL", "memory:2MiB"),
            ("CACHE_MEMOIZE_NAMESPACE", "example.com"),
            ("CACHE_MEMOIZE_LONGEST_WAIT", "2s"),
        ])
        .and_then(RuntimeBuilder::build)
        .expect("both are valid");
        assert_eq!(runtime.namespace(), "example.com");
        assert!(runtime.limits().value_bytes < 2 << 20);
        assert_eq!(runtime.longest_wait(), Duration::from_secs(2));
    }

    #[test]
    fn durations() {
        for (text, millis) in [
            ("90", 90_000),
            ("0", 0),
            ("500ms", 500),
            ("1m30s", 90_000),
            ("1w2d3h4m5s6ms", 788_645_006),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "s",
            "1.5s",
            "-1s",
            "1h30",
            "5 s",
            "5S",
            "18446744073709551615s",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        let error = with(&[("CACHE_MEMOIZE_LONGEST_WAIT", "soon")]).expect_err("no duration");
        assert!(
            error.to_string().contains("`CACHE_MEMOIZE_LONGEST_WAIT`"),
            "{error}"
        );
    }

    #[test]
    fn says_what_is_wrong_without_repeating_a_url() {
        for (url, part) in [
            ("memcached://user:hunter2@host/", "scheme `memcached`"),
            ("127.0.0.1:6379", "has no scheme; write `redis://"),
            ("hunter2", "has no scheme"),
            ("redis://user:hunter2@host/x", "the URL of Redis"),
            ("rediss+hunter2://host", "the URL of Redis"),
            ("memory:lots", "size that can't be read"),
            ("memory:99999999999GiB", "size that can't be read"),
            ("memory:1000000GiB", "size that can't be read"),
        ] {
            let variables: &'static [(&str, &str)] = vec![("CACHE_MEMOIZE_URL", url)].leak();
            let error = with(variables).expect_err(url).to_string();
            assert!(
                error.contains(part) && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn redis_takes_its_feature() {
        let built = with(&[("CACHE_MEMOIZE_URL", "valkey://:hunter2@127.0.0.1:1/")]);
        if cfg!(feature = "redis") {
            let runtime = built.and_then(RuntimeBuilder::build);
            assert!(runtime.expect("nothing is connected yet").limits().shared);
        } else {
            let error = built.expect_err("there is no client").to_string();
            assert!(
                error.contains("feature `redis`") && !error.contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("17"), Some(17));
        assert_eq!(bytes("3KiB"), Some(3072));
        assert_eq!(bytes("1GiB"), Some(1 << 30));
        assert_eq!(bytes("MiB"), None);
        assert_eq!(bytes("1MB"), None);
    }
}
