//! Deployments of a program whose panics end it. A type whose `Deserialize` panics can't be tried out in it, so what stands
//! behind such a type isn't known, and isn't stored; everything else is.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Debug, Formatter};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use cache_memoize::{Cacheable, Memo, Runtime, Stats};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A type as it was before a deployment, and as it is after it.
macro_rules! changed {
    ($check:ident: $old:item $old_value:expr => $new:item $new_value:expr) => {
        $check(
            &{
                #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
                $old
                $old_value
            },
            &{
                #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
                $new
                $new_value
            },
        )
    };
}

/// Each codec, by which a value is asked for.
const CODECS: [fn(Memo) -> Memo; 2] = [|memo| memo, Memo::msgpack];

trait Stored: Cacheable + Clone + PartialEq + Debug {}

impl<T: Cacheable + Clone + PartialEq + Debug> Stored for T {}

fn main() -> ExitCode {
    if cfg!(panic = "unwind") {
        eprintln!("there is nothing to be seen where panics unwind; add `--profile abort`");
        return ExitCode::FAILURE;
    }
    changes_behind_types_of_std_are_seen();
    changes_behind_other_types_are_not_stored();
    nothing_of_the_user_is_tried_out();
    what_has_no_order_is_stored();
    what_asks_until_it_has_a_value_ends();
    println!("a deployment never reads garbage where panics abort");
    ExitCode::SUCCESS
}

fn changes_behind_types_of_std_are_seen() {
    changed!(is_a_change: struct T(u32, i32); T(1, -5) => struct T(u32, u32); T(1, 7));
    changed!(is_a_change: struct T(u8, String); T(1, "secret".into()) => struct T(u8, Vec<u8>); T(1, vec![9]));
    changed!(is_a_change: enum T { A(u8, i32) } T::A(1, -5) => enum T { A(u8, u32) } T::A(1, 7));
    changed!(is_a_change:
        struct T { a: Vec<(u32, Option<i64>)> } T { a: vec![(1, Some(-3))] } =>
        struct T { a: Vec<(u32, Option<u64>)> } T { a: vec![] }
    );
    changed!(is_a_change:
        struct T(IpAddr, Duration, (bool, char), i8); T([127, 0, 0, 1].into(), Duration::ZERO, (true, 'a'), -1) =>
        struct T(IpAddr, Duration, (bool, char), u8); T([127, 0, 0, 1].into(), Duration::ZERO, (true, 'a'), 1)
    );
    changed!(is_a_change:
        struct T(Vec<User>, Option<User>, HashMap<u8, User>, i8); T(vec![USER], Some(USER), HashMap::new(), -1) =>
        struct T(Vec<User>, Option<User>, HashMap<u8, User>, u8); T(vec![USER], Some(USER), HashMap::new(), 1)
    );
}

fn changes_behind_other_types_are_not_stored() {
    changed!(is_refused: struct T(User, i32); T(USER, -5) => struct T(User, u32); T(USER, 7));
    changed!(is_refused: struct T(Box<User>, i32); T(Box::new(USER), -5) => struct T(Box<User>, u32); T(Box::new(USER), 7));
}

/// It would end this program.
fn nothing_of_the_user_is_tried_out() {
    changed!(is_refused: struct T(Strict, i32); T(Strict(1), -5) => struct T(Strict, u32); T(Strict(1), 7));
    changed!(is_refused:
        struct T(Vec<Strict>, Option<Strict>, Strict, i32); T(vec![], None, Strict(1), -5) =>
        struct T(Vec<Strict>, Option<Strict>, Strict, u32); T(vec![], None, Strict(1), 7)
    );
}

fn what_has_no_order_is_stored() {
    changed!(is_a_change: struct T { a: User, b: i32 } T { a: USER, b: -5 } => struct T { a: User, b: u32 } T { a: USER, b: 7 });
    let rest = BTreeMap::from([("a".to_owned(), 1)]);
    let stats = asked(
        Memo::msgpack,
        &Flat {
            id: 1,
            rest: rest.clone(),
        },
        &Flat { id: 1, rest },
    );
    assert_eq!((stats.hits, stats.stores), (3, 1), "{stats:?}");
}

/// It can't be left by force here, so it is given what it asks for.
fn what_asks_until_it_has_a_value_ends() {
    let stats = asked(|memo| memo, &Retrying, &Retrying);
    assert_eq!((stats.hits, stats.stores), (3, 1), "{stats:?}");
}

/// Reads four numbers, and asks until it has them.
#[derive(Clone, Debug, PartialEq)]
struct Retrying;

impl Serialize for Retrying {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [1_u8; 4].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Retrying {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(4, Self)
    }
}

impl<'de> Visitor<'de> for Retrying {
    type Value = Self;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("four numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        let mut read = 0;
        while read < 4 {
            if let Ok(Some(1)) = seq.next_element::<u8>() {
                read += 1;
            }
        }
        Ok(self)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u8,
}

const USER: User = User { id: 1 };

/// Panics where others return an error.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Strict(u8);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        panic!("{number} was tried out");
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    id: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

fn is_a_change<Old: Stored, New: Stored>(old: &Old, new: &New) {
    for codec in CODECS {
        let stats = asked(codec, old, new);
        assert_eq!((stats.hits, stats.stores), (2, 2), "{old:?}: {stats:?}");
        assert_eq!(
            (stats.absent, stats.wrong_type),
            (1, 1),
            "{old:?}: {stats:?}"
        );
    }
}

fn is_refused<Old: Stored, New: Stored>(old: &Old, new: &New) {
    for codec in CODECS {
        let stats = asked(codec, old, new);
        assert_eq!(
            (stats.stores, stats.unstorable),
            (0, 4),
            "{old:?}: {stats:?}"
        );
    }
}

/// Asks twice for each under one key.
fn asked<Old: Stored, New: Stored>(codec: fn(Memo) -> Memo, old: &Old, new: &New) -> Stats {
    let runtime = Runtime::builder().build().expect("the defaults are valid");
    runtime.scope(|| {
        let memo = || codec(Memo::new("key"));
        for _ in 0..2 {
            assert_eq!(memo().get_or_compute(|| old.clone()), *old);
        }
        for _ in 0..2 {
            assert_eq!(memo().get_or_compute(|| new.clone()), *new);
        }
    });
    runtime.stats()
}
