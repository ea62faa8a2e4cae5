use serde::de::DeserializeOwned;

use super::*;

mod bounds;
mod golden;
mod merging;
mod random;
mod seen;

/// What `T` asks of postcard.
fn trace<T: DeserializeOwned>() -> Shape {
    super::trace::<T>(Codec::Postcard)
}

/// The text of what `T` asks for.
fn text<T: DeserializeOwned>() -> String {
    trace::<T>().to_string()
}

fn fingerprint<T: DeserializeOwned>() -> u64 {
    Fingerprint::new(&trace::<T>(), Codec::Postcard).finish()
}

#[test]
fn each_part_counts_and_stays_apart() {
    let make = |shape: &Shape, codec, arguments, version| {
        Fingerprint::new(shape, codec)
            .instantiated_with(arguments)
            .version(version)
            .finish()
    };
    let (byte, word) = (&trace::<u8>(), &trace::<u16>());
    let all = [
        make(byte, Codec::Postcard, "", 0),
        make(byte, Codec::Msgpack, "", 0),
        make(byte, Codec::Postcard, "", 1),
        make(byte, Codec::Postcard, "u16", 0),
        make(word, Codec::Postcard, "u8", 0),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(!all[index + 1..].contains(one), "{index}");
    }
    assert_eq!(all[0], make(byte, Codec::Postcard, "", 0));
}
