//! Values that show whose they are and how old, and the memoized functions that make them.

use std::sync::atomic::{AtomicU64, Ordering};

use cache_memoize::cache_memoize;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub key: u64,
    pub version: u64,
    filler: String,
}

impl Item {
    fn new(key: u64, version: u64, bytes: usize) -> Self {
        let mark = format!("{key}.{version},");
        let mut filler = mark.repeat(bytes / mark.len() + 1);
        filler.truncate(bytes);
        Self {
            key,
            version,
            filler,
        }
    }

    /// Whether all of it belongs to this key, and to one version.
    pub(crate) fn is_of(&self, key: u64, bytes: usize) -> bool {
        *self == Self::new(key, self.version, bytes)
    }
}

/// Where items come from.
#[derive(Debug, Default)]
pub(crate) struct Source {
    version: AtomicU64,
    runs: AtomicU64,
}

impl Source {
    /// How often a function ran, which on a hit it doesn't.
    pub(crate) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// From now on items are of this version.
    pub(crate) fn advance(&self) -> u64 {
        self.version.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn run(&self) -> u64 {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.version.load(Ordering::Relaxed)
    }
}

/// Each hit asks the server, as for the others here but [`copied`].
#[cache_memoize(
    key = "item:<key>:<bytes>",
    expiration = "1h",
    skip(source),
    local = false
)]
pub(crate) fn item(key: u64, bytes: usize, source: &Source) -> Item {
    Item::new(key, source.run(), bytes)
}

#[cache_memoize(
    key = "sealed-item:<key>:<bytes>",
    expiration = "1h",
    skip(source),
    encrypt
)]
pub(crate) fn sealed_item(key: u64, bytes: usize, source: &Source) -> Item {
    Item::new(key, source.run(), bytes)
}

#[cache_memoize(
    key = "awaited:<key>:<bytes>",
    expiration = "1h",
    skip(source),
    local = false
)]
pub(crate) async fn awaited(key: u64, bytes: usize, source: &Source) -> Item {
    Item::new(key, source.run(), bytes)
}

#[cache_memoize(
    key = "sealed-awaited:<key>:<bytes>",
    expiration = "1h",
    skip(source),
    encrypt
)]
pub(crate) async fn sealed_awaited(key: u64, bytes: usize, source: &Source) -> Item {
    Item::new(key, source.run(), bytes)
}

#[cache_memoize(key = "items:<count>:<bytes>", expiration = "1h", skip(source))]
pub(crate) fn items(count: u64, bytes: usize, source: &Source) -> impl Iterator<Item = Item> {
    let version = source.run();
    (0..count).map(move |key| Item::new(key, version, bytes))
}

#[cache_memoize(
    key = "sealed-items:<count>:<bytes>",
    expiration = "1h",
    skip(source),
    encrypt
)]
pub(crate) fn sealed_items(
    count: u64,
    bytes: usize,
    source: &Source,
) -> impl Iterator<Item = Item> {
    let version = source.run();
    (0..count).map(move |key| Item::new(key, version, bytes))
}

/// Whether these are all items in their order, and of one version.
pub(crate) fn is_whole(items: impl Iterator<Item = Item>, count: u64, bytes: usize) -> bool {
    let mut next = 0;
    let mut version = None;
    let fit = items.into_iter().all(|item| {
        let fits = item.is_of(next, bytes) && *version.get_or_insert(item.version) == item.version;
        next += 1;
        fits
    });
    fit && next == count
}
