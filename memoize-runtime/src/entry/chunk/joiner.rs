//! Pieces in, items out.

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;

use bytes::Bytes;

use crate::entry::reject::Reject;
use crate::hidden::Hidden;

/// The most room that is made for an item because its length says so; what is longer grows as it comes.
const BELIEVED: usize = 64 << 20;

/// Puts the items together that a [`Cutter`](super::cutter::Cutter) took apart.
///
/// For an item that is in several pieces room is made at once, since to grow a large one would move it time and again. No
/// memory is touched before there is something to put there.
#[derive(Debug)]
pub(super) struct Joiner {
    pieces: Hidden<VecDeque<Bytes>>,
    /// The piece that items are taken from, and how far it was read.
    current: Hidden<Bytes>,
    at: usize,
    /// An item that began in an earlier piece, or its length, as far as it is there.
    carry: Hidden<Vec<u8>>,
    carried: Carried,
    /// Whether an item has its own length once more before it, which is left out of what is carried.
    are_bytes: bool,
    /// What of the stream was not yet read.
    bytes_left: u64,
    items_left: u64,
}

/// What is carried from piece to piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carried {
    Nothing,
    /// The length of an item.
    Length,
    /// The length of the bytes in an item of so many.
    OwnLength(usize),
    /// An item of which so much isn't there.
    Item {
        missing: usize,
    },
    /// One that was handed out.
    Done,
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
            carried: Carried::Nothing,
            are_bytes: false,
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

    /// Each item is bytes or text, as postcard writes them: one that is put together is a [buffer](Self::buffer_of) of these alone.
    pub(super) fn expect_bytes(&mut self) {
        self.are_bytes = true;
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        self.pieces.push_back(piece);
    }

    /// Where the next so many bytes of the stream are to be appended in place of being [pushed](Self::push): if all there is was read,
    /// and they belong to one item. Only they may be, and must be.
    pub(super) fn room_for(&mut self, bytes: usize) -> Option<&mut Vec<u8>> {
        let is_read = self.at == self.current.len() && self.pieces.is_empty();
        let Carried::Item { missing } = self.carried else {
            return None;
        };
        if !is_read || bytes > missing {
            return None;
        }
        self.bytes_left = self.bytes_left.checked_sub(bytes as u64)?;
        self.make_room(missing, bytes);
        self.carried = Carried::Item {
            missing: missing - bytes,
        };
        // What was read is needed no more, and may be as long as what comes.
        (*self.current, self.at) = (Bytes::new(), 0);
        Some(&mut self.carry)
    }

    /// The bytes of an item, with their own length where they have one.
    #[inline]
    pub(super) fn bytes_of(&self, item: &Item) -> &[u8] {
        let bytes: &[u8] = if item.is_carried {
            &self.carry
        } else {
            &self.current
        };
        &bytes[item.range.clone()]
    }

    /// The bytes of an item that was put together, where [such](Self::expect_bytes) are expected, without their length. They are
    /// gone from here.
    pub(super) fn buffer_of(&mut self, item: &Item) -> Option<Vec<u8>> {
        (item.is_carried && self.are_bytes).then(|| mem::take(&mut *self.carry))
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
        if self.items_left == 0 || self.carried != Carried::Nothing {
            return None;
        }
        let item = whole(self.current.get(self.at..)?)?;
        self.bytes_left = self.bytes_left.checked_sub(item.end as u64)?;
        self.items_left -= 1;
        let range = self.at + item.start..self.at + item.end;
        self.at = range.end;
        Some(range)
    }

    #[cold]
    fn next_in_parts(&mut self) -> Result<Found, Reject> {
        if self.carried == Carried::Done {
            *self.carry = Vec::new();
            self.carried = Carried::Nothing;
            return self.next();
        }
        loop {
            let missing = match self.carried {
                Carried::Item { missing: 0 } => {
                    self.items_left -= 1;
                    self.carried = Carried::Done;
                    return Ok(Found::Item(Item {
                        range: 0..self.carry.len(),
                        is_carried: true,
                    }));
                }
                Carried::Item { missing } => missing,
                // Byte by byte, up to its last.
                _ => 1,
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
            self.make_room(missing, part);
            self.carry
                .extend_from_slice(&self.current[self.at..self.at + part]);
            self.bytes_left -= part as u64;
            self.at += part;
            self.carried = self.carried_with(part)?;
        }
    }

    /// What is carried when so much was added to it.
    fn carried_with(&mut self, part: usize) -> Result<Carried, Reject> {
        let of_item = match self.carried {
            Carried::Item { missing } => {
                return Ok(Carried::Item {
                    missing: missing - part,
                });
            }
            Carried::OwnLength(of_item) => Some(of_item),
            _ => None,
        };
        let Some((length, prefix)) = length(&self.carry)? else {
            return Ok(of_item.map_or(Carried::Length, Carried::OwnLength));
        };
        self.carry.clear();
        match of_item {
            None if self.are_bytes => Ok(Carried::OwnLength(length)),
            Some(of_item) if length.checked_add(prefix) != Some(of_item) => Err(Reject::Damaged),
            _ => Ok(Carried::Item { missing: length }),
        }
    }

    /// Of what is missing, `part` comes next.
    fn make_room(&mut self, missing: usize, part: usize) {
        let len = self.carry.len();
        if self.carry.capacity() - len < part {
            let believed = missing.min(len.max(BELIEVED));
            self.carry.reserve_exact(believed.max(part));
        }
    }
}

