//! A value that is nothing but bytes or text takes the buffer in which they were put together.
//!
//! To copy a large one takes as much memory again, and the system takes longer to provide that than AES-GCM takes to open it.

use std::cell::{Cell, OnceCell};

use postcard::Error;
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;

/// What a value consists of, and nothing else.
pub(crate) struct Buffer {
    bytes: Cell<Vec<u8>>,
    /// The bytes again, where they are only looked at.
    lent: OnceCell<Vec<u8>>,
}

impl Buffer {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Cell::new(bytes),
            lent: OnceCell::new(),
        }
    }

    fn lend(&self) -> &[u8] {
        self.lent.get_or_init(|| self.bytes.take())
    }
}

impl<'de> Deserializer<'de> for &'de Buffer {
    type Error = Error;

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_byte_buf(self.bytes.take())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = String::from_utf8(self.bytes.take());
        visitor.visit_string(text.map_err(|_| Error::DeserializeBadUtf8)?)
    }

    // Who asks for these may want nothing but what is borrowed, as a `Deserialize` that begins with one for `&[u8]`.
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_bytes(self.lend())
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = str::from_utf8(self.lend());
        visitor.visit_borrowed_str(text.map_err(|_| Error::DeserializeBadUtf8)?)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::WontImplement)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char option unit unit_struct seq tuple tuple_struct map struct enum
        identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{DeserializeOwned, Error as _};
    use serde::{Deserialize, Serialize};
    use serde_bytes::ByteBuf;

    use super::*;
    use crate::entry::Codec;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Named(String);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Blob {
        bytes: ByteBuf,
    }

    /// Read by way of a borrowed slice, as hand-written impls are.
    #[derive(Debug, PartialEq)]
    struct ByHand(Vec<u8>);

    impl<'de> Deserialize<'de> for ByHand {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let bytes = <&[u8]>::deserialize(deserializer)?;
            if bytes.contains(&0) {
                return Err(D::Error::custom("no zeros"));
            }
            Ok(Self(bytes.to_vec()))
        }
    }

    /// By the buffer, with something before it; and as usual.
    fn read<T: DeserializeOwned>(bytes: &[u8]) -> (Option<T>, Option<T>) {
        let buffer = Buffer::new(bytes.to_vec());
        let bytes = postcard::to_stdvec(&bytes).expect("bytes");
        let mut taken = None;
        // What was kept is there all the same.
        let _ = Codec::Postcard.take_then(&buffer, |value| taken = Some(value));
        (taken, Codec::Postcard.decode(&bytes).ok())
    }

    #[test]
    fn it_is_read_as_it_would_be() {
        let text = "text ".repeat(100);
        let written = text.as_bytes();
        let (taken, read_usually) = read::<String>(written);
        assert_eq!(taken.as_ref(), Some(&text));
        assert_eq!(taken, read_usually);
        let (taken, read_usually) = read::<Named>(written);
        assert_eq!(taken, Some(Named(text.clone())));
        assert_eq!(taken, read_usually);
        let (taken, read_usually) = read::<Blob>(written);
        assert_eq!(
            taken.as_ref().map(|blob| &blob.bytes[..]),
            Some(text.as_bytes())
        );
        assert_eq!(taken, read_usually);
        let (taken, read_usually) = read::<ByHand>(written);
        assert_eq!(taken, Some(ByHand(text.into_bytes())));
        assert_eq!(taken, read_usually);
    }

    #[test]
    fn what_is_refused_is_refused() {
        assert_eq!(read::<String>(b"\xff\xff"), (None, None));
        assert_eq!(read::<ByHand>(b"a\0"), (None, None));
        assert_eq!(read::<u64>(b"12345678").0, None);
    }

    #[test]
    fn the_buffer_itself_becomes_the_value() {
        let bytes = b"abc".to_vec();
        let place = bytes.as_ptr();
        let mut taken = None;
        let buffer = Buffer::new(bytes);
        let read = Codec::Postcard.take_then(&buffer, |value: ByteBuf| taken = Some(value));
        assert_eq!(read, Ok(()));
        let taken = taken.expect("it was read").into_vec();
        assert_eq!((taken.as_ptr(), &taken[..]), (place, &b"abc"[..]));
    }
}
