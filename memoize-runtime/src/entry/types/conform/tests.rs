use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Deserialize, Serialize};

use super::super::fingerprint::{Panics, trace};
use super::*;

fn written<T: Serialize + DeserializeOwned>(value: &T, codec: Codec) -> Option<Divergence> {
    let shape = trace::<T>(codec, Panics::OF_THIS_BUILD);
    let watch = Watch::new(&shape, codec);
    let mut bytes = Vec::new();
    let result = codec.encode(&watch.root().watched(value), &mut bytes);
    let divergence = watch.divergence();
    assert_eq!(result.is_err(), divergence.is_some());
    assert!(
        bytes.is_empty() || divergence.is_none(),
        "nothing of it is left"
    );
    divergence
}

fn diverges<T: Serialize + DeserializeOwned>(value: &T) -> (Fault, String) {
    let divergence =
        written(value, Codec::Postcard).expect("it is written otherwise than it is read");
    (divergence.fault, divergence.path)
}

#[derive(Serialize, Deserialize, Default)]
struct Left {
    a: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<u8>,
}

#[derive(Serialize, Deserialize, Default)]
struct LeftOutOfATuple(
    u8,
    #[serde(skip_serializing_if = "Option::is_none", default)] Option<u8>,
);

#[derive(Serialize, Deserialize)]
enum Kind {
    Named { left: Left },
    Tuple(u8, Left),
    Newtype(Left),
}

#[derive(Serialize, Deserialize)]
struct Newtype(Left);

#[derive(Serialize, Deserialize)]
struct Around<T> {
    inside: T,
}

#[test]
fn the_way_to_a_fault_is_named() {
    let skipped = |path: &str| (Fault::Skipped, path.to_owned());
    assert_eq!(diverges(&Left::default()), skipped("out"));
    assert_eq!(diverges(&vec![Left::default()]), skipped("[].out"));
    assert_eq!(diverges(&(1_u8, Left::default())), skipped("1.out"));
    assert_eq!(diverges(&Some(Newtype(Left::default()))), skipped("out"));
    assert_eq!(
        diverges(&BTreeMap::from([(1_u8, Left::default())])),
        skipped("{}.out")
    );
    let around = |kind| Around { inside: vec![kind] };
    assert_eq!(
        diverges(&around(Kind::Named {
            left: Left::default()
        })),
        skipped("inside[]::Named.left.out")
    );
    assert_eq!(
        diverges(&around(Kind::Tuple(1, Left::default()))),
        skipped("inside[]::Tuple.1.out")
    );
    assert_eq!(
        diverges(&around(Kind::Newtype(Left::default()))),
        skipped("inside[]::Newtype.out")
    );
    assert_eq!(
        diverges(&Around {
            inside: LeftOutOfATuple(1, None)
        }),
        (Fault::LeftOut, "inside".to_owned())
    );
}

#[derive(Serialize, Deserialize)]
enum Partly {
    A,
    #[serde(skip_serializing)]
    B,
    #[serde(rename(serialize = "out", deserialize = "in"))]
    C,
}

#[derive(Serialize, Deserialize)]
struct Renamed {
    a: u8,
    #[serde(rename(serialize = "out", deserialize = "in"))]
    b: u8,
}

#[test]
fn what_cannot_be_written_or_has_two_names_is_named() {
    for codec in [Codec::Postcard, Codec::Msgpack] {
        if codec == Codec::Msgpack && !cfg!(feature = "msgpack") {
            continue;
        }
        let fault = |partly| {
            let value = Around {
                inside: vec![Around { inside: partly }],
            };
            written(&value, codec).map(|divergence| (divergence.fault, divergence.path))
        };
        let at = |fault| Some((fault, "inside[].inside".to_owned()));
        assert_eq!(fault(Partly::A), None);
        assert_eq!(fault(Partly::B), at(Fault::Failed));
        assert_eq!(fault(Partly::C), at(Fault::Renamed));
        let renamed = written(&vec![Renamed { a: 1, b: 2 }], codec);
        let renamed = renamed.map(|divergence| (divergence.fault, divergence.path));
        assert_eq!(renamed, Some((Fault::Renamed, "[].out".to_owned())));
    }
}

