//! One annotated function: what is known of it at compile time, and what is counted for it.

use std::any::type_name;
use std::panic::Location;

use crate::call::Key;
use crate::call::place::Protection;
use crate::entry::Codec;
use crate::instance::{Instance, Instances};
use crate::key::argument::Finds;
use crate::local::Local;
use crate::observe::{Counters, Stats};

/// The one static of an annotated function.
///
/// It holds no types, so that a generic function can have it; what it was instantiated with is told apart by
/// `Instances`.
#[derive(Debug)]
pub struct Site {
    module: &'static str,
    name: &'static str,
    location: &'static Location<'static>,
    expiration_ms: Option<u64>,
    version: u32,
    codec: Codec,
    encrypt: bool,
    compress: Option<bool>,
    local: Local,
    template: &'static [&'static str],
    tokens: u64,
    counters: Counters,
    instances: Instances,
}

impl Site {
    /// The site of the function `name` in `module`; where the function is written is taken from the caller.
    ///
    /// Of its key, `template` has the texts before each placeholder and behind the last one; it is empty without a template.
    #[track_caller]
    pub const fn new(
        module: &'static str,
        name: &'static str,
        template: &'static [&'static str],
    ) -> Self {
        Self {
            module,
            name,
            location: Location::caller(),
            expiration_ms: None,
            version: 0,
            codec: Codec::Postcard,
            encrypt: false,
            compress: None,
            local: Local::Unsaid,
            template,
            tokens: 0,
            counters: Counters::new(),
            instances: Instances::new(),
        }
    }

    /// The life of the function's entries, where the attribute gives a fixed one.
    pub const fn expiration_millis(mut self, life: u64) -> Self {
        self.expiration_ms = Some(life);
        self
    }

    /// The function's `version`.
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Values become bytes by msgpack and not by postcard.
    #[cfg(feature = "msgpack")]
    pub const fn msgpack(mut self) -> Self {
        self.codec = Codec::Msgpack;
        self
    }

    /// Seals the function's entries.
    pub const fn encrypt(mut self) -> Self {
        self.encrypt = true;
        self
    }

    /// Whether the function's entries are compressed, where the attribute says so.
    pub const fn compress(mut self, compress: bool) -> Self {
        self.compress = Some(compress);
        self
    }

    /// Copies are kept of what is sealed, too.
    pub const fn local(mut self) -> Self {
        self.local = Local::Always;
        self
    }

    /// The same, and beside a shared backend they may be so stale.
    pub const fn local_millis(mut self, stale: u64) -> Self {
        self.local = Local::Within(stale);
        self
    }

    /// A hash of the function's text, where it has no key template. Its default key is told from others by names, and
    /// should those ever coincide, the hash keeps two functions from reading each other.
    pub const fn tokens(mut self, hash: u64) -> Self {
        self.tokens = hash;
        self
    }

    /// Starts the key of a call that returns `R`.
    ///
    /// `instance` is a closure written in the function: its type's name tells what the function was instantiated with.
    #[inline]
    pub fn key<R>(&'static self, instance: impl Fn()) -> Key<R, ()> {
        Key::new(self, self.instance(&instance), ())
    }

    /// The same, where `now` says whether the value is looked for as soon as the key is complete: for a call that will do nothing but
    /// run.
    #[inline]
    pub fn find<R>(&'static self, now: impl Fn() -> bool) -> Key<R, Finds> {
        Key::new(self, self.instance(&now), Finds(now()))
    }

    /// What the cache did for this function so far.
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }

    #[inline]
    fn instance<F>(&'static self, _: &F) -> &'static Instance {
        self.instances.of(self, typeid::of::<F>(), type_name::<F>())
    }

    pub(crate) fn module(&self) -> &'static str {
        self.module
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    pub(crate) fn expiration_ms(&self) -> Option<u64> {
        self.expiration_ms
    }

    pub(crate) fn entry_version(&self) -> u32 {
        self.version
    }

    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    pub(crate) fn protection(&self) -> Protection {
        if self.encrypt {
            Protection::Sealed
        } else {
            Protection::Usual
        }
    }

    pub(crate) fn compresses(&self) -> Option<bool> {
        self.compress
    }

    pub(crate) fn copies(&self) -> Local {
        self.local
    }

    /// The texts around the placeholders of the key; empty where there is no template.
    pub(crate) fn template(&self) -> &'static [&'static str] {
        self.template
    }

    pub(crate) fn tokens_hash(&self) -> u64 {
        self.tokens
    }

    #[inline]
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }
}
