//! Random descriptions of types: the same fingerprint if and only if they describe the same.
//!
//! `CACHE_MEMOIZE_TEST_PAIRS=100000` tries as many pairs, `CACHE_MEMOIZE_TEST_SEED` others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::{self, Formatter};
use std::rc::Rc;

use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::*;

/// A type, as serde sees it.
#[derive(Clone, Debug, PartialEq)]
enum Type {
    Bool,
    U8,
    U32,
    I64,
    F64,
    Char,
    Str,
    Bytes,
    Unit,
    UnitStruct(usize),
    Option(Rc<Type>),
    Newtype(usize, Rc<Type>),
    Seq(Rc<Type>),
    Tuple(Vec<Rc<Type>>),
    TupleStruct(usize, Vec<Rc<Type>>),
    Map(Rc<Type>, Rc<Type>),
    Struct(usize, Vec<(usize, Rc<Type>)>),
    Enum(usize, Vec<(usize, Body)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Unit,
    Newtype(Rc<Type>),
    Tuple(Vec<Rc<Type>>),
    Struct(Vec<(usize, Rc<Type>)>),
}

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Lists of names live for ever, so each is made once.
fn list(names: impl Iterator<Item = usize>) -> &'static [&'static str] {
    thread_local! {
        static LISTS: RefCell<BTreeMap<Vec<usize>, &'static [&'static str]>> = const { RefCell::new(BTreeMap::new()) };
    }
    let names: Vec<usize> = names.collect();
    LISTS.with_borrow_mut(|lists| {
        *lists.entry(names).or_insert_with_key(|names| {
            names
                .iter()
                .map(|&name| NAMES[name])
                .collect::<Vec<_>>()
                .leak()
        })
    })
}

// --- Reading a described type.

thread_local! {
    static DESCRIBED: RefCell<Rc<Type>> = RefCell::new(Rc::new(Type::Unit));
}

/// Reads what is described at the time.
struct Described;

impl<'de> Deserialize<'de> for Described {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let described = DESCRIBED.with_borrow(Rc::clone);
        Reader(&described).deserialize(deserializer).map(|()| Self)
    }
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Type);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            Type::Bool => deserializer.deserialize_bool(self),
            Type::U8 => deserializer.deserialize_u8(self),
            Type::U32 => deserializer.deserialize_u32(self),
            Type::I64 => deserializer.deserialize_i64(self),
            Type::F64 => deserializer.deserialize_f64(self),
            Type::Char => deserializer.deserialize_char(self),
            Type::Str => deserializer.deserialize_string(self),
            Type::Bytes => deserializer.deserialize_byte_buf(self),
            Type::Unit => deserializer.deserialize_unit(self),
            Type::UnitStruct(name) => deserializer.deserialize_unit_struct(NAMES[*name], self),
            Type::Option(_) => deserializer.deserialize_option(self),
            Type::Newtype(name, _) => deserializer.deserialize_newtype_struct(NAMES[*name], self),
            Type::Seq(_) => deserializer.deserialize_seq(self),
            Type::Tuple(elements) => deserializer.deserialize_tuple(elements.len(), self),
            Type::TupleStruct(name, elements) => {
                deserializer.deserialize_tuple_struct(NAMES[*name], elements.len(), self)
            }
            Type::Map(..) => deserializer.deserialize_map(self),
            Type::Struct(name, fields) => {
                let names = list(fields.iter().map(|field| field.0));
                deserializer.deserialize_struct(NAMES[*name], names, self)
            }
            Type::Enum(name, variants) => {
                let names = list(variants.iter().map(|variant| variant.0));
                deserializer.deserialize_enum(NAMES[*name], names, self)
            }
        }
    }
}

