//! Where secrets come from, and which are refused.
#![cfg(feature = "encrypt")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use cache_memoize::{
    ConfigError, KeyOptions, Memo, Memory, Runtime, RuntimeBuilder, Secret, make_cache_key,
};

const HEX: &str = "9f3c5d0be2a14786b1e0c7d2f4a8935e6c1b7d20a4e8f3915bc6d7028e4ffbff";
const BASE64: &str = "nzxdC+KhR4ax4MfS9KiTXmwbfSCk6PORW8bXAo5P+/8=";
const BASE64_URL: &str = "nzxdC-KhR4ax4MfS9KiTXmwbfSCk6PORW8bXAo5P-_8";

/// Tells secrets apart.
fn name(secret: &Secret) -> String {
    let options = KeyOptions::new().namespace("test").encryption_key(secret);
    make_cache_key("key", &options).as_str().to_owned()
}

fn expected() -> String {
    name(&Secret::from_hex(HEX).expect("it is random"))
}

fn refused(result: Result<Secret, ConfigError>) -> String {
    let error = result.expect_err("it can't be used").to_string();
    for part in [HEX, BASE64, BASE64_URL, "hunter2"] {
        assert!(!error.contains(part), "{error}");
    }
    error
}

struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let path =
            std::env::temp_dir().join(format!("cache-memoize-{}-{name}", std::process::id()));
        fs::write(&path, bytes).expect("a place for temporary files");
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn all_forms_give_the_same_secret() {
    let raw: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&HEX[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect();
    let upper_case = format!("  {}\n", HEX.to_uppercase());
    let secrets = [
        Secret::from_bytes(&raw),
        Secret::from_hex(&upper_case),
        Secret::from_base64(BASE64),
        Secret::from_base64(BASE64_URL),
        Secret::from_file(&TemporaryFile::new("hex", format!("{HEX}\n")).0),
        Secret::from_file(&TemporaryFile::new("base64", BASE64).0),
        Secret::from_file(&TemporaryFile::new("raw", &raw).0),
    ];
    for secret in secrets {
        assert_eq!(name(&secret.expect("it can be used")), expected());
    }
}

/// Runs itself again, since a test can't set a variable of its own process safely.
#[test]
fn from_the_environment() {
    const VARIABLE: &str = "CACHE_MEMOIZE_TEST_SECRET";
    match std::env::var("CACHE_MEMOIZE_TEST_FORM").as_deref() {
        Ok("good") => {
            let secret = Secret::from_env(VARIABLE).expect("it is set");
            assert_eq!(name(&secret), expected());
            let runtime = Runtime::from_env().and_then(RuntimeBuilder::build);
            let key = runtime
                .expect("it is set")
                .scope(|| make_cache_key("key", &KeyOptions::new().namespace("test").encrypt()));
            assert_eq!(key.as_str(), expected());
        }
        Ok("bad") => {
            let error = refused(Secret::from_env(VARIABLE));
            assert!(error.contains(VARIABLE), "{error}");
            let error = Runtime::from_env()
                .expect_err("it is no secret")
                .to_string();
            assert!(error.starts_with("`CACHE_MEMOIZE_SECRET`"), "{error}");
        }
        _ => {
            let error = refused(Secret::from_env(VARIABLE));
            assert!(error.contains("is not set"), "{error}");
            for (form, text) in [
                ("good", HEX),
                ("good", BASE64),
                ("good", BASE64_URL),
                ("bad", "hunter2"),
                ("bad", " "),
                ("bad", "please-change-me-please-this-is-my-password1"),
                ("bad", &HEX[..62]),
                // Base64 of 33 bytes, were it not hexadecimal of 22.
                ("bad", &HEX[..44]),
            ] {
                let output = Command::new(std::env::current_exe().expect("this test"))
                    .args(["--exact", "from_the_environment"])
                    .env("CACHE_MEMOIZE_TEST_FORM", form)
                    .env(VARIABLE, text)
                    .env("CACHE_MEMOIZE_SECRET", text)
                    .output()
                    .expect("this test runs");
                assert!(output.status.success(), "{form} {text}: {output:?}");
            }
        }
    }
}

/// Runs itself again, as the one before.
#[test]
fn previous_secrets_from_the_environment() {
    const PREVIOUS: &str = "CACHE_MEMOIZE_PREVIOUS_SECRETS";
    let numbered = |number: u8| format!("{}{number:02x}", &HEX[..62]);
    match std::env::var("CACHE_MEMOIZE_TEST_FORM").as_deref() {
        Ok("good") => {
            let memory = Memory::new(1 << 20);
            let build = |builder: RuntimeBuilder| {
                let builder = builder.backend(memory.clone());
                builder.build().expect("valid settings")
            };
            let new = build(Runtime::from_env().expect("both are set"));
            for number in 1..=3 {
                let secret = Secret::from_hex(&numbered(number)).expect("it is random");
                let old = build(Runtime::builder().secret(secret));
                let memo = || Memo::new(("of", number)).encrypt();
                assert_eq!(old.scope(|| memo().get_or_compute(|| number)), number);
                assert_eq!(new.scope(|| memo().get_or_compute(|| 0)), number);
            }
            assert_eq!((new.stats().hits, new.stats().resealed), (3, 3));
        }
        Ok("bad") => {
            let error = Runtime::from_env().and_then(RuntimeBuilder::build);
            let error = error.expect_err("they can't be used").to_string();
            let expected = std::env::var("CACHE_MEMOIZE_TEST_ERROR").expect("it is set");
            assert!(error.contains(&expected), "{error}");
            for part in [&HEX[..16], "hunter2"] {
                assert!(!error.contains(part), "{error}");
            }
        }
        _ => {
            let [one, two, three, four] = [1, 2, 3, 4].map(numbered);
            let third = "number 3 of the secrets in `CACHE_MEMOIZE_PREVIOUS_SECRETS`";
            for (form, secret, previous, error) in [
                ("good", &numbered(0)[..], format!("{one},{two},{three}"), ""),
                (
                    "good",
                    &numbered(0),
                    format!(" {one} , {two},\n{three}\n"),
                    "",
                ),
                ("bad", &numbered(0), format!("{one},{two},hunter2"), third),
                ("good", &numbered(0), format!("{one},{two},{three},\n"), ""),
                ("bad", &numbered(0), format!("{one},{two},,"), third),
                ("bad", &numbered(0), format!("{one}{two}x"), "number 1"),
                ("bad", &numbered(0), format!("{one},{one}"), "the same"),
                ("bad", &one, format!("{two},{one}"), "the same"),
                (
                    "bad",
                    &numbered(0),
                    format!("{one},{two},{three},{four}"),
                    "too many",
                ),
                ("bad", "", one.clone(), "set `CACHE_MEMOIZE_SECRET`"),
            ] {
                let output = Command::new(std::env::current_exe().expect("this test"))
                    .args(["--exact", "previous_secrets_from_the_environment"])
                    .env("CACHE_MEMOIZE_TEST_FORM", form)
                    .env("CACHE_MEMOIZE_TEST_ERROR", error)
                    .env("CACHE_MEMOIZE_SECRET", secret)
                    .env(PREVIOUS, &previous)
                    .output()
                    .expect("this test runs");
                assert!(output.status.success(), "{form} {previous}: {output:?}");
            }
        }
    }
}

/// The secret as some shells write it.
fn utf16(bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let marked = format!("\u{feff}{HEX}\r\n");
    marked.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn each_refusal_says_what_to_do() {
    let cases = [
        (Secret::from_bytes([7; 32]), "pattern"),
        (Secret::from_bytes("hunter2"), "7 bytes"),
        (
            Secret::from_bytes("my secret for the cache, hunter2 and more"),
            "placeholder",
        ),
        (Secret::from_bytes(HEX), "use `from_hex`"),
        (Secret::from_bytes(HEX.to_uppercase()), "use `from_hex`"),
        (Secret::from_base64(HEX), "use `from_hex`"),
        (Secret::from_bytes(BASE64), "use `from_base64`"),
        (
            Secret::from_file(&TemporaryFile::new("quoted", format!("\"{HEX}\"")).0),
            "without quotes, name or byte order mark",
        ),
        (
            Secret::from_file(&TemporaryFile::new("utf16le", utf16(u16::to_le_bytes)).0),
            "ASCII or UTF-8",
        ),
        (
            Secret::from_file(&TemporaryFile::new("utf16be", utf16(u16::to_be_bytes)).0),
            "ASCII or UTF-8",
        ),
        (Secret::from_hex("hunter2"), "not hexadecimal"),
        (Secret::from_hex(&HEX[..63]), "has 63 hexadecimal digits"),
        (
            Secret::from_file(&TemporaryFile::new("odd", &HEX[..63]).0),
            "has 63 hexadecimal digits",
        ),
        (Secret::from_hex(&HEX[..62]), "31 bytes"),
        (Secret::from_base64("hunter2!"), "not base64"),
        (Secret::from_base64(&BASE64.replace('+', "_")), "not base64"),
        (
            Secret::from_file("/no/such/file"),
            "`/no/such/file` can't be read",
        ),
        (
            Secret::from_file(&TemporaryFile::new("long", [b'a'; 5000]).0),
            "longer than 4 KiB",
        ),
        (
            Secret::from_file(&TemporaryFile::new("text", "hunter2 is no secret").0),
            "neither hexadecimal nor base64",
        ),
    ];
    for (result, part) in cases {
        let error = refused(result);
        assert!(error.contains(part) && error.contains("; "), "{error}");
    }
}

#[test]
fn a_secret_in_place_of_its_name_is_not_shown() {
    for secret in [HEX, BASE64, BASE64_URL] {
        let error = refused(Secret::from_env(secret));
        assert!(error.contains("`from_hex`"), "{error}");
        let error = refused(Secret::from_file(secret));
        assert!(error.contains("can't be read"), "{error}");
    }
}

#[test]
fn words_that_are_valid_base64_are_refused() {
    for text in [
        "please-change-me-please-this-is-my-password1",
        "my_super_secret_password_change_it_in_production",
        "replace-this-with-your-own-secret-before-deployX",
        "CHANGEMEplaceholderSecretKeyForDevelopmentOnly00",
        "ReplaceThisByTheOutputOfOpensslRandHex32",
        "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH",
    ] {
        let file = TemporaryFile::new("words", text);
        for result in [Secret::from_base64(text), Secret::from_file(&file.0)] {
            let error = refused(result);
            assert!(error.contains("placeholder"), "{text}: {error}");
        }
    }
}

#[test]
fn a_ring_is_checked_as_a_whole() {
    let secret = |last: &str| {
        let text = format!("{}{last}", &HEX[..62]);
        Secret::from_hex(&text).expect("it is random")
    };
    let cases = [
        (
            Runtime::builder()
                .secret(secret("00"))
                .previous_secret(secret("00")),
            "the same",
        ),
        (
            Runtime::builder()
                .secret(secret("00"))
                .previous_secret(secret("01"))
                .previous_secret(secret("01")),
            "the same",
        ),
        (
            Runtime::builder().previous_secret(secret("00")),
            "`previous_secret`",
        ),
        (
            ["01", "02", "03", "04"].into_iter().map(secret).fold(
                Runtime::builder().secret(secret("00")),
                RuntimeBuilder::previous_secret,
            ),
            "too many",
        ),
        (Runtime::builder().pad_to(0), "`pad_to`"),
    ];
    for (builder, part) in cases {
        let error = builder.build().expect_err(part).to_string();
        assert!(error.contains(part) && error.contains("; "), "{error}");
    }
}
