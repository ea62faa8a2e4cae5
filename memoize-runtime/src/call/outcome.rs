//! How what a function returns becomes an entry and comes back.

use std::any::type_name;

use crate::Cacheable;
use crate::entry::{self, Reject};

/// The two ways between a function's return type `R` and the bytes of an entry.
///
/// They are function pointers, so that the bound on the stored type stands in the two constructors alone, and everything
/// after them deals with any `R`.
pub(crate) struct Outcome<R> {
    pub(crate) is_value: fn(&R) -> bool,
    pub(crate) encode: fn(&R, &mut Vec<u8>) -> Result<(), Unencodable>,
    pub(crate) decode: fn(&[u8]) -> Result<R, Reject>,
    pub(crate) type_name: fn() -> &'static str,
}

/// A value that its `Serialize` refused, or that the codec can't hold.
#[derive(Debug)]
pub(crate) struct Unencodable;

impl<T: Cacheable> Outcome<T> {
    /// Everything that is returned is stored.
    pub(crate) const VALUE: Self = Self {
        is_value: |_| true,
        encode: |value, bytes| entry::encode(value, bytes).map_err(|_| Unencodable),
        decode: |bytes| entry::decode(bytes),
        type_name: type_name::<T>,
    };
}

impl<T: Cacheable, E> Outcome<Result<T, E>> {
    /// What is in an `Ok` is stored; an `Err` is not a value.
    pub(crate) const RESULT: Self = Self {
        is_value: Result::is_ok,
        encode: |result, bytes| match result {
            Ok(value) => entry::encode(value, bytes).map_err(|_| Unencodable),
            Err(_) => Err(Unencodable),
        },
        decode: |bytes| entry::decode(bytes).map(Ok),
        type_name: type_name::<T>,
    };
}
