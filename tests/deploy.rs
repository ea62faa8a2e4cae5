//! A deployment changes what a function returns: what the old code stored is a miss to the new code, and the other way round.

mod common;

use std::collections::BTreeMap;

use cache_memoize::{Memo, Runtime, cache_memoize};
use common::{Stored, runtime};

/// Stores a value of one type, then asks for the other under the same key, and the other way round; with each codec.
fn is_a_change<Old: Stored, New: Stored>(old: &Old, new: &New) {
    is_a_change_in(|memo| memo, old, new);
    #[cfg(feature = "msgpack")]
    is_a_change_in(Memo::msgpack, old, new);
}

fn is_a_change_in<Old: Stored, New: Stored>(codec: fn(Memo) -> Memo, old: &Old, new: &New) {
    let runtime = runtime();
    runtime.scope(|| {
        let memo = || codec(Memo::new("key"));
        let ask_old = || memo().get_or_compute(|| old.clone());
        let ask_new = || memo().get_or_compute(|| new.clone());
        assert_eq!(&ask_old(), old);
        assert_eq!(&ask_old(), old);
        assert_eq!(&ask_new(), new);
        assert_eq!(&ask_new(), new);
        assert_eq!(&ask_old(), old);
        let stats = runtime.stats();
        assert_eq!(stats.stores, 3, "each type can be stored");
        assert_eq!(stats.hits, 2, "each type is found again");
        assert_eq!(stats.wrong_type, 2, "neither type reads the other");
    });
}

/// Stores a value of one type, and finds it under the other, which is written otherwise but read the same.
fn is_no_change<Old: Stored, New: Stored>(old: &Old, new: &New) {
    let runtime = runtime();
    runtime.scope(|| {
        Memo::new("key").get_or_compute(|| old.clone());
        assert_eq!(&Memo::new("key").get_or_compute(|| new.clone()), new);
        assert_eq!(runtime.stats().hits, 1);
    });
}

