//! The arguments of one call as words: what a hit is looked up by, and what the key's text is made of on a miss.
//!
//! The parts of a function's key have the same types on each call, so that their words need no tags: a part has a fixed number
//! of them, or its length before it. Two lists of arguments of one function have the same words only if all parts are the
//! same. Words and not bytes, since what was just written is read faster in pieces of the size that it was written in.

use std::fmt::Display;
use std::hash::{Hash, Hasher};
use std::{iter, mem};

use super::argument::Parts;
use crate::guard::guard;

/// The words of two or three usual arguments.
const INLINE: usize = 5;

/// Says in a length that the text came to an end by a failure.
const SPOILED: u64 = 1 << 63;

/// The recorded parts of one key.
///
/// No enum of what is near and what is far: to move one that was just written would load more bytes at once than any store put
/// there, and wait for them.
#[derive(Clone)]
pub(crate) struct Arguments {
    len: usize,
    /// The first ones; those beyond the length are zero.
    near: [u64; INLINE],
    /// The others.
    far: Box<[u64]>,
}

/// Writes [`Arguments`] in the place where they stay.
pub struct Recorder<'a> {
    arguments: &'a mut Arguments,
    usable: bool,
}

/// Reads [`Arguments`], by the types that they were written by.
pub struct Recorded<'a> {
    near: &'a [u64],
    far: &'a [u64],
}

impl Arguments {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            len: 0,
            near: [0; INLINE],
            far: Box::default(),
        }
    }

    /// Adds the arguments of a call; says whether each could be written.
    #[inline]
    pub(crate) fn record(&mut self, parts: &impl Parts) -> bool {
        let mut recorder = Recorder::new(self);
        parts.record(&mut recorder);
        recorder.usable
    }

    #[inline]
    fn near(&self) -> &[u64] {
        &self.near[..self.len.min(INLINE)]
    }

    /// The only word, where there is no other.
    #[inline]
    pub(crate) fn only(&self) -> Option<u64> {
        (self.len == 1).then_some(self.near[0])
    }

    /// The bytes that they take behind themselves.
    pub(crate) fn behind(&self) -> usize {
        size_of_val(&*self.far)
    }

    pub(crate) fn read(&self) -> Recorded<'_> {
        Recorded {
            near: self.near(),
            far: &self.far,
        }
    }

    /// So many words more, to be written at once, where they have room beside those that are there.
    #[inline]
    fn room(&mut self, count: usize) -> Option<&mut [u64]> {
        let room = self.near.get_mut(self.len..)?.get_mut(..count)?;
        self.len += count;
        Some(room)
    }

    /// Adds words of which some have no room.
    #[cold]
    fn extend(&mut self, words: &mut dyn Iterator<Item = u64>) {
        if let Some(room) = self.near.get_mut(self.len..) {
            for (free, word) in room.iter_mut().zip(&mut *words) {
                *free = word;
                self.len += 1;
            }
        }
        let mut far = mem::take(&mut self.far).into_vec();
        far.extend(words);
        self.far = far.into_boxed_slice();
        self.len = INLINE + self.far.len();
    }
}

impl PartialEq for Arguments {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // Of one function and as long as each other, or else different before they end: the length says nothing more.
        let differences = self.near.iter().zip(&other.near).map(|(a, b)| a ^ b);
        let are_near_same = differences.fold(0, |all, word| all | word) == 0;
        // Where there is nothing to compare it isn't begun: a masked load at the address that stands for nothing takes 100 ns.
        are_near_same && (self.len <= INLINE || self.far == other.far)
    }
}

impl Eq for Arguments {}

impl Hash for Arguments {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // By two, which is how the hash takes them.
        for pair in self.near().chunks(2).chain(self.far.chunks(2)) {
            let [low, high] = [pair[0], pair.get(1).copied().unwrap_or(0)];
            hasher.write_u128(u128::from(high) << 64 | u128::from(low));
        }
    }
}

impl<'a> Recorder<'a> {
    #[inline]
    fn new(arguments: &'a mut Arguments) -> Self {
        Self {
            arguments,
            usable: true,
        }
    }

    #[inline]
    pub(crate) fn word(&mut self, word: u64) {
        match self.arguments.room(1) {
            Some(room) => room[0] = word,
            None => self.arguments.extend(&mut iter::once(word)),
        }
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &str) {
        let len = text.len() as u64;
        let (chunks, rest) = text.as_bytes().as_chunks();
        if let Some([first, free @ ..]) = self.arguments.room(1 + text.len().div_ceil(8)) {
            *first = len;
            for (free, chunk) in free.iter_mut().zip(chunks) {
                *free = u64::from_le_bytes(*chunk);
            }
            if let (Some(last), false) = (free.last_mut(), rest.is_empty()) {
                *last = last_word(rest);
            }
            return;
        }
        let whole = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
        let last = (!rest.is_empty()).then(|| last_word(rest));
        self.arguments
            .extend(&mut iter::once(len).chain(whole).chain(last));
    }

