//! What has several parts: lists and tuples, maps, structs.

use std::fmt::{self, Display};

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::super::fingerprint::shape::{Field, Id, Node, Scalar, Segment, Unseen, Why};
use super::{Fault, Place, Watch};
use crate::entry::header::Codec;

/// How many were announced, and how many came.
#[derive(Clone, Copy)]
pub(super) struct Count {
    announced: Option<usize>,
    written: usize,
}

impl Count {
    #[inline]
    pub(super) fn of(announced: Option<usize>) -> Self {
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
    pub(super) inner: I,
    pub(super) watch: &'w Watch<'w>,
    pub(super) known: &'w [Id],
    /// What the elements behind the known ones are, where there may be any.
    pub(super) beyond: Option<&'w Node>,
    pub(super) list: bool,
    pub(super) count: Count,
    pub(super) variant: Option<&'static str>,
}

impl<'w, I> Elements<'w, I> {
    #[inline]
    pub(super) fn tuple(
        inner: I,
        watch: &'w Watch<'w>,
        (known, beyond): (&'w [Id], Option<&'w Node>),
        len: usize,
    ) -> Self {
        Self {
            inner,
            watch,
            known,
            beyond,
            list: false,
            count: Count::of(Some(len)),
            variant: None,
        }
    }

    /// Where the next element is read.
    #[inline]
    fn next<E: serde::ser::Error>(&mut self) -> Result<Place<'w>, E> {
        if let Some(id) = self.known.get(self.count.next()) {
            return Ok(self.watch.at(*id));
        }
        match self.beyond {
            Some(node) => Ok(self.watch.place(node)),
            None => Err(self.watch.diverge(Fault::Unread)),
        }
    }

    #[cold]
    fn passes(&self) {
        let index = self.count.written - 1;
        self.watch.passes(match self.variant {
            Some(variant) => Segment::VariantField(variant, index),
            None if self.list => Segment::Element,
            None => Segment::Index(index),
        });
    }

    #[inline]
    fn check_end<E: serde::ser::Error>(&self) -> Result<(), E> {
        let all = self.beyond.is_some() || self.count.written == self.known.len();
        if !all || !self.count.is_right() {
            return Err(self.watch.diverge(Fault::Count));
        }
        if self.list {
            self.watch.counts(self.count.written);
        }
        if self.list || self.variant.is_some() {
            self.watch.leave();
        }
        Ok(())
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
    pub(super) inner: I,
    pub(super) key: Place<'w>,
    pub(super) value: Place<'w>,
    pub(super) count: Count,
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
        self.value.watch.counts(self.count.written);
        self.value.watch.leave();
        self.inner.end()
    }
}

pub(crate) struct Fields<'w, I> {
    pub(super) inner: I,
    pub(super) watch: &'w Watch<'w>,
    pub(super) known: &'w [Field],
    /// What all fields are, where nothing is known of them.
    pub(super) unseen: Option<&'w Node>,
    /// How many fields were announced, and how many came, both without a tag that was met.
    pub(super) announced: usize,
    pub(super) written: usize,
    /// The name of the struct, if it isn't a variant: its tag may come before the fields.
    pub(super) tag: Option<&'static str>,
    pub(super) variant: Option<&'static str>,
}

impl<'w, I> Fields<'w, I> {
    /// Where the field of this name is read, if it is the next one.
    #[inline]
    fn next<E: serde::ser::Error, T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<Place<'w>, E> {
        match self.known.get(self.written) {
            Some(field) if field.names.contain(name) => {
                self.written += 1;
                Ok(self.watch.at(field.node))
            }
            _ => self.otherwise(name, value),
        }
    }

    /// The place of what is not the next field: nothing is known, or not all, or it is the tag.
    #[cold]
    fn otherwise<E: serde::ser::Error, T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<Place<'w>, E> {
        if let Some(unseen) = self.unseen {
            self.written += 1;
            return Ok(self.watch.place(unseen));
        }
        self.tag(name, value)
    }

    /// The tag of a struct is its name, written as a field before the others. A format with names drops it; to one without, it
    /// would be the first field.
    fn tag<E: serde::ser::Error, T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<Place<'w>, E> {
        let tag = self.tag.take().filter(|_| self.written == 0);
        let is_tag = typeid::of::<T>() == typeid::of::<str>()
            && tag.is_some_and(|tag| Text(value).to_string() == tag);
        if !is_tag {
            return Err(self.out_of_turn(name));
        }
        if self.watch.codec == Codec::Postcard {
            return Err(self.fault(Fault::Tag, name));
        }
        let Some(fields) = self.announced.checked_sub(1) else {
            return Err(self.watch.diverge(Fault::Count));
        };
        self.announced = fields;
        Ok(self.watch.place(&Node::Scalar(Scalar::Str)))
    }

    /// What is left out is read as something else: as the field behind it, or as a default. Where nothing is known it may
    /// be, too, and reading it back would not show it, since it would be left out again.
    #[cold]
    fn skip<E: serde::ser::Error>(&self, name: &'static str) -> Result<(), E> {
        Err(self.fault(Fault::Skipped, name))
    }

    /// Says what is wrong with the field of this name.
    #[cold]
    fn fault<E: serde::ser::Error>(&self, fault: Fault, name: &'static str) -> E {
        let error = self.watch.diverge(fault);
        self.passes(name);
        error
    }

    #[cold]
    fn passes(&self, name: &'static str) {
        self.watch.passes(Segment::Name(name));
        if let Some(variant) = self.variant {
            self.watch.passes(Segment::Variant(variant));
        }
    }

    #[inline]
    fn check_end<E: serde::ser::Error>(&self) -> Result<(), E> {
        if self.written != self.announced {
            return Err(self.watch.diverge(Fault::Count));
        }
        if self.written < self.known.len() && !self.may_end_here() {
            return Err(self.fault(Fault::Unwritten, self.known[self.written].names.first()));
        }
        if self.variant.is_some() {
            self.watch.leave();
        }
        Ok(())
    }

    /// A field of this name is not the next that is read: the one that is isn't written, or this one is never read.
    #[cold]
    fn out_of_turn<E: serde::ser::Error>(&self, name: &'static str) -> E {
        match self.known.get(self.written..) {
            Some([next, later @ ..]) if later.iter().any(|field| field.names.contain(name)) => {
                self.fault(Fault::Unwritten, next.names.first())
            }
            // As many as are read, and one of them under a name that isn't.
            _ if self.announced == self.known.len() && !self.is_known(name) => {
                self.fault(Fault::Renamed, name)
            }
            _ => self.fault(Fault::Unread, name),
        }
    }

    fn is_known(&self, name: &str) -> bool {
        self.known.iter().any(|field| field.names.contain(name))
    }

    #[cold]
    fn may_end_here(&self) -> bool {
        self.unseen.is_some() || self.lacks_content()
    }

    /// Whether only the content of an enum with `tag` and `content` is missing: a unit variant has none.
    fn lacks_content(&self) -> bool {
        let missing = self.known.get(self.written..);
        let Some([content]) = missing else {
            return false;
        };
        self.written == 1
            && matches!(
                self.watch.at(content.node).node,
                Node::Unseen(Unseen {
                    why: Why::Buffered,
                    ..
                })
            )
    }
}

/// What is serialized as a text, as that text.
struct Text<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Display for Text<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
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
                let place = self.next(name, value)?;
                self.inner
                    .serialize_field(name, &place.watched(value))
                    .inspect_err(|_| self.passes(name))
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
