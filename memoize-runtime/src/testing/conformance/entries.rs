//! Rules about what is kept, and under which key.

use std::fmt::Display;

use super::bench::{Bench, HOUR, answer, rule, soon};
use super::ways::{Read, Remove, Write};
use crate::backend::Bytes;

/// What a backend is offered at the most, whatever it says that it takes.
const LARGEST: usize = 16 << 20;

/// Keys in one question.
const MANY: usize = 500;

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
    let key = bench.key("absent");
    rule(
        bench.get(&key).await.is_none(),
        "`get` finds something under a key that was never set; answer `None`",
    );
    // It must not fail.
    bench.delete(&key).await;
}

pub(super) async fn what_is_set_is_found(bench: &Bench<'_>) {
    let key = bench.key("long:set");
    bench.set(&key, "value").await;
    for _ in 0..2 {
        rule(
            bench.get(&key).await.as_deref() == Some(b"value"),
            "`get` doesn't find what `set` stored; keep the bytes under exactly this key, and don't remove what is read",
        );
    }
}

pub(super) async fn a_write_replaces(bench: &Bench<'_>) {
    let key = bench.key("replaced");
    for value in ["a long first value", "second", ""] {
        bench.set(&key, value).await;
        rule(
            bench.get(&key).await.as_deref() == Some(value.as_bytes()),
            "`get` doesn't find what the last `set` stored; `set` replaces what was there",
        );
    }
}

pub(super) async fn values_are_any_bytes(bench: &Bench<'_>) {
    let key = bench.key("any-bytes");
    for value in values(bench) {
        bench.set(&key, value.clone()).await;
        rule(
            bench.get(&key).await == Some(value),
            "a value comes back otherwise than it was stored; any bytes can be a value, none, and as many as `Limits::value_bytes` says",
        );
    }
    bench.delete(&key).await;
}

pub(super) async fn values_are_any_bytes_each_way(bench: &Bench<'_>) {
    let key = bench.key("any-bytes");
    for value in values(bench) {
        for write in Write::ALL {
            bench.write(*write, &key, value.clone(), HOUR).await;
            for read in Read::ALL {
                rule(
                    bench.read(*read, &key).await.as_ref() == Some(&value),
                    &format!(
                        "{read} doesn't find what {write} stored, or not as it was stored; any bytes can be a value, none, and as many as \
                         `Limits::value_bytes` says, whatever way they are written and read"
                    ),
                );
            }
        }
    }
    bench.delete(&key).await;
}

