//! Limits for decoding bytes that anyone may have written.
//!
//! Postcard follows a recursive type as deep as the bytes say, which overflows the stack, and visits
//! as many elements of a sequence as the bytes say, which never ends where an element takes no bytes (a
//! `Vec<()>` of length 2^60 is nine bytes). [`Bounded`] stands between postcard and the value's own
//! `Deserialize` and stops both. Where postcard reads a string or bytes it compares the length with what
//! is left before anything is allocated, so those pass through untouched.
//!
//! One type wraps whatever serde hands over: a deserializer, visitor, seed, or access. It wraps only what
//! can lead further down. In a format that describes itself, as `MessagePack` does, whatever is read as a value of any
//! kind may do so: there the visitor is wrapped, and counts as a level, whatever is found.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

/// Levels of nesting, as in `serde_json`. Only where the bytes decide whether to go on is a level:
/// options, enums, sequences, and maps. Structs, tuples, and newtypes between them nest as deep as the
/// type says, and no deeper.
const MAX_DEPTH: usize = 128;

/// The stack that decoding may take, in bytes: a quarter of what threads have by default. A recursive type of some
/// kilobytes would overflow it within the levels above, which nothing can catch.
const MAX_STACK: usize = 512 << 10;

/// Elements of sequences and maps that may take no bytes, in a whole value. An element that takes bytes
/// has at least one that it shares with no other element, so the length of the input is enough for all of
/// those, and no honest value without empty elements is ever refused. An element without bytes can still take memory, where
/// its fields are all skipped; what a few bytes can ask for is this many of them.
const EMPTY_ELEMENTS: usize = 1 << 12;

/// What is left for decoding one value.
pub(super) struct Budget {
    elements: Cell<usize>,
}

impl Budget {
    /// The budget for a value that is encoded in `input_len` bytes.
    #[inline]
    pub(super) fn new(input_len: usize) -> Self {
        Self {
            elements: Cell::new(input_len.saturating_add(EMPTY_ELEMENTS)),
        }
    }

    /// `deserializer`, for decoding within this budget.
    #[inline]
    pub(super) fn bound<D>(&self, deserializer: D) -> Bounded<'_, D> {
        Bounded {
            inner: deserializer,
            limits: Limits {
                depth: MAX_DEPTH,
                stack_start: stack_position(),
                metered: false,
                budget: self,
            },
        }
    }

    #[inline]
    fn pay<E: Error>(&self, elements: usize) -> Result<(), E> {
        match self.elements.get().checked_sub(elements) {
            Some(left) => {
                self.elements.set(left);
                Ok(())
            }
            None => Err(E::custom("too many elements")),
        }
    }
}

/// Something of serde's, with limits on what it may lead to.
pub(super) struct Bounded<'b, T> {
    inner: T,
    limits: Limits<'b>,
}

#[derive(Clone, Copy)]
struct Limits<'b> {
    /// Levels that may still be entered from here.
    depth: usize,
    stack_start: usize,
    /// Whether elements are to be paid for: their number comes from the bytes, as for a sequence, and not
    /// from the type, as for a struct, and was not paid before. Many fields without bytes are no attack.
    metered: bool,
    budget: &'b Budget,
}

impl<'b> Limits<'b> {
    #[inline]
    fn wrap<T>(self, inner: T) -> Bounded<'b, T> {
        Bounded {
            inner,
            limits: self,
        }
    }

    /// The limits one level further down.
    #[inline]
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if stack_position().abs_diff(self.stack_start) > MAX_STACK {
            return Err(E::custom("nested too deeply for the stack"));
        }
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(E::custom("nested too deeply")),
        }
    }

    #[inline]
    fn metered(self, metered: bool) -> Self {
        Self { metered, ..self }
    }

    /// Pays for all elements at once where their number is known, which keeps the count out of the loop over
    /// them. What the collections of a value reserve by their size hints is then within the budget, too.
    #[inline]
    fn enter<E: Error>(self, elements: Option<usize>) -> Result<Self, E> {
        match elements {
            Some(elements) if self.metered => {
                self.budget.pay(elements)?;
                Ok(self.metered(false))
            }
            _ => Ok(self),
        }
    }

    /// Pays for an element, where there was one: the end of a sequence is free, as it takes no byte.
    #[inline]
    fn pass<T, E: Error>(self, element: Option<T>) -> Result<Option<T>, E> {
        if self.metered && element.is_some() {
            self.budget.pay(1)?;
        }
        Ok(element)
    }
}

