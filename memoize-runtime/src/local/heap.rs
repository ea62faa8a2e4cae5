//! What a value takes in memory behind itself, as far as serde shows it.
//!
//! The bytes of an entry tell little of that: an empty `String` is one byte there and 24 in a list. So a value that is kept as it is
//! is asked for its parts once more, and they are counted as the usual types keep them: text and lists by their lengths, with what
//! an allocation takes, maps as a hash table. What serde doesn't show isn't counted, and is named in the docs of `Memory`.

use std::fmt::{self, Display, Write};
use std::mem::{align_of_val, size_of_val};

use serde::ser::{self, Serialize, Serializer};

/// What an allocator takes beside what it was asked for, rounding included.
const ALLOCATION: usize = 16;

const WORD: usize = size_of::<usize>();

/// What tells which variant it is, with what aligns the rest to it.
const TAG: usize = WORD;

/// The bytes behind `value`; as many as were seen where its `Serialize` fails.
pub(super) fn behind<T: Serialize + ?Sized>(value: &T, is_human_readable: bool) -> usize {
    let mut behind = 0;
    let whole = Parts {
        behind: &mut behind,
        is_element: false,
        is_human_readable,
    };
    // An error ends it early, and the value is not worse for that.
    let _ = whole.field(value);
    behind
}

/// Counts what is behind the parts that it is given, and returns what each takes in its own place.
struct Parts<'a> {
    behind: &'a mut usize,
    /// Whether this is an element of a list or a map, whose own size nobody knows: what is returned is then all of its room, with what
    /// tells variants from each other and what aligns. Elsewhere `field` knows the size, and what is returned is the least, to compare with it.
    is_element: bool,
    is_human_readable: bool,
}

/// Why the rest can't be counted.
#[derive(Debug)]
struct Uncounted;

impl Parts<'_> {
    fn part(&mut self, is_element: bool) -> Parts<'_> {
        Parts {
            behind: self.behind,
            is_element,
            is_human_readable: self.is_human_readable,
        }
    }

    fn tag(&self) -> usize {
        if self.is_element { TAG } else { 0 }
    }

    /// What stands for a text or a list: pointer and length, and the room of what can grow.
    fn handle(&self) -> usize {
        if self.is_element { 3 * WORD } else { 2 * WORD }
    }

    /// What stands for a map: a `HashMap` has two keys for its hashes beside its table, a `BTreeMap` less.
    fn handle_of_map(&self) -> usize {
        if self.is_element { 6 * WORD } else { 3 * WORD }
    }

    /// So many bytes in one allocation, if they are any.
    fn allocates(&mut self, bytes: usize) {
        if bytes > 0 {
            *self.behind = self.behind.saturating_add(bytes.saturating_add(ALLOCATION));
        }
    }

    /// A part whose own size is known; returns that. What it shows and has no room for is behind it, as with a `Box`.
    fn field<T: Serialize + ?Sized>(mut self, value: &T) -> Result<usize, Uncounted> {
        // What can't hold a pointer has nothing behind it, whatever it is written as: a date, a UUID.
        if align_of_val(value) < align_of::<*const ()>() {
            return Ok(size_of_val(value));
        }
        let shown = value.serialize(self.part(false))?;
        let own = size_of_val(value);
        if shown > own {
            self.allocates(shown);
        }
        Ok(own)
    }

    fn text(mut self, len: usize) -> usize {
        self.allocates(len);
        self.handle()
    }
}

macro_rules! scalars {
    ($($method:ident: $Type:ty,)*) => {$(
        #[inline]
        fn $method(self, _: $Type) -> Result<usize, Uncounted> {
            Ok(size_of::<$Type>())
        }
    )*};
}

