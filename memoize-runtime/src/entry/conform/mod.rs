//! Holds what is written against what will be read.
//!
//! A derived `Serialize` doesn't always write what the derived `Deserialize` reads: `skip_serializing_if` leaves a field
//! out, which a format without names can't notice; `skip` on a variant moves the numbers of those behind it
//! (serde#2614); `serialize_with` may have no counterpart. What is read back would then be another value. So every value is
//! written through a serializer that follows the shape of what is read, and stops where the two part.
//!
//! Reading the value back would not do: a field that is left out and then read as its default is left out again, and
//! the bytes are the same.

use std::cell::RefCell;
use std::fmt::Display;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::fingerprint::shape::{Field, Node, Payload, Scalar, Segment, Shape, Unseen, Why};
use super::header::Codec;

/// Where a value is written otherwise than it would be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Divergence {
    pub(crate) fault: Fault,
    /// The way to it, by the names of fields and variants.
    pub(crate) path: String,
}

/// What is wrong with what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Kind,
    Skipped,
    Unread,
    Count,
    Variant,
    SomeOfNothing,
}

impl Fault {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Kind => "it is written as something else than it is read as",
            Self::Skipped => "`skip_serializing_if` left it out; write it always",
            Self::Unread => {
                "it is written, and not read there; make `Serialize` and `Deserialize` agree"
            }
            Self::Count => {
                "not as much is written as is read; make `Serialize` and `Deserialize` agree"
            }
            Self::Variant => {
                "the variant is read as another one, or not at all; a variant with `skip` has to be the last"
            }
            Self::SomeOfNothing => "msgpack can't tell `Some` of nothing from `None`",
        }
    }
}

/// What one write is held against.
pub(crate) struct Watch<'a> {
    shape: &'a Shape,
    codec: Codec,
    diverged: RefCell<Option<(Fault, Vec<Segment>)>>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(shape: &'a Shape, codec: Codec) -> Self {
        Self {
            shape,
            codec,
            diverged: RefCell::new(None),
        }
    }

    /// `value`, which is an error to serialize where it would be read otherwise.
    pub(crate) fn over<'w, T: ?Sized>(&'w self, value: &'w T) -> Watched<'w, T> {
        Place {
            watch: self,
            node: self.shape.node(Shape::ROOT),
            in_some: false,
        }
        .watched(value)
    }

    /// Where the value diverged, if it did.
    pub(crate) fn divergence(self) -> Option<Divergence> {
        let (fault, path) = self.diverged.into_inner()?;
        let path = path
            .iter()
            .rev()
            .fold(String::new(), |path, segment| segment.after(&path));
        Some(Divergence { fault, path })
    }

    /// Adds a step to the way to a divergence that is on its way out.
    #[cold]
    fn passes(&self, segment: Segment) {
        if let Some((_, path)) = &mut *self.diverged.borrow_mut() {
            path.push(segment);
        }
    }
}

/// A value, or a serializer for it, at a place of the shape.
pub(crate) struct At<'w, T> {
    inner: T,
    place: Place<'w>,
}

pub(crate) type Watched<'w, T> = At<'w, &'w T>;

#[derive(Clone, Copy)]
struct Place<'w> {
    watch: &'w Watch<'w>,
    node: &'w Node,
    /// The value is that of a `Some`.
    in_some: bool,
}

impl<'w> Place<'w> {
    #[inline]
    fn at(self, id: usize) -> Self {
        Self {
            node: self.watch.shape.node(id),
            in_some: false,
            ..self
        }
    }

    /// Where nothing is known, nothing is known of what is inside.
    #[inline]
    fn unseen(self) -> Self {
        Self {
            in_some: false,
            ..self
        }
    }

    #[inline]
    fn watched<T: ?Sized>(self, value: &'w T) -> Watched<'w, T> {
        At {
            inner: value,
            place: self,
        }
    }

    /// What is read here; newtypes take no place in either codec.
    #[inline]
    fn node(self) -> &'w Node {
        let mut node = self.node;
        while let Node::Newtype(_, inner) = node {
            node = self.watch.shape.node(*inner);
        }
        node
    }

    #[cold]
    fn diverge<E: serde::ser::Error>(self, fault: Fault) -> E {
        *self.watch.diverged.borrow_mut() = Some((fault, Vec::new()));
        E::custom("not what is read")
    }

