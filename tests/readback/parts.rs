//! A part of a type is proved by the values that have it.

use std::collections::BTreeMap;

use cache_memoize::{Memo, Stats};
use serde::ser::SerializeTupleStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::common::{Stored, runtime};
use super::in_each_codec;

/// The two are written in each other's place.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Swapped(u8, u8);

impl Serialize for Swapped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut written = serializer.serialize_tuple_struct("Swapped", 2)?;
        written.serialize_field(&self.1)?;
        written.serialize_field(&self.0)?;
        written.end()
    }
}

/// Neither before nor after it is known.
#[test]
fn two_of_the_same_do_not_show_that_they_are_swapped() {
    let of_same = || (0..40).map(|n| Swapped(n, n));
    let different = || std::iter::once(Swapped(1, 2));
    in_each_codec(
        &of_same().take(1).chain(different()).collect::<Vec<_>>(),
        |_| {},
    );
    let all: Vec<_> = different().chain(of_same()).chain(different()).collect();
    in_each_codec(&all, |stats| assert!(stats.hits > 0, "{stats:?}"));
}

/// Written in reverse, which neither none nor one of them shows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Reversed<const TEST: u8>(Vec<u8>);

impl<const TEST: u8> Serialize for Reversed<TEST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct List<'a>(&'a [u8]);

        impl Serialize for List<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().rev())
            }
        }
        serializer.serialize_newtype_struct("Reversed", &List(&self.0))
    }
}

/// Written as one more than it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct OneMore(u8);

impl Serialize for OneMore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct("OneMore", &self.0.wrapping_add(1))
    }
}

types! {
    enum Kind {
        Plain(u8),
        More(OneMore),
    }

    enum LateKind {
        Plain(u8),
        More(OneMore),
    }
}

/// The first values lack what is wrong with a later one.
#[test]
fn a_part_is_proved_by_a_value_that_has_it() {
    let first_is_stored = |stats: Stats| assert_eq!(stats.hits, 3, "{stats:?}");
    in_each_codec(&[vec![], vec![OneMore(1)]], first_is_stored);
    in_each_codec(&[None, Some(OneMore(1))], first_is_stored);
    in_each_codec(
        &[BTreeMap::new(), BTreeMap::from([(1_u8, OneMore(1))])],
        first_is_stored,
    );
    in_each_codec(&[Kind::Plain(1), Kind::More(OneMore(1))], first_is_stored);
    let short_ones_are_stored = |stats: Stats| assert_eq!(stats.hits, 6, "{stats:?}");
    in_each_codec(
        &[vec![], vec![1], vec![1, 2]].map(Reversed::<1>),
        short_ones_are_stored,
    );
}

/// However many values without it came back before.
#[test]
fn a_part_that_comes_late_is_proved_by_the_value_that_has_it() {
    fn check<T: Stored>(last: T, values: impl Fn(u8) -> T) {
        let values: Vec<T> = (0..50).map(values).chain([last]).collect();
        in_each_codec(&values, |stats| {
            assert_eq!((stats.stores, stats.unstorable), (50, 4), "{stats:?}");
        });
    }
    check(LateKind::More(OneMore(1)), LateKind::Plain);
    check((1, Some(OneMore(1))), |n| (n, None));
    check((1, vec![OneMore(1)]), |n| (n, vec![]));
    check((1, BTreeMap::from([(1_u8, OneMore(1))])), |n| {
        (n, BTreeMap::new())
    });
}

#[test]
fn items_of_an_iterator_are_proved_likewise() {
    let runtime = runtime();
    runtime.scope(|| {
        let items = || [vec![], vec![1], vec![1, 2]].map(Reversed::<2>);
        for _ in 0..3 {
            let found: Vec<_> = Memo::new("items").iter(|| items().into_iter()).collect();
            assert_eq!(found, items());
        }
    });
    assert_eq!((runtime.stats().hits, runtime.stats().stores), (0, 0));
}
