//! Entries that are sealed: nothing but the header is in the clear, and all of it is bound.
//!
//! The keys of an entry are derived from its header, a random salt and the key's [`Binding`], so whatever is changed in
//! it, or stored under another key, has other keys and doesn't open. What stands behind the header is in the documentation
//! of [`entry`](super).

use std::borrow::Cow;
use std::fmt;

use super::chunk::Manifest;
use super::draft::{BodyMeta, Unfinished};
use super::header::{Flags, Header, take};
use super::padding::unpadded;
use super::reject::Reject;
pub(super) use crate::crypto::TAG_LEN;
use crate::crypto::{self, Binding, COMMITMENT_LEN, ChunkKeys, Commitment, SALT_LEN, Salt, Tag};
use crate::key::CacheKey;
use crate::secret::Secret;

const SALT_AT: usize = Header::LEN;
const COMMITMENT_AT: usize = SALT_AT + SALT_LEN;
pub(super) const BODY_AT: usize = COMMITMENT_AT + COMMITMENT_LEN;

/// What sealed names begin with.
pub(crate) const NAME_PREFIX: &str = "cm1e:";
const NAME_LEN: usize = NAME_PREFIX.len() + 43;

/// A full key under a secret: the name of its entry, and what seals and opens it.
#[derive(Debug)]
pub(crate) struct Seal<'s> {
    secret: &'s Secret,
    binding: Binding,
    name: CacheKey,
}

impl<'s> Seal<'s> {
    pub(crate) fn new(secret: &'s Secret, full_key: &str) -> Self {
        let binding = secret.keys().bind(full_key);
        let mut name = String::with_capacity(NAME_LEN);
        name.push_str(NAME_PREFIX);
        binding.append_base64url(&mut name);
        Self {
            secret,
            binding,
            name: CacheKey::of_sealed(name),
        }
    }

    pub(crate) fn key_id(&self) -> u32 {
        self.secret.keys().id()
    }

    /// The name in the backend, which shows nothing of the key. The type's fingerprint is not in it: during a deployment, old
    /// and new code must be invalidated by the same call.
    pub(crate) fn name(&self) -> &CacheKey {
        &self.name
    }

    /// What seals and opens the pieces of a stream that started with `header`.
    pub(crate) fn chunks(&self, header: &Header, generation: &Salt) -> ChunkKeys {
        self.secret
            .keys()
            .chunks(&header.to_bytes(), generation, &self.binding)
    }
}

/// The entry, with `header` in its place and the body, which is there, sealed under a new salt.
pub(super) fn finish(
    entry: Vec<u8>,
    seal: &Seal<'_>,
    header: &Header,
) -> Result<Vec<u8>, Unfinished> {
    let salt = crypto::random().map_err(|crypto::NoRandom| Unfinished::NoRandom)?;
    Ok(finish_salted(entry, seal, header, &salt))
}

fn finish_salted(mut entry: Vec<u8>, seal: &Seal<'_>, header: &Header, salt: &Salt) -> Vec<u8> {
    #[cfg(test)]
    SEALED.set(SEALED.get() + 1);
    let keys = seal.secret.keys();
    let head = header.to_bytes();
    let derived = keys.entry(&head, salt, &seal.binding);
    entry[..SALT_AT].copy_from_slice(&head);
    entry[SALT_AT..COMMITMENT_AT].copy_from_slice(salt);
    entry[COMMITMENT_AT..BODY_AT].copy_from_slice(derived.commitment());
    let tag = derived.seal(&mut entry[BODY_AT..]);
    entry.extend_from_slice(&tag);
    entry
}