fn values(bench: &Bench<'_>) -> [Bytes; 4] {
    let every_byte: Vec<u8> = (0..=255).chain(*b"\r\n\0\r\nEND\r\n").collect();
    let largest = bench.subject.limits().value_bytes.min(LARGEST);
    [Vec::new(), every_byte, noise(1000), noise(largest)].map(Bytes::from)
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

/// One of each byte, and such as differ in little; all begin with `purpose`.
pub(super) fn all_kinds_of_keys(bench: &Bench<'_>, purpose: &str) -> Vec<String> {
    let key = |name: &dyn Display| bench.key(format_args!("{purpose}:{name}"));
    let longest = bench.subject.limits().key_bytes.min(4096);
    let filled = |last: char| {
        let rest = "k".repeat(longest - key(&"longest:").len() - 1);
        key(&format_args!("longest:{rest}{last}"))
    };
    let bytes = (0x21..=0x7e_u8).map(|byte| key(&char::from(byte)));
    let others = [filled('a'), filled('A'), key(&"longest:k"), key(&"~~")];
    bytes.chain(others).collect()
}

pub(super) async fn keys_are_told_apart(bench: &Bench<'_>) {
    let keys = all_kinds_of_keys(bench, "kept");
    for key in &keys {
        bench.set(key, key.clone()).await;
    }
    for key in &keys {
        rule(
            bench.get(key).await.as_deref() == Some(key.as_bytes()),
            "two keys are taken for one, or a key can't be used; keys are any bytes from 0x21 to 0x7e, and differ in case, in any character, \
             and in the last of `Limits::key_bytes`",
        );
    }
    for key in &keys {
        bench.delete(key).await;
    }
}

pub(super) async fn removed_keys_are_told_apart(bench: &Bench<'_>) {
    let keys = all_kinds_of_keys(bench, "removed");
    for key in &keys {
        bench.set(key, "value").await;
    }
    for nth in 0..keys.len() {
        bench.delete(&keys[nth]).await;
        let rest: Vec<&str> = keys[nth..].iter().map(String::as_str).collect();
        let found = bench.get_many(&rest).await;
        let is_there: Vec<bool> = found.iter().map(Option::is_some).collect();
        rule(
            !is_there[0] && is_there[1..].iter().all(|is_there| *is_there),
            "`delete` takes two keys for one; keys are told apart by each of their bytes, whatever is done to them",
        );
    }
}

pub(super) async fn a_delete_removes_one_key(bench: &Bench<'_>) {
    let keys = ["deleted", "deleted:", "delete*", "delete?"].map(|name| bench.key(name));
    for key in &keys {
        bench.set(key, "value").await;
    }
    for (nth, key) in keys.iter().enumerate() {
        bench.delete(key).await;
        rule(
            bench.get(key).await.is_none(),
            "`get` finds what was deleted; `delete` removes it before it answers",
        );
        for other in &keys[nth + 1..] {
            rule(
                bench.get(other).await.is_some(),
                "`delete` removes what is under another key; a key is no pattern and no prefix",
            );
        }
    }
}

pub(super) async fn what_is_removed_is_not_found(bench: &Bench<'_>) {
    let key = bench.key("removed");
    for remove in Remove::ALL {
        for write in Write::ALL {
            bench.write(*write, &key, "value".into(), HOUR).await;
            bench.remove(*remove, &key).await;
            for read in Read::ALL {
                rule(
                    bench.read(*read, &key).await.is_none(),
                    &format!(
                        "{read} finds what {write} stored and {remove} removed; it is gone before that answers"
                    ),
                );
            }
        }
    }
}

pub(super) async fn many_are_answered_in_order(bench: &Bench<'_>) {
    let [first, second, absent] = ["many:1", "many:2", "many:0"].map(|name| bench.key(name));
    bench.set(&first, "1").await;
    bench.set(&second, "2").await;
    let asked: [&[&str]; 4] = [
        &[],
        &[&second],
        &[&second, &absent, &first],
        &[&first, &second, &first, &absent, &absent, &second],
    ];
    for keys in asked {
        let expected: Vec<Option<Bytes>> = keys
            .iter()
            .map(|key| match *key {
                key if key == first => Some(Bytes::from("1")),
                key if key == second => Some(Bytes::from("2")),
                _ => None,
            })
            .collect();
        let found = answer("get_many", bench.subject.get_many(keys, soon())).await;
        rule(
            found == expected,
            "`get_many` doesn't answer each key in its place; give one answer a key, in the order asked, `None` where nothing is, \
             and the same again for a key that is asked for twice",
        );
    }
}

/// More than a server's or a client's buffer may be made for.
pub(super) async fn hundreds_are_not_too_many(bench: &Bench<'_>) {
    let keys: Vec<String> = (0..MANY)
        .map(|n| bench.key(format_args!("hundreds:{n}")))
        .collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let value = |nth: usize| Bytes::from(format!("the value of {nth}"));
    let entries: Vec<(&str, Bytes)> = keys
        .iter()
        .enumerate()
        // Some are absent.
        .filter(|(nth, _)| nth % 7 != 0)
        .map(|(nth, key)| (*key, value(nth)))
        .collect();
    let expected: Vec<Option<Bytes>> = (0..MANY)
        .map(|nth| (nth % 7 != 0).then(|| value(nth)))
        .collect();
    answer("set_many", bench.subject.set_many(&entries, HOUR, soon())).await;
    let last = entries.len() - 1;
    rule(
        bench.get(entries[last].0).await.as_ref() == Some(&entries[last].1),
        "`set_many` of hundreds of entries doesn't store the last; store each",
    );
    rule(
        bench.get_many(&keys).await == expected,
        "`get_many` of 500 keys doesn't give 500 answers, each in its place; give one answer a key",
    );
    let (_, others) = bench.look_beside(keys[0], &keys, HOUR).await;
    rule(
        others == expected,
        "`get_many_or_lease` beside 500 others doesn't give 500 answers, each in its place; give one answer a key",
    );
    answer("delete_many", bench.subject.delete_many(&keys, soon())).await;
    rule(
        bench.get_many(&keys).await.iter().all(Option::is_none),
        "`delete_many` of 500 keys leaves some of them; remove each",
    );
}

pub(super) async fn many_are_written_and_removed(bench: &Bench<'_>) {
    let names = ["several:1", "several:2", "several:3"];
    let keys = names.map(|name| bench.key(name));
    bench.set(&keys[0], "before").await;
    let entries: Vec<(&str, Bytes)> = keys
        .iter()
        .zip(names)
        .map(|(key, name)| (key.as_str(), Bytes::from(name)))
        .collect();
    answer("set_many", bench.subject.set_many(&entries, HOUR, soon())).await;
    for (key, name) in keys.iter().zip(names) {
        rule(
            bench.get(key).await.as_deref() == Some(name.as_bytes()),
            "`get` doesn't find what `set_many` stored; it stores each value under its own key, in place of what was there",
        );
    }
    let absent = bench.key("several:0");
    let removed = [keys[0].as_str(), &absent, &keys[2]];
    answer("delete_many", bench.subject.delete_many(&removed, soon())).await;
    let left = [
        bench.get(&keys[0]).await,
        bench.get(&keys[1]).await,
        bench.get(&keys[2]).await,
    ];
    rule(
        left.map(|found| found.is_some()) == [false, true, false],
        "`delete_many` doesn't remove exactly the keys it was given; a key without an entry is no error, and ends nothing",
    );
    answer("set_many", bench.subject.set_many(&[], HOUR, soon())).await;
    answer("delete_many", bench.subject.delete_many(&[], soon())).await;
}
