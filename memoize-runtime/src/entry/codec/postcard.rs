//! Postcard: compact, without names. The default.

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::bounded::Budget;
use super::Buffer;

pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Option<()> {
    postcard::serialize_with_flavor(value, Append(out)).ok()
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8], keep: impl FnOnce(T)) -> Option<()> {
    let budget = Budget::new(bytes.len());
    let mut postcard = postcard::Deserializer::from_bytes(bytes);
    match T::deserialize(budget.bound(&mut postcard)) {
        Ok(value) if postcard.finalize().is_ok_and(<[u8]>::is_empty) => {
            keep(value);
            Some(())
        }
        _ => None,
    }
}

pub(super) fn take<T: DeserializeOwned>(buffer: &Buffer) -> Option<T> {
    T::deserialize(buffer).ok()
}

/// Appends postcard's output to a buffer that holds the start of an entry. Postcard's own flavor would take the buffer
/// by value, and a panic would then take it along.
struct Append<'out>(&'out mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        match data.len() {
            // Most pieces are integers, put together byte by byte just now: a load of several such bytes, as `memcpy` makes,
            // waits until they have left the store buffer.
            0..EIGHT => data.iter().for_each(|byte| self.0.push(*byte)),
            // A call of `memcpy` takes longer than these do.
            EIGHT..=SHORT => append_short(self.0, data),
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

const EIGHT: usize = 8;

const SHORT: usize = 2 * EIGHT;

/// Appends 8 to 16 bytes: room for 16 is made first, and two parts, which may overlap, are put there.
#[inline]
fn append_short(out: &mut Vec<u8>, data: &[u8]) {
    let start = out.len();
    let end = start + data.len();
    out.extend_from_slice(&[0; SHORT]);
    if let (Some(first), Some(last)) = (data.first_chunk::<EIGHT>(), data.last_chunk::<EIGHT>()) {
        out[start..start + EIGHT].copy_from_slice(first);
        out[end - EIGHT..end].copy_from_slice(last);
    }
    out.truncate(end);
}
