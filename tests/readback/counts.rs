//! How often values are read back.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::thread;
use std::time::Duration;

use cache_memoize::{Backend, Limits, Memo, Memory, Runtime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::common::{Stored, runtime};
use super::forward::forward;

thread_local! {
    static READ: Cell<u32> = const { Cell::new(0) };
}

fn count() {
    READ.set(READ.get() + 1);
}

types! {
    /// Counts how often it is read.
    struct Counted {
        number: u8,
        #[serde(skip, default = "count")]
        read: (),
    }
}

types! {
    struct Numbers(BTreeSet<u8>);
    struct Nested { numbers: Numbers, last: Box<Option<Counted>> }
}

fn counted(number: u8) -> Counted {
    Counted { number, read: () }
}

/// The same, and is not known to be read as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct ByHand(u8);

impl<'de> Deserialize<'de> for ByHand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        count();
        Ok(Self(number))
    }
}

/// How often a value is read back that is stored so many times.
fn reads<T: Stored>(times: u32, value: &T) -> u32 {
    reads_of((0..times).map(|_| value.clone()))
}

/// How often values are read back that are stored one after the other.
fn reads_of<T: Stored>(values: impl Iterator<Item = T>) -> u32 {
    READ.set(0);
    runtime().scope(|| {
        for (key, value) in values.enumerate() {
            Memo::new(("counted", key)).get_or_compute(|| value.clone());
        }
    });
    READ.get()
}

/// Takes more than half of [`BUDGET`] each time that it is read.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Slow(Vec<u8>);

const BUDGET: Duration = Duration::from_secs(1);

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Slow")]
        struct Inner(Vec<u8>);
        let inner = Inner::deserialize(deserializer)?;
        READ.set(READ.get() + 1);
        thread::sleep(BUDGET * 3 / 4);
        Ok(Self(inner.0))
    }
}

/// In the memory of this process, which might take long, for all that it says.
struct Slowly(Memory);

impl Backend for Slowly {
    forward!(0 => get, set, delete);

    fn limits(&self) -> Limits {
        self.0.limits().blocking(true)
    }
}

#[test]
fn items_are_read_back_for_half_of_the_budget_at_most() {
    let backend = Slowly(Memory::new(1 << 20));
    let runtime = Runtime::builder().backend(backend).budget(BUDGET).build();
    let runtime = runtime.expect("it is valid");
    READ.set(0);
    let items = || [Slow(vec![2, 1])];
    let found: Vec<_> = runtime.scope(|| Memo::new("slow").iter(|| items().into_iter()).collect());
    assert_eq!(found, items());
    assert_eq!((READ.get(), runtime.stats().unstorable), (1, 1));
}

#[test]
fn values_are_read_back_until_all_parts_are_proved() {
    assert_eq!(
        reads_of((0..100).map(|n| (Some(n), [n].to_vec(), counted(n)))),
        16
    );
    // Whether it has an order at all is seen in the first, and that two elements are in theirs by chance is excluded.
    assert_eq!(reads(1, &(vec![1_u8, 2], counted(1))), 48);
    let list = || Box::new((0..60).collect::<Vec<u8>>());
    assert_eq!(reads_of((0..100).map(|n| (Some(n), list(), counted(n)))), 4);
    let large = || Box::new((0..40_000).collect::<Vec<u32>>());
    assert_eq!(reads(100, &(Some(1_u8), large(), counted(1))), 1);
    let numbers = |n: u8| Numbers((n..n + 60).collect());
    let nested = |n| Nested {
        numbers: numbers(n),
        last: Box::new(Some(counted(n))),
    };
    assert_eq!(reads_of((0..100).map(nested)), 4, "all of it is derived");
    // What never comes is not waited for, nor are other values.
    assert_eq!(reads(100, &(None::<u8>, counted(1))), 16);
    assert_eq!(reads(100, &counted(1)), 16);
    assert_eq!(
        reads_of((0..100).map(ByHand)),
        100,
        "what it makes of the next"
    );
}

/// Counts how often it is read, and comes back in another order. By its size it could be hashed.
#[derive(Clone, Debug, PartialEq)]
struct Backwards<const TEST: u8> {
    list: Vec<String>,
    _room: [u64; 3],
}

impl<const TEST: u8> Backwards<TEST> {
    fn new(list: Vec<String>) -> Self {
        assert_eq!(size_of::<Self>(), size_of::<HashSet<u8>>());
        Self {
            list,
            _room: [0; 3],
        }
    }
}

impl<const TEST: u8> Serialize for Backwards<TEST> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.list.serialize(serializer)
    }
}

impl<'de, const TEST: u8> Deserialize<'de> for Backwards<TEST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Vec::deserialize(deserializer)?;
        list.reverse();
        READ.set(READ.get() + 1);
        Ok(Self::new(list))
    }
}

fn texts(count: usize, len: usize) -> Vec<String> {
    let text = |nth: usize| nth.to_string().repeat(len);
    (0..count).map(text).collect()
}

#[test]
fn what_never_comes_back_is_hardly_ever_tried() {
    // Between one try and the next are 1, 2, 4 .. 512 calls, so that the eleventh is at call 1034.
    let one_try = 1 + 16;
    assert_eq!(reads(1, &Backwards::<1>::new(texts(2, 1))), one_try);
    assert_eq!(
        reads(1_034, &Backwards::<2>::new(texts(2, 1))),
        11 * one_try
    );
    // A large one is read less often.
    assert_eq!(reads(1, &Backwards::<3>::new(texts(10, 300_000))), 1 + 2);
}

/// One that doesn't come back keeps few others from being stored.
#[test]
fn what_comes_back_is_stored_beside_what_does_not() {
    let runtime = runtime();
    runtime.scope(|| {
        for key in 0..100 {
            let list = texts(if key % 10 == 0 { 2 } else { 1 }, 1);
            Memo::new(("value", key)).get_or_compute(|| Backwards::<4>::new(list.clone()));
        }
    });
    let stats = runtime.stats();
    assert_eq!((stats.stores, stats.unstorable), (80, 20), "{stats:?}");
}
