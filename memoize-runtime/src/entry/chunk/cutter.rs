//! Items in, pieces of equal length out.

use crate::hidden::Hidden;

/// The longest that the length before an item gets: a `u64` in groups of seven bits.
const LONGEST_PREFIX: usize = 10;

/// A buffer this many times as long as a piece was grown by an item of unusual size, and is given back.
const SPACIOUS: usize = 4;

/// Cuts a stream of items into pieces, holding little more than one piece or one item.
#[derive(Debug)]
pub(super) struct Cutter {
    piece_len: usize,
    buffer: Hidden<Vec<u8>>,
    /// Where in the buffer the stream begins that was not cut yet.
    start: usize,
    /// How much of the buffer's end was cut from there last.
    cut_from_end: usize,
    raw_len: u64,
    items: u64,
}

impl Cutter {
    pub(super) fn new(piece_len: usize) -> Self {
        debug_assert!(piece_len > 0);
        Self {
            piece_len,
            buffer: Hidden(Vec::new()),
            start: 0,
            cut_from_end: 0,
            raw_len: 0,
            items: 0,
        }
    }

    /// A stream of one item that was encoded already, behind something in `buffer` that nobody needs any more. The item's
    /// length takes that place, so that a large value is not copied.
    pub(super) fn of_one(piece_len: usize, mut buffer: Vec<u8>, item: usize) -> Self {
        let prefix = Prefix::of(buffer.len() - item);
        let start = item - prefix.as_slice().len();
        buffer[start..item].copy_from_slice(prefix.as_slice());
        let raw_len = (buffer.len() - start) as u64;
        Self {
            piece_len,
            buffer: Hidden(buffer),
            start,
            cut_from_end: 0,
            raw_len,
            items: 1,
        }
    }

    /// Adds the item that `encode` appends to the buffer it is given.
    ///
    /// # Errors
    ///
    /// What `encode` returns; the item is then not part of the stream.
    #[inline]
    pub(super) fn push<E>(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.forget_what_was_cut();
        let before = self.buffer.len();
        // Most items are short enough for this one byte.
        self.buffer.push(0);
        if let Err(error) = encode(&mut self.buffer) {
            self.buffer.truncate(before);
            return Err(error);
        }
        let length = self.buffer.len() - before - 1;
        match u8::try_from(length) {
            Ok(length) if length < 0x80 => self.buffer[before] = length,
            _ => self.insert_prefix(before, length),
        }
        self.raw_len += (self.buffer.len() - before) as u64;
        self.items += 1;
        Ok(())
    }

    /// The next piece, if there is enough for a full one.
    #[inline]
    pub(super) fn full_piece(&mut self) -> Option<&[u8]> {
        let end = self.start + self.piece_len;
        if end > self.buffer.len() {
            return None;
        }
        let piece = &self.buffer[self.start..end];
        self.start = end;
        Some(piece)
    }

    /// What is left at the end of the stream, if anything is.
    pub(super) fn last_piece(&mut self) -> Option<&[u8]> {
        let piece = &self.buffer[self.start..];
        self.start = self.buffer.len();
        (!piece.is_empty()).then_some(piece)
    }

    /// The last piece that is left of a stream that is whole, of which nothing was cut from its beginning; and its number.
    ///
    /// So what was cut of a large value can be let go before all of it is.
    pub(super) fn piece_from_end(&mut self) -> Option<(u32, &[u8])> {
        let end = self.buffer.len() - self.cut_from_end;
        self.buffer.truncate(end);
        // Not each time, as it may be moved.
        if end <= self.buffer.capacity() / 2 {
            self.buffer.shrink_to_fit();
        }
        let before_last = (end - self.start).checked_sub(1)? / self.piece_len;
        let piece = &self.buffer[self.start + before_last * self.piece_len..];
        self.cut_from_end = piece.len();
        // Where there are more than can be counted, the first that is cut says so.
        Some((u32::try_from(before_last).unwrap_or(u32::MAX), piece))
    }

    /// The last so many bytes of the stream, which were not forgotten yet.
    #[inline]
    pub(super) fn last(&self, bytes: usize) -> &[u8] {
        &self.buffer[self.buffer.len() - bytes..]
    }

    /// The length of the stream so far.
    pub(super) fn raw_len(&self) -> u64 {
        self.raw_len
    }

    pub(super) fn items(&self) -> u64 {
        self.items
    }

    fn insert_prefix(&mut self, at: usize, length: usize) {
        let prefix = Prefix::of(length);
        let prefix = prefix.as_slice();
        let item = at + prefix.len();
        self.buffer.resize(item + length, 0);
        self.buffer.copy_within(at + 1..at + 1 + length, item);
        self.buffer[at..item].copy_from_slice(prefix);
    }

