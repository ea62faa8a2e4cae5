//! The same as [`random`](super::random), of readers that hold nothing, as derived ones are: those are known again by their type. So there
//! may be recursion, and fields with aliases.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{self, Formatter};

use serde::de::{EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Codec, Fingerprint, Panics};

/// Types that refer to each other by their number; the first one is what is traced.
type Grammar = [Type; TYPES];

const TYPES: usize = 5;

#[derive(Clone, Debug, PartialEq)]
enum Type {
    Byte,
    /// Refuses most bytes, which is no part of its shape.
    PickyByte,
    Text,
    Option(usize),
    Newtype(usize),
    Seq(usize),
    Map(usize),
    Tuple(usize, usize),
    /// Each field has a name, and perhaps an alias.
    Struct(Vec<(&'static str, Option<&'static str>, usize)>),
    /// One variant with a value for each, and one without.
    Enum(Vec<usize>),
}

thread_local! {
    static GRAMMAR: RefCell<Grammar> = const { RefCell::new([const { Type::Byte }; TYPES]) };
}

fn described(number: usize) -> Type {
    GRAMMAR.with_borrow(|grammar| grammar[number].clone())
}

/// What the type of this number is read as.
struct Described<const NUMBER: usize>;

impl<'de, const NUMBER: usize> Deserialize<'de> for Described<NUMBER> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let reader = Self;
        match described(NUMBER) {
            Type::Byte | Type::PickyByte => deserializer.deserialize_u8(reader),
            Type::Text => deserializer.deserialize_string(reader),
            Type::Option(_) => deserializer.deserialize_option(reader),
            Type::Newtype(_) => deserializer.deserialize_newtype_struct("Newtype", reader),
            Type::Seq(_) => deserializer.deserialize_seq(reader),
            Type::Map(_) => deserializer.deserialize_map(reader),
            Type::Tuple(..) => deserializer.deserialize_tuple(2, reader),
            Type::Struct(fields) => {
                let names = fields
                    .iter()
                    .flat_map(|(name, alias, _)| [Some(*name), *alias]);
                let names: Vec<&str> = names.flatten().collect();
                deserializer.deserialize_struct("Struct", names.leak(), reader)
            }
            Type::Enum(variants) => {
                let names = &["a", "b", "c", "d"][..=variants.len()];
                deserializer.deserialize_enum("Enum", names, reader)
            }
        }
    }
}

/// Reads the type of `number` by `$read::<Described<..>>($arguments)`.
macro_rules! of {
    ($number:expr, $on:ident.$read:ident) => {
        match $number {
            0 => $on.$read::<Described<0>>().map(drop),
            1 => $on.$read::<Described<1>>().map(drop),
            2 => $on.$read::<Described<2>>().map(drop),
            3 => $on.$read::<Described<3>>().map(drop),
            _ => $on.$read::<Described<4>>().map(drop),
        }
    };
}

fn read<'de, D: Deserializer<'de>>(number: usize, deserializer: D) -> Result<(), D::Error> {
    match number {
        0 => Described::<0>::deserialize(deserializer).map(drop),
        1 => Described::<1>::deserialize(deserializer).map(drop),
        2 => Described::<2>::deserialize(deserializer).map(drop),
        3 => Described::<3>::deserialize(deserializer).map(drop),
        _ => Described::<4>::deserialize(deserializer).map(drop),
    }
}

fn next<'de, A: SeqAccess<'de>>(number: usize, seq: &mut A) -> Result<bool, A::Error> {
    Ok(match number {
        0 => seq.next_element::<Described<0>>()?.is_some(),
        1 => seq.next_element::<Described<1>>()?.is_some(),
        2 => seq.next_element::<Described<2>>()?.is_some(),
        3 => seq.next_element::<Described<3>>()?.is_some(),
        _ => seq.next_element::<Described<4>>()?.is_some(),
    })
}

/// The fields of the type of this number, told apart as derived code does: by the variants of an enum.
enum Key<const NUMBER: usize> {
    First,
    Second,
    Third,
    Other,
}

