//! Rules about several keys in one question.

use super::bench::{Bench, HOUR, rule};
use crate::backend::Bytes;

/// One round trip for many: more than a server's or a client's buffer may be made for.
const MANY: usize = 500;

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
        rule(
            bench.get_many(keys).await == expected,
            "`get_many` doesn't answer each key in its place; give one answer a key, in the order asked, `None` where nothing is, \
             and the same again for a key that is asked for twice",
        );
        // Whatever becomes of the key itself.
        for key in [
            &first,
            &bench.key("many:granted"),
            &bench.key("many:granted"),
        ] {
            let (_, others) = bench.look_at_many(key, keys, HOUR).await;
            rule(
                others == expected,
                "`get_many_or_lease` doesn't answer each of the others in its place; answer as `get_many` does, whether the key is found, \
                 granted or busy",
            );
        }
    }
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
    bench.set_many(&entries, HOUR).await;
    for (key, name) in keys.iter().zip(names) {
        rule(
            bench.get(key).await.as_deref() == Some(name.as_bytes()),
            "`get` doesn't find what `set_many` stored with others; it stores each value under its own key, in place of what was there",
        );
    }
    let absent = bench.key("several:0");
    let removed = [keys[0].as_str(), &absent, &keys[2], &keys[2]];
    bench.delete_many(&removed).await;
    let left = [
        bench.get(&keys[0]).await,
        bench.get(&keys[1]).await,
        bench.get(&keys[2]).await,
    ];
    rule(
        left.map(|found| found.is_some()) == [false, true, false],
        "`delete_many` doesn't remove exactly the keys it was given; a key without an entry is no error, and ends nothing",
    );
    let twice = ["first", "second"].map(|value| (keys[1].as_str(), Bytes::from(value)));
    bench.set_many(&twice, HOUR).await;
    rule(
        bench.get(&keys[1]).await.as_deref() == Some(b"second"),
        "`set_many` doesn't keep the last of two values for one key; it is `set` of one after the other",
    );
    bench.set_many(&[], HOUR).await;
    bench.delete_many(&[]).await;
}

pub(super) async fn many_are_hundreds(bench: &Bench<'_>) {
    let keys: Vec<String> = (0..MANY)
        .map(|n| bench.key(format_args!("hundreds:{n}")))
        .collect();
    let entries = keys.iter().map(|key| (key.as_str(), key.clone().into()));
    let entries: Vec<(&str, Bytes)> = entries.collect();
    bench.set_many(&entries, HOUR).await;
    for (key, value) in &entries {
        rule(
            bench.get(key).await.as_ref() == Some(value),
            format_args!(
                "`set_many` of {MANY} entries doesn't store each; split what is too much for one request"
            ),
        );
    }
    let turned = || entries.iter().rev();
    let asked: Vec<&str> = turned().map(|(key, _)| *key).collect();
    let expected: Vec<Option<Bytes>> = turned().map(|(_, value)| Some(value.clone())).collect();
    rule(
        bench.get_many(&asked).await == expected,
        format_args!(
            "`get_many` of {MANY} keys doesn't give {MANY} answers in their order; give one answer a key, also from several requests"
        ),
    );
    let (_, others) = bench
        .look_at_many(&bench.key("hundreds"), &asked, HOUR)
        .await;
    rule(
        others == expected,
        format_args!(
            "`get_many_or_lease` of {MANY} others doesn't give {MANY} answers in their order; give one answer a key"
        ),
    );
    bench.delete_many(&asked).await;
    for key in asked {
        rule(
            bench.get(key).await.is_none(),
            format_args!(
                "`delete_many` of {MANY} keys doesn't remove each; split what is too much for one request"
            ),
        );
    }
}
