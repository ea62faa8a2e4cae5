//! Readers that are written by hand, as for JSON: they tell fields and variants by their names alone.

use serde::de::{EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::text;

macro_rules! reads {
    ($type:ident by $method:ident($($argument:expr),*) { $($read:tt)* }) => {
        struct $type;

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;

                impl<'de> Visitor<'de> for Reader {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(stringify!($type))
                    }

                    $($read)*
                }
                deserializer.$method($($argument,)* Reader)
            }
        }
    };
}

reads! { ByName by deserialize_struct("ByName", &["a", "b"]) {
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ByName, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "a" => drop(map.next_value::<u8>()?),
                "b" => drop(map.next_value::<Vec<String>>()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(ByName)
    }
} }

reads! { Variants by deserialize_enum("Variants", &["A", "B", "C"]) {
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Variants, A::Error> {
        let (name, variant) = access.variant::<String>()?;
        match &*name {
            "A" => drop(variant.newtype_variant::<u8>()?),
            "B" => drop(variant.newtype_variant::<String>()?),
            "C" => variant.unit_variant()?,
            other => return Err(A::Error::unknown_variant(other, &[])),
        }
        Ok(Variants)
    }
} }

/// One variant stands for all names that are known.
enum Key {
    Known(&'static str),
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = ["a", "b"].into_iter().find(|known| *known == name);
        Ok(known.map_or(Self::Other, Self::Known))
    }
}

reads! { OneKeyForAll by deserialize_struct("OneKeyForAll", &["a", "b"]) {
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneKeyForAll, A::Error> {
        let _: (Option<u8>, Option<u16>) = (seq.next_element()?, seq.next_element()?);
        Ok(OneKeyForAll)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OneKeyForAll, A::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Known("a") => drop(map.next_value::<u8>()?),
                Key::Known(_) => drop(map.next_value::<u16>()?),
                Key::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(OneKeyForAll)
    }
} }

#[test]
fn a_struct_without_an_order_is_keyed() {
    assert_eq!(
        text::<ByName>(),
        r#"keyed struct "ByName" {"a": u8, "b": [str]}"#
    );
}

#[test]
fn an_enum_without_numbers_is_keyed() {
    assert_eq!(
        text::<(Vec<Variants>, u8)>(),
        r#"tuple ([keyed enum "Variants" {"A": newtype u8, "B": newtype str, "C"}], u8)"#
    );
}

#[test]
fn names_that_one_key_stands_for_are_no_aliases() {
    assert_eq!(
        text::<OneKeyForAll>(),
        r#"struct "OneKeyForAll" {"a": u8, "b": u16}"#
    );
}
