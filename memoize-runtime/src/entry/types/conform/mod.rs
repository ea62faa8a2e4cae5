//! Holds what is written against what will be read.
//!
//! A derived `Serialize` doesn't always write what the derived `Deserialize` reads: `skip_serializing_if` leaves a field
//! out, which a format without names can't notice; `skip` on a variant moves the numbers of those behind it
//! (serde#2614); `serialize_with` may have no counterpart. What is read back would then be another value. So every value is
//! written through a serializer that follows the shape of what is read, and stops where the two part.
//!
//! Reading the value back would not do: a field that is left out and then read as its default is left out again, and
//! the bytes are the same.

mod course;
mod parts;
mod serializer;

use std::any::type_name;
use std::cell::{Cell, RefCell};

use serde::ser::{Serialize, Serializer};

use super::fingerprint::shape::{Field, Id, Node, Payload, Scalar, Segment, Shape, Variant};
use crate::entry::bounded::{MAX_DEPTH, most_elements};
use crate::entry::header::Codec;
use course::Kind;
pub(crate) use course::{Begun, Course, Passage, Search, Trial};

/// Levels of nesting that are read on any stack, whatever stands between them.
const SHALLOW: usize = 24;

/// Steps of the way to a fault that are shown, half of them at each end.
const MAX_WAY: usize = 16;

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
    Failed,
    Kind,
    Skipped,
    Unread,
    Unwritten,
    Renamed,
    LeftOut,
    Tag,
    Count,
    UnknownLength,
    Variant,
    SomeOfNothing,
    TooDeep,
    TooManyEmpty,
}

impl Fault {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Failed => {
                "it could not be serialized; let its `Serialize` take all values, and no variant have `skip` or `skip_serializing`"
            }
            Self::Kind => {
                "it is written as something else than it is read as; make `Serialize` and `Deserialize` agree, and give a `serialize_with` its `deserialize_with`"
            }
            Self::Skipped => {
                "`skip_serializing_if` left it out; remove the attribute, so that it is always written"
            }
            Self::Unread => {
                "it is written, and not read there; make `Serialize` and `Deserialize` agree"
            }
            Self::Unwritten => {
                "it is read, and not written there; remove a `skip_serializing`, or make `Serialize` and `Deserialize` agree"
            }
            Self::Renamed => {
                "it is written under a name that is not read; give both the same `rename`, and write no `skip_deserializing`"
            }
            Self::LeftOut => {
                "`skip_serializing_if` left an element out, or less is written than is read; remove the attribute, or make \
                 `Serialize` and `Deserialize` agree"
            }
            Self::Tag => {
                "the `tag` of a struct is written and not read; write `codec = \"msgpack\"`, where it does no harm"
            }
            Self::UnknownLength => {
                "its length is not known before it is written; tell `serialize_seq` or `serialize_map`, \
                 or write `codec = \"msgpack\"`"
            }
            Self::Count => {
                "not as much is written as is read; make `Serialize` and `Deserialize` agree"
            }
            Self::Variant => {
                "the variant is read as another one, or not at all; a variant with `skip` has to be the last"
            }
            Self::SomeOfNothing => {
                "msgpack can't tell `Some(())`, `Some(None)` or `Some(Null)` from `None`; use an enum of your own"
            }
            Self::TooDeep => {
                "it is nested too deeply to be read back; make it flat, as a list of nodes that refer to each other by number"
            }
            Self::TooManyEmpty => {
                "it has too many elements that take no bytes to be read back; store their number instead"
            }
        }
    }
}

/// What one write is held against.
pub(crate) struct Watch<'a> {
    shape: &'a Shape,
    codec: Codec,
    diverged: RefCell<Option<(Fault, Vec<Segment>)>>,
    /// How many levels the value is in, as they are counted when it is read.
    depth: Cell<usize>,
    was_deep: Cell<bool>,
    /// Elements of all lists and maps.
    elements: Cell<usize>,
    listener: Option<Listener<'a>>,
}

