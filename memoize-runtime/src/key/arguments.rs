//! The arguments of one call as words: what a hit is looked up by, and what the key's text is made of on a miss.
//!
//! The parts of a function's key have the same types on each call, so that their words need no tags: a part has a fixed number
//! of them, or its length before it. Two lists of arguments of one function have the same words only if all parts are the
//! same. Words and not bytes, since what was just written is read faster in pieces of the size that it was written in.

use std::fmt::Display;
use std::hash::{Hash, Hasher};

use crate::guard::guard;

/// The words of two or three usual arguments.
const INLINE: usize = 5;

/// Says in a length that the text came to an end by a failure.
const SPOILED: u64 = 1 << 63;

/// The recorded parts of one key.
#[derive(Clone)]
pub(crate) struct Arguments(Buffer);

#[derive(Clone)]
enum Buffer {
    /// Words beyond the length are zero.
    Inline {
        len: u8,
        words: [u64; INLINE],
    },
    Heap(Vec<u64>),
}

/// Writes [`Arguments`].
pub struct Recorder {
    arguments: Arguments,
    usable: bool,
}

/// Reads [`Arguments`], by the types that they were written by.
pub struct Recorded<'a>(&'a [u64]);

impl Arguments {
    #[inline]
    fn words(&self) -> &[u64] {
        match &self.0 {
            Buffer::Inline { len, words } => &words[..usize::from(*len).min(INLINE)],
            Buffer::Heap(words) => words,
        }
    }

    /// The only word, where there is no other.
    #[inline]
    pub(crate) fn only(&self) -> Option<u64> {
        match &self.0 {
            Buffer::Inline { len: 1, words } => Some(words[0]),
            _ => None,
        }
    }

    pub(crate) fn read(&self) -> Recorded<'_> {
        Recorded(self.words())
    }

    #[inline]
    fn push(&mut self, word: u64) {
        if let Buffer::Inline { len, words } = &mut self.0
            && let Some(free) = words.get_mut(usize::from(*len))
        {
            *free = word;
            *len += 1;
        } else {
            self.push_far(word);
        }
    }

    /// So many words more, to be written at once, where they have room beside those that are there.
    #[inline]
    fn room(&mut self, count: usize) -> Option<&mut [u64]> {
        let Buffer::Inline { len, words } = &mut self.0 else {
            return None;
        };
        let taken = usize::from(*len);
        let room = words.get_mut(taken..)?.get_mut(..count)?;
        *len += u8::try_from(count).ok()?;
        Some(room)
    }

    #[cold]
    fn push_far(&mut self, word: u64) {
        match &mut self.0 {
            Buffer::Inline { words, .. } => {
                let mut far = Vec::with_capacity(4 * INLINE);
                far.extend_from_slice(words);
                far.push(word);
                self.0 = Buffer::Heap(far);
            }
            Buffer::Heap(words) => words.push(word),
        }
    }
}

impl PartialEq for Arguments {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            // Of one function and as long as each other, or else different before they end: the length says nothing more.
            (Buffer::Inline { words: a, .. }, Buffer::Inline { words: b, .. }) => {
                let differences = a.iter().zip(b).map(|(a, b)| a ^ b);
                differences.fold(0, |all, word| all | word) == 0
            }
            (Buffer::Heap(a), Buffer::Heap(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Arguments {}

impl Hash for Arguments {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        // By two, which is how the hash takes them.
        for pair in self.words().chunks(2) {
            let [low, high] = [pair[0], pair.get(1).copied().unwrap_or(0)];
            hasher.write_u128(u128::from(high) << 64 | u128::from(low));
        }
    }
}

impl Recorder {
    #[inline]
    pub(crate) fn new() -> Self {
        let words = [0; INLINE];
        Self {
            arguments: Arguments(Buffer::Inline { len: 0, words }),
            usable: true,
        }
    }

    /// What was written, and whether each part could be.
    #[inline]
    pub(crate) fn finish(self) -> (Arguments, bool) {
        (self.arguments, self.usable)
    }

    #[inline]
    pub(crate) fn word(&mut self, word: u64) {
        self.arguments.push(word);
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
        self.word(len);
        for chunk in chunks {
            self.word(u64::from_le_bytes(*chunk));
        }
        if !rest.is_empty() {
            self.word(last_word(rest));
        }
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
        let Some((word, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *word
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
        let mut recorder = Recorder::new();
        record(&mut recorder);
        recorder.finish().0
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
            assert!(read.0.is_empty());
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
        let mut recorder = Recorder::new();
        recorder.shown(&Fails);
        let (arguments, usable) = recorder.finish();
        assert!(!usable);
        assert_eq!(arguments.read().shown(), ("half".to_owned(), false));
    }
}