impl<'de, const NUMBER: usize> Deserialize<'de> for Key<NUMBER> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<const NUMBER: usize>;

        impl<const NUMBER: usize> Visitor<'_> for Reader<NUMBER> {
            type Value = Key<NUMBER>;

            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a field")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let Type::Struct(fields) = described(NUMBER) else {
                    return Err(E::custom("no struct"));
                };
                let is_it = |(name, alias, _): &(_, _, _)| *name == text || *alias == Some(text);
                Ok(match fields.iter().position(is_it) {
                    Some(0) => Key::First,
                    Some(1) => Key::Second,
                    Some(_) => Key::Third,
                    None => Key::Other,
                })
            }
        }
        deserializer.deserialize_identifier(Reader::<NUMBER>)
    }
}

impl<'de, const NUMBER: usize> Visitor<'de> for Described<NUMBER> {
    type Value = Self;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", described(NUMBER))
    }

    fn visit_u8<E: Error>(self, byte: u8) -> Result<Self, E> {
        if described(NUMBER) == Type::PickyByte && byte & 1 == 0 {
            return Err(E::custom("it is even"));
        }
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_none<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        match described(NUMBER) {
            Type::Option(inner) => read(inner, deserializer).map(|()| self),
            _ => Err(D::Error::custom("no option")),
        }
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        match described(NUMBER) {
            Type::Newtype(inner) => read(inner, deserializer).map(|()| self),
            _ => Err(D::Error::custom("no newtype")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        let elements = match described(NUMBER) {
            Type::Seq(inner) => {
                while next(inner, &mut seq)? {}
                return Ok(self);
            }
            Type::Tuple(first, second) => vec![first, second],
            Type::Struct(fields) => fields.iter().map(|field| field.2).collect(),
            _ => return Err(A::Error::custom("no sequence")),
        };
        for element in elements {
            if !next(element, &mut seq)? {
                return Err(A::Error::custom("too short"));
            }
        }
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        match described(NUMBER) {
            Type::Map(inner) => {
                while map.next_key::<u8>()?.is_some() {
                    of!(inner, map.next_value)?;
                }
            }
            Type::Struct(fields) => {
                while let Some(key) = map.next_key::<Key<NUMBER>>()? {
                    let at = match key {
                        Key::First => 0,
                        Key::Second => 1,
                        Key::Third => 2,
                        Key::Other => return Err(A::Error::custom("no such field")),
                    };
                    of!(fields[at].2, map.next_value)?;
                }
            }
            _ => return Err(A::Error::custom("no map")),
        }
        Ok(self)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Self, A::Error> {
        let Type::Enum(variants) = described(NUMBER) else {
            return Err(A::Error::custom("no enum"));
        };
        let (number, variant) = access.variant::<u32>()?;
        match variants.get(number as usize) {
            Some(inner) => of!(*inner, variant.newtype_variant)?,
            None if number as usize == variants.len() => variant.unit_variant()?,
            None => return Err(A::Error::custom("no such variant")),
        }
        Ok(self)
    }
}

struct Random(test_servers::Random);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound as u64)).expect("it is below a usize")
    }

    fn grammar(&mut self) -> Grammar {
        std::array::from_fn(|_| self.any())
    }

    fn any(&mut self) -> Type {
        match self.below(12) {
            0 => Type::Byte,
            1 => Type::PickyByte,
            2 => Type::Text,
            3 => Type::Option(self.below(TYPES)),
            4 => Type::Newtype(self.below(TYPES)),
            5 => Type::Seq(self.below(TYPES)),
            6 => Type::Map(self.below(TYPES)),
            7 => Type::Tuple(self.below(TYPES), self.below(TYPES)),
            8 | 9 => {
                let all = [("a", "x"), ("b", "y"), ("c", "z")];
                let fields = &all[..=self.below(3)];
                let field = |&(name, alias)| {
                    let alias = (self.below(3) == 0).then_some(alias);
                    (name, alias, self.below(TYPES))
                };
                Type::Struct(fields.iter().map(field).collect())
            }
            _ => Type::Enum((0..=self.below(3)).map(|_| self.below(TYPES)).collect()),
        }
    }

    /// The same types under other numbers, the first one being as it was.
    fn renumbered(&mut self, of: &Grammar) -> Grammar {
        let mut numbers: [usize; TYPES] = std::array::from_fn(|number| number);
        for at in 2..TYPES {
            numbers.swap(at, 1 + self.below(at));
        }
        let mut renumbered = of.clone();
        for (number, described) in of.iter().enumerate() {
            renumbered[numbers[number]] = described.with_children(|child| numbers[child]);
        }
        renumbered
    }
}