    #[inline]
    fn scalar<E: serde::ser::Error>(self, scalar: Scalar) -> Result<(), E> {
        match self.node() {
            Node::Scalar(read) if *read == scalar => Ok(()),
            Node::Unseen(_) => Ok(()),
            _ => Err(self.diverge(Fault::Kind)),
        }
    }

    /// In msgpack, `nil` stands for `None` and for the unit, and a `Some` is not written.
    fn nil<E: serde::ser::Error>(self) -> Result<(), E> {
        if self.in_some && self.watch.codec == Codec::Msgpack {
            return Err(self.diverge(Fault::SomeOfNothing));
        }
        Ok(())
    }

    /// A type that asks for nothing is read from the nothing that postcard makes of a unit.
    fn takes_nothing(self) -> bool {
        *self.node() == Node::Nothing && self.watch.codec == Codec::Postcard
    }

    #[inline]
    fn variant<E: serde::ser::Error>(
        self,
        index: u32,
        name: &'static str,
    ) -> Result<Option<&'w Payload>, E> {
        let variants = match self.node() {
            Node::Enum { variants, .. } => variants,
            Node::Unseen(_) => return Ok(None),
            _ => return Err(self.diverge(Fault::Kind)),
        };
        let found = match self.watch.codec {
            Codec::Postcard => usize::try_from(index)
                .ok()
                .and_then(|index| variants.get(index))
                .filter(|variant| variant.names.contain(name)),
            Codec::Msgpack => variants.iter().find(|variant| variant.names.contain(name)),
        };
        found
            .map(|variant| Some(&variant.payload))
            .ok_or_else(|| self.diverge(Fault::Variant))
    }
}

