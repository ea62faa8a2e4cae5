//! Rules about what is kept, and under which key.

use super::bench::{Bench, HOUR, rule};
use super::ways::{Change, Read, Write};
use crate::backend::Bytes;

/// What a backend is offered at the most, whatever it says that it takes.
const LARGEST: usize = 16 << 20;

pub(super) fn limits_can_be_worked_with(bench: &Bench<'_>) {
    let limits = bench.subject.limits();
    rule(
        limits.key_bytes >= 64,
        "`Limits::key_bytes` is below 64, which leaves no room for a digest; take longer keys",
    );
    rule(
        limits.value_bytes >= 1024,
        "`Limits::value_bytes` is below 1024, so that hardly anything can be stored; take larger values",
    );
    rule(
        limits == bench.subject.limits(),
        "`limits` answers differently each time; it is asked once, and believed",
    );
}

pub(super) async fn nothing_is_found_where_nothing_is(bench: &Bench<'_>) {
    for read in Read::ALL {
        let key = bench.key(format_args!("absent:{read:?}"));
        rule(
            bench.read(read, &key).await.is_none(),
            format_args!(
                "{read} finds something under a key that was never set; answer that nothing is there"
            ),
        );
    }
    let absent = bench.key("absent");
    // They must not fail.
    bench.delete(&absent).await;
    bench.delete_many(&[&absent, &absent]).await;
}

pub(super) async fn what_is_set_is_found(bench: &Bench<'_>) {
    for write in Write::ALL {
        let key = bench.key(format_args!("set:{write:?}"));
        bench.write(write, &key, "value", HOUR).await;
        for read in Read::ALL.into_iter().chain(Read::ALL) {
            rule(
                bench.read(read, &key).await.as_deref() == Some(b"value"),
                format_args!(
                    "{read} doesn't find what {write} stored; keep the bytes under exactly this key, and don't remove what is read"
                ),
            );
        }
    }
}

pub(super) async fn a_write_replaces(bench: &Bench<'_>) {
    let key = bench.key("replaced");
    bench.set(&key, "before").await;
    for write in Write::ALL {
        for value in [format!("a long first value by {write}"), String::new()] {
            bench.write(write, &key, value.clone(), HOUR).await;
            for read in Read::ALL {
                rule(
                    bench.read(read, &key).await.as_deref() == Some(value.as_bytes()),
                    format_args!(
                        "{read} doesn't find what the last {write} stored; a write replaces what was there, and an empty value is one"
                    ),
                );
            }
        }
    }
}

pub(super) async fn values_are_any_bytes(bench: &Bench<'_>) {
    let every_byte: Vec<u8> = (0..=255).chain(*b"\r\n\0\r\nEND\r\n").collect();
    let largest = bench.subject.limits().value_bytes.min(LARGEST);
    let key = bench.key("any-bytes");
    let is_kept = async |value: &Bytes, read, write| {
        rule(
            bench.read(read, &key).await.as_ref() == Some(value),
            format_args!(
                "what {write} stored comes back otherwise by {read}; any bytes can be a value, none, and as many as `Limits::value_bytes` says"
            ),
        );
    };
    for value in [Vec::new(), every_byte, noise(1000), noise(largest)] {
        let value = Bytes::from(value);
        for write in Write::ALL {
            // So that what is found is of this write.
            bench.delete(&key).await;
            bench.write(write, &key, value.clone(), HOUR).await;
            is_kept(&value, Read::Get, write).await;
        }
        for read in Read::ALL {
            is_kept(&value, read, Write::Fill).await;
        }
    }
    bench.delete(&key).await;
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

pub(super) async fn keys_are_told_apart(bench: &Bench<'_>) {
    const BROKEN: &str = "two keys are taken for one, or a key can't be used; keys are any bytes from 0x21 to 0x7e, and differ in case, in any \
                          character, and in the last of `Limits::key_bytes`";
    let mut keys = vec![
        bench.longest_key('a'),
        bench.key("longest:k"),
        bench.key("~~"),
        bench.longest_key('A'),
    ];
    let last = (0x21..=0x7e_u8).map(char::from);
    keys.extend(last.map(|last| bench.key(last)));
    let each: Vec<&str> = keys.iter().map(String::as_str).collect();
    for write in Write::ALL {
        for key in &each {
            bench
                .write(write, key, format!("{write}:{key}"), HOUR)
                .await;
        }
        let expected = each.iter().map(|key| Some(format!("{write}:{key}").into()));
        let expected: Vec<Option<Bytes>> = expected.collect();
        for (key, expected) in each.iter().zip(&expected) {
            let found = bench.get(key).await;
            let what = match &found {
                None => "nothing",
                Some(_) => "what is another's",
            };
            rule(
                found == *expected,
                format_args!("{BROKEN}: under \"{key}\" {what} is found"),
            );
        }
        rule(bench.get_many(&each).await == expected, BROKEN);
    }
    // Some that differ in case alone are not in the same part.
    let (removed, left) = each.split_at(each.len() / 2);
    for by in Change::REMOVALS {
        for key in removed {
            bench.set(key, "removed").await;
        }
        bench.change(by, removed, "").await;
        let found = bench.get_many(&each).await;
        let (gone, kept) = found.split_at(removed.len());
        rule(
            gone.iter().all(Option::is_none) && kept.iter().all(Option::is_some),
            format_args!(
                "{by} takes two keys for one; it removes what is under exactly the keys that it is given"
            ),
        );
    }
    bench.delete_many(left).await;
}

pub(super) async fn a_delete_removes_one_key(bench: &Bench<'_>) {
    for by in Change::REMOVALS {
        let keys = ["deleted", "deleted:", "delete*", "delete?"].map(|name| bench.key(name));
        for key in &keys {
            bench.set(key, "value").await;
        }
        for (nth, key) in keys.iter().enumerate() {
            bench.change(by, &[key], "").await;
            rule(
                bench.get(key).await.is_none(),
                format_args!("`get` finds what was deleted; {by} removes it before it answers"),
            );
            for other in &keys[nth + 1..] {
                rule(
                    bench.get(other).await.is_some(),
                    format_args!(
                        "{by} removes what is under another key; a key is no pattern and no prefix"
                    ),
                );
            }
        }
        for read in Read::ALL {
            let key = bench.key(format_args!("deleted:{by:?}:{read:?}"));
            bench.set(&key, "value").await;
            bench.read(read, &key).await;
            bench.change(by, &[&key], "").await;
            rule(
                bench.read(read, &key).await.is_none(),
                format_args!(
                    "{read} finds what {by} removed; don't answer by what was found before"
                ),
            );
        }
    }
}

/// What is discarded may stay, and may go later.
pub(super) async fn a_discard_removes_nothing_else(bench: &Bench<'_>) {
    let [discarded, kept] = ["discard", "discard:"].map(|name| bench.key(name));
    bench
        .set_many(&[(&discarded, "1".into()), (&kept, "2".into())], HOUR)
        .await;
    bench.subject.discard(&[&discarded]);
    rule(
        bench.get(&kept).await.is_some(),
        "`discard` removes what is under another key; it removes what it is given, or nothing",
    );
}
