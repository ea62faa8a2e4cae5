//! Postcard: compact, without names. The default.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::bounded::Budget;

pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Option<()> {
    postcard::serialize_with_flavor(value, Append(out)).ok()
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let budget = Budget::new(bytes.len());
    let mut postcard = postcard::Deserializer::from_bytes(bytes);
    let value = T::deserialize(budget.bound(&mut postcard)).ok()?;
    postcard.finalize().ok()?.is_empty().then_some(value)
}

/// Appends postcard's output to a buffer that holds the start of an entry. Postcard's own flavor would take the buffer
/// by value, and a panic would then take it along.
struct Append<'out>(&'out mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        // Most pieces are integers of one byte, or short: a call of `memcpy` takes longer than those do.
        match data {
            [] => {}
            [byte] => self.0.push(*byte),
            _ if data.len() <= SHORT => append_short(self.0, data),
            _ => self.0.extend_from_slice(data),
        }
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// What is copied in parts of a fixed length, which are single instructions.
const SHORT: usize = 16;

/// Appends at most [`SHORT`] bytes: room for so many is made first, and two parts, which may overlap, are put there.
#[inline]
fn append_short(out: &mut Vec<u8>, data: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&[0; SHORT]);
    let room = &mut out[start..];
    let _ = put_ends::<8>(room, data) || put_ends::<4>(room, data) || put_ends::<2>(room, data);
    out.truncate(start + data.len());
}

/// Puts the first and the last `N` bytes where they belong, if there are as many.
#[inline]
fn put_ends<const N: usize>(room: &mut [u8], data: &[u8]) -> bool {
    let (Some(first), Some(last)) = (data.first_chunk::<N>(), data.last_chunk::<N>()) else {
        return false;
    };
    room[..N].copy_from_slice(first);
    room[data.len() - N..data.len()].copy_from_slice(last);
    true
}
