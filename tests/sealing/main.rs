//! Sealed entries through the public API: what is stored, what is read, and what is neither.
#![cfg(feature = "encrypt")]

mod attribute;
mod chunks;
mod log;
mod open;
mod reasons;
mod rotation;
mod values;

use std::time::Duration;

use cache_memoize::{Memo, Runtime, RuntimeBuilder, Secret};
use open::Open;

const KEY: (&str, &str) = ("patient", "Ada Lovelace");
const VALUE: &str = "the diagnosis that nobody else may read";
const LIFE: Duration = Duration::from_secs(60);

fn secret(number: u64) -> Secret {
    // Random enough for the checks, and told apart.
    let mut bytes = *b"\x9f\x3c\x5d\x0b\xe2\xa1\x47\x86\xb1\xe0\xc7\xd2\xf4\xa8\x93\x5e\x6c\x1b\x7d\x20\xa4\xe8\xf3\x91\0\0\0\0\0\0\0\0";
    bytes[24..].copy_from_slice(&number.to_le_bytes());
    Secret::from_bytes(bytes).expect("it is long enough")
}

fn build(builder: RuntimeBuilder) -> Runtime {
    builder.build().expect("valid settings")
}

fn sealed(backend: &Open) -> Runtime {
    build(
        Runtime::builder()
            .backend(backend.clone())
            .secret(secret(1)),
    )
}

fn memo() -> Memo {
    Memo::new(KEY).expiration(LIFE).encrypt()
}

/// Asks for the value; whether it was computed.
fn is_computed(runtime: &Runtime, memo: impl FnOnce() -> Memo) -> bool {
    let mut computed = false;
    let value: String = runtime.scope(|| {
        memo().get_or_compute(|| {
            computed = true;
            VALUE.to_owned()
        })
    });
    assert_eq!(value, VALUE);
    computed
}