    /// The text of a value, whose `Display` is the user's code: it may fail or panic, and a key may not.
    pub(crate) fn shown(&mut self, value: &(impl Display + ?Sized)) {
        use std::fmt::Write;

        let mut text = String::new();
        let written = guard(|| write!(text, "{value}"));
        let is_whole = matches!(written, Some(Ok(())));
        self.word(if is_whole { 0 } else { SPOILED });
        self.text(&text);
        self.usable &= is_whole;
    }

    /// A digest, where there is one.
    pub(crate) fn digest(&mut self, digest: Option<[u8; 32]>) {
        self.word(if digest.is_some() { 0 } else { SPOILED });
        for chunk in digest.unwrap_or_default().as_chunks().0 {
            self.word(u64::from_le_bytes(*chunk));
        }
        self.usable &= digest.is_some();
    }
}

impl Recorded<'_> {
    pub(crate) fn word(&mut self) -> u64 {
        let words = if self.near.is_empty() {
            &mut self.far
        } else {
            &mut self.near
        };
        words.split_off_first().copied().unwrap_or(0)
    }

    pub(crate) fn text(&mut self) -> String {
        let len = usize::try_from(self.word()).unwrap_or(0);
        let bytes: Vec<u8> = (0..len.div_ceil(8))
            .flat_map(|_| self.word().to_le_bytes())
            .take(len)
            .collect();
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// A text, and whether it is whole.
    pub(crate) fn shown(&mut self) -> (String, bool) {
        let is_whole = self.word() == 0;
        (self.text(), is_whole)
    }

    pub(crate) fn digest(&mut self) -> Option<[u8; 32]> {
        let is_there = self.word() == 0;
        let mut digest = [0; 32];
        for chunk in digest.as_chunks_mut::<8>().0 {
            *chunk = self.word().to_le_bytes();
        }
        is_there.then_some(digest)
    }
}

/// Up to seven bytes, without the call of `memcpy` that a copy of unknown length would be.
#[inline]
fn last_word(bytes: &[u8]) -> u64 {
    let Some((first, rest)) = bytes.split_first_chunk::<4>() else {
        let byte = |at: usize| bytes.get(at).map_or(0, |byte| u64::from(*byte) << (8 * at));
        return byte(0) | byte(1) | byte(2);
    };
    let byte = |at: usize| {
        rest.get(at)
            .map_or(0, |byte| u64::from(*byte) << (8 * (4 + at)))
    };
    u64::from(u32::from_le_bytes(*first)) | byte(0) | byte(1) | byte(2)
}

#[cfg(test)]
mod tests {
    use super::{Arguments, INLINE, Recorder};

    fn recorded(record: impl FnOnce(&mut Recorder)) -> Arguments {
        let mut arguments = Arguments::new();
        record(&mut Recorder::new(&mut arguments));
        arguments
    }

    #[test]
    fn neighbours_do_not_run_into_each_other() {
        let of = |first: &str, second: &str| {
            recorded(|to| {
                to.text(first);
                to.text(second);
            })
        };
        assert!(of("ab", "c") == of("ab", "c"));
        assert!(of("ab", "c") != of("a", "bc"));
        assert!(of("", "a") != of("a", ""));
        // A byte of zero is not the same as none.
        assert!(of("a", "") != of("a", "\0"));
        assert!(of("a", "") != of("a\0", ""));
    }

    #[test]
    fn what_was_written_is_read_whatever_its_length() {
        for length in (0..8 * INLINE + 2).chain([1000]) {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let arguments = recorded(|to| {
                to.word(7);
                to.text(&text);
                to.shown(&length);
                to.digest(Some([9; 32]));
            });
            let mut read = arguments.read();
            assert_eq!(read.word(), 7);
            assert_eq!(read.text(), text);
            assert_eq!(read.shown(), (length.to_string(), true));
            assert_eq!(read.digest(), Some([9; 32]));
            assert!(read.near.is_empty() && read.far.is_empty());
        }
    }

    #[test]
    fn a_text_that_fails_spoils_the_key_and_says_how_far_it_came() {
        struct Fails;
        impl std::fmt::Display for Fails {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("half")?;
                Err(std::fmt::Error)
            }
        }
        let mut arguments = Arguments::new();
        let mut recorder = Recorder::new(&mut arguments);
        recorder.shown(&Fails);
        assert!(!recorder.usable);
        assert_eq!(arguments.read().shown(), ("half".to_owned(), false));
    }
}
