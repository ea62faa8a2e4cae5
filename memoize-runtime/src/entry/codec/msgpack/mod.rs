//! `MessagePack` with the names of fields and variants, for types that postcard can't hold (feature `msgpack`).

#[cfg(not(feature = "msgpack"))]
mod disabled;
#[cfg(feature = "msgpack")]
mod enabled;

#[cfg(not(feature = "msgpack"))]
pub(super) use disabled::{read, write};
#[cfg(feature = "msgpack")]
pub(super) use enabled::{read, write};
