//! What is known of the types that functions store, and whether their values come back.
//!
//! A type is traced once (`fingerprint`), which says whether the codec can hold it (`refusal`). Each write is held against what was
//! traced (`conform`), and the first ones are read back (`proof`) and compared (`comparison`). [`StoredType`] brings it all
//! together.

mod comparison;
mod conform;
mod fingerprint;
mod nesting;
mod proof;
mod refusal;
mod stored;

#[cfg(feature = "testing")]
pub(crate) use fingerprint::Panics;
pub(crate) use fingerprint::{Shape, with_version};
pub(crate) use refusal::Refusal;
#[cfg(feature = "testing")]
pub(crate) use stored::shape_where;
pub(crate) use stored::{StoredType, Unencodable, shape_of};
