//! The serializer at one place of the shape: what is written there has to be what is read there.

use std::fmt::Display;

use serde::ser::{Serialize, Serializer};

use super::super::fingerprint::shape::{Node, Payload, Scalar, Segment};
use super::course::Kind;
use super::parts::{Count, Elements, Entries, Fields};
use super::{At, Fault, Place};

macro_rules! scalars {
    ($($method:ident($scalar:ident, $type:ty))*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.place.scalar(Scalar::$scalar)?;
            self.inner.$method(value)
        }
    )*};
}

impl<'w, S: Serializer> Serializer for At<'w, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Elements<'w, S::SerializeSeq>;
    type SerializeTuple = Elements<'w, S::SerializeTuple>;
    type SerializeTupleStruct = Elements<'w, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Elements<'w, S::SerializeTupleVariant>;
    type SerializeMap = Entries<'w, S::SerializeMap>;
    type SerializeStruct = Fields<'w, S::SerializeStruct>;
    type SerializeStructVariant = Fields<'w, S::SerializeStructVariant>;

    scalars! {
        serialize_bool(Bool, bool)
        serialize_i8(I8, i8)
        serialize_i16(I16, i16)
        serialize_i32(I32, i32)
        serialize_i64(I64, i64)
        serialize_i128(I128, i128)
        serialize_u8(U8, u8)
        serialize_u16(U16, u16)
        serialize_u32(U32, u32)
        serialize_u64(U64, u64)
        serialize_u128(U128, u128)
        serialize_f32(F32, f32)
        serialize_f64(F64, f64)
        serialize_char(Char, char)
        serialize_str(Str, &str)
        serialize_bytes(Bytes, &[u8])
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.place.scalar(Scalar::Str)?;
        self.inner.collect_str(value)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.place.nil()?;
        if !self.place.takes_nothing() {
            self.place.scalar(Scalar::Unit)?;
        }
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.place.is_named(name);
        match self.place.node() {
            Node::UnitStruct(_) | Node::Unseen(_) => {}
            _ if self.place.takes_nothing() => {}
            _ => return Err(self.place.diverge(Fault::Kind)),
        }
        self.inner.serialize_unit_struct(name)
    }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        match self.place.node() {
            Node::Option(_) | Node::Unseen(_) => self.place.nil()?,
            _ => return Err(self.place.diverge(Fault::Kind)),
        }
        self.place.watch.within(|| self.inner.serialize_none())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let inside = match self.place.node() {
            node @ Node::Option(inner) => {
                self.place.watch.branches(node, 0);
                self.place.at(*inner)
            }
            Node::Unseen(_) => *self.place,
            _ => return Err(self.place.diverge(Fault::Kind)),
        };
        let inside = Place {
            in_some: true,
            ..inside
        };
        let watch = self.place.watch;
        watch.within(|| self.inner.serialize_some(&inside.watched(value)))
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.place.is_named(name);
        let inside = match self.place.node {
            Node::Newtype(_, inner) => Place {
                node: self.place.watch.shape.node(*inner),
                ..*self.place
            },
            _ => *self.place,
        };
        self.inner
            .serialize_newtype_struct(name, &inside.watched(value))
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.place.is_named(name);
        match self.place.variant(index, variant)? {
            Some(Payload::Unit) | None => {}
            Some(_) => return Err(self.place.diverge(Fault::Kind)),
        }
        let watch = self.place.watch;
        watch.within(|| self.inner.serialize_unit_variant(name, index, variant))
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.place.is_named(name);
        let inside = match self.place.variant(index, variant)? {
            Some(Payload::Newtype(inner)) => self.place.at(*inner),
            None => self.place.unseen(),
            Some(_) => return Err(self.place.diverge(Fault::Kind)),
        };
        let watch = self.place.watch;
        watch
            .within(|| {
                self.inner
                    .serialize_newtype_variant(name, index, variant, &inside.watched(value))
            })
            .inspect_err(|_| watch.passes(Segment::Variant(variant)))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let node = self.place.node();
        let elements: &[usize] = match node {
            Node::Seq { elements, .. } => elements,
            Node::Unseen(_) => &[],
            _ => return Err(self.place.diverge(Fault::Kind)),
        };
        self.place.length(len)?;
        self.place.watch.enter()?;
        self.place.watch.begins(node, Kind::List, len);
        let last = elements.last().map(|last| self.place.at(*last).node);
        Ok(Elements {
            inner: self.inner.serialize_seq(len)?,
            watch: self.place.watch,
            known: elements,
            beyond: Some(last.unwrap_or(node)),
            list: true,
            count: Count::of(len),
            variant: None,
        })
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let elements = self.place.tuple(len)?;
        Ok(Elements::tuple(
            self.inner.serialize_tuple(len)?,
            self.place.watch,
            elements,
            len,
        ))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.place.is_named(name);
        let elements = self.place.tuple(len)?;
        Ok(Elements::tuple(
            self.inner.serialize_tuple_struct(name, len)?,
            self.place.watch,
            elements,
            len,
        ))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.place.is_named(name);
        let inside = match self.place.variant(index, variant)? {
            Some(Payload::Tuple(inner)) => self.place.at(*inner),
            None => self.place.unseen(),
            Some(_) => return Err(self.place.diverge(Fault::Kind)),
        };
        let elements = inside.tuple(len)?;
        self.place.watch.enter()?;
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, len)?;
        Ok(Elements {
            variant: Some(variant),
            ..Elements::tuple(inner, self.place.watch, elements, len)
        })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let node = self.place.node();
        let (key, value) = match node {
            Node::Map { key, value, .. } => (self.place.at(*key), self.place.at(*value)),
            Node::Unseen(_) => (self.place.unseen(), self.place.unseen()),
            _ => return Err(self.place.diverge(Fault::Kind)),
        };
        self.place.length(len)?;
        self.place.watch.enter()?;
        self.place.watch.begins(node, Kind::Map, len);
        Ok(Entries {
            inner: self.inner.serialize_map(len)?,
            key,
            value,
            count: Count::of(len),
        })
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        self.place.is_named(name);
        let (known, unseen) = self.place.fields()?;
        Ok(Fields {
            inner: self.inner.serialize_struct(name, len)?,
            watch: self.place.watch,
            known,
            unseen,
            announced: len,
            written: 0,
            tag: Some(name),
            variant: None,
        })
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.place.is_named(name);
        let inside = match self.place.variant(index, variant)? {
            Some(Payload::Struct(inner)) => self.place.at(*inner),
            None => self.place.unseen(),
            Some(_) => return Err(self.place.diverge(Fault::Kind)),
        };
        let (known, unseen) = inside.fields()?;
        self.place.watch.enter()?;
        Ok(Fields {
            inner: self
                .inner
                .serialize_struct_variant(name, index, variant, len)?,
            watch: self.place.watch,
            known,
            unseen,
            announced: len,
            written: 0,
            tag: None,
            variant: Some(variant),
        })
    }
}
