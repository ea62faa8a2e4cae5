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
        // Most pieces are a few bytes of one integer: a call of `memcpy` for each, which is what `extend_from_slice` makes,
        // takes three times as long on a list of integers, and wins nothing on long strings.
        self.0.extend(data.iter().copied());
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