impl<T: Serialize + ?Sized> Serialize for Watched<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.inner.serialize(At {
            inner: serializer,
            place: self.place,
        })
    }
}

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
        self.inner.serialize_none()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let inside = match self.place.node() {
            Node::Option(inner) => self.place.at(*inner),
            Node::Unseen(_) => self.place,
            _ => return Err(self.place.diverge(Fault::Kind)),
        };
        let inside = Place {
            in_some: true,
            ..inside
        };
        self.inner.serialize_some(&inside.watched(value))
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let inside = match self.place.node {
            Node::Newtype(_, inner) => Place {
                node: self.place.watch.shape.node(*inner),
                ..self.place
            },
            _ => self.place,
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
        match self.place.variant(index, variant)? {
            Some(Payload::Unit) | None => {}
            Some(_) => return Err(self.place.diverge(Fault::Kind)),
        }
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let inside = match self.place.variant(index, variant)? {
            Some(Payload::Newtype(inner)) => self.place.at(*inner),
            None => self.place.unseen(),
            Some(_) => return Err(self.place.diverge(Fault::Kind)),
        };
        self.inner
            .serialize_newtype_variant(name, index, variant, &inside.watched(value))
            .inspect_err(|_| self.place.watch.passes(Segment::Variant(variant)))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let elements: &[usize] = match self.place.node() {
            Node::Seq(elements) => elements,
            Node::Unseen(_) => &[],
            _ => return Err(self.place.diverge(Fault::Kind)),
        };
        Ok(Elements {
            inner: self.inner.serialize_seq(len)?,
            place: self.place,
            elements,
            endless: true,
            list: true,
            count: Count::of(len),
            variant: None,
        })
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let elements = self.place.tuple()?;
        Ok(Elements::tuple(
            self.inner.serialize_tuple(len)?,
            self.place,
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
        let elements = self.place.tuple()?;
        Ok(Elements::tuple(
            self.inner.serialize_tuple_struct(name, len)?,
            self.place,
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
        let inside = match self.place.variant(index, variant)? {
            Some(Payload::Tuple(inner)) => self.place.at(*inner),
            None => self.place.unseen(),
            Some(_) => return Err(self.place.diverge(Fault::Kind)),
        };
        let elements = inside.tuple()?;
        let inner = self
            .inner
            .serialize_tuple_variant(name, index, variant, len)?;
        Ok(Elements {
            variant: Some(variant),
            ..Elements::tuple(inner, inside, elements, len)
        })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let (key, value) = match self.place.node() {
            Node::Map { key, value } => (self.place.at(*key), self.place.at(*value)),
            Node::Unseen(_) => (self.place.unseen(), self.place.unseen()),
            _ => return Err(self.place.diverge(Fault::Kind)),
        };
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
        let fields = self.place.fields()?;
        Ok(Fields {
            inner: self.inner.serialize_struct(name, len)?,
            place: self.place,
            fields,
            count: Count::of(Some(len)),
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
        let inside = match self.place.variant(index, variant)? {
            Some(Payload::Struct(inner)) => self.place.at(*inner),
            None => self.place.unseen(),
            Some(_) => return Err(self.place.diverge(Fault::Kind)),
        };
        let fields = inside.fields()?;
        Ok(Fields {
            inner: self
                .inner
                .serialize_struct_variant(name, index, variant, len)?,
            place: inside,
            fields,
            count: Count::of(Some(len)),
            variant: Some(variant),
        })
    }
}

impl<'w> Place<'w> {
    /// Whether there may be more behind the last part, which could not be seen.
    #[inline]
    fn is_cut_off(self, last: Option<usize>) -> bool {
        last.is_some_and(|last| {
            matches!(
                self.watch.shape.node(last),
                Node::Unseen(Unseen {
                    why: Why::Unreached | Why::Beyond,
                    ..
                })
            )
        })
    }

    /// The elements of the tuple that is read here; `None` where nothing is known.
    #[inline]
    fn tuple<E: serde::ser::Error>(self) -> Result<Option<&'w [usize]>, E> {
        match self.node() {
            Node::Tuple { elements, .. } => Ok(Some(elements)),
            Node::Unseen(_) => Ok(None),
            _ => Err(self.diverge(Fault::Kind)),
        }
    }

    /// The fields of the struct that is read here; `None` where nothing is known.
    #[inline]
    fn fields<E: serde::ser::Error>(self) -> Result<Option<&'w [Field]>, E> {
        match self.node() {
            Node::Struct { fields, .. } => Ok(Some(fields)),
            Node::Unseen(_) => Ok(None),
            _ => Err(self.diverge(Fault::Kind)),
        }
    }
}

/// How many were announced, and how many came.
#[derive(Clone, Copy)]
struct Count {
    announced: Option<usize>,
    written: usize,
}

impl Count {
    #[inline]
    fn of(announced: Option<usize>) -> Self {
        Self {
            announced,
            written: 0,
        }
    }

    #[inline]
    fn next(&mut self) -> usize {
        self.written += 1;
        self.written - 1
    }

    /// A list that is announced longer than it is has the wrong length in front of it.
    #[inline]
    fn is_right(self) -> bool {
        self.announced
            .is_none_or(|announced| announced == self.written)
    }
}

/// What comes one after another: a list or a tuple.
pub(crate) struct Elements<'w, I> {
    inner: I,
    place: Place<'w>,
    elements: &'w [usize],
    /// Whether there may be more than `elements`, of the kind of the last one.
    endless: bool,
    list: bool,
    count: Count,
    variant: Option<&'static str>,
}

impl<'w, I> Elements<'w, I> {
    #[inline]
    fn tuple(inner: I, place: Place<'w>, elements: Option<&'w [usize]>, len: usize) -> Self {
        Self {
            inner,
            place,
            elements: elements.unwrap_or_default(),
            endless: elements.is_none_or(|elements| place.is_cut_off(elements.last().copied())),
            list: false,
            count: Count::of(Some(len)),
            variant: None,
        }
    }

    /// Where the next element is read.
    #[inline]
    fn next<E: serde::ser::Error>(&mut self) -> Result<Place<'w>, E> {
        let at = self.count.next();
        let element = match self.elements.get(at) {
            None if self.endless => self.elements.last(),
            element => element,
        };
        match element {
            Some(id) => Ok(self.place.at(*id)),
            None if self.endless => Ok(self.place.unseen()),
            None => Err(self.place.diverge(Fault::Unread)),
        }
    }

    #[cold]
    fn passes(&self) {
        let index = self.count.written - 1;
        self.place.watch.passes(match self.variant {
            Some(variant) => Segment::VariantField(variant, index),
            None if self.list => Segment::Element,
            None => Segment::Index(index),
        });
    }

    #[inline]
    fn check_end<E: serde::ser::Error>(&self) -> Result<(), E> {
        let all = self.endless || self.count.written == self.elements.len();
        if all && self.count.is_right() {
            return Ok(());
        }
        Err(self.place.diverge(Fault::Count))
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident)*) => {$(
        impl<I: $trait> $trait for Elements<'_, I> {
            type Ok = I::Ok;
            type Error = I::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), I::Error> {
                let result = match self.next() {
                    Ok(place) => self.inner.$method(&place.watched(value)),
                    Err(error) => Err(error),
                };
                result.inspect_err(|_| self.passes())
            }

            #[inline]
            fn end(self) -> Result<I::Ok, I::Error> {
                self.check_end()?;
                self.inner.end()
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

pub(crate) struct Entries<'w, I> {
    inner: I,
    key: Place<'w>,
    value: Place<'w>,
    count: Count,
}

impl<I: SerializeMap> SerializeMap for Entries<'_, I> {
    type Ok = I::Ok;
    type Error = I::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), I::Error> {
        self.count.next();
        self.inner
            .serialize_key(&self.key.watched(key))
            .inspect_err(|_| self.key.watch.passes(Segment::Key))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), I::Error> {
        self.inner
            .serialize_value(&self.value.watched(value))
            .inspect_err(|_| self.value.watch.passes(Segment::Value))
    }

    fn end(self) -> Result<I::Ok, I::Error> {
        if !self.count.is_right() {
            return Err(self.value.diverge(Fault::Count));
        }
        self.inner.end()
    }
}