#[cfg(test)]
thread_local! {
    /// How many entries this thread has sealed.
    pub(crate) static SEALED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// An entry that was opened: all of it was sealed with the secret, for this key, with this header.
pub(crate) struct Opened {
    header: Header,
    body: Vec<u8>,
}

/// Opens an entry whose header the caller has admitted.
///
/// # Errors
/// `Tampered`, also where it is too short to be one.
pub(crate) fn open(seal: &Seal<'_>, header: &Header, entry: &[u8]) -> Result<Opened, Reject> {
    let (salt, commitment, sealed, tag) = split(entry).ok_or(Reject::Tampered)?;
    // Written as it was parsed: a header has no second form.
    let head = header.to_bytes();
    let body = seal
        .secret
        .keys()
        .entry(&head, salt, &seal.binding)
        .open(commitment, sealed, tag)
        .map_err(|crypto::Forged| Reject::Tampered)?;
    Ok(Opened {
        header: *header,
        body,
    })
}

/// What stands behind the header.
fn split(entry: &[u8]) -> Option<(&Salt, &Commitment, &[u8], &Tag)> {
    let (_, rest) = entry.split_at_checked(Header::LEN)?;
    let (salt, rest) = rest.split_first_chunk()?;
    let (commitment, rest) = rest.split_first_chunk()?;
    let (sealed, tag) = rest.split_last_chunk()?;
    Some((salt, commitment, sealed, tag))
}

impl Opened {
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// What goes with the value, and the value's bytes, or with LZ4 their length and the block; or a manifest.
    ///
    /// # Errors
    /// `Damaged` or `Truncated`: the lengths contradict each other. `Flags`: a manifest is never padded.
    pub(crate) fn value(&self) -> Result<(BodyMeta, Cow<'_, [u8]>), Reject> {
        let mut rest = &self.body[..];
        let meta = BodyMeta {
            cost_ms: u32::from_le_bytes(take(&mut rest)?),
            fresh_until: u64::from_le_bytes(take(&mut rest)?),
        };
        let flags = self.header.flags;
        let value = if !flags.contains(Flags::PADDED) {
            Cow::Borrowed(rest)
        } else if flags.contains(Flags::CHUNKED) {
            return Err(Reject::Flags);
        } else {
            unpadded(flags, rest)?
        };
        Ok((meta, value))
    }

    /// The same entry, sealed anew with this header; it is stale by the time that it expires, as is any.
    ///
    /// Of a manifest it is `manifest` that stands in it: chunks are sealed anew as another generation.
    pub(crate) fn reseal(
        &self,
        seal: &Seal<'_>,
        header: &Header,
        manifest: Option<&Manifest>,
    ) -> Result<Vec<u8>, Unfinished> {
        let mut entry = Vec::with_capacity(BODY_AT + self.body.len() + TAG_LEN);
        entry.resize(BODY_AT, 0);
        if let Some(manifest) = manifest {
            entry.extend_from_slice(&self.body[..BodyMeta::LEN]);
            manifest.write(&mut entry);
        } else {
            entry.extend_from_slice(&self.body);
        }
        if let Some(field) = entry[BODY_AT..][BodyMeta::FRESH_AT..].first_chunk_mut() {
            *field = u64::from_le_bytes(*field)
                .min(header.expires_ms)
                .to_le_bytes();
        }
        finish(entry, seal, header)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = &self.header;
        f.debug_struct("Opened")
            .field("header", header)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "encrypt"))]
mod tests {
    use std::num::NonZeroUsize;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::entry::header::Codec;
    use crate::entry::{Draft, Guard, Padding};
    use crate::secret::decode_hex;

    const SECRET: &str = "9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4f1a3c";
    const KEY: &str = "app:user:42";
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

    fn secret() -> Secret {
        Secret::from_hex(SECRET).expect("it is random")
    }

    fn sealed(seal: &Seal<'_>, data: &[u8], padding: Padding) -> Vec<u8> {
        let mut draft = Draft::new(Guard::Sealed(seal), META, padding);
        draft.buffer().extend_from_slice(data);
        draft
            .finish(&header(seal), usize::MAX)
            .expect("the system has random bytes")
    }

    fn header(seal: &Seal<'_>) -> Header {
        Header {
            flags: Flags::SEALED,
            key_id: seal.key_id(),
            ..HEADER
        }
    }

    fn padding(smallest: usize) -> Padding {
        NonZeroUsize::new(smallest).map_or(Padding::default(), Padding::to_at_least)
    }

    fn opened(seal: &Seal<'_>, entry: &[u8]) -> Result<Opened, Reject> {
        open(seal, &Header::parse(entry)?, entry)
    }

    /// What `tests/reference/cm1.py` printed for its sample.
    struct Vectors(Value);

    impl Vectors {
        fn load() -> Self {
            let path = concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../tests/reference/cm1-vectors.json"
            );
            let json = std::fs::read(path).expect("the vectors are in the repository");
            Self(serde_json::from_slice(&json).expect("they are JSON"))
        }

        fn text(&self, name: &str) -> &str {
            self.0[name].as_str().expect("a vector of this name")
        }

