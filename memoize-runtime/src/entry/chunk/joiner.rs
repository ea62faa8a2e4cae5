//! Pieces in, items out.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use crate::entry::reject::Reject;
use crate::hidden::Hidden;

/// Puts the items together that a [`Cutter`](super::cutter::Cutter) took apart.
///
/// Nothing is allocated because the bytes claim a length: an item that is in several pieces grows as they come.
#[derive(Debug)]
pub(super) struct Joiner {
    pieces: Hidden<VecDeque<Bytes>>,
    /// The piece that items are taken from, and how far it was read.
    current: Hidden<Bytes>,
    at: usize,
    /// An item that began in an earlier piece, as far as it is there.
    carry: Hidden<Vec<u8>>,
    /// Whether the item in `carry` was handed out.
    carry_is_done: bool,
    /// What of the stream was not yet read.
    bytes_left: u64,
    items_left: u64,
}

/// What there is to be taken next.
#[derive(Debug)]
pub(super) enum Found {
    Item(Item),
    /// An item that is partly in a piece that is not there yet.
    Beyond,
    /// Nothing: the stream is whole.
    End,
}

/// Where an item is, until the next one is asked for. It isn't its bytes, as those would be borrowed.
#[derive(Debug)]
pub(crate) struct Item {
    range: Range<usize>,
    /// Put together from parts. Most are in the piece that is being read.
    is_carried: bool,
}

impl Joiner {
    pub(super) fn new(raw_len: u64, items: u64) -> Self {
        Self {
            pieces: Hidden(VecDeque::new()),
            current: Hidden(Bytes::new()),
            at: 0,
            carry: Hidden(Vec::new()),
            carry_is_done: false,
            bytes_left: raw_len,
            items_left: items,
        }
    }

    /// For a stream of which neither length is known before its [`end`](Self::end).
    pub(super) fn endless() -> Self {
        Self::new(u64::MAX, u64::MAX)
    }

    /// Takes notice of the lengths of what was endless.
    ///
    /// # Errors
    ///
    /// `Damaged` where more was read.
    pub(super) fn end(&mut self, raw_len: u64, items: u64) -> Result<(), Reject> {
        let left =
            |whole: u64, left: u64| whole.checked_sub(u64::MAX - left).ok_or(Reject::Damaged);
        self.bytes_left = left(raw_len, self.bytes_left)?;
        self.items_left = left(items, self.items_left)?;
        Ok(())
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.pieces.push_back(piece);
    }

    #[inline]
    pub(super) fn bytes_of(&self, item: &Item) -> &[u8] {
        let bytes: &[u8] = if item.is_carried {
            &self.carry
        } else {
            &self.current
        };
        &bytes[item.range.clone()]
    }

    /// Finds the next item.
    ///
    /// # Errors
    ///
    /// `Damaged`: lengths, their sum and the number of items contradict each other.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Found, Reject> {
        if self.items_left == 0 {
            return if self.bytes_left == 0 {
                Ok(Found::End)
            } else {
                Err(Reject::Damaged)
            };
        }
        if let Some(range) = self.next_whole() {
            return Ok(Found::Item(Item {
                range,
                is_carried: false,
            }));
        }
        self.next_in_parts()
    }

    /// The next item, where the piece that is being read has the whole of it. What is less simple is left to
    /// [`next`](Self::next), whose answer is put together in memory, and this one in registers.
    #[inline]
    pub(super) fn at_hand(&mut self) -> Option<&[u8]> {
        let range = self.next_whole()?;
        self.current.get(range)
    }

    #[inline]
    fn next_whole(&mut self) -> Option<Range<usize>> {
        if self.items_left == 0 || !self.carry.is_empty() {
            return None;
        }
        let Ok(Frame::Whole(item)) = frame(self.current.get(self.at..)?) else {
            return None;
        };
        self.bytes_left = self.bytes_left.checked_sub(item.end as u64)?;
        self.items_left -= 1;
        let range = self.at + item.start..self.at + item.end;
        self.at = range.end;
        Some(range)
    }

    #[cold]
    fn next_in_parts(&mut self) -> Result<Found, Reject> {
        if self.carry_is_done {
            *self.carry = Vec::new();
            self.carry_is_done = false;
            return self.next();
        }
        loop {
            let missing = match frame(&self.carry)? {
                Frame::Whole(range) => {
                    self.items_left -= 1;
                    self.carry_is_done = true;
                    return Ok(Found::Item(Item {
                        range,
                        is_carried: true,
                    }));
                }
                Frame::Missing(missing) => missing,
            };
            if missing as u64 > self.bytes_left {
                return Err(Reject::Damaged);
            }
            if self.at == self.current.len() {
                let Some(piece) = self.pieces.pop_front() else {
                    return Ok(Found::Beyond);
                };
                (*self.current, self.at) = (piece, 0);
            }
            let part = missing.min(self.current.len() - self.at);
            self.carry
                .extend_from_slice(&self.current[self.at..self.at + part]);
            self.take(part)?;
        }
    }

    #[inline]
    fn take(&mut self, bytes: usize) -> Result<(), Reject> {
        self.bytes_left = self
            .bytes_left
            .checked_sub(bytes as u64)
            .ok_or(Reject::Damaged)?;
        self.at += bytes;
        Ok(())
    }
}

