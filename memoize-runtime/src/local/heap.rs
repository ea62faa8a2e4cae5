//! What a value takes in memory behind itself, as far as serde shows it.
//!
//! The bytes of an entry tell little of that: an empty `String` is one byte there and 24 in a list. So a value that is kept as it is
//! is asked for its parts once more, and they are counted as the usual types keep them: text and lists by their lengths, with what
//! an allocation takes, maps as a hash table. What serde doesn't show isn't counted, and is named in the docs of `Memory`.

use std::fmt::{self, Display, Write};
use std::mem::size_of_val;

use serde::ser::{self, Serialize, Serializer};

/// What an allocator takes beside what it was asked for, rounding included.
const ALLOCATION: usize = 16;

/// What stands for a text, a list or a map where it is a part: pointer, length and room, which a map has as well or more.
const HANDLE: usize = 3 * size_of::<usize>();

/// What tells which variant it is, with what aligns the rest to it.
const TAG: usize = size_of::<usize>();

/// The bytes behind `value`; as many as were seen where its `Serialize` fails.
pub(super) fn behind<T: Serialize + ?Sized>(value: &T, is_human_readable: bool) -> usize {
    let mut behind = 0;
    let whole = Parts {
        behind: &mut behind,
        in_list: false,
        is_human_readable,
    };
    // An error ends it early, and the value is not worse for that.
    let _ = whole.field(value);
    behind
}

/// Counts what is behind the parts that it is given, and returns what each takes in its own place.
struct Parts<'a> {
    behind: &'a mut usize,
    /// Where nothing but what is returned tells how much room there is, with what tells variants from each other and what aligns.
    /// Elsewhere it is compared with the room that there is, and is the least.
    in_list: bool,
    is_human_readable: bool,
}

/// Why the rest can't be counted.
#[derive(Debug)]
struct Uncounted;

impl Parts<'_> {
    fn part(&mut self, in_list: bool) -> Parts<'_> {
        Parts {
            behind: self.behind,
            in_list,
            is_human_readable: self.is_human_readable,
        }
    }

    fn tag(&self) -> usize {
        if self.in_list { TAG } else { 0 }
    }

    /// So many bytes in one allocation, if they are any.
    fn allocates(&mut self, bytes: usize) {
        if bytes > 0 {
            *self.behind = self.behind.saturating_add(bytes.saturating_add(ALLOCATION));
        }
    }

    /// A part whose own size is known; returns that. What it shows and has no room for is behind it, as with a `Box`.
    fn field<T: Serialize + ?Sized>(mut self, value: &T) -> Result<usize, Uncounted> {
        let shown = value.serialize(self.part(false))?;
        let own = size_of_val(value);
        if shown > own {
            self.allocates(shown);
        }
        Ok(own)
    }

    fn text(mut self, len: usize) -> usize {
        self.allocates(len);
        HANDLE
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
        Ok(HANDLE)
    }
}

/// The entries of a map, in the table of a `HashMap`: a `BTreeMap` takes about as much, or less.
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
            // Seven of eight places are taken at most, and each has a byte of its own.
            let places = (self.len.saturating_mul(8) / 7 + 1).next_power_of_two();
            let place = aligned(self.largest_key + self.largest_value) + 1;
            self.parts.allocates(places.saturating_mul(place));
        }
        Ok(HANDLE)
    }
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
        if self.parts.in_list {
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