/// Who is told of what a value goes through.
#[derive(Clone, Copy)]
enum Listener<'a> {
    Course(&'a Course),
    Search(&'a Search),
}

impl<'a> Watch<'a> {
    pub(crate) fn new(shape: &'a Shape, codec: Codec) -> Self {
        Self {
            shape,
            codec,
            diverged: RefCell::new(None),
            depth: Cell::new(0),
            was_deep: Cell::new(false),
            elements: Cell::new(0),
            listener: None,
        }
    }

    /// One that says what the value goes through.
    pub(crate) fn telling(shape: &'a Shape, codec: Codec, course: &'a Course) -> Self {
        Self {
            listener: Some(Listener::Course(course)),
            ..Self::new(shape, codec)
        }
    }

    /// One that looks for some of the passages.
    pub(crate) fn searching(shape: &'a Shape, codec: Codec, search: &'a Search) -> Self {
        Self {
            listener: Some(Listener::Search(search)),
            ..Self::new(shape, codec)
        }
    }

    /// A list or map begins.
    #[inline]
    fn begins(&self, node: &Node, kind: Kind, len: Option<usize>) {
        match self.listener {
            None => {}
            Some(Listener::Course(course)) => course.begins(node, kind),
            Some(Listener::Search(search)) => search.begins(node, len),
        }
    }

    /// What is in this branch of an option or enum is written.
    #[inline]
    fn branches(&self, node: &Node, branch: u64) {
        match self.listener {
            None => {}
            Some(Listener::Course(course)) => course.goes_through(node, branch),
            Some(Listener::Search(search)) => search.goes_through(node, branch),
        }
    }

    /// What is written comes from other code than what is derived for the type that is read.
    #[inline]
    fn meets_writer_if(&self, is_another: impl FnOnce() -> bool) {
        if let Some(Listener::Course(course)) = self.listener
            && is_another()
        {
            course.meets_writer();
        }
    }

    /// Where a value begins: what is [`watched`](Place::watched) there is an error to serialize where it would be read otherwise.
    pub(crate) fn root(&self) -> Place<'_> {
        self.at(Shape::ROOT)
    }

    #[inline]
    fn at(&self, id: Id) -> Place<'_> {
        self.place(self.shape.node(id))
    }

    #[inline]
    fn place<'w>(&'w self, node: &'w Node) -> Place<'w> {
        Place {
            watch: self,
            node,
            in_some: false,
        }
    }

    /// Counts a level of nesting, until [`leave`](Self::leave); an error leaves it where it is, and ends the write.
    #[inline]
    fn enter<E: serde::ser::Error>(&self) -> Result<(), E> {
        let depth = self.depth.get();
        if depth >= SHALLOW {
            self.enter_deep(depth)?;
        }
        self.depth.set(depth + 1);
        Ok(())
    }

    #[cold]
    fn enter_deep<E: serde::ser::Error>(&self, depth: usize) -> Result<(), E> {
        self.was_deep.set(true);
        if depth >= MAX_DEPTH {
            return Err(self.diverge(Fault::TooDeep));
        }
        Ok(())
    }

    #[inline]
    fn within<T, E: serde::ser::Error>(
        &self,
        write: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        self.enter()?;
        let written = write();
        self.leave();
        written
    }

    #[inline]
    fn leave(&self) {
        self.depth.set(self.depth.get() - 1);
    }

    /// Counts the elements of one list or map.
    #[inline]
    fn counts(&self, elements: usize) {
        self.elements.set(self.elements.get() + elements);
    }

    /// Whether it came so deep that the stack might not do for reading it, however much it does for writing.
    pub(crate) fn was_deep(&self) -> bool {
        self.was_deep.get()
    }

    /// What is wrong with a value as a whole that was written in `len` bytes.
    pub(crate) fn fault_of_the_whole(&self, len: usize) -> Option<Fault> {
        (self.elements.get() > most_elements(len)).then_some(Fault::TooManyEmpty)
    }

    /// Whether a part was not written, or not as it is read: whoever passes over the error writes something else.
    pub(crate) fn has_failed(&self) -> bool {
        self.diverged.borrow().is_some()
    }

    /// Where the value diverged, if it did.
    pub(crate) fn divergence(self) -> Option<Divergence> {
        let (fault, path) = self.diverged.into_inner()?;
        let way = |segments: &[Segment]| {
            let segments = segments.iter().rev();
            segments.fold(String::new(), |path, segment| segment.after(&path))
        };
        let path = match path.len().checked_sub(MAX_WAY) {
            None | Some(0) => way(&path),
            Some(_) => format!(
                "{} .. {}",
                way(&path[path.len() - MAX_WAY / 2..]),
                way(&path[..MAX_WAY / 2])
            ),
        };
        Some(Divergence { fault, path })
    }

    /// Says that what is written is not what is read.
    #[cold]
    fn diverge<E: serde::ser::Error>(&self, fault: Fault) -> E {
        *self.diverged.borrow_mut() = Some((fault, Vec::new()));
        E::custom("not what is read")
    }

    #[cold]
    fn scalar_at<E: serde::ser::Error>(&self, node: &Node, scalar: Scalar) -> Result<(), E> {
        match self.inside_newtypes(node) {
            Node::Scalar(read) if *read == scalar => Ok(()),
            Node::Unseen(_) => Ok(()),
            _ => Err(self.diverge(Fault::Kind)),
        }
    }

    /// Where something else is written than a newtype.
    #[cold]
    fn inside_newtypes<'w>(&'w self, mut node: &'w Node) -> &'w Node {
        self.meets_writer_if(|| matches!(node, Node::Newtype(..)));
        while let Node::Newtype(_, inner) = node {
            node = self.shape.node(*inner);
        }
        node
    }

    /// Adds a step to the way to an error that is on its way out: where it is none of ours, the value's own code failed.
    #[cold]
    fn passes(&self, segment: Segment) {
        let mut diverged = self.diverged.borrow_mut();
        let (_, path) = diverged.get_or_insert((Fault::Failed, Vec::new()));
        path.push(segment);
    }
}