impl<'a> Serializer for Parts<'a> {
    type Ok = usize;
    type Error = Uncounted;
    type SerializeSeq = List<'a>;
    type SerializeTuple = Fields<'a>;
    type SerializeTupleStruct = Fields<'a>;
    type SerializeTupleVariant = Fields<'a>;
    type SerializeMap = Map<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    scalars! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
    }

    fn is_human_readable(&self) -> bool {
        self.is_human_readable
    }

    fn serialize_str(self, text: &str) -> Result<usize, Uncounted> {
        Ok(self.text(text.len()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<usize, Uncounted> {
        Ok(self.text(bytes.len()))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<usize, Uncounted> {
        let mut length = Length(0);
        write!(length, "{value}").map_err(|_| Uncounted)?;
        Ok(self.text(length.0))
    }

    fn serialize_none(self) -> Result<usize, Uncounted> {
        Ok(1)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<usize, Uncounted> {
        Ok(self.tag() + self.field(value)?)
    }

    fn serialize_unit(self) -> Result<usize, Uncounted> {
        Ok(0)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<usize, Uncounted> {
        Ok(0)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<usize, Uncounted> {
        Ok(1)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<usize, Uncounted> {
        self.field(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<usize, Uncounted> {
        Ok(self.tag() + self.field(value)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, Uncounted> {
        Ok(List {
            parts: self,
            len: 0,
            largest: 0,
        })
    }

    fn serialize_tuple(self, _: usize) -> Result<Fields<'a>, Uncounted> {
        Ok(Fields {
            parts: self,
            size: 0,
        })
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Uncounted> {
        Ok(Fields {
            parts: self,
            size: 0,
        })
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Uncounted> {
        Ok(Fields {
            size: self.tag(),
            parts: self,
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Map<'a>, Uncounted> {
        Ok(Map {
            parts: self,
            len: 0,
            largest_key: 0,
            largest_value: 0,
        })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Uncounted> {
        Ok(Fields {
            parts: self,
            size: 0,
        })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Uncounted> {
        Ok(Fields {
            size: self.tag(),
            parts: self,
        })
    }
}

/// The elements of a list, in one allocation. Each has the room of the largest, as variants and options have.
struct List<'a> {
    parts: Parts<'a>,
    len: usize,
    largest: usize,
}

impl ser::SerializeSeq for List<'_> {
    type Ok = usize;
    type Error = Uncounted;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Uncounted> {
        // Most lists hand out references, whose own size says nothing.
        let size = value.serialize(self.parts.part(true))?;
        self.largest = self.largest.max(size);
        self.len += 1;
        Ok(())
    }

    fn end(mut self) -> Result<usize, Uncounted> {
        self.parts.allocates(self.len.saturating_mul(self.largest));
        Ok(self.parts.handle())
    }
}

/// The entries of a map, which may be a `HashMap` or a `BTreeMap`: in whichever they take more.
struct Map<'a> {
    parts: Parts<'a>,
    len: usize,
    largest_key: usize,
    largest_value: usize,
}

impl ser::SerializeMap for Map<'_> {
    type Ok = usize;
    type Error = Uncounted;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Uncounted> {
        let size = key.serialize(self.parts.part(true))?;
        self.largest_key = self.largest_key.max(size);
        self.len += 1;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Uncounted> {
        let size = value.serialize(self.parts.part(true))?;
        self.largest_value = self.largest_value.max(size);
        Ok(())
    }

    fn end(mut self) -> Result<usize, Uncounted> {
        if self.len > 0 {
            let entry = aligned(self.largest_key + self.largest_value);
            self.parts
                .allocates(table(self.len, entry).max(tree(self.len, entry)));
        }
        Ok(self.parts.handle_of_map())
    }
}

/// The table of a `HashMap`: seven of eight places are taken at most, each has a byte of its own, and a group of those is there once more.
fn table(len: usize, entry: usize) -> usize {
    const GROUP: usize = 16;
    let places = (len.saturating_mul(8) / 7 + 1).next_power_of_two();
    places.saturating_mul(entry + 1).saturating_add(GROUP)
}

/// The nodes of a `BTreeMap`. Where entries came in their order, nearly half of each node's room is free.
fn tree(len: usize, entry: usize) -> usize {
    const ENTRIES_OF_A_NODE: usize = 11;
    let node = ENTRIES_OF_A_NODE * entry + 2 * WORD;
    if len <= ENTRIES_OF_A_NODE {
        return node;
    }
    // A pointer's length for each are its share of the links between nodes, and of what allocations take.
    len.saturating_mul(2 * entry + WORD).saturating_add(node)
}

/// Parts beside each other, where their whole is.
struct Fields<'a> {
    parts: Parts<'a>,
    size: usize,
}

impl Fields<'_> {
    #[inline]
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Uncounted> {
        self.size += self.parts.part(false).field(value)?;
        Ok(())
    }

    fn size(&self) -> usize {
        if self.parts.is_element {
            aligned(self.size)
        } else {
            self.size
        }
    }
}

/// With what stands between such values in a row, at the most.
fn aligned(size: usize) -> usize {
    size.next_multiple_of(TAG.min(size.next_power_of_two()))
}

macro_rules! fields {
    ($($Trait:ident::$method:ident($($name:ident)?),)*) => {$(
        impl ser::$Trait for Fields<'_> {
            type Ok = usize;
            type Error = Uncounted;

            #[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: &'static str,)?
                value: &T,
            ) -> Result<(), Uncounted> {
                $(let _ = $name;)?
                self.add(value)
            }

            fn end(self) -> Result<usize, Uncounted> {
                Ok(self.size())
            }
        }
    )*};
}

fields! {
    SerializeTuple::serialize_element(),
    SerializeTupleStruct::serialize_field(),
    SerializeTupleVariant::serialize_field(),
    SerializeStruct::serialize_field(name),
    SerializeStructVariant::serialize_field(name),
}

/// How long a text is that is written.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

impl Display for Uncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value can't be written")
    }
}

impl std::error::Error for Uncounted {}

impl ser::Error for Uncounted {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests;
