//! What is kept, and what it costs the server.

use std::time::Duration;

use memoize_runtime::{Bytes, Lookup};
use test_servers::{RedisServer, eventually};

use crate::clients::{HOUR, clients, open, soon, text};

#[test]
fn keeps_replaces_and_removes() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        let get = || client.get("key", soon()).expect(name);
        assert_eq!(get(), None, "{name}");
        for value in ["first", "second", ""] {
            client.set("key", text(value), HOUR, soon()).expect(name);
            assert_eq!(get(), Some(text(value)), "{name}");
        }
        let life = server.command(&["PTTL", "key"]).integer();
        assert!((3_000_000..=3_600_000).contains(&life), "{name}: {life}");
        client.delete("key", soon()).expect(name);
        client
            .delete("key", soon())
            .expect("nothing is there any more");
        assert_eq!(get(), None, "{name}");
    }
}

#[test]
fn values_of_any_bytes_up_to_the_limit_come_back() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        for length in [1, 4096, 300_000, client.limits().value_bytes] {
            let value: Bytes = (0..=250).cycle().take(length).collect();
            client.set("key", value.clone(), HOUR, soon()).expect(name);
            let found = client.get("key", soon()).expect(name);
            assert!(found == Some(value), "{name}: {length}");
        }
    }
}

#[test]
fn lives_end_and_any_life_is_taken() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        for life in [
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_millis(20),
        ] {
            client.set("key", text("short"), life, soon()).expect(name);
            eventually("the entry expires", || {
                client.get("key", soon()).expect(name).is_none()
            });
        }
        client
            .set("key", text("long"), Duration::MAX, soon())
            .expect(name);
        assert!(client.get("key", soon()).expect(name).is_some(), "{name}");
    }
}

#[test]
fn many_are_in_the_order_of_their_keys() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        let keys: Vec<String> = (0..50).map(|n| format!("{name}:{n}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let entries: Vec<(&str, Bytes)> = keys
            .iter()
            .step_by(2)
            .map(|key| (*key, text(key)))
            .collect();
        client.set_many(&entries, HOUR, soon()).expect(name);
        let found = client.get_many(&keys, soon()).expect(name);
        for (n, (key, found)) in keys.iter().zip(&found).enumerate() {
            assert_eq!(*found, (n % 2 == 0).then(|| text(key)), "{name}: {n}");
        }
        client.delete_many(&keys, soon()).expect(name);
        let found = client.get_many(&keys, soon()).expect(name);
        assert!(found.iter().all(Option::is_none), "{name}");
        assert!(client.get_many(&[], soon()).expect(name).is_empty());
        client.set_many(&[], HOUR, soon()).expect(name);
        client.delete_many(&[], soon()).expect(name);
    }
}

#[test]
fn a_hit_and_a_miss_are_a_script_and_a_read() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        client.set("hit", text("value"), HOUR, soon()).expect(name);
        client.get_or_lease("first", HOUR, soon()).expect(name);
        server.command(&["CONFIG", "RESETSTAT"]);
        for _ in 0..10 {
            let found = client.get_or_lease("hit", HOUR, soon()).expect(name);
            assert!(matches!(found, Lookup::Found(_)), "{name}");
        }
        // What the script asks within counts as well.
        let mut stats = server.command_stats();
        stats.retain(|name, _| !name.starts_with("config") && name != "info");
        let hits = [("evalsha", 10), ("get", 10), ("pttl", 10)];
        let hits = hits.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(stats, hits.into(), "{name}");
        server.command(&["CONFIG", "RESETSTAT"]);
        for n in 0..10 {
            let key = format!("{name}:{n}");
            let found = client.get_or_lease(&key, HOUR, soon()).expect(name);
            assert!(matches!(found, Lookup::Granted(_)), "{name}");
        }
        assert_eq!(server.command_stats().get("evalsha"), Some(&10), "{name}");
        assert_eq!(server.command_stats().get("eval"), None, "{name}");
    }
}

#[test]
fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        for round in 0..3 {
            server.command(&["SCRIPT", "FLUSH"]);
            let Lookup::Granted(lease) = client.get_or_lease("key", HOUR, soon()).expect(name)
            else {
                panic!("{name}: {round}: there is nothing");
            };
            server.command(&["SCRIPT", "FLUSH"]);
            assert!(
                client
                    .fill("key", lease, text("value"), HOUR, soon())
                    .expect(name)
            );
            server.command(&["SCRIPT", "FLUSH"]);
            client
                .set_many(&[("a", text("1")), ("b", text("2"))], HOUR, soon())
                .expect(name);
            let found = client.get_many(&["key", "a", "b"], soon()).expect(name);
            assert_eq!(
                found,
                [Some(text("value")), Some(text("1")), Some(text("2"))]
            );
            client.delete("key", soon()).expect(name);
        }
    }
}

#[test]
fn what_is_no_string_is_an_error_and_can_be_replaced() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        server.command(&["DEL", "key"]);
        server.command(&["RPUSH", "key", "hunter2"]);
        let error = client.get("key", soon()).expect_err(name);
        assert_eq!(
            error.to_string(),
            "the key holds something that is not a string"
        );
        client.get_or_lease("key", HOUR, soon()).expect_err(name);
        client.set("key", text("value"), HOUR, soon()).expect(name);
        assert_eq!(client.get("key", soon()).expect(name), Some(text("value")));
    }
}
