//! The first 32 bytes of an entry, in the clear even where the rest is sealed.
//!
//! The [module above](super) has the layout and the order of the checks.

use super::reject::Reject;

const MAGIC: [u8; 2] = [0xC5, 0x4D];
const VERSION: u8 = 1;
const FLAG_BITS: u8 = 0x0F;
const CODEC_SHIFT: u32 = 4;

/// How far the clocks of two machines that share a cache may differ.
const CLOCK_SKEW_MS: u64 = 60_000;

/// What the header says about an entry. Nothing in it is trusted before [`Header::admit`], and a
/// plain header that was admitted is still only as good as the checksum behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) flags: Flags,
    pub(crate) codec: Codec,
    /// Which secret of the ring sealed the entry; 0 where none did.
    pub(crate) key_id: u32,
    /// The fingerprint of the stored type.
    pub(crate) fingerprint: u64,
    /// Milliseconds of unix time.
    pub(crate) created_ms: u64,
    /// Milliseconds of unix time; the entry is dead from this moment on.
    pub(crate) expires_ms: u64,
}

/// What the code asks of an entry. It comes from the call site and the configuration, never from bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expect {
    pub(crate) sealed: bool,
    pub(crate) chunked: bool,
    pub(crate) codec: Codec,
    /// That of the secret under whose name the entry was found; 0 where it is not to be sealed.
    pub(crate) key_id: u32,
    pub(crate) fingerprint: u64,
    /// The longest life that an entry may have been given.
    pub(crate) max_life_ms: u64,
}

impl Header {
    /// Bytes that a header takes.
    pub(crate) const LEN: usize = 32;

    /// The header as it is stored, and as it enters key derivation and checksum.
    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0..2].copy_from_slice(&MAGIC);
        bytes[2] = VERSION;
        bytes[3] = self.flags.0 | (self.codec as u8) << CODEC_SHIFT;
        bytes[4..8].copy_from_slice(&self.key_id.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.fingerprint.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.created_ms.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.expires_ms.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of `entry`.
    ///
    /// # Errors
    ///
    /// `Truncated`, `NotAnEntry`, `Version`, or `Flags`.
    pub(crate) fn parse(mut entry: &[u8]) -> Result<Self, Reject> {
        let [magic_0, magic_1, version, bits] = take(&mut entry)?;
        let key_id = u32::from_le_bytes(take(&mut entry)?);
        let fingerprint = u64::from_le_bytes(take(&mut entry)?);
        let created_ms = u64::from_le_bytes(take(&mut entry)?);
        let expires_ms = u64::from_le_bytes(take(&mut entry)?);

        if [magic_0, magic_1] != MAGIC {
            return Err(Reject::NotAnEntry);
        }
        if version != VERSION {
            return Err(Reject::Version);
        }
        Ok(Self {
            // All four flag bits have a meaning in this version, so only the codec can be unknown.
            flags: Flags(bits & FLAG_BITS),
            codec: Codec::from_number(bits >> CODEC_SHIFT).ok_or(Reject::Flags)?,
            key_id,
            fingerprint,
            created_ms,
            expires_ms,
        })
    }

    /// Whether the entry is one that the code would use at `now_ms`, as far as the header tells.
    ///
    /// It does not ask whether this build can read LZ4 and padding, which are the writer's choice and so are not
    /// expected but dealt with.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub(crate) fn admit(&self, expect: &Expect, now_ms: u64) -> Result<(), Reject> {
        let sealed = self.flags.contains(Flags::SEALED);
        if expect.sealed && !sealed {
            return Err(Reject::Downgrade);
        }
        if sealed != expect.sealed {
            return Err(Reject::Unexpected);
        }
        // No secret has the id 0, so this also keeps ids off plain entries.
        if self.key_id != expect.key_id {
            return Err(Reject::UnknownKey);
        }
        if self.fingerprint != expect.fingerprint {
            return Err(Reject::Fingerprint);
        }
        // Another codec is another fingerprint, and so is a stream for a value: for the same one, these are wrong.
        let chunked = self.flags.contains(Flags::CHUNKED);
        if (chunked, self.codec) != (expect.chunked, expect.codec) {
            return Err(Reject::Unexpected);
        }
        if now_ms >= self.expires_ms {
            return Err(Reject::Expired);
        }
        if self.created_ms > now_ms.saturating_add(CLOCK_SKEW_MS) {
            return Err(Reject::FromTheFuture);
        }
        match self.expires_ms.checked_sub(self.created_ms) {
            None => Err(Reject::Damaged),
            Some(life) if life > expect.max_life_ms => Err(Reject::TooLongLived),
            Some(_) => Ok(()),
        }
    }

    /// The first moment at which an entry that is dated `created_ms` isn't from the future.
    pub(crate) fn readable_from(created_ms: u64) -> u64 {
        created_ms.saturating_sub(CLOCK_SKEW_MS)
    }
}

/// Four bits that say how the bytes behind the header are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u8);

