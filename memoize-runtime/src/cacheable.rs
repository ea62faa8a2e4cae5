//! What a function must return to be memoized.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type whose values can be stored: one that `serde` can write and read back as an owned value.
///
/// It is implemented for every such type and for no other. The cache is as good an inverse as they are: a field with
/// `#[serde(skip)]` comes back as its default.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored in a cache",
    label = "doesn't implement both `Serialize` and `DeserializeOwned`",
    note = "a memoized function returns an owned value that serde can write and read: add `#[derive(serde::Serialize, serde::Deserialize)]` to the type",
    note = "an `Arc` or `Rc` takes serde's feature `rc`: `features = [\"derive\", \"rc\"]`",
    note = "an iterator or stream is memoized where it is returned as such: `impl Iterator`, `impl Stream` or a box of one, and not by an alias",
    note = "a borrowed value can't be read back; return `String` for `&str`, `Vec<T>` for `&[T]`"
)]
pub trait Cacheable: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Cacheable for T {}
