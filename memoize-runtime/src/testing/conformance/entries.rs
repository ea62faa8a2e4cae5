//! Rules about what is kept, under which key, and for how long.

use std::time::{Duration, Instant};

use super::bench::{Bench, HOUR, answer, rule, soon};
use crate::backend::{Bytes, Deadline, Lookup};

/// What a backend is offered at the most, whatever it says that it takes.
const LARGEST: usize = 16 << 20;

/// The longest that an entry is kept for, in the default settings.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A question whose deadline has passed is over at once; a busy machine may need this long for it.
const PROMPTLY: Duration = Duration::from_secs(5);

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

/// Entries that should be gone by the end.
pub(super) struct Short {
    by_set: [String; 2],
    /// Where a lease was granted.
    by_fill: Option<String>,
}

pub(super) async fn set_for_a_moment(bench: &Bench<'_>) -> Short {
    let life = Duration::from_millis(20);
    let (set, many, fill) = (
        bench.key("short:set"),
        bench.key("short:set_many"),
        bench.key("short:fill"),
    );
    bench.set_for(&set, "short", life).await;
    let entries = [(many.as_str(), Bytes::from("short"))];
    answer("set_many", bench.subject.set_many(&entries, life, soon())).await;
    let replaced = bench.key("long:replaced");
    bench.set_for(&replaced, "short", life).await;
    bench.set(&replaced, "long").await;
    let lookup = answer(
        "get_or_lease",
        bench.subject.get_or_lease(&fill, HOUR, soon()),
    )
    .await;
    let by_fill = if let Lookup::Granted(lease) = lookup {
        let filled = bench
            .subject
            .fill(&fill, lease, "short".into(), life, soon());
        answer("fill", filled).await.then_some(fill)
    } else {
        None
    };
    Short {
        by_set: [set, many],
        by_fill,
    }
}

pub(super) async fn a_life_ends_and_no_sooner(bench: &Bench<'_>, short: Short) {
    let longest = bench.key("long:longest");
    bench.set_for(&longest, "long", LONGEST).await;
    for key in &short.by_set {
        let gone = bench.until(async || bench.get(key).await.is_none()).await;
        rule(
            gone,
            "an entry is there long after its life was over; remove it by the `life` that `set` was given, or don't find it any more",
        );
    }
    if let Some(key) = &short.by_fill {
        let gone = bench.until(async || bench.get(key).await.is_none()).await;
        rule(
            gone,
            "an entry is there long after its life was over; remove it by the `life` that `fill` was given, or don't find it any more",
        );
    }
    for name in ["long:replaced", "long:longest", "long:set"] {
        rule(
            bench.get(&bench.key(name)).await.is_some(),
            "an entry is gone before its life is over; keep it for the `life` of the last `set`, of up to 366 days",
        );
    }
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
    let every_byte: Vec<u8> = (0..=255).chain(*b"\r\n\0\r\nEND\r\n").collect();
    let largest = bench.subject.limits().value_bytes.min(LARGEST);
    let key = bench.key("any-bytes");
    for value in [Vec::new(), every_byte, noise(1000), noise(largest)] {
        bench.set(&key, value.clone()).await;
        rule(
            bench.get(&key).await.is_some_and(|found| found == value),
            "a value comes back otherwise than it was stored; any bytes can be a value, none, and as many as `Limits::value_bytes` says",
        );
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
    let longest = bench.subject.limits().key_bytes.min(4096);
    let mut keys: Vec<String> = (0x21..=0x7e_u8)
        .map(|byte| bench.key(format_args!("{}", char::from(byte))))
        .collect();
    let filled = |last: char| {
        let key = bench.key("longest:");
        let rest = "k".repeat(longest - key.len() - 1);
        bench.key(format_args!("longest:{rest}{last}"))
    };
    keys.extend([
        filled('a'),
        filled('A'),
        bench.key("longest:k"),
        bench.key("~~"),
    ]);
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
    // One round trip for many: more than a server's or a client's buffer may be made for.
    let keys: Vec<String> = (0..500)
        .map(|n| bench.key(format_args!("many:{n}")))
        .collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let found = answer("get_many", bench.subject.get_many(&keys, soon())).await;
    rule(
        found.len() == keys.len() && found.iter().flatten().count() == 2,
        "`get_many` of 500 keys doesn't give 500 answers; give one answer a key",
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

pub(super) async fn a_deadline_that_passed_is_kept(bench: &Bench<'_>) {
    let [one, other] = ["deadline:1", "deadline:2"].map(|name| bench.key(name));
    bench.set(&one, "1").await;
    bench.set(&other, "2").await;
    for _ in 0..20 {
        let started = Instant::now();
        let passed = Deadline::after(Duration::ZERO);
        // An answer or an error: both are right.
        let _ = bench.subject.get(&one, passed).await;
        let _ = bench.subject.get_many(&[&one, &one], passed).await;
        rule(
            started.elapsed() < PROMPTLY.min(bench.patience),
            "a question goes on after its deadline; answer with an error when the deadline has passed",
        );
        rule(
            bench.get(&other).await.as_deref() == Some(b"2"),
            "after a question whose deadline had passed, the next is not answered, or by what belongs to the one before; don't use a \
             connection again from which an answer may still come",
        );
    }
}
