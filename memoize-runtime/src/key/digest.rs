//! What stands in a key for an argument that is hashed: `<filter:#>` in a key template.
//!
//! SHA-256 over an encoding of our own of the value as serde sees it, which is injective: two values share a digest only
//! where their `Serialize` says the same of both.
//!
//! ```text
//! value     = tag | payload
//! number    = its own width, little-endian, floats by their bits: 7_u8 and 7_u64 differ, as do 0.0 and -0.0
//! text      = length u64 | bytes; so are bytes, and the names below
//! some      = value
//! newtype   = name | value
//! sequence  = value* | end; so is a tuple
//! struct    = name | (field | name | value)* | end; a field that is skipped is not there
//! map       = count u64 | SHA-256 of each key value, sorted
//! variant   = name of the enum | index u32 | name | what a newtype, tuple or struct has after its name
//! ```
//!
//! A tag is one byte, and no value starts with that of an end or a field, so every encoding can be read back from the left
//! without knowing its type: that is why it is injective. Maps rest on SHA-256 for it. Their entries are sorted, since
//! a `HashMap` has them in another order each time. Serde can't tell a `HashSet` from a list, though, so equal sets may have
//! different digests: a miss too many, and never another value's entry.
//!
//! Digests are part of the names of stored entries, so a change of this encoding makes all of those a miss.

mod arrangement;

use std::fmt::{self, Display};

use serde::Serialize;
use serde::ser::{self, Serializer};
use sha2::{Digest, Sha256};

use crate::guard::guard;
pub(crate) use arrangement::{Arranged, Arrangement, MAX_TOLD, Order, Path, View};

/// The value can't be digested: its `Serialize` failed or panicked. Why is not kept, as the text may quote the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DigestError;

/// The SHA-256 of `value` as serde sees it, the same in every process and release.
///
/// # Errors
///
/// [`DigestError`], also where the value's `Serialize` panics.
pub(crate) fn digest<T: Serialize + ?Sized>(value: &T) -> Result<[u8; 32], DigestError> {
    digest_in(View::OF_KEYS, value)
}

/// The SHA-256 of `value` as it is seen in this view.
///
/// # Errors
///
/// As those of [`digest`].
pub(crate) fn digest_in<T: Serialize + ?Sized>(
    view: View<'_>,
    value: &T,
) -> Result<[u8; 32], DigestError> {
    guard(|| {
        let mut encoder = Encoder::new(view, Path::ROOT);
        value.serialize(&mut encoder)?;
        Ok(encoder.finish())
    })
    .unwrap_or(Err(DigestError))
}

/// What kind of value follows. The numbers are part of every digest: they are never changed or used again.
#[derive(Clone, Copy)]
enum Tag {
    End = 0,
    Field = 1,
    Bool = 2,
    Char = 3,
    I8 = 4,
    I16 = 5,
    I32 = 6,
    I64 = 7,
    I128 = 8,
    U8 = 9,
    U16 = 10,
    U32 = 11,
    U64 = 12,
    U128 = 13,
    F32 = 14,
    F64 = 15,
    Str = 16,
    Bytes = 17,
    None = 18,
    Some = 19,
    Unit = 20,
    UnitStruct = 21,
    NewtypeStruct = 22,
    Seq = 23,
    Tuple = 24,
    TupleStruct = 25,
    Map = 26,
    Struct = 27,
    UnitVariant = 28,
    NewtypeVariant = 29,
    TupleVariant = 30,
    StructVariant = 31,
}

/// Feeds the encoding of a value to a hash, as it goes.
struct Encoder<'v>(Sha256, View<'v>, Path);

impl<'v> Encoder<'v> {
    fn new(view: View<'v>, path: Path) -> Self {
        Self(Sha256::new(), view, path)
    }

    /// Writes one of the parts that stand one behind the other, each at its own place.
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DigestError> {
        let path = self.2;
        self.2 = path.step(Path::INSIDE);
        value.serialize(&mut *self)?;
        self.2 = path.step(Path::BEHIND);
        Ok(())
    }

    fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn tag(&mut self, tag: Tag) {
        self.0.update([tag as u8]);
    }

    fn scalar(&mut self, tag: Tag, payload: &[u8]) {
        self.tag(tag);
        self.0.update(payload);
    }

    fn length(&mut self, length: usize) {
        self.0.update((length as u64).to_le_bytes());
    }

    fn text(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.update(bytes);
    }

    fn named(&mut self, tag: Tag, name: &str) {
        self.tag(tag);
        self.text(name.as_bytes());
    }

    fn variant(&mut self, tag: Tag, name: &str, index: u32, variant: &str) {
        self.named(tag, name);
        self.0.update(index.to_le_bytes());
        self.text(variant.as_bytes());
        self.2 = self.2.step(Path::VARIANTS + u64::from(index));
    }
}

macro_rules! scalars {
    ($($method:ident($tag:ident, $type:ty))*) => {$(
        fn $method(self, value: $type) -> Result<(), DigestError> {
            self.scalar(Tag::$tag, &value.to_le_bytes());
            Ok(())
        }
    )*};
}

impl<'a, 'v> Serializer for &'a mut Encoder<'v> {
    type Ok = ();
    type Error = DigestError;
    type SerializeSeq = SeqEncoder<'a, 'v>;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = MapEncoder<'a, 'v>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    scalars! {
        serialize_i8(I8, i8) serialize_i16(I16, i16) serialize_i32(I32, i32) serialize_i64(I64, i64)
        serialize_i128(I128, i128)
        serialize_u8(U8, u8) serialize_u16(U16, u16) serialize_u32(U32, u32) serialize_u64(U64, u64)
        serialize_u128(U128, u128)
        serialize_f32(F32, f32) serialize_f64(F64, f64)
    }

    fn is_human_readable(&self) -> bool {
        self.1.is_human_readable
    }