#[derive(Serialize, Deserialize)]
struct LeftOutFirst(
    #[serde(skip_serializing_if = "Option::is_none", default)] Option<u8>,
    #[serde(default)] String,
);

/// The element behind takes its place, so that it is of another kind as well, which is not what is to be mended.
#[test]
fn an_element_that_is_left_out_is_told_before_what_follows_from_it() {
    assert_eq!(
        diverges(&vec![LeftOutFirst(None, "a".to_owned())]),
        (Fault::LeftOut, "[]".to_owned())
    );
}

#[derive(Serialize, Deserialize)]
struct List {
    next: Option<Box<List>>,
}

#[test]
fn the_way_to_what_is_nested_too_deeply_is_short() {
    let mut list = List { next: None };
    for _ in 0..MAX_DEPTH {
        list = List {
            next: Some(Box::new(list)),
        };
    }
    let half = ["next"; MAX_WAY / 2].join(".");
    assert_eq!(
        diverges(&list),
        (Fault::TooDeep, format!("{half} .. {half}"))
    );
}

#[test]
fn what_is_written_in_full_passes() {
    let left = Left { a: 1, out: Some(2) };
    assert_eq!(written(&vec![Newtype(left)], Codec::Postcard), None);
}

/// Writes a list with another length in front of it than it has.
struct WrongLength;

impl Serialize for WrongLength {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(2))?;
        seq.serialize_element(&1_u8)?;
        seq.end()
    }
}

impl<'de> Deserialize<'de> for WrongLength {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|_| Self)
    }
}

#[test]
fn a_list_of_another_length_than_announced_diverges() {
    assert_eq!(diverges(&WrongLength), (Fault::Count, String::new()));
}

/// Has no trace in msgpack, so that it would come back as `None`.
#[test]
fn some_of_nothing_is_for_postcard_only() {
    for codec in [Codec::Postcard, Codec::Msgpack] {
        if codec == Codec::Msgpack && !cfg!(feature = "msgpack") {
            continue;
        }
        let fault = (codec == Codec::Msgpack).then_some(Fault::SomeOfNothing);
        let fault_of =
            |divergence: Option<Divergence>| divergence.map(|divergence| divergence.fault);
        assert_eq!(fault_of(written(&Some(None::<u8>), codec)), fault);
        assert_eq!(fault_of(written(&Some(Some(())), codec)), fault);
        assert_eq!(fault_of(written(&vec![Some(())], codec)), fault);
        assert_eq!(written(&Some(Some(1_u8)), codec), None);
        assert_eq!(written(&Some(vec![None::<u8>]), codec), None);
        assert_eq!(written(&None::<Option<u8>>, codec), None);
    }
}

/// Writes its tag so many times before its field, and announces so many fields.
struct Tagged {
    tags: usize,
    announced: usize,
}

impl Serialize for Tagged {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Tagged", self.announced)?;
        for _ in 0..self.tags {
            fields.serialize_field("type", "Tagged")?;
        }
        fields.serialize_field("a", &1_u8)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Tagged {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tagged {
            #[serde(rename = "a")]
            _a: u8,
        }
        Tagged::deserialize(deserializer).map(|_| Self {
            tags: 0,
            announced: 1,
        })
    }
}

#[test]
fn a_tag_comes_once_and_counts_as_a_field() {
    if !cfg!(feature = "msgpack") {
        return;
    }
    let fault = |tags, announced| {
        let divergence = written(&Tagged { tags, announced }, Codec::Msgpack);
        divergence.map(|divergence| divergence.fault)
    };
    assert_eq!(fault(0, 1), None);
    assert_eq!(fault(1, 2), None);
    assert_eq!(fault(2, 3), Some(Fault::Unread));
    for (tags, announced) in [(0, 0), (0, 2), (1, 0), (1, 1), (1, 3)] {
        assert_eq!(fault(tags, announced), Some(Fault::Count));
    }
}
