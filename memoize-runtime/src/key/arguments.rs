//! The arguments of one call as bytes: what a hit is looked up by, and what the key's text is made of on a miss.
//!
//! The parts of a function's key have the same types on each call, so that their bytes need no tags: a part is of a fixed length,
//! or has its length before it. Two lists of arguments of one function have the same bytes only if all parts are the same.

use std::fmt::{self, Display, Write};
use std::hash::{Hash, Hasher};

use crate::guard::guard;

/// What two or three usual arguments take. The rest is zero, so that it can be compared without a look at the length.
const INLINE: usize = 46;

/// Says in a length that the text came to an end by a failure.
const SPOILED: u32 = 1 << 31;

/// The recorded parts of one key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Arguments(Buffer);

#[derive(Clone, PartialEq, Eq)]
enum Buffer {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Vec<u8>),
}

/// Writes [`Arguments`].
pub struct Recorder {
    arguments: Arguments,
    usable: bool,
}

/// Reads [`Arguments`], by the types that they were written by.
pub struct Recorded<'a>(&'a [u8]);

impl Arguments {
    fn bytes(&self) -> &[u8] {
        match &self.0 {
            Buffer::Inline { len, bytes } => &bytes[..usize::from(*len).min(INLINE)],
            Buffer::Heap(bytes) => bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(crate) fn read(&self) -> Recorded<'_> {
        Recorded(self.bytes())
    }

    #[inline]
    fn push(&mut self, more: &[u8]) {
        if let Buffer::Inline { len, bytes } = &mut self.0 {
            let start = usize::from(*len);
            if let Some(room) = bytes.get_mut(start..start + more.len()) {
                room.copy_from_slice(more);
                *len += more.len() as u8;
                return;
            }
        }
        self.push_far(more);
    }

    #[cold]
    fn push_far(&mut self, more: &[u8]) {
        if let Buffer::Inline { .. } = self.0 {
            let mut bytes = Vec::with_capacity(2 * INLINE + more.len());
            bytes.extend_from_slice(self.bytes());
            self.0 = Buffer::Heap(bytes);
        }
        if let Buffer::Heap(bytes) = &mut self.0 {
            bytes.extend_from_slice(more);
        }
    }

    fn overwrite(&mut self, at: usize, with: [u8; 4]) {
        let bytes = match &mut self.0 {
            Buffer::Inline { bytes, .. } => &mut bytes[..],
            Buffer::Heap(bytes) => bytes,
        };
        bytes[at..at + with.len()].copy_from_slice(&with);
    }
}

impl Hash for Arguments {
    #[inline]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write(self.bytes());
    }
}

impl Recorder {
    #[inline]
    pub(crate) fn new() -> Self {
        let bytes = [0; INLINE];
        Self {
            arguments: Arguments(Buffer::Inline { len: 0, bytes }),
            usable: true,
        }
    }

    /// What was written, if each part could be.
    #[inline]
    pub(crate) fn finish(self) -> (Arguments, bool) {
        (self.arguments, self.usable)
    }

    /// A part of a length that its type tells.
    #[inline]
    pub(crate) fn fixed<const N: usize>(&mut self, bytes: [u8; N]) {
        self.arguments.push(&bytes);
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &str) {
        // What is that long is never usable: a key is bounded in practice, and this keeps the length in 31 bits.
        let len = u32::try_from(text.len()).unwrap_or(SPOILED);
        if len >= SPOILED {
            self.fixed(SPOILED.to_le_bytes());
            self.usable = false;
            return;
        }
        self.fixed(len.to_le_bytes());
        self.arguments.push(text.as_bytes());
    }

    /// The text of a value, whose `Display` is the user's code: it may fail or panic, and a key may not.
    pub(crate) fn shown(&mut self, value: &(impl Display + ?Sized)) {
        let start = self.arguments.len();
        self.fixed([0; 4]);
        let written = guard(|| write!(Appended(&mut self.arguments), "{value}"));
        let len = self.arguments.len() - start - 4;
        let mut len = u32::try_from(len).unwrap_or(SPOILED);
        if len >= SPOILED || !matches!(written, Some(Ok(()))) {
            len |= SPOILED;
            self.usable = false;
        }
        self.arguments.overwrite(start, len.to_le_bytes());
    }

    /// A digest, where there is one.
    pub(crate) fn digest(&mut self, digest: Option<[u8; 32]>) {
        self.usable &= digest.is_some();
        self.fixed([u8::from(digest.is_some())]);
        if let Some(digest) = digest {
            self.fixed(digest);
        }
    }
}

struct Appended<'a>(&'a mut Arguments);

impl Write for Appended<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push(text.as_bytes());
        Ok(())
    }
}

impl<'a> Recorded<'a> {
    pub(crate) fn fixed<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap_or([0; N])
    }

    /// A text, and whether it is whole.
    pub(crate) fn text(&mut self) -> (&'a str, bool) {
        let len = u32::from_le_bytes(self.fixed());
        let text = self.take((len & !SPOILED) as usize);
        (str::from_utf8(text).unwrap_or(""), len & SPOILED == 0)
    }

    pub(crate) fn digest(&mut self) -> Option<[u8; 32]> {
        let [is_there] = self.fixed();
        (is_there == 1).then(|| self.fixed())
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
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
    }

    #[test]
    fn what_was_written_is_read_whatever_its_length() {
        for length in [0, 1, INLINE - 13, INLINE - 12, INLINE - 11, INLINE, 1000] {
            let text = "x".repeat(length);
            let arguments = recorded(|to| {
                to.fixed(7_u64.to_le_bytes());
                to.text(&text);
                to.shown(&length);
            });
            let mut read = arguments.read();
            assert_eq!(u64::from_le_bytes(read.fixed()), 7);
            assert_eq!(read.text(), (text.as_str(), true));
            assert_eq!(read.text(), (length.to_string().as_str(), true));
            assert_eq!(read.take(1), []);
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
        assert_eq!(arguments.read().text(), ("half", false));
    }
}
