//! Keys: the text that tells one entry from another.
//!
//! A key is built from a developer's text and from values, which are escaped so that no two tuples of values make the same
//! text. The full key is `namespace:key`; an entry is bound to it, and stored under it or, where it is too long, under a
//! shortened name.

#[allow(
    missing_debug_implementations,
    reason = "only generated code meets its types"
)]
pub(crate) mod argument;
#[allow(
    missing_debug_implementations,
    reason = "it may hold personal data, and nothing prints it"
)]
pub(crate) mod arguments;
pub(crate) mod digest;
mod escape;
mod name;
mod parts;

pub use parts::KeyParts;

use std::fmt::{self, Write};
use std::sync::Arc;

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::call::place::{self, Protection};
use crate::config::Runtime;
use crate::guard::guard;
use crate::secret::Secret;
use escape::{Escaped, push_literal};

/// What separates the namespace from the key, and the parts of a key that nobody wrote a template for.
const SEPARATOR: char = ':';

/// The name that a memoized call's entry has in the backend.
///
/// Calls with one key are kept in one place: what was stored last stays, and a call of another type or instantiation takes it
/// for a miss. The text can be given to a backend's own tools. `Debug` doesn't show it, since an argument may be personal
/// data. A key that ends in `!` or holds one between its parts stands for no entry: a part of it could not be written.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(Arc<str>);

impl CacheKey {
    /// The name for `text` in a backend that takes keys of up to `limit` bytes.
    pub(crate) fn from_text(text: &str, limit: usize) -> Self {
        Self(name::shorten(text, limit).into())
    }

    /// The key as the backend knows it: printable ASCII, at most 240 bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same without a copy, as a value's name is kept in several places.
    pub(crate) fn to_shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The name of a sealed entry.
    pub(crate) fn of_sealed(name: String) -> Self {
        Self(name.into())
    }

    /// A name that no entry has: neither a namespace nor a sealed name can hold a `!`.
    pub(crate) fn nowhere() -> Self {
        Self("!".into())
    }
}

impl AsRef<str> for CacheKey {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey(..)")
    }
}

/// The full key of one call, as it is being built.
#[derive(Clone)]
pub(crate) struct FullKey {
    text: String,
    /// Whether each part could be written. A call whose key couldn't runs as if it were not memoized.
    usable: bool,
}

impl FullKey {
    pub(crate) fn new(namespace: &str) -> Self {
        let mut text = String::with_capacity(64);
        text.push_str(namespace);
        text.push(SEPARATOR);
        Self { text, usable: true }
    }

    /// The developer's own text.
    pub(crate) fn literal(&mut self, text: &str) {
        push_literal(&mut self.text, text);
    }

    pub(crate) fn separator(&mut self) {
        self.text.push(SEPARATOR);
    }

    /// A value's text, escaped.
    pub(crate) fn shown(&mut self, value: &(impl fmt::Display + ?Sized)) {
        // `Display` is the user's code: it may fail or panic, and a key may not.
        let text = &mut self.text;
        let written = guard(|| write!(Escaped(text), "{value}"));
        if !matches!(written, Some(Ok(()))) {
            self.spoil();
        }
    }

    /// A digest of a value's serialized form, where there is one.
    pub(crate) fn digest(&mut self, digest: Option<[u8; 32]>) {
        match digest {
            Some(digest) => self
                .text
                .push_str(&Base64UrlUnpadded::encode_string(&digest)),
            None => self.spoil(),
        }
    }

    /// Marks the key as one that stands for no entry, in its text too: no value can hold a `!`.
    pub(crate) fn spoil(&mut self) {
        self.usable = false;
        self.text.push('!');
    }

    /// Whether each part could be written, so that the key stands for an entry.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The name in a backend that takes keys of up to `limit` bytes.
    pub(crate) fn name(&self, limit: usize) -> CacheKey {
        CacheKey::from_text(&self.text, limit)
    }
}

/// A runtime's namespace as it stands in a key: escaped, so that it ends at the first separator.
pub(crate) fn escape_namespace(namespace: &str) -> String {
    let mut escaped = String::new();
    Escaped(&mut escaped)
        .write_str(namespace)
        .expect("writing to a string can't fail");
    escaped
}

/// Makes the key that [`Memo::new(parts)`](crate::Memo::new) uses, for a backend's own tools or another cache.
///
/// Each part is escaped, and the parts are joined with `:` behind the namespace, so two lists of parts that differ never
/// make one key. A key of more than 240 bytes, or of the backend's own limit, ends in a digest of the whole.
///
/// ```
/// # use cache_memoize::{KeyOptions, make_cache_key};
/// let key = make_cache_key(("user", 7, "a:b"), &KeyOptions::new().namespace("example.com"));
/// assert_eq!(key.as_str(), "example.com:user:7:a%3Ab");
/// ```
pub fn make_cache_key(parts: impl KeyParts, options: &KeyOptions) -> CacheKey {
    let runtime = Runtime::current();
    let mut key = match &options.namespace {
        Some(namespace) => FullKey::new(namespace),
        None => FullKey::new(runtime.namespace()),
    };
    parts.write(&mut key);
    place::shown(&runtime, &key, &options.protection)
}

/// How [`make_cache_key`] makes a key.
#[derive(Clone, Debug, Default)]
pub struct KeyOptions {
    namespace: Option<String>,
    protection: Protection,
}

impl KeyOptions {
    /// The current runtime's namespace.
    pub fn new() -> Self {
        Self::default()
    }

    /// A namespace of the key's own in place of the runtime's.
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(escape_namespace(namespace));
        self
    }

    /// The name of a sealed entry, as with [`Memo::encrypt`](crate::Memo::encrypt): an HMAC that shows nothing of the parts.
    /// Where the runtime has no secret there is no such entry, and the key is `!`.
    pub fn encrypt(mut self) -> Self {
        self.protection = Protection::Sealed;
        self
    }

    /// The same for a [secret of its own](crate::Memo::encryption_key).
    pub fn encryption_key(mut self, secret: &Secret) -> Self {
        self.protection = Protection::SealedWith(secret.clone());
        self
    }
}