pub(crate) struct Fields<'w, I> {
    inner: I,
    place: Place<'w>,
    /// `None` where nothing is known.
    fields: Option<&'w [Field]>,
    count: Count,
    variant: Option<&'static str>,
}

impl<'w, I> Fields<'w, I> {
    /// Where the field of this name is read, if it is the next one.
    #[inline]
    fn next<E: serde::ser::Error>(&mut self, name: &'static str) -> Result<Place<'w>, E> {
        let at = self.count.next();
        let Some(fields) = self.fields else {
            return Ok(self.place.unseen());
        };
        match fields.get(at) {
            Some(field) if field.names.contain(name) => Ok(self.place.at(field.node)),
            None if self.is_cut_off(fields) => Ok(self.place.at(fields[fields.len() - 1].node)),
            _ => Err(self.place.diverge(Fault::Unread)),
        }
    }

    /// What is left out is read as something else: as the field behind it, or as a default.
    fn skip<E: serde::ser::Error>(&self, name: &'static str) -> Result<(), E> {
        if self.fields.is_none() {
            return Ok(());
        }
        let error = self.place.diverge(Fault::Skipped);
        self.passes(name);
        Err(error)
    }

    #[cold]
    fn passes(&self, name: &'static str) {
        self.place.watch.passes(Segment::Name(name));
        if let Some(variant) = self.variant {
            self.place.watch.passes(Segment::Variant(variant));
        }
    }

    #[inline]
    fn check_end<E: serde::ser::Error>(&self) -> Result<(), E> {
        let all = self.fields.is_none_or(|fields| {
            self.count.written == fields.len()
                || self.is_cut_off(fields)
                || self.is_tag(fields.get(self.count.written..).unwrap_or_default())
        });
        if all && self.count.is_right() {
            return Ok(());
        }
        Err(self.place.diverge(Fault::Count))
    }

    fn is_cut_off(&self, fields: &[Field]) -> bool {
        self.place.is_cut_off(fields.last().map(|field| field.node))
    }

    /// Whether only the content of an enum with `tag` and `content` is missing: a unit variant has none.
    fn is_tag(&self, missing: &[Field]) -> bool {
        let [content] = missing else { return false };
        self.count.written == 1
            && matches!(
                self.place.at(content.node).node,
                Node::Unseen(Unseen {
                    why: Why::Buffered,
                    ..
                })
            )
    }
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl<I: $trait> $trait for Fields<'_, I> {
            type Ok = I::Ok;
            type Error = I::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), I::Error> {
                let result = match self.next(name) {
                    Ok(place) => self.inner.serialize_field(name, &place.watched(value)),
                    Err(error) => Err(error),
                };
                result.inspect_err(|_| self.passes(name))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), I::Error> {
                self.skip(name)?;
                self.inner.skip_field(name)
            }

            #[inline]
            fn end(self) -> Result<I::Ok, I::Error> {
                self.check_end()?;
                self.inner.end()
            }
        }
    )*};
}

fields! { SerializeStruct SerializeStructVariant }

#[cfg(test)]
mod cost;
#[cfg(test)]
mod tests;