/// The same type before and after a deployment; each `mod` is a program of its own.
macro_rules! versions {
    ($($(#[$meta:meta])* $name:ident: { $($old:tt)* } => { $($new:tt)* };)*) => {$(
        #[test]
        $(#[$meta])*
        fn $name() {
            mod old {
                use super::common::{self, prelude::*};
                versions!(@items $($old)*);
            }
            mod new {
                use super::common::{self, prelude::*};
                versions!(@items $($new)*);
            }
            is_a_change(&old::value(), &new::value());
        }
    )*};
    (@items $value:expr; $($item:item)*) => {
        $(#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)] $item)*
        pub(super) fn value() -> impl common::Stored {
            $value
        }
    };
}

versions! {
    a_field_is_added: {
        T { a: 1 }; struct T { a: u8 }
    } => {
        T { a: 1, b: 2 }; struct T { a: u8, b: u8 }
    };
    a_field_is_removed: {
        T { a: 1, b: 2 }; struct T { a: u8, b: u8 }
    } => {
        T { b: 2 }; struct T { b: u8 }
    };
    a_field_is_renamed: {
        T { low: 1 }; struct T { low: u8 }
    } => {
        T { high: 1 }; struct T { high: u8 }
    };
    a_field_is_renamed_for_serde: {
        T { low: 1 }; struct T { low: u8 }
    } => {
        T { low: 1 }; #[serde(rename_all = "UPPERCASE")] struct T { low: u8 }
    };
    fields_are_reordered: {
        T { a: 1, b: 2 }; struct T { a: u8, b: u8 }
    } => {
        T { a: 1, b: 2 }; struct T { b: u8, a: u8 }
    };
    a_field_is_retyped: {
        T { a: 1 }; struct T { a: u32 }
    } => {
        T { a: 1.0 }; struct T { a: f32 }
    };
    a_number_is_widened: {
        T { a: 1 }; struct T { a: u32 }
    } => {
        T { a: 1 }; struct T { a: u64 }
    };
    a_sign_is_added: {
        T { a: 1 }; struct T { a: u64 }
    } => {
        T { a: 1 }; struct T { a: i64 }
    };
    an_option_is_added: {
        T { a: 1 }; struct T { a: u8 }
    } => {
        T { a: Some(1) }; struct T { a: Option<u8> }
    };
    a_type_is_renamed: {
        T(1); struct T(u8);
    } => {
        U(1); struct U(u8);
    };
    a_variant_is_added: {
        T::A; enum T { A, B }
    } => {
        T::A; enum T { A, B, C }
    };
    a_variant_is_removed: {
        T::C; enum T { A, B, C }
    } => {
        T::A; enum T { A, B }
    };
    variants_are_reordered: {
        T::A; enum T { A, B }
    } => {
        T::A; enum T { B, A }
    };
    a_variant_is_renamed: {
        T::A; enum T { A, B }
    } => {
        T::A; enum T { A, C }
    };
    a_variant_gets_a_value: {
        T::A; enum T { A, B }
    } => {
        T::A; enum T { A, B(u8) }
    };
    a_variants_value_is_retyped: {
        T::A; enum T { A, B(u8) }
    } => {
        T::A; enum T { A, B(String) }
    };
    the_second_struct_variant_changes: {
        T::A { x: 1 }; enum T { A { x: u8 }, B { x: u8 } }
    } => {
        T::A { x: 1 }; enum T { A { x: u8 }, B { x: u16 } }
    };
    a_variants_tuple_changes: {
        T::A; enum T { A, B(u8, u8) }
    } => {
        T::A; enum T { A, B(u8, u16) }
    };
    three_levels_down: {
        T { a: vec![] };
        struct T { a: Vec<U> } struct U { b: Option<V> } enum V { W { c: u8 } }
    } => {
        T { a: vec![] };
        struct T { a: Vec<U> } struct U { b: Option<V> } enum V { W { c: u8, d: u8 } }
    };
    below_a_map_and_an_array: {
        T(BTreeMap::new()); struct T(BTreeMap<String, [U; 2]>); struct U { a: u8 }
    } => {
        T(BTreeMap::new()); struct T(BTreeMap<String, [U; 2]>); struct U { b: u8 }
    };
    a_maps_key_is_retyped: {
        T(BTreeMap::new()); struct T(BTreeMap<u8, u8>);
    } => {
        T(BTreeMap::new()); struct T(BTreeMap<u16, u8>);
    };
    a_map_becomes_a_list: {
        T(BTreeMap::new()); struct T(BTreeMap<u8, u8>);
    } => {
        T(Vec::new()); struct T(Vec<(u8, u8)>);
    };
    an_array_grows: {
        T([0; 2]); struct T([u8; 2]);
    } => {
        T([0; 3]); struct T([u8; 3]);
    };
    a_recursive_type_changes_behind_itself: {
        T { next: None, a: 1 }; struct T { next: Option<Box<T>>, a: u8 }
    } => {
        T { next: None, a: 1 }; struct T { next: Option<Box<T>>, a: u16 }
    };
    a_unit_struct_becomes_a_tuple: {
        T; struct T;
    } => {
        T(); struct T();
    };
    a_generic_type_changes_its_argument: {
        T { a: 1_u8 }; struct T<A> { a: A }
    } => {
        T { a: '1' }; struct T<A> { a: A }
    };
}

/// What Rust calls by one name, as long as the names of blocks are not part of it.
#[test]
fn two_types_of_one_name() {
    fn first() -> impl Stored {
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct T {
            a: u8,
        }
        T { a: 1 }
    }
    fn second() -> impl Stored {
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct T {
            a: String,
        }
        T { a: "1".into() }
    }
    is_a_change(&first(), &second());

    let in_blocks = (
        {
            #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
            struct T(u8);
            T(1)
        },
        {
            #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
            struct T(i8);
            T(1)
        },
    );
    assert_eq!(
        std::any::type_name_of_val(&in_blocks.0),
        std::any::type_name_of_val(&in_blocks.1)
    );
    is_a_change(&in_blocks.0, &in_blocks.1);
}

#[test]
fn what_serde_sees_the_same_is_the_same() {
    is_no_change(&vec![1_u8], &std::collections::VecDeque::from([1_u8]));
    is_no_change(&String::from("a"), &Box::<str>::from("a"));
    is_no_change(
        &BTreeMap::from([(1_u8, 2_u8)]),
        &std::collections::HashMap::from([(1_u8, 2_u8)]),
    );
    is_no_change(&(1_u8, [2_u8, 3]), &(1_u8, (2_u8, 3_u8)));
}

mod before {
    use super::cache_memoize;

    #[cache_memoize(key = "shared:<id>")]
    pub(super) fn load(id: u8) -> (u8, u8) {
        (id, 1)
    }

    #[cache_memoize(key = "versioned:<id>")]
    pub(super) fn versioned(id: u8) -> u8 {
        id
    }
}

mod after {
    use super::cache_memoize;

    #[cache_memoize(key = "shared:<id>")]
    pub(super) fn load(id: u8) -> (u8, u8, u8) {
        (id, 1, 2)
    }

    #[cache_memoize(key = "versioned:<id>", version = 1)]
    pub(super) fn versioned(id: u8) -> u8 {
        id * 10
    }
}

#[test]
fn a_list_and_an_iterator_are_apart() {
    let list = || Memo::new("key").get_or_compute(|| vec![1_u8, 2]);
    let items = || Memo::new("key").iter(|| [1_u8, 2].into_iter()).collect();
    let stats = stats_of(&runtime(), || {
        let found: [Vec<u8>; 3] = [list(), items(), list()];
        assert_eq!(found, [[1, 2]; 3]);
    });
    assert_eq!((stats.hits, stats.stores, stats.misses()), (0, 3, 3));
    assert_eq!((stats.absent, stats.wrong_type), (1, 2));
}

#[cfg(feature = "msgpack")]
#[test]
fn two_codecs_are_apart() {
    let postcard = || Memo::new("key").get_or_compute(|| 1_u8);
    let msgpack = || Memo::new("key").msgpack().get_or_compute(|| 1_u8);
    let stats = stats_of(&runtime(), || {
        assert_eq!([postcard(), msgpack(), postcard()], [1; 3]);
    });
    assert_eq!((stats.hits, stats.stores, stats.misses()), (0, 3, 3));
    assert_eq!((stats.absent, stats.wrong_type), (1, 2));
}

fn stats_of(runtime: &Runtime, calls: impl FnOnce()) -> cache_memoize::Stats {
    runtime.scope(calls);
    runtime.stats()
}

#[test]
fn functions_are_as_apart_as_their_types() {
    let stats = stats_of(&runtime(), || {
        assert_eq!(before::load(7), (7, 1));
        assert_eq!(after::load(7), (7, 1, 2));
        assert_eq!(before::load(7), (7, 1));
    });
    assert_eq!((stats.hits, stats.wrong_type), (0, 2));
}

#[test]
fn a_version_is_part_of_the_type() {
    let stats = stats_of(&runtime(), || {
        assert_eq!(before::versioned(7), 7);
        assert_eq!(after::versioned(7), 70);
        assert_eq!(after::versioned(7), 70);
        assert_eq!(before::versioned(7), 7);
    });
    assert_eq!((stats.hits, stats.wrong_type), (1, 2));
}

#[test]
fn a_version_is_part_of_the_type_of_a_memo() {
    let value = |version| {
        Memo::new("value")
            .version(version)
            .get_or_compute(|| version)
    };
    let item = |version| {
        let items = Memo::new("items")
            .version(version)
            .iter(|| std::iter::once(version));
        items.last()
    };
    let stats = stats_of(&runtime(), || {
        for version in [0, 1, u32::MAX, 0] {
            assert_eq!([value(version), value(version)], [version; 2]);
            assert_eq!([item(version), item(version)], [Some(version); 2]);
        }
    });
    assert_eq!((stats.hits, stats.stores), (8, 8));
    assert_eq!((stats.absent, stats.wrong_type), (2, 6));
}

#[cfg(feature = "msgpack")]
mod packed {
    use std::collections::BTreeMap;

    use super::cache_memoize;

    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    pub(super) struct Flat {
        pub(super) id: u8,
        #[serde(flatten)]
        pub(super) rest: BTreeMap<String, u8>,
    }

    #[cache_memoize(key = "flat:<id>", codec = "msgpack")]
    pub(super) fn load(id: u8) -> Flat {
        let rest = BTreeMap::from([("a".into(), 1)]);
        Flat { id, rest }
    }
}

#[cfg(feature = "msgpack")]
#[test]
fn another_codec_holds_what_postcard_does_not() {
    let stats = stats_of(&runtime(), || {
        let first = packed::load(7);
        assert_eq!(packed::load(7), first);
        assert_eq!(packed::load::peek(7), Some(first));
    });
    assert_eq!((stats.computations, stats.hits, stats.stores), (1, 1, 1));
}