impl Flags {
    pub(crate) const NONE: Self = Self(0);
    /// The body is encrypted and authenticated.
    pub(crate) const SEALED: Self = Self(1);
    /// The value, or what of the chunks gains from it, is compressed.
    pub(crate) const LZ4: Self = Self(2);
    /// The body is a manifest, and the value is in chunks of their own.
    pub(crate) const CHUNKED: Self = Self(4);
    /// Zeros follow the value, to hide its length.
    pub(crate) const PADDED: Self = Self(8);

    /// These flags and `other`'s.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other`'s flags are set.
    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How the value became bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Codec {
    Postcard = 0,
    Msgpack = 1,
}

impl Codec {
    fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Postcard),
            1 => Some(Self::Msgpack),
            _ => None,
        }
    }
}

/// Splits a field of fixed length off the front of `bytes`.
///
/// # Errors
///
/// `Truncated` where there are too few; `bytes` is then as before.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Reject> {
    let (field, rest) = bytes.split_first_chunk().ok_or(Reject::Truncated)?;
    *bytes = rest;
    Ok(*field)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_760_000_000_500;

    /// The header of the sample entry of `cm1.py`.
    const SEALED: Header = Header {
        flags: Flags::SEALED,
        codec: Codec::Postcard,
        key_id: 3_449_035_649,
        fingerprint: 0x0102_0304_0506_0708,
        created_ms: 1_760_000_000_000,
        expires_ms: 1_760_003_600_000,
    };
    const PLAIN: Header = Header {
        flags: Flags::NONE,
        key_id: 0,
        ..SEALED
    };
    const WANT_PLAIN: Expect = Expect {
        sealed: false,
        chunked: false,
        codec: Codec::Postcard,
        key_id: 0,
        fingerprint: PLAIN.fingerprint,
        max_life_ms: 3_600_000,
    };
    const WANT_SEALED: Expect = Expect {
        sealed: true,
        key_id: SEALED.key_id,
        ..WANT_PLAIN
    };

    #[test]
    fn the_bytes_are_those_of_the_reference() {
        // "header" and "stream_header" of `cm1.py vectors`, the reference in Python.
        assert_eq!(
            SEALED.to_bytes(),
            *b"\xc5\x4d\x01\x01\x81\x1b\x94\xcd\x08\x07\x06\x05\x04\x03\x02\x01\
              \x00\xc0\x2c\xc8\x99\x01\x00\x00\x80\xae\x63\xc8\x99\x01\x00\x00"
        );
        let stream = Header {
            flags: Flags::SEALED.with(Flags::CHUNKED),
            ..SEALED
        };
        assert_eq!(
            stream.to_bytes(),
            *b"\xc5\x4d\x01\x05\x81\x1b\x94\xcd\x08\x07\x06\x05\x04\x03\x02\x01\
              \x00\xc0\x2c\xc8\x99\x01\x00\x00\x80\xae\x63\xc8\x99\x01\x00\x00"
        );
    }

    #[test]
    fn the_codec_is_in_the_upper_bits() {
        let header = Header {
            codec: Codec::Msgpack,
            flags: Flags::PADDED,
            ..PLAIN
        };
        assert_eq!(header.to_bytes()[3], 0x18);
    }

    #[test]
    fn parsing_says_what_is_wrong() {
        let good = SEALED.to_bytes();
        let changed = |at: usize, to: u8| {
            let mut bytes = good;
            bytes[at] = to;
            Header::parse(&bytes)
        };
        for len in 0..Header::LEN {
            assert_eq!(Header::parse(&good[..len]), Err(Reject::Truncated));
        }
        assert_eq!(changed(0, 0), Err(Reject::NotAnEntry));
        assert_eq!(changed(1, 0), Err(Reject::NotAnEntry));
        assert_eq!(changed(2, 0), Err(Reject::Version));
        assert_eq!(changed(2, 2), Err(Reject::Version));
        assert_eq!(changed(3, 0x20), Err(Reject::Flags));
        assert_eq!(changed(3, 0xF1), Err(Reject::Flags));
    }

    #[test]
    fn what_follows_the_header_is_not_its_business() {
        let mut entry = SEALED.to_bytes().to_vec();
        entry.extend([7; 100]);
        assert_eq!(Header::parse(&entry), Ok(SEALED));
    }

    #[test]
    fn what_the_code_expects_is_admitted() {
        assert_eq!(PLAIN.admit(&WANT_PLAIN, NOW), Ok(()));
        assert_eq!(SEALED.admit(&WANT_SEALED, NOW), Ok(()));
    }

    #[test]
    fn compression_and_padding_are_the_writers_choice() {
        let flags = PLAIN.flags.with(Flags::LZ4).with(Flags::PADDED);
        assert_eq!(Header { flags, ..PLAIN }.admit(&WANT_PLAIN, NOW), Ok(()));
    }

    #[test]
    fn a_plain_entry_never_passes_for_a_sealed_one() {
        assert_eq!(PLAIN.admit(&WANT_SEALED, NOW), Err(Reject::Downgrade));
        let disguised = Header {
            key_id: SEALED.key_id,
            ..PLAIN
        };
        assert_eq!(disguised.admit(&WANT_SEALED, NOW), Err(Reject::Downgrade));
    }

    #[test]
    fn another_form_than_expected_is_refused() {
        assert_eq!(SEALED.admit(&WANT_PLAIN, NOW), Err(Reject::Unexpected));
        let chunked = Header {
            flags: Flags::CHUNKED,
            ..PLAIN
        };
        assert_eq!(chunked.admit(&WANT_PLAIN, NOW), Err(Reject::Unexpected));
        let want_chunked = Expect {
            chunked: true,
            ..WANT_PLAIN
        };
        assert_eq!(PLAIN.admit(&want_chunked, NOW), Err(Reject::Unexpected));
        let msgpack = Header {
            codec: Codec::Msgpack,
            ..PLAIN
        };
        assert_eq!(msgpack.admit(&WANT_PLAIN, NOW), Err(Reject::Unexpected));
    }

    #[test]
    fn a_key_id_belongs_to_sealed_entries_alone() {
        let keyed = Header { key_id: 1, ..PLAIN };
        assert_eq!(keyed.admit(&WANT_PLAIN, NOW), Err(Reject::UnknownKey));
        let keyless = Header {
            key_id: 0,
            ..SEALED
        };
        assert_eq!(keyless.admit(&WANT_SEALED, NOW), Err(Reject::UnknownKey));
        let other = Header {
            key_id: SEALED.key_id ^ 1,
            ..SEALED
        };
        assert_eq!(other.admit(&WANT_SEALED, NOW), Err(Reject::UnknownKey));
    }

    #[test]
    fn another_type_is_refused() {
        let want = Expect {
            fingerprint: 1,
            ..WANT_PLAIN
        };
        assert_eq!(PLAIN.admit(&want, NOW), Err(Reject::Fingerprint));
    }

    #[test]
    fn a_deployment_that_changes_the_form_changes_the_type() {
        let msgpack = Header {
            codec: Codec::Msgpack,
            fingerprint: 1,
            ..PLAIN
        };
        assert_eq!(msgpack.admit(&WANT_PLAIN, NOW), Err(Reject::Fingerprint));
        let chunked = Header {
            flags: Flags::CHUNKED,
            fingerprint: 1,
            ..PLAIN
        };
        assert_eq!(chunked.admit(&WANT_PLAIN, NOW), Err(Reject::Fingerprint));
    }

    #[test]
    fn times_are_exact_to_the_millisecond() {
        let at = |now_ms| PLAIN.admit(&WANT_PLAIN, now_ms);
        assert_eq!(at(PLAIN.expires_ms - 1), Ok(()));
        assert_eq!(at(PLAIN.expires_ms), Err(Reject::Expired));
        assert_eq!(at(PLAIN.created_ms - 60_000), Ok(()));
        assert_eq!(at(PLAIN.created_ms - 60_001), Err(Reject::FromTheFuture));
        let shorter = Expect {
            max_life_ms: 3_599_999,
            ..WANT_PLAIN
        };
        assert_eq!(PLAIN.admit(&shorter, NOW), Err(Reject::TooLongLived));
    }

    #[test]
    fn an_entry_that_ends_before_it_begins_is_damaged() {
        let backwards = Header {
            created_ms: NOW + 2,
            expires_ms: NOW + 1,
            ..PLAIN
        };
        assert_eq!(backwards.admit(&WANT_PLAIN, NOW), Err(Reject::Damaged));
    }

    #[test]
    fn the_first_failed_check_gives_the_reason() {
        let wrong = Header {
            key_id: 1,
            fingerprint: 0,
            expires_ms: 0,
            created_ms: u64::MAX,
            ..PLAIN
        };
        assert_eq!(wrong.admit(&WANT_PLAIN, NOW), Err(Reject::UnknownKey));
        let wrong = Header { key_id: 0, ..wrong };
        assert_eq!(wrong.admit(&WANT_PLAIN, NOW), Err(Reject::Fingerprint));
        let wrong = Header {
            fingerprint: PLAIN.fingerprint,
            codec: Codec::Msgpack,
            ..wrong
        };
        assert_eq!(wrong.admit(&WANT_PLAIN, NOW), Err(Reject::Unexpected));
        let wrong = Header {
            codec: PLAIN.codec,
            ..wrong
        };
        assert_eq!(wrong.admit(&WANT_PLAIN, NOW), Err(Reject::Expired));
        let wrong = Header {
            expires_ms: NOW + 1,
            ..wrong
        };
        assert_eq!(wrong.admit(&WANT_PLAIN, NOW), Err(Reject::FromTheFuture));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_to_what_they_were_or_not_at_all(mut bytes: [u8; 32], genuine: bool, now_ms: u64) {
            if genuine {
                bytes[..3].copy_from_slice(&[0xC5, 0x4D, 1]);
                bytes[3] &= 0x1F;
            }
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert_eq!(header.to_bytes(), bytes);
                // Whatever the answer, it comes without an overflow.
                let _ = header.admit(&WANT_PLAIN, now_ms);
            } else {
                prop_assert!(!genuine);
            }
        }
    }
}
