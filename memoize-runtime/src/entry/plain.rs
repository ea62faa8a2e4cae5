//! Entries that are not sealed: a header, a body, and a checksum.
//!
//! The checksum covers the key, so a reply that a client or proxy mixed up is a miss and not another
//! call's value. It is XXH3-64 and keeps out accidents only: whoever can write to the cache can compute
//! it. The [module above](super) has the layout.

use std::hash::Hasher;

use twox_hash::xxhash3_64::{RawHasher, SecretBuffer};

use super::draft::BodyMeta;
use super::header::{Header, take};
use super::reject::Reject;

pub(super) const CHECKSUM_LEN: usize = 8;

/// The entry, with `header` in its place and the checksum behind it.
pub(super) fn finish(mut entry: Vec<u8>, full_key: &str, header: &Header) -> Vec<u8> {
    entry[..Header::LEN].copy_from_slice(&header.to_bytes());
    let checksum = checksum(full_key, &entry);
    entry.extend_from_slice(&checksum.to_le_bytes());
    entry
}

/// The value's bytes in `entry`, whose header the caller has admitted.
///
/// # Errors
///
/// `Truncated`, or `Damaged` where the checksum is not that of these bytes under this key.
pub(super) fn read<'entry>(
    full_key: &str,
    entry: &'entry [u8],
) -> Result<(BodyMeta, &'entry [u8]), Reject> {
    let (checked, stored) = entry
        .split_last_chunk::<CHECKSUM_LEN>()
        .ok_or(Reject::Truncated)?;
    let (_, mut body) = checked
        .split_at_checked(Header::LEN)
        .ok_or(Reject::Truncated)?;
    let meta = BodyMeta {
        cost_ms: u32::from_le_bytes(take(&mut body)?),
        fresh_until: u64::from_le_bytes(take(&mut body)?),
    };
    if checksum(full_key, checked) != u64::from_le_bytes(*stored) {
        return Err(Reject::Damaged);
    }
    Ok((meta, body))
}

/// XXH3-64 of the key's length, the key, and `checked`: header and body.
fn checksum(full_key: &str, checked: &[u8]) -> u64 {
    // Only the length of a key beyond 4 GiB would be wrong, and a checksum survives that.
    let key_len = u32::try_from(full_key.len()).unwrap_or(u32::MAX);
    // The raw hasher, since the plain one would put its secret on the heap.
    let mut hasher = RawHasher::new(SecretBuffer::default());
    hasher.write(&key_len.to_le_bytes());
    hasher.write(full_key.as_bytes());
    hasher.write(checked);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::header::{Codec, Flags};
    use crate::entry::{Draft, Guard, Padding};
    use crate::hidden::Hidden;
    use crate::key::CacheKey;

    const HEADER: Header = Header {
        flags: Flags::NONE,
        codec: Codec::Postcard,
        key_id: 0,
        fingerprint: 0x0102_0304_0506_0708,
        created_ms: 1_760_000_000_000,
        expires_ms: 1_760_003_600_000,
    };
    const META: BodyMeta = BodyMeta {
        cost_ms: 12,
        fresh_until: HEADER.expires_ms,
    };
    const KEY: &str = "app:user:42";

    fn entry(key: &str, data: &[u8]) -> Vec<u8> {
        let guard = Guard::Plain {
            name: &CacheKey::nowhere(),
            full_key: Hidden(key),
        };
        let mut draft = Draft::new(guard, META, Padding::default());
        draft.buffer().extend_from_slice(data);
        let len = draft.entry_len();
        let entry = draft.finish(&HEADER, len).expect("it has that length");
        assert_eq!(entry.len(), len);
        entry
    }

    /// `xxhash.xxh3_64_intdigest(struct.pack("<I", len(key)) + key + head + body)` of Python's
    /// `xxhash` 4.1.0, with `header` and `body` as the reference, `cm1.py`, builds them.
    #[test]
    fn the_checksum_is_that_of_another_implementation() {
        let long: Vec<u8> = (0..1000)
            .map(|i| u8::try_from(i % 251).expect("below 251"))
            .collect();
        let vectors: [(&[u8], u64); 3] = [
            (b"", 0xee70_f9f6_243a_2a47),
            (b"\x05alice\x2a", 0xb3e1_f912_a655_a227),
            (&long, 0x630c_dc69_2d3e_4c1b),
        ];
        for (data, expected) in vectors {
            let entry = entry(KEY, data);
            assert_eq!(entry[entry.len() - 8..], expected.to_le_bytes());
        }
    }

    #[test]
    fn the_body_is_that_of_the_reference() {
        // "body" of `cm1.py vectors`.
        let expected = b"\x0c\0\0\0\x80\xae\x63\xc8\x99\x01\0\0\x05alice\x2a";
        let entry = entry(KEY, b"\x05alice\x2a");
        assert_eq!(entry[..32], HEADER.to_bytes());
        assert_eq!(&entry[32..entry.len() - 8], expected);
    }

    #[test]
    fn a_replaced_value_leaves_nothing_of_the_first() {
        let guard = Guard::Plain {
            name: &CacheKey::nowhere(),
            full_key: Hidden(KEY),
        };
        let mut draft = Draft::new(guard, META, Padding::default());
        draft.buffer().extend_from_slice(b"a longer one");
        assert_eq!(draft.value(), b"a longer one");
        draft.replace_value(b"short");
        let replaced = draft.finish(&HEADER, usize::MAX);
        assert_eq!(replaced, Ok(entry(KEY, b"short")));
    }

    #[test]
    fn too_short_is_told_from_damaged() {
        let entry = entry(KEY, b"");
        for len in 0..entry.len() {
            assert_eq!(read(KEY, &entry[..len]), Err(Reject::Truncated));
        }
    }

    proptest! {
        #[test]
        fn a_written_entry_reads_back(key: String, data: Vec<u8>) {
            let entry = entry(&key, &data);
            prop_assert_eq!(read(&key, &entry), Ok((META, &data[..])));
        }

        #[test]
        fn a_changed_bit_is_damage(data: Vec<u8>, at: prop::sample::Index, bit in 0..8_u8) {
            let mut entry = entry(KEY, &data);
            let at = at.index(entry.len());
            entry[at] ^= 1_u8 << bit;
            prop_assert_eq!(read(KEY, &entry), Err(Reject::Damaged));
        }

        #[test]
        fn a_cut_or_longer_entry_is_refused(data: Vec<u8>, len: prop::sample::Index, more in 1_usize..40) {
            let mut entry = entry(KEY, &data);
            prop_assert!(read(KEY, &entry[..len.index(entry.len())]).is_err());
            entry.resize(entry.len() + more, 0);
            prop_assert_eq!(read(KEY, &entry), Err(Reject::Damaged));
        }

        #[test]
        fn an_entry_serves_one_key(key in "[a-z]{0,20}", other in "[a-z]{1,20}", data: Vec<u8>) {
            prop_assume!(key != other);
            let entry = entry(&key, &data);
            prop_assert_eq!(read(&other, &entry), Err(Reject::Damaged));
        }

        #[test]
        fn any_bytes_are_refused(bytes: Vec<u8>) {
            prop_assert!(read(KEY, &bytes).is_err());
        }
    }
}
