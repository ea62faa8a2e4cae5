//! A backend whose content tests can see, change and lose.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cache_memoize::{Backend, BackendError, Bytes, Deadline, Limits};

/// Where chunks are this short, a few bytes are a long stream.
pub(crate) const SHORT_CHUNK: usize = 100;

/// As short as they can be where the manifest is sealed.
#[cfg(feature = "encrypt")]
const SHORT_SEALED_CHUNK: usize = 120;

/// What the runtime keeps for itself in a stored chunk.
const OVERHEAD: usize = 16;

#[derive(Clone)]
pub(crate) struct Shelf {
    content: Arc<Mutex<Content>>,
    value_bytes: usize,
}

#[derive(Default)]
pub(crate) struct Content {
    pub(crate) entries: BTreeMap<String, Bytes>,
    /// How long each entry was to be kept, when it was written last.
    pub(crate) lives: BTreeMap<String, Duration>,
    /// How many keys each `get_many` asked for.
    pub(crate) asked: Vec<usize>,
    pub(crate) sets: usize,
    /// After so many `set`s, each fails.
    pub(crate) sets_left: Option<usize>,
    pub(crate) fails: bool,
}

impl Shelf {
    /// With chunks of `chunk_len`.
    pub(crate) fn new(chunk_len: usize) -> Self {
        Self {
            content: Arc::default(),
            value_bytes: chunk_len + OVERHEAD,
        }
    }

    #[cfg(feature = "compress")]
    /// The same content, seen through the limit for chunks of `chunk_len`.
    pub(crate) fn limited_to(&self, chunk_len: usize) -> Self {
        Self {
            content: Arc::clone(&self.content),
            value_bytes: chunk_len + OVERHEAD,
        }
    }

    pub(crate) fn short() -> Self {
        Self::new(SHORT_CHUNK)
    }

    #[cfg(feature = "encrypt")]
    pub(crate) fn short_sealed() -> Self {
        Self::new(SHORT_SEALED_CHUNK)
    }

    pub(crate) fn chunk_len(&self) -> usize {
        self.value_bytes - OVERHEAD
    }

    pub(crate) fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("no test panics in here")
    }

    /// The names of the chunks, in their order, if there is one generation.
    pub(crate) fn chunks(&self) -> Vec<String> {
        let content = self.content();
        let mut chunks: Vec<(usize, &String)> = content
            .entries
            .keys()
            .filter_map(|name| Some((index(name)?, name)))
            .collect();
        chunks.sort();
        chunks.into_iter().map(|(_, name)| name.clone()).collect()
    }

    pub(crate) fn lose(&self, names: &[String]) {
        let mut content = self.content();
        for name in names {
            content.entries.remove(name);
        }
    }

    /// The bytes of all values.
    pub(crate) fn bytes(&self) -> usize {
        self.content().entries.values().map(Bytes::len).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.content().entries.len()
    }
}

/// The index of a chunk, none of an entry.
fn index(name: &str) -> Option<usize> {
    let mut parts = name.rsplit('.');
    let index = parts.next()?.parse().ok()?;
    (parts.next()?.len() == 22).then_some(index)
}

impl Content {
    fn answer<T>(&self, answer: T) -> Result<T, BackendError> {
        if self.fails {
            Err(BackendError::new("it was told to fail"))
        } else {
            Ok(answer)
        }
    }
}

impl Backend for Shelf {
    fn get(&self, key: &str, _: Deadline) -> Result<Option<Bytes>, BackendError> {
        let content = self.content();
        content.answer(content.entries.get(key).cloned())
    }

    fn get_many(&self, keys: &[&str], _: Deadline) -> Result<Vec<Option<Bytes>>, BackendError> {
        let mut content = self.content();
        content.asked.push(keys.len());
        let found = keys.iter().map(|key| content.entries.get(*key).cloned());
        content.answer(found.collect())
    }

    fn set(
        &self,
        key: &str,
        value: Bytes,
        life: Duration,
        _: Deadline,
    ) -> Result<(), BackendError> {
        assert!(value.len() <= self.value_bytes && key.len() <= self.limits().key_bytes);
        let mut content = self.content();
        content.answer(())?;
        content.sets += 1;
        if let Some(left) = &mut content.sets_left {
            *left = left
                .checked_sub(1)
                .ok_or(BackendError::new("it was told to fail"))?;
        }
        content.entries.insert(key.to_owned(), value);
        content.lives.insert(key.to_owned(), life);
        Ok(())
    }

    fn delete(&self, key: &str, _: Deadline) -> Result<(), BackendError> {
        let mut content = self.content();
        content.answer(())?;
        content.entries.remove(key);
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits::new().value_bytes(self.value_bytes)
    }
}
