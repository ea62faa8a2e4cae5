//! A trace ends, whatever the type does, and says what it left out.

use std::cell::Cell;
use std::marker::PhantomData;
use std::panic::{set_hook, take_hook};
use std::sync::{LazyLock, Once};
use std::time::Duration;

use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::shape::{Node, Why};
use super::*;

/// The least of a few runs, since the machine has other things to do.
fn time<T: DeserializeOwned>() -> Duration {
    let runs = if cfg!(debug_assertions) { 1 } else { 20 };
    (0..runs)
        .map(|_| {
            let start = time_of_thread();
            trace::<T>();
            time_of_thread().saturating_sub(start)
        })
        .min()
        .expect("there were runs")
}

/// For how long this thread had a processor, so that it doesn't matter how many others there are.
#[cfg(target_os = "linux")]
fn time_of_thread() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.try_into().expect("it is not negative")
}

#[cfg(not(target_os = "linux"))]
fn time_of_thread() -> Duration {
    static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

fn ends<T: DeserializeOwned>() -> Shape {
    let time = time::<T>();
    println!("{time:>12?}  {}", std::any::type_name::<T>());
    // The bound is on steps; what they take is only of interest where they are compiled as they are used.
    if !cfg!(debug_assertions) {
        assert!(time < Duration::from_millis(10), "{time:?}");
    }
    let shape = trace::<T>();
    assert_eq!(shape, trace::<T>(), "two traces are the same");
    shape
}

/// A deserialize that asks for what the closure says, with a visitor that has a state, so that it is never known again.
macro_rules! asks {
    ($name:ident, |$deserializer:ident| $ask:expr) => {
        struct $name;

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>($deserializer: D) -> Result<Self, D::Error> {
                $ask
            }
        }
    };
}

/// Reads elements for ever, each by a seed that nests one deeper than the last.
#[derive(Clone, Copy)]
struct Deeper(usize);

impl<'de> DeserializeSeed<'de> for Deeper {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Deeper {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("more")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Self(self.0 + 1))?.is_some() {}
        Ok(())
    }
}

asks!(Endless, |deserializer| Deeper(0)
    .deserialize(deserializer)
    .map(|()| Self));

#[test]
fn endless_nesting_ends() {
    assert!(ends::<Endless>().has_unseen());
}

/// Catches every error and goes on asking.
struct Stubborn;

impl<'de> Visitor<'de> for Stubborn {
    type Value = Stubborn;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        for _ in 0..1_000 {
            let _ = seq.next_element::<u8>();
        }
        Ok(self)
    }
}

impl<'de> Deserialize<'de> for Stubborn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self)
    }
}

#[test]
fn a_swallowed_error_ends_nothing_else() {
    assert_eq!(ends::<Stubborn>().to_string(), "[u8]");
}

/// Reads a list, and passes over what it can't read.
struct Lenient<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Lenient<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::new();
        while let Some(element) = seq.next_element().transpose() {
            read.extend(element);
        }
        Ok(read)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::new();
        while let Some(key) = map.next_key::<u16>().transpose() {
            if let (Ok(_), Ok(value)) = (key, map.next_value()) {
                read.push(value);
            }
        }
        Ok(read)
    }
}

asks!(LenientList, |deserializer| deserializer
    .deserialize_seq(Lenient(PhantomData::<u8>))
    .map(|_| Self));

asks!(LenientMap, |deserializer| deserializer
    .deserialize_map(Lenient(PhantomData::<u8>))
    .map(|_| Self));

asks!(LenientStructs, |deserializer| deserializer
    .deserialize_seq(Lenient(PhantomData::<Deep3>))
    .map(|_| Self));

/// Each error that a trace ends by would be an element for it to pass over.
#[test]
fn a_type_that_passes_over_errors_ends() {
    assert_eq!(ends::<LenientList>().to_string(), "[u8]");
    assert_eq!(ends::<LenientMap>().to_string(), "map {u16: u8}");
    assert_eq!(
        ends::<(Vec<LenientList>, u8)>().to_string(),
        "tuple ([[u8]], u8)"
    );
    assert!(!ends::<(LenientStructs, u8)>().has_unseen());
}

/// Reads four numbers, and asks until it has them.
struct Retrying;

impl<'de> Visitor<'de> for Retrying {
    type Value = Retrying;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("four numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        let mut read = 0;
        while read < 4 {
            if let Ok(Some(number)) = seq.next_element::<u8>() {
                read += u8::from(number < u8::MAX);
            }
        }
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut read = 0;
        while read < 4 {
            if let Ok(Some((_, number))) = map.next_entry::<u16, u8>() {
                read += u8::from(number < u8::MAX);
            }
        }
        Ok(self)
    }
}

