//! By `rmp-serde`, within the same bounds as postcard.
//!
//! Types are told that the format is one for people to read, though it isn't: what `untagged`, `tag` and `flatten` keep to look at
//! later says so, whatever the format, and a type that is written for the one and read for the other doesn't come back.

use rmp_serde::Serializer;
use rmp_serde::decode::{Deserializer, Error};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::super::bounded::Budget;

pub(in super::super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Option<()> {
    value
        .serialize(&mut Serializer::new(out).with_struct_map().with_human_readable())
        .ok()
}

pub(in super::super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let budget = Budget::new(bytes.len());
    let mut msgpack = Deserializer::from_read_ref(bytes).with_human_readable();
    let value = T::deserialize(budget.bound(&mut msgpack)).ok()?;
    // It doesn't say how far it read. A number is one marker and a few bytes, so if not even the marker is there, nothing is.
    let rest = u8::deserialize(&mut msgpack);
    matches!(rest, Err(Error::InvalidMarkerRead(_))).then_some(value)
}