/// A value, or a serializer for it, at a place of the shape. It is passed on at each step, so it is two pointers.
pub(crate) struct At<'w, T> {
    inner: T,
    place: &'w Place<'w>,
}

pub(crate) type Watched<'w, T> = At<'w, &'w T>;

/// A place of the shape.
#[derive(Clone, Copy)]
pub(crate) struct Place<'w> {
    watch: &'w Watch<'w>,
    node: &'w Node,
    /// The value is that of a `Some`.
    in_some: bool,
}

impl<'w> Place<'w> {
    #[inline]
    fn at(self, id: Id) -> Self {
        self.watch.at(id)
    }

    /// Where nothing is known, nothing is known of what is inside.
    #[inline]
    fn unseen(self) -> Self {
        self.watch.place(self.node)
    }

    #[inline]
    pub(crate) fn watched<T: ?Sized>(&'w self, value: &'w T) -> Watched<'w, T> {
        At {
            inner: value,
            place: self,
        }
    }

    /// What is read here; newtypes take no place in either codec.
    #[inline]
    fn node(self) -> &'w Node {
        match self.node {
            Node::Newtype(..) => self.watch.inside_newtypes(self.node),
            node => node,
        }
    }

    #[inline]
    fn diverge<E: serde::ser::Error>(self, fault: Fault) -> E {
        self.watch.diverge(fault)
    }

    /// One comparison for what is as it should be: this is most of what a write is held against.
    #[inline]
    fn scalar<E: serde::ser::Error>(self, scalar: Scalar) -> Result<(), E> {
        match self.node {
            Node::Scalar(read) if *read == scalar => Ok(()),
            node => self.watch.scalar_at(node, scalar),
        }
    }

    /// In msgpack, `nil` stands for `None` and for the unit, and a `Some` is not written.
    fn nil<E: serde::ser::Error>(self) -> Result<(), E> {
        if self.in_some && self.watch.codec == Codec::Msgpack {
            return Err(self.diverge(Fault::SomeOfNothing));
        }
        Ok(())
    }

    /// What is written is called so.
    #[inline]
    fn is_named(self, name: &'static str) {
        self.watch
            .meets_writer_if(|| self.node.name().is_some_and(|read| read != name));
    }

    /// Postcard writes how many there are before the first.
    fn length<E: serde::ser::Error>(self, len: Option<usize>) -> Result<(), E> {
        if len.is_none() && self.watch.codec == Codec::Postcard {
            return Err(self.diverge(Fault::UnknownLength));
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
        let number = match self.watch.codec {
            Codec::Postcard => usize::try_from(index).ok(),
            Codec::Msgpack => variants
                .iter()
                .position(|variant| variant.names.contain(name)),
        };
        let found = number.and_then(|number| Some((number, variants.get(number)?)));
        match found.filter(|(_, variant)| variant.names.contain(name)) {
            Some((number, variant)) => {
                self.watch.branches(self.node(), number as u64);
                Ok(Some(&variant.payload))
            }
            None => Err(self.diverge(fault_of_variant(variants, index, name))),
        }
    }
}