asks!(RetryingTuple, |deserializer| deserializer
    .deserialize_tuple(4, Retrying)
    .map(|_| Self));

asks!(RetryingList, |deserializer| deserializer
    .deserialize_seq(Retrying)
    .map(|_| Self));

asks!(RetryingMap, |deserializer| deserializer
    .deserialize_map(Retrying)
    .map(|_| Self));

/// Neither an error nor an end is an answer to it, so it has to be left by force.
#[test]
fn a_type_that_asks_until_it_has_a_value_ends() {
    let (shape, panics) = hooked(ends::<RetryingTuple>);
    assert_eq!(shape.to_string(), "tuple (u8 * 4)");
    assert_eq!(panics, 0, "no hook is told of it");
    assert_eq!(ends::<RetryingList>().to_string(), "[u8]");
    assert_eq!(ends::<RetryingMap>().to_string(), "map {u16: u8}");
    assert_eq!(
        ends::<(RetryingTuple, u16)>().to_string(),
        "tuple (tuple (u8 * 4), u16)"
    );
    // What is made of a list is one element, or none.
    assert!(ends::<(RetryingList, u16)>().has_unseen());
}

/// What `work` returns, and how often the program's hook was told of a panic of this thread's meanwhile.
fn hooked<T>(work: impl FnOnce() -> T) -> (T, usize) {
    thread_local! {
        static PANICS: Cell<usize> = const { Cell::new(0) };
    }
    static COUNTING: Once = Once::new();
    COUNTING.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            hook(info);
        }));
    });
    let before = PANICS.get();
    (work(), PANICS.get() - before)
}

#[expect(clippy::unnecessary_wraps, reason = "it is what serde asks for")]
fn unwrapped<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    Ok(u8::deserialize(deserializer).unwrap_or_else(|error| panic!("no number: {error}")))
}

#[derive(Deserialize)]
#[expect(dead_code)]
struct Sloppy {
    #[serde(deserialize_with = "unwrapped")]
    a: u8,
    #[serde(deserialize_with = "unwrapped")]
    b: u8,
    #[serde(deserialize_with = "unwrapped")]
    c: u8,
    #[serde(deserialize_with = "unwrapped")]
    d: u8,
}

/// The program's hook may log each, or end the process.
#[test]
fn the_hook_is_told_of_two_panics_of_a_type() {
    let (shape, panics) = hooked(trace::<Vec<Sloppy>>);
    assert_eq!(panics, 2);
    let unseen = shape.find(|node| match node {
        Node::Unseen(unseen) => Some(unseen.why),
        _ => None,
    });
    assert_eq!(unseen, Some(("[].c".to_owned(), Why::Panicked)));
    let (_, panics) = hooked(trace::<(Panics, (Panics, u8), [Sloppy; 2])>);
    assert!(panics <= 2, "{panics}");
}

asks!(Panics, |_deserializer| panic!(
    "the tracer has to live with it"
));

asks!(PanicsLater, |deserializer| {
    let (first, _) = <(u8, u8)>::deserialize(deserializer)?;
    panic!("no {first} is good enough")
});

#[test]
fn panics_end_a_run_and_not_the_trace() {
    assert!(matches!(
        ends::<Panics>().node(Shape::ROOT),
        Node::Unseen(_)
    ));
    assert_eq!(ends::<PanicsLater>().to_string(), "tuple (u8 * 2)");
    let shape = ends::<(Panics, u8)>();
    assert!(shape.has_unseen());
    let shape = ends::<(PanicsLater, u8)>();
    assert!(
        shape
            .to_string()
            .starts_with("tuple (tuple (u8 * 2), unreached")
    );
}

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

asks!(Changing, |deserializer| {
    let asked = ASKED.replace(ASKED.get() + 1);
    match asked % 3 {
        0 => Vec::<u8>::deserialize(deserializer).map(drop),
        1 => Option::<u8>::deserialize(deserializer).map(drop),
        _ => <(u8, u8)>::deserialize(deserializer).map(drop),
    }
    .map(|()| Self)
});

#[test]
fn a_type_that_changes_its_mind_ends() {
    ASKED.set(0);
    trace::<(Changing, Changing)>();
}

asks!(Nothing, |_deserializer| Ok(Self));

#[test]
fn a_type_that_asks_for_nothing_is_known() {
    assert_eq!(
        ends::<(Nothing, Vec<Nothing>, u8)>().to_string(),
        "tuple (nothing, [nothing], u8)"
    );
}

asks!(Wide, |deserializer| deserializer
    .deserialize_tuple(usize::MAX, PhantomVisitor(PhantomData::<u8>))
    .map(|()| Self));

struct PhantomVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PhantomVisitor<T> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("many")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<T>()?.is_some() {}
        Ok(())
    }
}

#[test]
fn a_tuple_without_an_end_ends() {
    ends::<Wide>();
}

