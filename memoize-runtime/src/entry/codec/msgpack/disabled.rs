//! Without the feature nothing can ask for this codec: the attribute refuses it, and [`Memo`](crate::Memo) has no method for it.

use serde::Serialize;
use serde::de::DeserializeOwned;

pub(in super::super) fn write<T: Serialize + ?Sized>(_: &T, _: &mut Vec<u8>) -> Option<()> {
    None
}

pub(in super::super) fn read<T: DeserializeOwned>(_: &[u8]) -> Option<T> {
    None
}