macro_rules! takes {
    ($($method:ident($type:ty))*) => {$(
        fn $method<E: Error>(self, _: $type) -> Result<(), E> {
            Ok(())
        }
    )*};
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }

    takes! {
        visit_bool(bool) visit_u8(u8) visit_u32(u32) visit_i64(i64) visit_f64(f64) visit_char(char) visit_str(&str)
        visit_bytes(&[u8])
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            Type::Option(inner) => Reader(inner).deserialize(deserializer),
            _ => Err(D::Error::custom("no option")),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0 {
            Type::Newtype(_, inner) => Reader(inner).deserialize(deserializer),
            _ => Err(D::Error::custom("no newtype")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        match self.0 {
            Type::Seq(inner) => {
                while seq.next_element_seed(Reader(inner))?.is_some() {}
                Ok(())
            }
            Type::Tuple(elements) | Type::TupleStruct(_, elements) => all(seq, elements.iter()),
            Type::Struct(_, fields) => all(seq, fields.iter().map(|field| &field.1)),
            _ => Err(A::Error::custom("no sequence")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        match self.0 {
            Type::Map(key, value) => {
                while map.next_entry_seed(Reader(key), Reader(value))?.is_some() {}
                Ok(())
            }
            Type::Struct(_, fields) => by_name(map, fields),
            _ => Err(A::Error::custom("no map")),
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<(), A::Error> {
        let Type::Enum(_, variants) = self.0 else {
            return Err(A::Error::custom("no enum"));
        };
        let (number, variant) = access.variant::<u32>()?;
        match variants.get(number as usize).map(|variant| &variant.1) {
            None => Err(A::Error::custom("no such variant")),
            Some(Body::Unit) => variant.unit_variant(),
            Some(Body::Newtype(inner)) => variant.newtype_variant_seed(Reader(inner)),
            Some(Body::Tuple(elements)) => {
                let tuple = Type::Tuple(elements.clone());
                variant.tuple_variant(elements.len(), Reader(&tuple))
            }
            Some(Body::Struct(fields)) => {
                let names = list(fields.iter().map(|field| field.0));
                let with_fields = Type::Struct(0, fields.clone());
                variant.struct_variant(names, Reader(&with_fields))
            }
        }
    }
}

fn all<'a, 'de, A: SeqAccess<'de>>(
    mut seq: A,
    types: impl Iterator<Item = &'a Rc<Type>>,
) -> Result<(), A::Error> {
    for inner in types {
        seq.next_element_seed(Reader(inner))?
            .ok_or_else(|| A::Error::custom("too short"))?;
    }
    Ok(())
}

/// By keys that are no enum, as hand-written code may have them.
fn by_name<'de, A: MapAccess<'de>>(
    mut map: A,
    fields: &[(usize, Rc<Type>)],
) -> Result<(), A::Error> {
    while let Some(key) = map.next_key::<String>()? {
        let field = fields.iter().find(|field| NAMES[field.0] == key);
        let (_, inner) = field.ok_or_else(|| A::Error::custom("no such field"))?;
        map.next_value_seed(Reader(inner))?;
    }
    Ok(())
}

// --- Making descriptions up.

struct Random(test_servers::Random);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound as u64)).expect("it is below a usize")
    }

    fn any(&mut self, depth: usize) -> Rc<Type> {
        let kinds = if depth == 0 { 10 } else { 18 };
        let name = self.below(NAMES.len());
        Rc::new(match self.below(kinds) {
            0 => Type::Bool,
            1 => Type::U8,
            2 => Type::U32,
            3 => Type::I64,
            4 => Type::F64,
            5 => Type::Char,
            6 => Type::Str,
            7 => Type::Bytes,
            8 => Type::Unit,
            9 => Type::UnitStruct(name),
            10 => Type::Option(self.any(depth - 1)),
            11 => Type::Newtype(name, self.any(depth - 1)),
            12 => Type::Seq(self.any(depth - 1)),
            13 => Type::Tuple(self.some(depth - 1)),
            14 => Type::TupleStruct(name, self.some(depth - 1)),
            15 => Type::Map(self.any(depth - 1), self.any(depth - 1)),
            16 => Type::Struct(name, self.fields(depth - 1)),
            _ => {
                let names = self.names();
                let body = |name| (name, self.body(depth - 1));
                Type::Enum(name, names.into_iter().map(body).collect())
            }
        })
    }

    fn some(&mut self, depth: usize) -> Vec<Rc<Type>> {
        (0..=self.below(4)).map(|_| self.any(depth)).collect()
    }

    fn names(&mut self) -> Vec<usize> {
        let mut names: Vec<usize> = (0..NAMES.len()).filter(|_| self.below(2) == 0).collect();
        if names.len() > 1 && self.below(2) == 0 {
            names.reverse();
        }
        if names.is_empty() {
            names.push(0);
        }
        names
    }

    fn fields(&mut self, depth: usize) -> Vec<(usize, Rc<Type>)> {
        let names = self.names();
        names
            .into_iter()
            .map(|name| (name, self.any(depth)))
            .collect()
    }

    fn body(&mut self, depth: usize) -> Body {
        match self.below(4) {
            0 => Body::Unit,
            1 => Body::Newtype(self.any(depth)),
            2 => Body::Tuple(self.some(depth)),
            _ => Body::Struct(self.fields(depth)),
        }
    }

    /// The type with one thing in it changed, as far as the dice find something to change.
    fn changed(&mut self, of: &Type) -> Rc<Type> {
        let mut of = of.clone();
        let deeper = self.below(4) > 0;
        match &mut of {
            Type::Option(inner) | Type::Newtype(_, inner) | Type::Seq(inner) if deeper => {
                *inner = self.changed(inner);
            }
            Type::Map(_, inner) if deeper => *inner = self.changed(inner),
            Type::Tuple(elements) | Type::TupleStruct(_, elements) if deeper => {
                let at = self.below(elements.len());
                elements[at] = self.changed(&elements[at]);
            }
            Type::Struct(_, fields) if deeper => self.change_fields(fields),
            Type::Enum(_, variants) if deeper => {
                let at = self.below(variants.len());
                match &mut variants[at].1 {
                    Body::Newtype(inner) => *inner = self.changed(inner),
                    Body::Struct(fields) => self.change_fields(fields),
                    body => *body = self.body(1),
                }
            }
            Type::Enum(_, variants) => variants.reverse(),
            Type::UnitStruct(name)
            | Type::Newtype(name, _)
            | Type::TupleStruct(name, _)
            | Type::Struct(name, _) => *name = self.below(NAMES.len()),
            other => *other = (*self.any(1)).clone(),
        }
        Rc::new(of)
    }

    fn change_fields(&mut self, fields: &mut Vec<(usize, Rc<Type>)>) {
        let at = self.below(fields.len());
        match self.below(3) {
            0 => fields.swap(0, at),
            1 => drop(fields.remove(at)),
            _ => fields[at].1 = self.changed(&fields[at].1),
        }
        if fields.is_empty() {
            fields.push((0, Rc::new(Type::Unit)));
        }
    }
}

