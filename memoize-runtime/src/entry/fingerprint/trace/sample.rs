//! Values that are made up to get past them, to what is asked for next.
//!
//! A type may refuse what it is given, so each type of seed has a count of attempts, and each attempt gives it something
//! else. Refusals are counted against the innermost type that still has attempts left. A type that is being made can't be
//! made again within itself, so recursion ends at the next variant.

use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;

use serde::de::value::{BorrowedStrDeserializer, U32Deserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::graph::Graph;
use super::stop::Stop;
use super::values::{NUMBERS, TEXTS, pick, zeros};

/// Attempts for one type of seed.
const MAX_ATTEMPTS: usize = 64;

/// Samples within one another, where no seeds are between them that would tell.
const MAX_DEPTH: usize = 64;

/// Things asked for in one sample. A value of so many parts is not worth the bound on all steps.
const MAX_PARTS: usize = 5_000;

/// What attempts are counted for: a type of seed, and, if it has a state that may make another seed of it, how deep it is.
type Seed = (TypeId, usize);

#[derive(Debug, Default)]
pub(super) struct Samples {
    attempts: HashMap<Seed, usize>,
    /// The seeds that are being made, the innermost last.
    making: Vec<Seed>,
    /// What the outermost of them took so far.
    parts: usize,
    /// The refusal was counted against a type, which will be given something else.
    blamed: bool,
}

impl Samples {
    fn begin(&mut self, seed: Seed) -> Result<usize, Stop> {
        let attempts = self.attempts.get(&seed).copied().unwrap_or(0);
        // Where a panic ends the process, nothing may be tried out.
        if attempts >= MAX_ATTEMPTS
            || cfg!(panic = "abort")
            || self.making.len() >= MAX_DEPTH
            || self.making.contains(&seed)
        {
            return Err(Stop);
        }
        if self.making.is_empty() {
            self.parts = 0;
        }
        self.making.push(seed);
        Ok(attempts)
    }

    fn blame(&mut self, seed: Seed) {
        let attempts = self.attempts.entry(seed).or_default();
        if !self.blamed && *attempts < MAX_ATTEMPTS {
            *attempts += 1;
            self.blamed = true;
        }
    }

    /// Counts one thing asked for in a sample.
    fn part(&mut self) -> Result<(), Stop> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            self.forget();
            return Err(Stop);
        }
        Ok(())
    }

    /// None of what is being made is tried again.
    fn forget(&mut self) {
        for seed in &self.making {
            self.attempts.insert(*seed, MAX_ATTEMPTS);
        }
    }

    /// Ends the run, and says whether another one would try something else.
    pub(super) fn next_try(&mut self) -> bool {
        // What is still being made panicked. Each panic is seen by the program's hook, so one is enough.
        self.forget();
        self.making.clear();
        std::mem::take(&mut self.blamed)
    }
}

/// A value for `seed`, if one of the attempts is good enough for it.
pub(super) fn sample<'de, S: DeserializeSeed<'de>>(
    graph: &RefCell<Graph>,
    seed: S,
) -> Result<S::Value, Stop> {
    make(graph, seed, 0, 0)
}

fn make<'de, S: DeserializeSeed<'de>>(
    graph: &RefCell<Graph>,
    seed: S,
    outer: usize,
    depth: usize,
) -> Result<S::Value, Stop> {
    let id = {
        let level = graph.borrow().samples.making.len();
        (
            typeid::of::<S>(),
            if size_of::<S>() == 0 { 0 } else { level },
        )
    };
    let attempt = graph.borrow_mut().samples.begin(id)?;
    let made = seed.deserialize(Sample {
        graph,
        attempt: attempt + outer,
        depth,
    });
    let mut graph = graph.borrow_mut();
    graph.samples.making.pop();
    if made.is_err() {
        graph.samples.blame(id);
    }
    made
}

/// Gives a type something to be made of.
#[derive(Clone, Copy)]
struct Sample<'g> {
    graph: &'g RefCell<Graph>,
    /// Of the innermost seed, and of those around it, which may refuse what is made of good parts.
    attempt: usize,
    depth: usize,
}

impl Sample<'_> {
    fn deeper(self) -> Result<Self, Stop> {
        let mut graph = self.graph.borrow_mut();
        graph.step()?;
        graph.samples.part()?;
        if self.depth >= MAX_DEPTH {
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
        }
    }

    fn few(self) -> usize {
        self.attempt % 2
    }
}

macro_rules! numbers {
    ($($method:ident => $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            self.deeper()?;
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
        self.graph.borrow().is_human_readable
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper()?;
        visitor.visit_i8(pick(NUMBERS, self.attempt).cast_signed())
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper()?;
        visitor.visit_bool(self.few() == 1)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper()?;
        visitor.visit_char(pick(&['a', '1', 'A', ' ', '\0'], self.attempt))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper()?;
        visitor.visit_borrowed_str(pick(TEXTS, self.attempt))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper()?;
        visitor.visit_borrowed_bytes(zeros(self.attempt))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deeper()?;
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
        let inside = self.deeper()?;
        if self.few() == 0 {
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
        visitor.visit_newtype_struct(self.deeper()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(self.deeper()?.parts(self.few()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_map(self.deeper()?.parts(self.few()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(self.deeper()?.parts(len))
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
        let inside = self.deeper()?;
        if self.attempt % 4 == 3 {
            return visitor.visit_map(Parts {
                sample: inside,
                left: fields.len(),
                fields,
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
        let inside = self.deeper()?;
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
}

impl<'de> SeqAccess<'de> for Parts<'_, Sample<'_>> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
        self.sample.make(seed).map(Some)
    }
}

impl<'de> MapAccess<'de> for Parts<'_, Sample<'_>> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Stop> {
        let Some(left) = self.left.checked_sub(1) else {
            return Ok(None);
        };
        self.left = left;
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