/// Where an item is that stands at the start of these bytes with its length before it, if it is there as a whole.
#[inline]
fn whole(bytes: &[u8]) -> Option<Range<usize>> {
    match bytes {
        [length, rest @ ..] if *length < 0x80 && rest.len() >= usize::from(*length) => {
            Some(1..1 + usize::from(*length))
        }
        _ => {
            let (length, prefix) = length(bytes).ok()??;
            (bytes.len() - prefix >= length).then(|| prefix..prefix + length)
        }
    }
}

/// A length at the start of these bytes, and how many of them it takes; none where its end isn't there.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, Reject> {
    let mut length = 0_u64;
    for (index, &byte) in bytes.iter().enumerate() {
        let group = u64::from(byte & 0x7F);
        let shift = 7 * u32::try_from(index).map_err(|_| Reject::Damaged)?;
        if shift > 63 || (group << shift) >> shift != group {
            return Err(Reject::Damaged);
        }
        length |= group << shift;
        if byte < 0x80 {
            let length = usize::try_from(length).map_err(|_| Reject::Damaged)?;
            return Ok(Some((length, index + 1)));
        }
    }
    Ok(None)
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

    /// The only item of a stream, which is bytes with their length before them: taken out or as it stands, and given piece by piece where
    /// there is room for it.
    fn bytes_in(pieces: &[Vec<u8>], raw_len: u64) -> Result<(Vec<u8>, bool), Reject> {
        let mut joiner = Joiner::new(raw_len, 1);
        joiner.expect_bytes();
        let mut pieces = pieces.iter();
        loop {
            match joiner.next()? {
                Found::End => return Err(Reject::Truncated),
                Found::Item(item) => {
                    let taken = joiner.buffer_of(&item);
                    let is_taken = taken.is_some();
                    let bytes = taken.unwrap_or_else(|| joiner.bytes_of(&item).to_vec());
                    assert!(matches!(joiner.next()?, Found::End));
                    return Ok((bytes, is_taken));
                }
                Found::Beyond => {
                    let piece = pieces.next().ok_or(Reject::Truncated)?;
                    match joiner.room_for(piece.len()) {
                        Some(room) => room.extend_from_slice(piece),
                        None => joiner.push(piece.clone().into()),
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_are_put_together_without_their_length() {
        for len in [0, 1, 5, 126, 127, 128, 300, 20_000] {
            let bytes = vec![7; len];
            let written = postcard::to_stdvec(&bytes).expect("bytes");
            for piece_len in [1, 2, 3, 7, 100, 127, 128, 129, 40_000] {
                let pieces = cut(std::slice::from_ref(&written), piece_len);
                let (found, is_taken) = bytes_in(&pieces, total(&pieces)).expect("it is whole");
                assert!(is_taken || pieces.len() == 1, "{len} {piece_len}");
                assert_eq!(found, if is_taken { &bytes } else { &written }[..]);
            }
        }
    }

    #[test]
    fn bytes_whose_own_length_is_another_are_refused() {
        for written in [
            &b"\x03abcd"[..],
            b"\x05abcd",
            b"",
            b"\x80",
            b"\x80\x80\x80\x80abcd",
        ] {
            let pieces = cut(&[written.to_vec()], 2);
            let found = bytes_in(&pieces, total(&pieces));
            if pieces.len() > 1 {
                assert!(found.is_err(), "{written:?}: {found:?}");
            }
        }
    }

    #[test]
    fn room_is_made_once_and_no_more_than_is_believed() {
        let claimed = BELIEVED as u64 * 1000;
        let mut joiner = Joiner::new(claimed + 5, 1);
        let mut prefix = Vec::new();
        let mut rest = claimed;
        while rest > 0 {
            prefix.push((rest & 0x7F) as u8 | if rest > 0x7F { 0x80 } else { 0 });
            rest >>= 7;
        }
        assert_eq!(prefix.len(), 6);
        joiner.bytes_left = claimed + 6;
        joiner.push(prefix.into());
        joiner.push(vec![7; 100].into());
        assert!(matches!(joiner.next(), Ok(Found::Beyond)));
        assert_eq!(joiner.carry.capacity(), BELIEVED);
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