/// The same description, with nothing of it shared.
fn copied(of: &Type) -> Rc<Type> {
    let copy = |inner: &Rc<Type>| copied(inner);
    let all = |types: &[Rc<Type>]| types.iter().map(copy).collect();
    let named = |fields: &[(usize, Rc<Type>)]| {
        fields
            .iter()
            .map(|(name, inner)| (*name, copied(inner)))
            .collect()
    };
    Rc::new(match of {
        Type::Option(inner) => Type::Option(copy(inner)),
        Type::Newtype(name, inner) => Type::Newtype(*name, copy(inner)),
        Type::Seq(inner) => Type::Seq(copy(inner)),
        Type::Tuple(elements) => Type::Tuple(all(elements)),
        Type::TupleStruct(name, elements) => Type::TupleStruct(*name, all(elements)),
        Type::Map(key, value) => Type::Map(copy(key), copy(value)),
        Type::Struct(name, fields) => Type::Struct(*name, named(fields)),
        leaf => leaf.clone(),
    })
}

fn fingerprint_of(described: &Rc<Type>, codec: Codec) -> (u64, bool) {
    DESCRIBED.set(Rc::clone(described));
    let shape = super::super::trace::<Described>(codec, Panics::OF_THIS_BUILD);
    (Fingerprint::new(&shape, codec).finish(), shape.has_unseen())
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |asked| asked.parse().expect("a number"))
}

#[test]
fn fingerprints_differ_exactly_where_types_do() {
    let pairs = from_environment("CACHE_MEMOIZE_TEST_PAIRS", 10_000);
    let mut random = Random(test_servers::Random::new(from_environment(
        "CACHE_MEMOIZE_TEST_SEED",
        1,
    )));
    let (mut same, mut different, mut whole) = (0, 0, 0);
    for pair in 0..pairs {
        let one = random.any(4);
        let other = match pair % 4 {
            0 => copied(&one),
            1 => random.any(4),
            _ => random.changed(&one),
        };
        // Not by turns, as then each would have its own kinds of pairs.
        let codec = [Codec::Postcard, Codec::Msgpack][random.below(2)];
        let (first, unseen) = fingerprint_of(&one, codec);
        let (second, _) = fingerprint_of(&other, codec);
        assert_eq!(first == second, one == other, "{one:#?}\n{other:#?}");
        *(if one == other {
            &mut same
        } else {
            &mut different
        }) += 1;
        whole += u64::from(!unseen);
    }
    test_servers::shown!(
        "{same} pairs of the same, {different} of different types, {whole} seen as a whole"
    );
    assert!(same > pairs / 5 && different > pairs / 3 && whole == pairs);
}