        fn bytes(&self, name: &str) -> Vec<u8> {
            decode_hex(self.text(name)).expect("hexadecimal").to_vec()
        }
    }

    #[test]
    fn known_answers_of_the_reference() {
        let vectors = Vectors::load();
        // The sample's secret counts up, which no configuration gets past.
        let secret = Secret::unchecked(&vectors.bytes("secret"));
        let seal = Seal::new(&secret, vectors.text("full_key"));
        assert_eq!(u64::from(seal.key_id()), vectors.0["key_id"]);
        assert_eq!(seal.name().as_str(), vectors.text("backend_name"));

        let salt: Salt = vectors.bytes("salt").try_into().expect("a salt");
        for (header, body, entry) in [
            ("header", "body", "entry"),
            ("stream_header", "manifest_body", "manifest"),
        ] {
            let header = Header::parse(&vectors.bytes(header)).expect("a header");
            let mut draft = vec![0; BODY_AT];
            draft.extend(vectors.bytes(body));
            let made = finish_salted(draft, &seal, &header, &salt);
            assert_eq!(made, vectors.bytes(entry), "{entry}");
            let opened = open(&seal, &header, &made).expect("it was just sealed");
            assert_eq!(opened.body, vectors.bytes(body), "{body}");
        }

        let stream = Header::parse(&vectors.bytes("stream_header")).expect("a header");
        let chunks = seal.chunks(&stream, &salt);
        for (index, plain, stored) in [
            (0, "chunk_0_plain", "chunk_0"),
            (1, "chunk_1_plain", "chunk_1"),
        ] {
            let (plain, stored) = (vectors.bytes(plain), vectors.bytes(stored));
            assert_eq!(chunks.seal_piece(index, &plain), stored);
            assert_eq!(chunks.open_piece(index, &stored), Ok(plain));
        }
    }

    #[test]
    fn a_name_is_printable_and_48_bytes() {
        let secret = secret();
        for key in ["", KEY, &"k".repeat(10_000)] {
            let seal = Seal::new(&secret, key);
            assert_eq!(seal.name().as_str().len(), NAME_LEN);
            assert!(
                seal.name()
                    .as_str()
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic())
            );
        }
    }

    #[test]
    fn one_value_is_never_sealed_twice_alike() {
        let secret = secret();
        let seal = Seal::new(&secret, KEY);
        let one = sealed(&seal, b"value", Padding::default());
        let other = sealed(&seal, b"value", Padding::default());
        assert_ne!(one[SALT_AT..], other[SALT_AT..]);
    }

    #[test]
    fn every_changed_bit_and_length_is_found() {
        let secret = secret();
        let seal = Seal::new(&secret, KEY);
        let entry = sealed(&seal, b"value", Padding::default());
        for bit in 0..entry.len() * 8 {
            let mut changed = entry.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(opened(&seal, &changed).is_err(), "bit {bit}");
        }
        for len in 0..entry.len() {
            assert!(opened(&seal, &entry[..len]).is_err(), "length {len}");
        }
        let longer = [&entry[..], &[0]].concat();
        assert_eq!(opened(&seal, &longer).err(), Some(Reject::Tampered));
    }

    #[test]
    fn what_is_too_large_is_not_sealed() {
        let secret = secret();
        let seal = Seal::new(&secret, KEY);
        let len = sealed(&seal, &[0; 100], Padding::default()).len();
        for (largest, expected) in [(len, Ok(len)), (len - 1, Err(Unfinished::TooLarge))] {
            let mut draft = Draft::new(Guard::Sealed(&seal), META, Padding::default());
            draft.buffer().extend_from_slice(&[0; 100]);
            let made = draft.finish(&header(&seal), largest);
            assert_eq!(made.map(|entry| entry.len()), expected);
        }
    }

    /// Room for twice the value costs a large one the time to move it there and back.
    #[test]
    fn a_finished_entry_has_the_room_that_it_takes() {
        let secret = secret();
        let seal = Seal::new(&secret, KEY);
        for padding in [Padding::default(), padding(256)] {
            let mut draft = Draft::new(Guard::Sealed(&seal), META, padding);
            draft.buffer().resize(100_000, 7);
            let entry = draft.finish(&header(&seal), 150_000);
            let entry = entry.expect("the system has random bytes");
            assert!(entry.capacity() - entry.len() < 100, "{padding:?}");
        }
    }

    #[test]
    fn padded_entries_have_few_lengths() {
        let secret = secret();
        let seal = Seal::new(&secret, KEY);
        for len in 0..600 {
            let entry = sealed(&seal, &vec![7; len], padding(256));
            assert!([256, 512, 1024].contains(&entry.len()), "{len}");
        }
    }

    #[test]
    fn a_length_before_compression_comes_before_the_padded_one() {
        let secret = secret();
        let seal = Seal::new(&secret, KEY);
        let mut draft = Draft::new(Guard::Sealed(&seal), META, padding(256));
        draft.buffer().extend_from_slice(b"\x07\0\0\0block");
        let header = header(&seal);
        let flags = header.flags.with(Flags::LZ4);
        let entry = draft.finish(&Header { flags, ..header }, usize::MAX);
        let opened = opened(&seal, &entry.expect("random bytes")).expect("it was just sealed");
        assert!(opened.body[12..].starts_with(b"\x07\0\0\0\x05\0\0\0block\0\0"));
        assert_eq!(opened.value(), Ok((META, b"\x07\0\0\0block".into())));
    }

    #[test]
    fn padding_that_is_no_padding_is_damage() {
        let secret = secret();
        let seal = Seal::new(&secret, KEY);
        let header = Header {
            flags: Flags::SEALED.with(Flags::PADDED),
            ..header(&seal)
        };
        for (body, reason) in [
            (&b"\x05\0\0\0four"[..], Reject::Damaged),
            (b"\x02\0\0\0twoX", Reject::Damaged),
            (b"\x01\0\0", Reject::Truncated),
        ] {
            let mut entry = vec![0; BODY_AT];
            entry.extend_from_slice(&[0; 12]);
            entry.extend_from_slice(body);
            let entry = finish(entry, &seal, &header).expect("the system has random bytes");
            let opened = opened(&seal, &entry).expect("it was sealed so");
            assert_eq!(opened.value(), Err(reason));
        }
    }

    #[test]
    fn sealing_anew_changes_the_secret_and_nothing_else() {
        let (old, new) = (Secret::of_this_process(), Secret::of_this_process());
        let (old, new) = (old.expect("random bytes"), new.expect("random bytes"));
        let (old, new) = (Seal::new(&old, KEY), Seal::new(&new, KEY));
        for padding in [padding(0), padding(512)] {
            let before = sealed(&old, b"value", padding);
            let opened_before = opened(&old, &before).expect("it was just sealed");
            let key_id = new.key_id();
            let header = Header {
                key_id,
                ..*opened_before.header()
            };
            let after = opened_before.reseal(&new, &header, None);
            let after = after.expect("random bytes");
            assert_eq!(opened(&old, &after).err(), Some(Reject::Tampered));
            let opened_after = opened(&new, &after).expect("it was just sealed");
            assert_eq!(opened_after.value(), opened_before.value());
            assert_eq!(opened_after.value(), Ok((META, b"value".into())));
            let [before, after] = [before, after].map(|entry| Header::parse(&entry));
            assert_eq!(after, before.map(|header| Header { key_id, ..header }));
        }
    }

    #[test]
    fn what_is_sealed_anew_is_not_fresh_beyond_its_end() {
        let secret = secret();
        let seal = Seal::new(&secret, KEY);
        let before = sealed(&seal, b"value", Padding::default());
        let before = opened(&seal, &before).expect("it was just sealed");
        for (expires_ms, fresh_until) in [
            (META.fresh_until - 1, META.fresh_until - 1),
            (META.fresh_until + 1, META.fresh_until),
        ] {
            let header = Header {
                expires_ms,
                ..*before.header()
            };
            let after = before.reseal(&seal, &header, None).expect("random bytes");
            let after = opened(&seal, &after).expect("it was just sealed");
            let meta = BodyMeta {
                fresh_until,
                ..META
            };
            assert_eq!(after.value(), Ok((meta, b"value".into())));
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(key: String, data: Vec<u8>, smallest in 0..2000_usize) {
            let secret = secret();
            let seal = Seal::new(&secret, &key);
            let entry = sealed(&seal, &data, padding(smallest));
            let opened = opened(&seal, &entry).expect("it was just sealed");
            prop_assert_eq!(opened.value(), Ok((META, data.as_slice().into())));
        }

        #[test]
        fn any_bytes_are_refused(bytes: Vec<u8>) {
            let secret = secret();
            let seal = Seal::new(&secret, KEY);
            let entry = [&HEADER.to_bytes()[..], &bytes].concat();
            prop_assert!(opened(&seal, &entry).is_err());
            prop_assert!(seal.chunks(&HEADER, &[0; 16]).open_piece(0, &bytes).is_err());
        }
    }
}