/// An item with its length before it, at the start of some bytes.
enum Frame {
    /// It is there as a whole; the range is that of the item alone.
    Whole(Range<usize>),
    /// At least so many more bytes are needed, and at least one.
    Missing(usize),
}

#[inline]
fn frame(bytes: &[u8]) -> Result<Frame, Reject> {
    match bytes {
        [length, rest @ ..] if *length < 0x80 && rest.len() >= usize::from(*length) => {
            Ok(Frame::Whole(1..1 + usize::from(*length)))
        }
        _ => long_frame(bytes),
    }
}

fn long_frame(bytes: &[u8]) -> Result<Frame, Reject> {
    let mut length = 0_u64;
    for (index, &byte) in bytes.iter().enumerate() {
        let group = u64::from(byte & 0x7F);
        let shift = 7 * u32::try_from(index).map_err(|_| Reject::Damaged)?;
        if shift > 63 || (group << shift) >> shift != group {
            return Err(Reject::Damaged);
        }
        length |= group << shift;
        if byte < 0x80 {
            let start = index + 1;
            let length = usize::try_from(length).map_err(|_| Reject::Damaged)?;
            let there = bytes.len() - start;
            return Ok(match length.checked_sub(there) {
                None | Some(0) => Frame::Whole(start..start + length),
                Some(missing) => Frame::Missing(missing),
            });
        }
    }
    Ok(Frame::Missing(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cutter::Cutter;
    use super::*;

    /// The items of these pieces, given one by one as they are asked for.
    fn join(pieces: &[Vec<u8>], raw_len: u64, items: u64) -> Result<Vec<Vec<u8>>, Reject> {
        let mut joiner = Joiner::new(raw_len, items);
        let mut pieces = pieces.iter();
        let mut all = Vec::new();
        loop {
            match joiner.next()? {
                Found::Beyond => match pieces.next() {
                    Some(piece) => joiner.push(piece.clone().into()),
                    None => return Err(Reject::Truncated),
                },
                Found::End => return Ok(all),
                Found::Item(item) => all.push(joiner.bytes_of(&item).to_vec()),
            }
        }
    }

    fn cut(items: &[Vec<u8>], piece_len: usize) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new(piece_len);
        let mut pieces = Vec::new();
        for item in items {
            let encode = |out: &mut Vec<u8>| {
                out.extend_from_slice(item);
                Ok::<(), ()>(())
            };
            assert_eq!(cutter.push(encode), Ok(()));
            while let Some(piece) = cutter.full_piece() {
                pieces.push(piece.to_vec());
            }
        }
        pieces.extend(cutter.last_piece().map(<[u8]>::to_vec));
        pieces
    }

    fn total(pieces: &[Vec<u8>]) -> u64 {
        pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    #[test]
    fn no_items_take_no_pieces() {
        assert_eq!(join(&[], 0, 0), Ok(vec![]));
    }

    #[test]
    fn a_huge_claim_is_refused_before_anything_comes() {
        let mut claim = vec![0xFF; 9];
        claim.push(0x01);
        assert_eq!(join(&[claim], 1_000_000, 1), Err(Reject::Damaged));
        // More bits than a length has, and a length without an end.
        assert_eq!(join(&[vec![0xFF; 10]], 1_000_000, 1), Err(Reject::Damaged));
        assert_eq!(join(&[vec![0x80; 11]], 1_000_000, 1), Err(Reject::Damaged));
    }

    #[test]
    fn figures_that_contradict_the_bytes_are_refused() {
        let items = [b"ab".to_vec(), b"cdef".to_vec()];
        let pieces = cut(&items, 3);
        assert_eq!(join(&pieces, 8, 2), Ok(items.to_vec()));
        assert_eq!(join(&pieces, 8, 1), Err(Reject::Damaged));
        assert_eq!(join(&pieces, 8, 3), Err(Reject::Damaged));
        assert_eq!(join(&pieces, 7, 2), Err(Reject::Damaged));
        assert_eq!(join(&pieces, 9, 2), Err(Reject::Damaged));
        assert_eq!(join(&pieces[..2], 8, 2), Err(Reject::Truncated));
    }

    #[test]
    fn every_length_and_piece_length_around_each_other() {
        for item_len in 0..40 {
            for piece_len in 1..45 {
                for count in [1, 2, 5] {
                    let items: Vec<Vec<u8>> = (0..count).map(|n| vec![n; item_len]).collect();
                    let pieces = cut(&items, piece_len);
                    let (last, full) = pieces.split_last().expect("an item has a length");
                    assert!(full.iter().all(|piece| piece.len() == piece_len));
                    assert!((1..=piece_len).contains(&last.len()));
                    assert_eq!(join(&pieces, total(&pieces), u64::from(count)), Ok(items));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_cut_is_joined(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
            piece_len in 1_usize..500,
        ) {
            let pieces = cut(&items, piece_len);
            prop_assert_eq!(join(&pieces, total(&pieces), items.len() as u64), Ok(items));
        }

        #[test]
        fn any_bytes_withstand(pieces: Vec<Vec<u8>>, raw_len in 0_u64..200, items in 0_u64..20) {
            if let Ok(joined) = join(&pieces, raw_len, items) {
                prop_assert_eq!(joined.len() as u64, items);
            }
        }
    }
}
