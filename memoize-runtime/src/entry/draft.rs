//! Entries in the making, whatever protects them.

use super::guard::Guard;
use super::header::{Flags, Header};
use super::padding::Padding;
use super::{plain, sealed};
use crate::hidden::Hidden;

/// What an entry carries beside its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyMeta {
    /// How long the value took to compute, in milliseconds.
    pub(crate) cost_ms: u32,
    /// From when on the value is stale, in milliseconds of unix time.
    pub(crate) fresh_until: u64,
}

impl BodyMeta {
    pub(super) const FRESH_AT: usize = size_of::<u32>();
    pub(super) const LEN: usize = Self::FRESH_AT + size_of::<u64>();
}

/// Room for a small value, so that most entries are one allocation.
const INITIAL_CAPACITY: usize = 320;

/// A length of what is compressed, or padded.
const LEN: usize = size_of::<u32>();

/// Why an entry could not be finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfinished {
    TooLarge,
    NoRandom,
}

/// Room for the header and what else stands before the body, what goes with the value, and the value as far as it was
/// appended.
///
/// The header comes last, since it says how the value is written. The value is never copied.
#[derive(Debug)]
pub(crate) struct Draft<'g> {
    guard: Guard<'g>,
    padding: Padding,
    entry: Hidden<Vec<u8>>,
    /// Where the value stands.
    value: usize,
}

impl<'g> Draft<'g> {
    pub(crate) fn new(guard: Guard<'g>, meta: BodyMeta, padding: Padding) -> Self {
        let mut entry = Vec::with_capacity(INITIAL_CAPACITY);
        entry.resize(guard.before_body(), 0);
        entry.extend_from_slice(&meta.cost_ms.to_le_bytes());
        entry.extend_from_slice(&meta.fresh_until.to_le_bytes());
        if padding.is_on() {
            entry.extend_from_slice(&[0; LEN]);
        }
        let value = entry.len();
        Self {
            guard,
            padding,
            entry: Hidden(entry),
            value,
        }
    }

    /// The length of the finished entry of a value of `value` bytes, without padding.
    pub(crate) fn len_of(guard: Guard<'_>, value: usize) -> usize {
        guard.before_body() + BodyMeta::LEN + value + guard.behind_body()
    }

    /// The buffer that the value is to be appended to; what is in it must stay.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.entry
    }

    pub(crate) fn value(&self) -> &[u8] {
        &self.entry[self.value..]
    }

    pub(crate) fn replace_value(&mut self, value: &[u8]) {
        self.entry.truncate(self.value);
        self.entry.extend_from_slice(value);
    }

    /// The length of the entry once it is finished, without padding.
    pub(crate) fn entry_len(&self) -> usize {
        self.entry.len() + self.guard.behind_body()
    }

    /// The buffer, and where the value begins in it.
    pub(crate) fn into_parts(self) -> (Vec<u8>, usize) {
        (self.entry.0, self.value)
    }

    /// The entry, of at most `largest` bytes, with `header` in its place.
    pub(crate) fn finish(mut self, header: &Header, largest: usize) -> Result<Vec<u8>, Unfinished> {
        let len = self.entry_len();
        if len > largest {
            return Err(Unfinished::TooLarge);
        }
        let mut header = *header;
        let padded_len = self.padding.padded(len, largest);
        // No more than it takes: a large entry would be moved to twice its room for the few bytes behind it, and back.
        let room = padded_len - self.entry.len();
        self.entry.reserve_exact(room);
        if self.padding.is_on() {
            header.flags = header.flags.with(Flags::PADDED);
            self.pad(header.flags, padded_len)?;
        }
        match self.guard {
            Guard::Plain { full_key, .. } => Ok(plain::finish(self.entry.0, &full_key, &header)),
            Guard::Sealed(seal) => sealed::finish(self.entry.0, seal, &header),
        }
    }

    fn pad(&mut self, flags: Flags, len: usize) -> Result<(), Unfinished> {
        let mut length_at = self.value - LEN;
        // The length before compression comes first.
        if flags.contains(Flags::LZ4) {
            self.entry
                .copy_within(self.value..self.value + LEN, length_at);
            length_at = self.value;
        }
        let data_len = self.entry.len() - length_at - LEN;
        let data_len = u32::try_from(data_len).map_err(|_| Unfinished::TooLarge)?;
        self.entry[length_at..length_at + LEN].copy_from_slice(&data_len.to_le_bytes());
        let padded = len - self.guard.behind_body();
        self.entry.resize(padded, 0);
        Ok(())
    }
}