    fn forget_what_was_cut(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
            if self.buffer.capacity() > SPACIOUS * self.piece_len {
                self.buffer.shrink_to(2 * self.piece_len);
            }
        }
    }
}

/// A length in front of its item: seven bits a byte, the lowest first, and a high bit where more follow.
struct Prefix {
    bytes: [u8; LONGEST_PREFIX],
    len: usize,
}

impl Prefix {
    fn of(length: usize) -> Self {
        let mut prefix = Self {
            bytes: [0; LONGEST_PREFIX],
            len: 0,
        };
        let mut rest = length as u64;
        loop {
            let more = if rest >= 0x80 { 0x80 } else { 0 };
            prefix.bytes[prefix.len] = more | (rest & 0x7F) as u8;
            prefix.len += 1;
            rest >>= 7;
            if rest == 0 {
                return prefix;
            }
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn push(cutter: &mut Cutter, item: &[u8]) {
        let encode = |out: &mut Vec<u8>| {
            out.extend_from_slice(item);
            Ok::<(), Infallible>(())
        };
        match cutter.push(encode) {
            Ok(()) => {}
            Err(never) => match never {},
        }
    }

    fn rest(cutter: &mut Cutter) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        while let Some(piece) = cutter.full_piece() {
            pieces.push(piece.to_vec());
        }
        pieces.extend(cutter.last_piece().map(<[u8]>::to_vec));
        pieces
    }

    #[test]
    fn pieces_are_cut_without_regard_to_items() {
        let mut cutter = Cutter::new(4);
        assert_eq!(cutter.full_piece(), None);
        push(&mut cutter, b"ab");
        assert_eq!(cutter.full_piece(), None);
        push(&mut cutter, b"cdefg");
        assert_eq!(cutter.full_piece(), Some(&b"\x02ab\x05"[..]));
        assert_eq!(cutter.full_piece(), Some(&b"cdef"[..]));
        assert_eq!(cutter.full_piece(), None);
        push(&mut cutter, b"");
        assert_eq!(rest(&mut cutter), [b"g\x00"]);
        assert_eq!(cutter.last_piece(), None);
        assert_eq!((cutter.raw_len(), cutter.items()), (10, 3));
    }

    #[test]
    fn a_value_is_cut_from_its_end() {
        for length in [0, 1, 6, 7, 8, 15, 100] {
            let buffer = [&[9; 44][..], &vec![7; length]].concat();
            let expected = rest(&mut Cutter::of_one(8, buffer.clone(), 44));
            let mut cutter = Cutter::of_one(8, buffer, 44);
            let mut pieces = Vec::new();
            while let Some((index, piece)) = cutter.piece_from_end() {
                pieces.insert(0, piece.to_vec());
                assert_eq!(pieces.len() + index as usize, expected.len());
                let (held, left) = (cutter.buffer.capacity(), (index as usize + 1) * 8 + 44);
                assert!(held <= 2 * left + 64, "{held} bytes for {left}");
            }
            assert_eq!(pieces, expected, "{length}");
        }
    }

    #[test]
    fn longer_items_have_longer_lengths() {
        for (length, prefix) in [
            (127, &b"\x7f"[..]),
            (128, b"\x80\x01"),
            (16_383, b"\xff\x7f"),
            (16_384, b"\x80\x80\x01"),
        ] {
            let item = vec![7; length];
            let mut cutter = Cutter::new(100_000);
            push(&mut cutter, &item);
            let expected = [prefix, &item].concat();
            assert_eq!(rest(&mut cutter), [&expected[..]]);

            let behind = [&[9; 44][..], &item].concat();
            assert_eq!(rest(&mut Cutter::of_one(100_000, behind, 44)), [expected]);
        }
    }

    #[test]
    fn an_item_that_fails_leaves_no_trace() {
        let mut cutter = Cutter::new(100);
        push(&mut cutter, b"ab");
        let failed = cutter.push(|out| {
            out.extend_from_slice(b"half");
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        assert_eq!((cutter.raw_len(), cutter.items()), (3, 1));
        assert_eq!(rest(&mut cutter), [b"\x02ab"]);
    }

    #[test]
    fn the_memory_of_a_huge_item_is_given_back() {
        let mut cutter = Cutter::new(100);
        push(&mut cutter, &vec![7; 100_000]);
        while cutter.full_piece().is_some() {}
        push(&mut cutter, b"ab");
        assert!(cutter.buffer.capacity() < 1000);
    }
}
