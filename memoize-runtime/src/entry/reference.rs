//! What we seal, the reference in Python reads, and the reverse: values and chunks.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::draft::{BodyMeta, Draft};
use super::guard::Guard;
use super::header::{Codec, Flags, Header};
use super::padding::Padding;
use super::sealed::{Seal, open};
use crate::crypto::{self, Salt};
use crate::secret::{Secret, decode_hex};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const CASES: usize = 1000;

/// One entry and one chunk set, and what they hold.
#[derive(Clone, Debug)]
struct Case {
    secret: [u8; 32],
    full_key: String,
    header: Header,
    meta: BodyMeta,
    data: Vec<u8>,
    padded: bool,
    pieces: Vec<Vec<u8>>,
}

fn cases() -> impl Strategy<Value = Case> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most);
    let header = (
        any::<u64>(),
        1..u64::MAX / 2,
        1..u64::MAX / 2,
        any::<bool>(),
        any::<bool>(),
    );
    let header = header.prop_map(
        |(fingerprint, created_ms, life, postcard, chunked)| Header {
            flags: if chunked { Flags::CHUNKED } else { Flags::NONE },
            codec: if postcard {
                Codec::Postcard
            } else {
                Codec::Msgpack
            },
            key_id: 0,
            fingerprint,
            created_ms,
            expires_ms: created_ms + life,
        },
    );
    let meta = (any::<u32>(), any::<u64>());
    let meta = meta.prop_map(|(cost_ms, fresh_until)| BodyMeta {
        cost_ms,
        fresh_until,
    });
    let pieces = prop::collection::vec(bytes(200), 0..5);
    (
        any::<[u8; 32]>(),
        ".{0,60}",
        header,
        meta,
        bytes(600),
        any::<bool>(),
        pieces,
    )
        .prop_map(
            |(secret, full_key, header, meta, data, padded, pieces)| Case {
                secret,
                full_key,
                header,
                meta,
                data,
                // A manifest never is.
                padded: padded && !header.flags.contains(Flags::CHUNKED),
                pieces,
            },
        )
}

impl Case {
    fn padding(&self) -> Padding {
        let smallest = 128.try_into().expect("above zero");
        if self.padded {
            Padding::to_at_least(smallest)
        } else {
            Padding::default()
        }
    }

    fn header_before_padding(&self, secret: &Secret) -> Header {
        Header {
            flags: self.header.flags.with(Flags::SEALED),
            key_id: secret.keys().id(),
            ..self.header
        }
    }

    /// The header as it is stored.
    fn sealed_header(&self, secret: &Secret) -> Header {
        let padded = if self.padded {
            Flags::PADDED
        } else {
            Flags::NONE
        };
        let header = self.header_before_padding(secret);
        let flags = header.flags.with(padded);
        Header { flags, ..header }
    }

    /// The body, put together without the code that is tested.
    fn body(&self) -> Vec<u8> {
        let mut body = self.meta.cost_ms.to_le_bytes().to_vec();
        body.extend(self.meta.fresh_until.to_le_bytes());
        if self.padded {
            body.extend(u32::try_from(self.data.len()).expect("short").to_le_bytes());
        }
        body.extend(&self.data);
        if self.padded {
            let around = 32 + 16 + 16 + 16;
            let len = (around + body.len()).next_power_of_two().max(128);
            body.resize(len - around, 0);
        }
        body
    }

    fn sealed(&self) -> Value {
        let secret = Secret::unchecked(&self.secret);
        let seal = Seal::new(&secret, &self.full_key);
        let mut draft = Draft::new(Guard::Sealed(&seal), self.meta, self.padding());
        draft.buffer().extend_from_slice(&self.data);
        let entry = draft
            .finish(&self.header_before_padding(&secret), usize::MAX)
            .expect("random bytes");

        let header = self.sealed_header(&secret);
        let generation: Salt = crypto::random().expect("random bytes");
        let chunks = seal.chunks(&header, &generation);
        let chunks: Vec<String> = (0..)
            .zip(&self.pieces)
            .map(|(index, piece)| hex(&chunks.seal_piece(index, piece)))
            .collect();
        json!({
            "secret": hex(&self.secret),
            "full_key": self.full_key,
            "key_id": secret.keys().id(),
            "name": seal.name().as_str(),
            "header": hex(&header.to_bytes()),
            "body": hex(&self.body()),
            "entry": hex(&entry),
            "generation": hex(&generation),
            "pieces": self.pieces.iter().map(|piece| hex(piece)).collect::<Vec<_>>(),
            "chunks": chunks,
        })
    }

    fn check(&self, theirs: &Value) {
        let secret = Secret::unchecked(&self.secret);
        let seal = Seal::new(&secret, &self.full_key);
        let entry = bytes(&theirs["entry"]);
        let header = Header::parse(&entry).expect("a header");
        assert_eq!(header, self.sealed_header(&secret));
        let opened = open(&seal, &header, &entry).expect("it was sealed for this key");
        assert_eq!(opened.value(), Ok((self.meta, self.data.as_slice().into())));

        let generation: Salt = bytes(&theirs["generation"]).try_into().expect("16 bytes");
        let keys = seal.chunks(&header, &generation);
        let chunks = theirs["chunks"].as_array().expect("an array");
        assert_eq!(chunks.len(), self.pieces.len());
        for (index, (chunk, piece)) in (0..).zip(chunks.iter().zip(&self.pieces)) {
            assert_eq!(keys.open_piece(index, &bytes(chunk)).as_ref(), Ok(piece));
        }
    }
}

#[test]
fn python_reads_what_we_seal_and_the_reverse() {
    let mut runner = TestRunner::deterministic();
    let draw = |_| {
        cases()
            .new_tree(&mut runner)
            .expect("nothing is refused")
            .current()
    };
    let cases: Vec<Case> = (0..CASES).map(draw).collect();
    let ours = Value::Array(cases.iter().map(Case::sealed).collect());
    let theirs = crosscheck(&ours);
    let theirs = theirs.as_array().expect("an array");
    assert_eq!(theirs.len(), CASES);
    for (case, theirs) in cases.iter().zip(theirs) {
        case.check(theirs);
    }
}

fn crosscheck(ours: &Value) -> Value {
    let found = Command::new("scripts/python")
        .current_dir(REPOSITORY)
        .stderr(Stdio::inherit())
        .output()
        .expect("it is in the repository");
    assert!(
        found.status.success(),
        "`scripts/python` has said what is missing"
    );
    let python = String::from_utf8(found.stdout).expect("a path");

    let mut child = Command::new(python.trim())
        .arg("-B")
        .arg("tests/reference/crosscheck.py")
        .current_dir(REPOSITORY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it just ran");
    // It reads everything before it writes anything.
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin
        .write_all(ours.to_string().as_bytes())
        .expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the reference read something else");
    serde_json::from_slice(&output.stdout).expect("it answers in JSON")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text
}

fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("a text");
    decode_hex(text).expect("hexadecimal").to_vec()
}
