//! How what a function returns becomes an entry and comes back.

use super::landed::Failures;
use crate::Cacheable;
use crate::backend::Deadline;
use crate::entry::{Buffer, Codec, Reject, Shape, StoredType, Unencodable, shape_of};
use crate::local::{Copied, Copies};

/// The two ways between a function's return type `R` and the bytes of an entry.
///
/// They are function pointers, so that the bound on the stored type stands in the two constructors alone, and everything
/// after them deals with any `R`.
pub(crate) struct Outcome<R> {
    pub(crate) is_value: fn(&R) -> bool,
    pub(crate) encode: Encode<R>,
    /// Puts what was decoded into an empty place; see [`decode`](Self::decode).
    pub(crate) decode_into: DecodeInto<R>,
    /// Of a value that is nothing but bytes or text.
    pub(crate) take_into: TakeInto<R>,
    /// What is stored asks for when it is read; `None` while this thread finds that out of another type.
    pub(crate) shape: fn(Codec) -> Option<Shape>,
    /// How values are kept as they are, where that can be.
    pub(crate) copies: Option<Copies<R>>,
    /// How errors are shared with those who wait, where they are.
    pub(crate) failures: Option<Failures<R>>,
    /// The stored type where no function stands for it.
    pub(crate) stored: fn(Codec) -> &'static StoredType,
}

/// What takes long is bounded by the deadline, which is asked for only then.
type Encode<R> =
    fn(&R, &StoredType, &mut Vec<u8>, &dyn Fn() -> Deadline) -> Result<(), Unencodable>;
type DecodeInto<R> = fn(&[u8], &StoredType, &mut Option<R>) -> Result<(), Reject>;
type TakeInto<R> = fn(&Buffer, &StoredType, &mut Option<R>) -> Result<(), Reject>;

impl<R> Outcome<R> {
    /// What `bytes` encode.
    ///
    /// # Errors
    ///
    /// `Undecodable`.
    pub(crate) fn decode(&self, bytes: &[u8], stored: &StoredType) -> Result<R, Reject> {
        let mut decoded = None;
        (self.decode_into)(bytes, stored, &mut decoded)?;
        decoded.ok_or(Reject::Undecodable)
    }

    /// What the buffer encodes, of a type that [`is_bytes`](StoredType::is_bytes).
    ///
    /// # Errors
    ///
    /// `Undecodable`.
    pub(crate) fn take(&self, buffer: &Buffer, stored: &StoredType) -> Result<R, Reject> {
        let mut taken = None;
        (self.take_into)(buffer, stored, &mut taken)?;
        taken.ok_or(Reject::Undecodable)
    }
}

impl<T: Cacheable> Outcome<T> {
    /// Everything that is returned is stored.
    pub(crate) const VALUE: Self = Self {
        is_value: |_| true,
        encode: |value, stored, bytes, deadline| stored.encode(value, bytes, deadline),
        decode_into: |bytes, stored, place| stored.decode_then(bytes, |value| *place = Some(value)),
        take_into: |buffer, stored, place| stored.take_then(buffer, |value| *place = Some(value)),
        shape: shape_of::<T>,
        copies: None,
        failures: None,
        stored: StoredType::of::<T>,
    };
}

impl<T: Cacheable, E> Outcome<Result<T, E>> {
    /// What is in an `Ok` is stored; an `Err` is not a value.
    pub(crate) const RESULT: Self = Self {
        is_value: Result::is_ok,
        encode: |result, stored, bytes, deadline| match result {
            Ok(value) => stored.encode(value, bytes, deadline),
            Err(_) => Err(Unencodable::Failed),
        },
        decode_into: |bytes, stored, place| {
            stored.decode_then(bytes, |value| *place = Some(Ok(value)))
        },
        take_into: |buffer, stored, place| {
            stored.take_then(buffer, |value| *place = Some(Ok(value)))
        },
        shape: shape_of::<T>,
        copies: None,
        failures: None,
        stored: StoredType::of::<T>,
    };
}

impl<T: Cacheable + Copied> Outcome<T> {
    /// The same, and copies of it are kept.
    pub(crate) const COPIED_VALUE: Self = Self {
        copies: Some(Copies::VALUE),
        ..Self::VALUE
    };
}

impl<T: Cacheable + Copied, E> Outcome<Result<T, E>> {
    /// The same, and copies of the `Ok` are kept.
    pub(crate) const COPIED_RESULT: Self = Self {
        copies: Some(Copies::RESULT),
        ..Self::RESULT
    };
}