/// Where on the stack the caller is, near enough.
#[inline(never)]
fn stack_position() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

/// Methods that read one value without further values in it.
macro_rules! forward {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_identifier
        deserialize_bool deserialize_char deserialize_unit
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let limits = self.limits.deeper()?.metered(true);
        self.inner.deserialize_any(limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let limits = self.limits.deeper()?.metered(true);
        self.inner.deserialize_ignored_any(limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let limits = self.limits.deeper()?;
        self.inner.deserialize_option(limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let limits = self.limits.deeper()?.metered(true);
        self.inner.deserialize_seq(limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let limits = self.limits.deeper()?.metered(true);
        self.inner.deserialize_map(limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let limits = self.limits.deeper()?;
        self.inner
            .deserialize_enum(name, variants, limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.inner
            .deserialize_newtype_struct(name, self.limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let limits = self.limits.metered(false);
        self.inner.deserialize_tuple(len, limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let limits = self.limits.metered(false);
        self.inner
            .deserialize_tuple_struct(name, len, limits.wrap(visitor))
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let limits = self.limits.metered(false);
        self.inner
            .deserialize_struct(name, fields, limits.wrap(visitor))
    }
}

/// Visits that lead no further down: only a value of any kind comes to these.
macro_rules! visit {
    ($($method:ident($type:ty))*) => {$(
        #[inline]
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )*};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    visit! {
        visit_bool(bool) visit_char(char)
        visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64) visit_i128(i128)
        visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64) visit_u128(u128)
        visit_f32(f32) visit_f64(f64)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(self.limits.wrap(deserializer))
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        self.inner
            .visit_newtype_struct(self.limits.wrap(deserializer))
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let limits = self.limits.enter(access.size_hint())?;
        self.inner.visit_seq(limits.wrap(access))
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let limits = self.limits.enter(access.size_hint())?;
        self.inner.visit_map(limits.wrap(access))
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(self.limits.wrap(access))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(self.limits.wrap(deserializer))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let element = self.inner.next_element_seed(self.limits.wrap(seed))?;
        self.limits.pass(element)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let key = self.inner.next_key_seed(self.limits.wrap(seed))?;
        self.limits.pass(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(self.limits.wrap(seed))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    /// The seed is for the variant's number, which has nothing below it.
    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, self.limits.wrap(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(self.limits.wrap(seed))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let limits = self.limits.metered(false);
        self.inner.tuple_variant(len, limits.wrap(visitor))
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let limits = self.limits.metered(false);
        self.inner.struct_variant(fields, limits.wrap(visitor))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::entry::header::Codec;
    use crate::entry::reject::Reject;

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reject> {
        Codec::Postcard.decode(bytes)
    }

    fn encoded<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        Codec::Postcard
            .encode(value, &mut bytes)
            .expect("the value is one that postcard holds");
        bytes
    }

    fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
        assert_eq!(decode(&encoded(value)).as_ref(), Ok(value));
    }

    fn is_refused<T: DeserializeOwned>(bytes: &[u8]) {
        assert!(matches!(decode::<T>(bytes), Err(Reject::Undecodable)));
    }

    /// The length of a sequence or map, and nothing after it.
    fn claim(elements: u64) -> Vec<u8> {
        encoded(&elements)
    }

    #[derive(Deserialize)]
    struct NoBytes {
        #[serde(skip)]
        _derived: u64,
    }

    #[test]
    fn elements_without_bytes_are_bounded() {
        survives(&vec![(); EMPTY_ELEMENTS]);
        // The length takes two bytes, which would allow for two elements with bytes.
        let most = EMPTY_ELEMENTS as u64 + 2;
        assert!(decode::<Vec<()>>(&claim(most)).is_ok());
        is_refused::<Vec<()>>(&claim(most + 1));
    }

    #[test]
    fn a_huge_claim_does_not_loop() {
        is_refused::<Vec<()>>(&claim(1 << 60));
        is_refused::<Vec<[(); 3]>>(&claim(u64::MAX));
        is_refused::<Option<Box<[()]>>>(&[&[1], &claim(u64::MAX)[..]].concat());
        is_refused::<HashSet<()>>(&claim(u64::MAX));
        is_refused::<HashMap<(), NoBytes>>(&claim(u64::MAX));
    }

    #[test]
    fn one_budget_is_for_the_whole_value() {
        let half = vec![(); EMPTY_ELEMENTS / 2 + 10];
        survives(&half);
        is_refused::<(Vec<()>, Vec<()>)>(&encoded(&(&half, &half)));
    }

    #[test]
    fn what_takes_bytes_is_never_refused() {
        // Many more fields without bytes than the budget: their number is the type's.
        survives(&vec![(1_u8, (), [(); 3]); 100_000]);
        survives(&vec![Vec::<u8>::new(); 100_000]);
        survives(&vec![vec![vec![1_u8]]; 100_000]);
        survives(
            &(0..100_000)
                .map(|key| (key, true))
                .collect::<HashMap<u32, _>>(),
        );
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct List {
        next: Option<Box<List>>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Rose(Vec<Rose>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Keyed(BTreeMap<u8, Keyed>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Tree {
        Leaf,
        Newtype(Box<Tree>),
        Tuple(Box<Tree>, ()),
        Struct { inner: Box<Tree> },
    }

    #[test]
    fn nesting_is_bounded_exactly() {
        let list = |len| {
            (0..len).fold(List { next: None }, |list, _| List {
                next: Some(Box::new(list)),
            })
        };
        survives(&list(MAX_DEPTH - 1));
        is_refused::<List>(&encoded(&list(MAX_DEPTH)));

        let tree = |len| (0..len).fold(Tree::Leaf, |tree, _| Tree::Tuple(Box::new(tree), ()));
        survives(&tree(MAX_DEPTH - 1));
        is_refused::<Tree>(&encoded(&tree(MAX_DEPTH)));
    }

    #[test]
    fn every_way_to_recurse_is_bounded() {
        for byte in 1..4 {
            let deep = vec![byte; 1_000_000];
            is_refused::<List>(&deep);
            is_refused::<Rose>(&deep);
            is_refused::<Keyed>(&deep);
            is_refused::<Tree>(&deep);
            is_refused::<Vec<Option<Tree>>>(&deep);
        }
    }

    #[test]
    fn nesting_side_by_side_costs_nothing() {
        survives(&vec![Some(Some(vec![Some(1_u8)])); 1_000]);
    }

    /// The size hint that a map is given, its elements unread.
    struct Hint(Option<usize>);

    impl<'de> Deserialize<'de> for Hint {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Hinted;

            impl<'de> Visitor<'de> for Hinted {
                type Value = Hint;

                fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str("a map")
                }

                fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Hint, A::Error> {
                    Ok(Hint(map.size_hint()))
                }
            }

            deserializer.deserialize_map(Hinted)
        }
    }

    #[test]
    fn what_is_reserved_is_bounded() {
        let most = claim(EMPTY_ELEMENTS as u64 + 2);
        let Hint(hint) = decode(&most).expect("a hint needs no elements");
        assert_eq!(hint, Some(EMPTY_ELEMENTS + 2));
        // A collection may reserve without a limit of its own: a claim beyond ours must not reach it, not in parts either.
        is_refused::<Hint>(&claim(1 << 60));
        is_refused::<(Hint, Hint)>(&[&most[..], &most[..]].concat());
    }

    /// Eight kilobytes a level.
    #[derive(Deserialize, Serialize)]
    struct Fat {
        weight: [[u64; 32]; 32],
        next: Option<Box<Fat>>,
    }

    #[test]
    fn a_fat_recursive_type_does_not_overflow_the_stack() {
        let bytes = [vec![0; 32 * 32], vec![1]].concat().repeat(MAX_DEPTH - 1);
        let decoded = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(move || decode::<Fat>(&bytes).is_ok())
            .expect("a thread can be started")
            .join();
        assert!(
            !decoded.expect("it returns"),
            "the bytes end too early in any case"
        );
    }
}