impl Type {
    fn with_children(&self, mut number: impl FnMut(usize) -> usize) -> Self {
        match self {
            Self::Byte | Self::PickyByte | Self::Text => self.clone(),
            Self::Option(inner) => Self::Option(number(*inner)),
            Self::Newtype(inner) => Self::Newtype(number(*inner)),
            Self::Seq(inner) => Self::Seq(number(*inner)),
            Self::Map(inner) => Self::Map(number(*inner)),
            Self::Tuple(first, second) => Self::Tuple(number(*first), number(*second)),
            Self::Struct(fields) => {
                let field = |&(name, alias, inner)| (name, alias, number(inner));
                Self::Struct(fields.iter().map(field).collect())
            }
            Self::Enum(variants) => {
                Self::Enum(variants.iter().map(|inner| number(*inner)).collect())
            }
        }
    }

    fn children(&self) -> Vec<usize> {
        let mut children = Vec::new();
        self.with_children(|child| {
            children.push(child);
            0
        });
        children
    }

    /// What is asked for, but for what is inside.
    fn alone(&self) -> Self {
        match self {
            Self::PickyByte => Self::Byte,
            other => other.with_children(|_| 0),
        }
    }
}

/// Whether all that can be read from the first types of both is the same, however far one reads.
fn are_same(one: &Grammar, other: &Grammar) -> bool {
    let mut taken_for_same = BTreeSet::new();
    let mut to_compare = vec![(0, 0)];
    while let Some((first, second)) = to_compare.pop() {
        if !taken_for_same.insert((first, second)) {
            continue;
        }
        if one[first].alone() != other[second].alone() {
            return false;
        }
        to_compare.extend(
            one[first]
                .children()
                .into_iter()
                .zip(other[second].children()),
        );
    }
    true
}

fn fingerprint_of(grammar: &Grammar, codec: Codec) -> (u64, bool) {
    GRAMMAR.set(grammar.clone());
    let shape = super::super::trace::<Described<0>>(codec, Panics::OF_THIS_BUILD);
    (Fingerprint::new(&shape, codec).finish(), shape.has_unseen())
}

#[test]
fn fingerprints_differ_exactly_where_recursive_types_do() {
    let pairs = 4_000;
    let mut random = Random(test_servers::Random::new(1));
    let (mut same, mut different) = (0, 0);
    for pair in 0..pairs {
        let one = random.grammar();
        let other = match pair % 4 {
            0 => random.grammar(),
            1 => random.renumbered(&one),
            _ => {
                let mut changed = one.clone();
                let at = random.below(TYPES);
                changed[at] = random.any();
                changed
            }
        };
        let codec = [Codec::Postcard, Codec::Msgpack][random.below(2)];
        let (first, is_first_unseen) = fingerprint_of(&one, codec);
        let (second, is_second_unseen) = fingerprint_of(&other, codec);
        // Of a type that holds itself, so that there is no value, what comes after it is out of reach.
        if is_first_unseen || is_second_unseen {
            continue;
        }
        let expected = are_same(&one, &other);
        assert_eq!(first == second, expected, "{one:#?}\n{other:#?}");
        *(if expected { &mut same } else { &mut different }) += 1;
    }
    println!("{same} pairs of the same, {different} of different types");
    assert!(
        same > pairs / 5 && different > pairs / 5,
        "{same} {different}"
    );
}