    fn serialize_bool(self, value: bool) -> Result<(), DigestError> {
        self.scalar(Tag::Bool, &[value.into()]);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), DigestError> {
        self.scalar(Tag::Char, &u32::from(value).to_le_bytes());
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), DigestError> {
        self.named(Tag::Str, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), DigestError> {
        self.tag(Tag::Bytes);
        self.text(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), DigestError> {
        self.tag(Tag::None);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), DigestError> {
        self.tag(Tag::Some);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), DigestError> {
        self.tag(Tag::Unit);
        Ok(())
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), DigestError> {
        self.named(Tag::UnitStruct, name);
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<(), DigestError> {
        self.variant(Tag::UnitVariant, name, index, variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), DigestError> {
        self.named(Tag::NewtypeStruct, name);
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), DigestError> {
        self.variant(Tag::NewtypeVariant, name, index, variant);
        value.serialize(self)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<SeqEncoder<'a, 'v>, DigestError> {
        self.tag(Tag::Seq);
        Ok(SeqEncoder {
            arranged: self.1.of_sequence(self.2),
            path: self.2,
            seq: self,
            elements: Vec::new(),
        })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, DigestError> {
        self.tag(Tag::Tuple);
        Ok(self)
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Self, DigestError> {
        self.named(Tag::TupleStruct, name);
        Ok(self)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, DigestError> {
        self.variant(Tag::TupleVariant, name, index, variant);
        Ok(self)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<MapEncoder<'a, 'v>, DigestError> {
        Ok(MapEncoder {
            arranged: self.1.of_map(self.2),
            map: self,
            entry: None,
            entries: Vec::new(),
        })
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Self, DigestError> {
        self.named(Tag::Struct, name);
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self, DigestError> {
        self.variant(Tag::StructVariant, name, index, variant);
        Ok(self)
    }
}

macro_rules! sequences {
    ($($trait:ident::$method:ident)*) => {$(
        impl ser::$trait for &mut Encoder<'_> {
            type Ok = ();
            type Error = DigestError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DigestError> {
                self.part(value)
            }

            fn end(self) -> Result<(), DigestError> {
                self.tag(Tag::End);
                Ok(())
            }
        }
    )*};
}

sequences! {
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

macro_rules! structs {
    ($($trait:ident)*) => {$(
        impl ser::$trait for &mut Encoder<'_> {
            type Ok = ();
            type Error = DigestError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), DigestError> {
                self.named(Tag::Field, name);
                self.part(value)
            }

            fn end(self) -> Result<(), DigestError> {
                self.tag(Tag::End);
                Ok(())
            }
        }
    )*};
}

structs! { SerializeStruct SerializeStructVariant }

/// Feeds each element as it comes, or its digest; where the order doesn't count, all of those at the end.
struct SeqEncoder<'a, 'v> {
    seq: &'a mut Encoder<'v>,
    arranged: Arranged,
    path: Path,
    elements: Vec<[u8; 32]>,
}

impl ser::SerializeSeq for SeqEncoder<'_, '_> {
    type Ok = ();
    type Error = DigestError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DigestError> {
        let inside = self.path.step(Path::INSIDE);
        let Arranged { sorted, told, .. } = self.arranged;
        let is_by_itself = sorted || told && self.elements.len() < MAX_TOLD;
        if !is_by_itself {
            self.seq.2 = inside;
            return value.serialize(&mut *self.seq);
        }
        let mut element = Encoder::new(self.seq.1, inside);
        value.serialize(&mut element)?;
        let element = element.finish();
        if !sorted {
            self.seq.0.update(element);
        }
        self.elements.push(element);
        Ok(())
    }

    fn end(mut self) -> Result<(), DigestError> {
        self.seq.2 = self.path;
        if self.arranged.told {
            self.seq.1.ended(self.path, &self.elements);
        }
        if self.arranged.sorted {
            self.elements.sort_unstable();
            for element in self.elements {
                self.seq.0.update(element);
            }
        }
        self.seq.tag(Tag::End);
        Ok(())
    }
}

/// Digests each entry of a map by itself, so that they can be put in order before the map is fed.
struct MapEncoder<'a, 'v> {
    map: &'a mut Encoder<'v>,
    arranged: Arranged,
    /// An entry that has its key and waits for its value.
    entry: Option<Encoder<'v>>,
    entries: Vec<[u8; 32]>,
}

impl ser::SerializeMap for MapEncoder<'_, '_> {
    type Ok = ();
    type Error = DigestError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), DigestError> {
        // Two keys for one value are no map, and the first would be forgotten.
        if self.entry.is_some() {
            return Err(DigestError);
        }
        let path = self.map.2;
        let entry = self
            .entry
            .insert(Encoder::new(self.map.1, path.step(Path::KEY)));
        key.serialize(&mut *entry)?;
        entry.2 = path.step(Path::VALUE);
        if self.arranged.by_key {
            let of_key = entry.0.clone().finalize();
            let of_key = of_key.first_chunk().expect("a SHA-256 has 32 bytes");
            entry.2 = entry.2.step(u64::from_le_bytes(*of_key));
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), DigestError> {
        let mut entry = self.entry.take().ok_or(DigestError)?;
        value.serialize(&mut entry)?;
        self.entries.push(entry.finish());
        Ok(())
    }

    fn end(mut self) -> Result<(), DigestError> {
        // A key that never got its value would not be in the digest.
        if self.entry.is_some() {
            return Err(DigestError);
        }
        if self.arranged.told {
            self.map.1.ended(self.map.2, &self.entries);
        }
        if self.arranged.sorted {
            self.entries.sort_unstable();
        }
        self.map.tag(Tag::Map);
        self.map.length(self.entries.len());
        for entry in self.entries {
            self.map.0.update(entry);
        }
        Ok(())
    }
}

impl ser::Error for DigestError {
    fn custom<M: Display>(_: M) -> Self {
        Self
    }
}

impl Display for DigestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value could not be serialized for its key")
    }
}

impl std::error::Error for DigestError {}

#[cfg(test)]
mod tests;