/// What is wrong with a variant that isn't read under its number and name.
#[cold]
fn fault_of_variant(variants: &[Variant], index: u32, name: &str) -> Fault {
    let is_known = variants.iter().any(|variant| variant.names.contain(name));
    let has_number = usize::try_from(index).is_ok_and(|index| index < variants.len());
    if has_number && !is_known {
        Fault::Renamed
    } else {
        Fault::Variant
    }
}

impl<T: Serialize + ?Sized> Serialize for Watched<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if may_be_written_with::<T>() {
            self.place.watch.meets_writer_if(is_written_with::<T>);
        }
        self.inner.serialize(At {
            inner: serializer,
            place: self.place,
        })
    }
}

/// What derived code makes of a field that has a `with` or `serialize_with`.
const WRITTEN_WITH: &str = "::__SerializeWith";

fn is_written_with<T: ?Sized>() -> bool {
    type_name::<T>().contains(WRITTEN_WITH)
}

/// Whether it may be, as far as can be told of most types when this is compiled.
#[inline]
fn may_be_written_with<T: ?Sized>() -> bool {
    matches!(type_name::<T>().as_bytes(), [.., b'h' | b'>'])
}

impl<'w> Place<'w> {
    /// The elements of the tuple that is read here, of which so many are written; or what all of them are, where nothing is
    /// known.
    #[inline]
    fn tuple<E: serde::ser::Error>(self, len: usize) -> Result<(&'w [Id], Option<&'w Node>), E> {
        match self.node() {
            Node::Tuple { elements, .. } if len < elements.len() => {
                Err(self.diverge(Fault::LeftOut))
            }
            Node::Tuple { elements, .. } => Ok((elements, None)),
            unseen @ Node::Unseen(_) => Ok((&[], Some(unseen))),
            _ => Err(self.diverge(Fault::Kind)),
        }
    }

    /// The fields of the struct that is read here; or what all of them are, where nothing is known.
    #[inline]
    fn fields<E: serde::ser::Error>(self) -> Result<(&'w [Field], Option<&'w Node>), E> {
        match self.node() {
            Node::Struct { fields, .. } => Ok((fields, None)),
            unseen @ Node::Unseen(_) => Ok((&[], Some(unseen))),
            _ => Err(self.diverge(Fault::Kind)),
        }
    }
}

#[cfg(test)]
mod tests;