macro_rules! nested {
    ($name:ident of $inner:ty) => {
        #[derive(Deserialize)]
        #[expect(dead_code)]
        struct $name {
            a: Box<$inner>,
            b: Box<$inner>,
            c: u8,
            d: Vec<$inner>,
            e: Option<Box<$inner>>,
            f: u8,
            g: u8,
            h: u8,
            i: u8,
            j: u8,
            k: String,
            l: String,
            m: String,
            n: String,
            o: String,
            p: u8,
            q: u8,
            r: u8,
            s: u8,
            t: u8,
        }
    };
}

nested!(Deep0 of u8);
nested!(Deep1 of Deep0);
nested!(Deep2 of Deep1);
nested!(Deep3 of Deep2);
nested!(Deep4 of Deep3);

macro_rules! variants {
    ($name:ident of $inner:ty: $($variant:ident)*) => {
        #[derive(Deserialize)]
        #[expect(dead_code)]
        enum $name {
            $($variant {
                a: Box<$inner>, b: Box<$inner>, c: u8, d: Vec<$inner>, e: Option<Box<$inner>>,
                f: u8, g: u8, h: u8, i: u8, j: u8, k: String, l: String, m: String, n: String, o: String,
                p: u8, q: u8, r: u8, s: u8, t: u8,
            },)*
        }
    };
}

macro_rules! fifty {
    ($name:ident of $inner:ty) => {
        variants! { $name of $inner:
            A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 B0 B1 B2 B3 B4 B5 B6 B7 B8 B9 C0 C1 C2 C3 C4 C5 C6 C7 C8 C9
            D0 D1 D2 D3 D4 D5 D6 D7 D8 D9 E0 E1 E2 E3 E4 E5 E6 E7 E8 E9
        }
    };
}

fifty!(Wide0 of Deep4);
fifty!(Wide1 of Wide0);
fifty!(Wide2 of Wide1);
fifty!(Wide3 of Wide2);
fifty!(Wide4 of Wide3);

/// Five enums in one another, each of fifty variants with twenty fields.
#[test]
fn a_large_type_is_seen_as_a_whole() {
    assert!(!ends::<Deep4>().has_unseen());
    assert!(!ends::<Wide4>().has_unseen());
}

/// Asks for an option in an option, so many deep, and then for a struct of so many fields, with such options in each.
#[derive(Clone, Copy)]
struct Options {
    deep: usize,
    wide: usize,
    deep_in_each: usize,
}

impl<'de> DeserializeSeed<'de> for Options {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
            (0..4000)
                .map(|nth| &*format!("field {nth}").leak())
                .collect()
        });

        match self {
            Self { deep: 1.., .. } => deserializer.deserialize_option(self),
            Self { wide: 1.., .. } => {
                deserializer.deserialize_struct("Wide", &NAMES[..self.wide], self)
            }
            _ => u8::deserialize(deserializer).map(drop),
        }
    }
}

impl<'de> Visitor<'de> for Options {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an option or a struct")
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let deep = self.deep - 1;
        Self { deep, ..self }.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        fields.next_element().map(|_: Option<u8>| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let each = Self {
            deep: self.deep_in_each,
            wide: 0,
            deep_in_each: 0,
        };
        while fields.next_key::<String>()?.is_some() {
            fields.next_value_seed(each)?;
        }
        Ok(())
    }
}

macro_rules! options {
    ($name:ident, $deep:literal, $wide:literal, $deep_in_each:literal) => {
        asks!($name, |deserializer| Options {
            deep: $deep,
            wide: $wide,
            deep_in_each: $deep_in_each,
        }
        .deserialize(deserializer)
        .map(|()| Self));
    };
}

options!(InEach, 0, 800, 120);
options!(InMany, 0, 4000, 10);
options!(Below, 120, 400, 1);
options!(BelowMany, 20, 600, 2);

/// Nothing in them is known again, as it would be if it were derived.
#[test]
fn what_is_deep_and_wide_ends() {
    assert!(ends::<InEach>().has_unseen());
    assert!(ends::<InMany>().has_unseen());
    assert!(!ends::<Below>().has_unseen());
    assert!(!ends::<BelowMany>().has_unseen());
}

#[test]
fn what_is_called_while_tracing_is_told() {
    use super::super::super::stored::shape_of;

    asks!(Calls, |deserializer| {
        assert!(
            shape_of::<u8>(Codec::Postcard).is_none(),
            "a trace within a trace"
        );
        u8::deserialize(deserializer).map(|_| Self)
    });

    assert_eq!(
        shape_of::<Calls>(Codec::Postcard)
            .expect("none is going on")
            .to_string(),
        "u8"
    );
    assert!(shape_of::<u8>(Codec::Postcard).is_some());
}
