//! The deserializer that a sample is made from: it gives whatever is asked for.

use std::cell::RefCell;

use serde::de::value::{BorrowedStrDeserializer, U32Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::foreign::Panics;
use super::graph::{Graph, MAX_INSISTENCE};
use super::sample::{MAX_DEPTH, make};
use super::stop::Stop;
use super::values::{NUMBERS, TEXTS, bytes, pick};

/// Gives a type something to be made of.
#[derive(Clone, Copy)]
pub(super) struct Sample<'g> {
    pub(super) graph: &'g RefCell<Graph>,
    /// Of the innermost seed, and of those around it, which may refuse what is made of good parts.
    pub(super) attempt: usize,
    pub(super) depth: usize,
}

impl Sample<'_> {
    /// On the way to what is inside of a `T`.
    fn deeper<T>(self) -> Result<Self, Stop> {
        let mut graph = self.graph.borrow_mut();
        graph.step()?;
        graph.samples.part()?;
        if self.depth >= MAX_DEPTH || !graph.has_room_for(size_of::<T>()) {
            return Err(Stop);
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn make<'de, S: DeserializeSeed<'de>>(&self, seed: S) -> Result<S::Value, Stop> {
        make(self.graph, seed, self.attempt, self.depth)
    }

    /// So many values in a row: of a tuple as many as it has, of a list none or one.
    fn parts(self, len: usize) -> Parts<'static, Self> {
        Parts {
            sample: self,
            left: len,
            fields: &[],
            insisted: 0,
        }
    }

    fn few(self) -> usize {
        self.attempt % 2
    }
}

macro_rules! numbers {
    ($($method:ident => $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            self.deeper::<V::Value>()?;
            visitor.$visit(<$type>::from(pick(NUMBERS, self.attempt)))
        }
    )*};
}

impl<'de> Deserializer<'de> for Sample<'_> {
    type Error = Stop;

    numbers! {
        deserialize_u8 => visit_u8 u8,
        deserialize_u16 => visit_u16 u16,
        deserialize_u32 => visit_u32 u32,
        deserialize_u64 => visit_u64 u64,
        deserialize_u128 => visit_u128 u128,
        deserialize_i16 => visit_i16 i16,
        deserialize_i32 => visit_i32 i32,
        deserialize_i64 => visit_i64 i64,
        deserialize_i128 => visit_i128 i128,
        deserialize_f32 => visit_f32 f32,
        deserialize_f64 => visit_f64 f64,
    }

    fn is_human_readable(&self) -> bool {
        self.graph.borrow().codec.is_human_readable()
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper::<V::Value>()?;
        visitor.visit_i8(pick(NUMBERS, self.attempt).cast_signed())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper::<V::Value>()?;
        visitor.visit_bool(self.few() == 1)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper::<V::Value>()?;
        visitor.visit_char(pick(&['a', '1', 'A', ' ', '\0'], self.attempt))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper::<V::Value>()?;
        visitor.visit_borrowed_str(pick(TEXTS, self.attempt))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper::<V::Value>()?;
        visitor.visit_borrowed_bytes(bytes(self.attempt))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper::<V::Value>()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let inside = self.deeper::<V::Value>()?;
        // What is in an option is asked for without a seed of its own.
        let panics = self.graph.borrow().samples.panics;
        if self.few() == 0 || panics == Panics::Abort {
            visitor.visit_none()
        } else {
            visitor.visit_some(inside)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self.deeper::<V::Value>()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(self.deeper::<V::Value>()?.parts(self.few()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_map(self.deeper::<V::Value>()?.parts(self.few()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(self.deeper::<V::Value>()?.parts(len))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let inside = self.deeper::<V::Value>()?;
        if self.attempt % 4 == 3 {
            return visitor.visit_map(Parts {
                sample: inside,
                left: fields.len(),
                fields,
                insisted: 0,
            });
        }
        visitor.visit_seq(inside.parts(fields.len()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let inside = self.deeper::<V::Value>()?;
        if variants.is_empty() {
            return Err(Stop);
        }
        visitor.visit_enum(Chosen {
            sample: inside,
            variant: u32::try_from(self.attempt % variants.len()).map_err(|_| Stop)?,
        })
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        match self.attempt % 8 {
            0 => self.deserialize_unit(visitor),
            1 => self.deserialize_u64(visitor),
            2 => self.deserialize_bool(visitor),
            3 => self.deserialize_map(visitor),
            4 => self.deserialize_seq(visitor),
            5 => self.deserialize_f64(visitor),
            6 => self.deserialize_bytes(visitor),
            _ => self.deserialize_str(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }
}

/// The values in a sample.
struct Parts<'a, S> {
    sample: S,
    left: usize,
    /// The names of what is left, for a struct that is read by name.
    fields: &'a [&'static str],
    /// How often it was asked for more than there is.
    insisted: usize,
}

impl Parts<'_, Sample<'_>> {
    /// Takes one of what is left, or ends the run of a type that won't be told that there is nothing.
    fn take(&mut self) -> Option<()> {
        if self.left == 0 {
            self.insisted += 1;
            if self.insisted > MAX_INSISTENCE {
                self.sample.graph.borrow_mut().leave();
            }
            return None;
        }
        self.left -= 1;
        Some(())
    }
}

impl<'de> SeqAccess<'de> for Parts<'_, Sample<'_>> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if self.take().is_none() {
            return Ok(None);
        }
        self.sample.make(seed).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, Sample<'_>> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        if self.take().is_none() {
            return Ok(None);
        }
        match self.fields.split_first() {
            Some((name, rest)) => {
                self.fields = rest;
                seed.deserialize(BorrowedStrDeserializer::new(name))
                    .map(Some)
            }
            None => self.sample.make(seed).map(Some),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        self.sample.make(seed)
    }
}

/// One variant of an enum.
struct Chosen<'g> {
    sample: Sample<'g>,
    variant: u32,
}

impl<'de> EnumAccess<'de> for Chosen<'_> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Stop> {
        let key = seed.deserialize(U32Deserializer::<Stop>::new(self.variant))?;
        Ok((key, self))
    }
}

impl<'de> VariantAccess<'de> for Chosen<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        self.sample.make(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(self.sample.parts(len))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_seq(self.sample.parts(fields.len()))
    }
}
