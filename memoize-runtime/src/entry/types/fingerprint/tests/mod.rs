use serde::de::DeserializeOwned;

use super::*;

mod bounds;
mod golden;
mod keyed;
mod merging;
mod random;
mod seen;
mod zero_sized;

/// What `T` asks of postcard.
fn trace<T: DeserializeOwned>() -> Shape {
    super::trace::<T>(Codec::Postcard, Panics::OF_THIS_BUILD)
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

#[test]
fn each_version_has_a_fingerprint_of_its_own() {
    let mut all = Vec::new();
    for of_type in [0, 1, fingerprint::<u8>(), fingerprint::<u16>()] {
        assert_eq!(with_version(of_type, 0), of_type);
        all.extend([0, 1, 2, 1 << 16, u32::MAX].map(|version| with_version(of_type, version)));
    }
    assert_eq!(
        all[..5],
        [
            0,
            10_418_898_242_001_627_743,
            15_317_292_189_499_246_947,
            9_410_487_404_872_788_108,
            12_718_989_583_347_894_263
        ],
        "another one would make misses of all entries with a version"
    );
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 20);
}
