//! Who may fill a key.

use std::time::Duration;

use memoize_runtime::{Backend, Deadline, Lease, Lookup};
use test_servers::{Faults, Proxy, RedisServer, closed_port, eventually};

use crate::clients::{HOUR, clients, open, soon, text};

fn granted(client: &dyn Backend, key: &str, life: Duration) -> Option<Lease> {
    match client.get_or_lease(key, life, soon()).expect("it answers") {
        Lookup::Granted(lease) => Some(lease),
        Lookup::Busy => None,
        Lookup::Found(value) => panic!("{value:?} is there"),
    }
}

/// Also keys that a cluster would take a part of for the whole.
const KEYS: [&str; 6] = ["key", "a{b}c", "a{}b", "a}b", "a{b", "{a}}"];

#[test]
fn one_is_granted_and_it_alone_fills_once() {
    let server = RedisServer::start();
    let redis = open(&server.url());
    for (name, client) in clients(&redis) {
        for key in KEYS {
            let lease = granted(&*client, key, HOUR).expect(name);
            assert_eq!(granted(&*client, key, HOUR), None, "{name}: {key}");
            let other = Lease::new(lease.token() ^ 1);
            assert!(
                !client
                    .fill(key, other, text("other"), HOUR, soon())
                    .expect(name)
            );
            assert!(
                client
                    .fill(key, lease, text("value"), HOUR, soon())
                    .expect(name)
            );
            assert!(
                !client
                    .fill(key, lease, text("again"), HOUR, soon())
                    .expect(name)
            );
            assert_eq!(client.get(key, soon()).expect(name), Some(text("value")));
            client.delete(key, soon()).expect(name);
            assert_eq!(server.command(&["DBSIZE"]).integer(), 0, "{name}: {key}");
        }
    }
}

/// As after the server's clock was set back, since which the records of processes that died would stand for hours.
#[test]
fn one_that_would_stand_longer_than_any_is_nobodys() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        let life = Duration::from_secs(600);
        let is_granted = |left_ms: u64| {
            let left_ms = left_ms.to_string();
            server.command(&["SET", "{key} lease", "77", "PX", &left_ms]);
            granted(&*client, "key", life).is_some()
        };
        assert!(is_granted(DAY_MS - 1), "{name}: it has run out");
        assert!(!is_granted(DAY_MS + 600_000), "{name}: it stands");
        assert!(
            !is_granted(DAY_MS + 1_200_000),
            "{name}: somebody waits twice as long"
        );
        assert!(is_granted(DAY_MS + 1_260_000), "{name}");
        assert!(is_granted(10 * DAY_MS), "{name}");
        client.delete("key", soon()).expect(name);
    }
}

#[test]
fn a_write_or_a_removal_voids_it() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        for key in KEYS {
            let lease = granted(&*client, key, HOUR).expect(name);
            client.delete(key, soon()).expect(name);
            assert!(
                !client
                    .fill(key, lease, text("old"), HOUR, soon())
                    .expect(name)
            );
            let lease = granted(&*client, key, HOUR).expect("it is free again");
            client.set(key, text("new"), HOUR, soon()).expect(name);
            assert!(
                !client
                    .fill(key, lease, text("old"), HOUR, soon())
                    .expect(name)
            );
            assert_eq!(client.get(key, soon()).expect(name), Some(text("new")));
            client.delete_many(&[key], soon()).expect(name);
            let lease = granted(&*client, key, HOUR).expect("it is free again");
            client.delete_many(&[key, "another"], soon()).expect(name);
            assert!(
                !client
                    .fill(key, lease, text("old"), HOUR, soon())
                    .expect(name)
            );
        }
    }
}

#[test]
fn one_that_ran_out_can_be_granted_to_another_or_else_be_filled() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        let late = granted(&*client, "late", Duration::from_millis(1)).expect(name);
        let kept = granted(&*client, "kept", Duration::from_millis(1)).expect(name);
        let mut next = None;
        eventually("the lease runs out", || {
            next = granted(&*client, "late", HOUR);
            next.is_some()
        });
        assert!(
            !client
                .fill("late", late, text("late"), HOUR, soon())
                .expect(name)
        );
        let next = next.expect("it was waited for");
        assert!(
            client
                .fill("late", next, text("next"), HOUR, soon())
                .expect(name)
        );
        assert!(
            client
                .fill("kept", kept, text("kept"), HOUR, soon())
                .expect(name)
        );
        client.delete_many(&["late", "kept"], soon()).expect(name);
    }
}

#[test]
fn one_whose_grant_was_never_heard_of_is_granted_anew() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    proxy.spare_greetings();
    let redis = open(&format!("redis://{}", proxy.address()));
    let direct = open(&server.url());
    for (name, client) in clients(&redis) {
        client.set("key", text("value"), HOUR, soon()).expect(name);
        // Scripts are known now; the next reply gets lost.
        granted(&*client, "else", HOUR).expect(name);
        client.delete_many(&["key", "else"], soon()).expect(name);
        for _ in 0..2 {
            proxy.set_faults(Faults {
                lose: 1,
                ..Faults::default()
            });
            let deadline = Deadline::after(Duration::from_millis(100));
            let lost = client.get_or_lease("key", HOUR, deadline);
            let error = lost.expect_err(name).to_string();
            assert!(error.starts_with("no answer in time ("), "{error}");
            proxy.set_faults(Faults::default());
            eventually("it was granted", || granted(&direct, "key", HOUR).is_none());
        }
        let lease = granted(&*client, "key", HOUR).expect("it waits for nobody");
        assert_eq!(granted(&*client, "key", HOUR), None, "{name}: for one");
        let filled = client.fill("key", lease, text("value"), HOUR, soon());
        assert!(filled.expect(name), "{name}: it stands");
        client.delete("key", soon()).expect(name);
    }
}

/// A lookup through `proxy` whose question the server gets, and whose answer nobody does.
fn unheard(proxy: &Proxy, client: &dyn Backend, key: &str) {
    proxy.set_faults(Faults {
        lose: 1,
        ..Faults::default()
    });
    let deadline = Deadline::after(Duration::from_millis(100));
    let lost = client.get_or_lease(key, HOUR, deadline);
    let error = lost.expect_err(key).to_string();
    assert!(error.starts_with("no answer in time ("), "{error}");
    proxy.set_faults(Faults::default());
}

#[test]
fn one_is_taken_over_past_questions_that_never_came() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    proxy.spare_greetings();
    for (name, client) in clients(&open(&format!("redis://{}", proxy.address()))) {
        let key = format!("{name}:key");
        // The script is known now.
        granted(&*client, &format!("{name}:else"), HOUR).expect(name);
        unheard(&proxy, &*client, &key);
        let held = proxy.hold_question(0);
        let deadline = Deadline::after(Duration::from_millis(100));
        client.get_or_lease(&key, HOUR, deadline).expect_err(name);
        eventually("the question is on its way", || held.has_come());
        assert!(
            granted(&*client, &key, HOUR).is_some(),
            "{name}: it waits for itself"
        );
        drop(held);
    }
}

type Ask = fn(&dyn Backend) -> bool;
type End = fn(&dyn Backend, Lease);

/// Ways to end a lease of `key` where the server can't be reached.
const ENDS: [(&str, End); 2] = [
    ("filled", |client, lease| {
        let filled = client.fill("key", lease, text("value"), HOUR, soon());
        filled.expect_err("nobody is there");
    }),
    ("given up", |client, lease| {
        // Who awaits asks and goes on.
        let _ = client.release("key", lease, soon());
    }),
];

#[test]
fn one_that_could_not_be_ended_is_taken_over_or_given_up_with_the_next_question() {
    let server = RedisServer::start();
    let direct = open(&server.url());
    let proxy = Proxy::start(server.address(), 0);
    proxy.spare_greetings();
    for (name, client) in clients(&open(&format!("redis://{}", proxy.address()))) {
        let asks: [(&str, Ask); 3] = [
            ("the same key", |client| {
                granted(client, "key", HOUR).is_some()
            }),
            ("a lookup", |client| {
                granted(client, "another", HOUR).is_some()
            }),
            ("a lease", |client| {
                client.lease("another", HOUR, soon()).is_ok()
            }),
        ];
        for (end, ends) in ENDS {
            for (question, asks) in asks {
                let why = format!("{name}, {end}, {question}");
                let lease = granted(&*client, "key", HOUR).expect(&why);
                proxy.redirect(closed_port());
                proxy.cut();
                ends(&*client, lease);
                proxy.redirect(server.address());
                eventually(&why, || asks(&*client));
                if question != "the same key" {
                    // It may not be known yet that it could not be given up by itself.
                    let is_free = || granted(&direct, "key", HOUR).is_some();
                    eventually(&why, || is_free() || (asks(&*client) && is_free()));
                }
                client.delete_many(&["key", "another"], soon()).expect(&why);
            }
        }
    }
}

/// What TCP sends again and again can come when nobody thinks of it any more.
#[test]
fn a_question_that_outlives_its_deadline_brings_no_lease_back() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    proxy.spare_greetings();
    let direct = open(&server.url());
    for (name, client) in clients(&open(&format!("redis://{}", proxy.address()))) {
        let key = format!("{name}:key");
        // With a connection that was used before, and scripts that are known.
        let other = granted(&*client, "else", HOUR).expect(name);
        let filled = client.fill("else", other, text("else"), HOUR, soon());
        assert!(filled.expect(name));
        client.delete("else", soon()).expect(name);
        // Its connection is lost under it, and what is asked in its place stays on the way.
        proxy.swallow(1);
        let held = proxy.hold_question(1);
        let deadline = Deadline::after(Duration::from_millis(300));
        client.get_or_lease(&key, HOUR, deadline).expect_err(name);
        eventually("it was asked again", || held.has_come());
        let lease = granted(&*client, &key, HOUR).expect("it waits for nobody");
        direct.delete(&key, soon()).expect("it is there");
        drop(held);
        let record = format!("{{{key}}} lease");
        eventually("the late question has come", || {
            server.command(&["EXISTS", &record]).integer() == 1
        });
        let filled = client.fill(&key, lease, text("stale"), HOUR, soon());
        assert!(!filled.expect(name), "{name}: it was voided");
        assert_eq!(client.get(&key, soon()).expect(name), None, "{name}");
    }
}

#[test]
fn nobody_waits_for_what_is_given_up() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    proxy.spare_greetings();
    for (name, client) in clients(&open(&format!("redis://{}", proxy.address()))) {
        let key = format!("{name}:key");
        unheard(&proxy, &*client, &key);
        // What gives up is not known to the server, and nothing more is handed on.
        server.command(&["SCRIPT", "FLUSH"]);
        let direct = open(&server.url());
        granted(&direct, &format!("{name}:direct"), HOUR).expect(name);
        let held = proxy.hold_question(1);
        let deadline = Deadline::after(Duration::from_millis(500));
        let lookup = client.get_or_lease(&format!("{name}:other"), HOUR, deadline);
        assert!(
            matches!(lookup.expect(name), Lookup::Granted(_)),
            "{name}: it is new"
        );
        drop(held);
        // And it was done.
        assert!(granted(&direct, &key, HOUR).is_some(), "{name}");
    }
}

#[test]
fn one_whose_grant_was_never_heard_of_is_given_up_with_the_next_lookup() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    proxy.spare_greetings();
    let redis = open(&format!("redis://{}", proxy.address()));
    let direct = open(&server.url());
    for (name, client) in clients(&redis) {
        let key = |n: u32| format!("{name}:{n}");
        // All scripts are known before the replies get lost.
        let lease = granted(&*client, "else", HOUR).expect(name);
        client.release("else", lease, soon()).expect(name);
        proxy.set_faults(Faults {
            lose: 1,
            ..Faults::default()
        });
        for n in 0..3 {
            let deadline = Deadline::after(Duration::from_millis(100));
            let lost = client.get_or_lease(&key(n), HOUR, deadline);
            let error = lost.expect_err(name).to_string();
            assert!(error.starts_with("no answer in time ("), "{error}");
        }
        proxy.set_faults(Faults::default());
        // Each lookup gives the ones before up; nothing has come after the last.
        assert_eq!(granted(&direct, &key(2), HOUR), None, "{name}: it has it");
        assert!(granted(&*client, "other", HOUR).is_some());
        for n in 0..3 {
            assert!(granted(&direct, &key(n), HOUR).is_some(), "{name}: {n}");
        }
        client.delete("other", soon()).expect(name);
    }
}

/// As that of who computes anew whatever is there.
#[test]
fn one_that_was_taken_and_never_heard_of_is_given_up_as_well() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    proxy.spare_greetings();
    let redis = open(&format!("redis://{}", proxy.address()));
    let direct = open(&server.url());
    for (name, client) in clients(&redis) {
        let [first, second] = ["first", "second"].map(|key| format!("{name}:{key}"));
        for key in [&first, &second] {
            proxy.swallow(1);
            client.lease(key, HOUR, soon()).expect_err(name);
            assert_eq!(granted(&direct, key, HOUR), None, "{name}: it stands");
        }
        let again = granted(&*client, &first, HOUR);
        assert!(again.is_some(), "{name}: it doesn't wait for itself");
        assert_eq!(
            granted(&direct, &first, HOUR),
            None,
            "{name}: nor is it free"
        );
        assert!(granted(&direct, &second, HOUR).is_some(), "{name}");
    }
}

#[test]
fn one_that_is_given_up_is_free_at_once() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        let lease = granted(&*client, "key", HOUR).expect(name);
        client
            .release("key", Lease::new(lease.token() ^ 1), soon())
            .expect(name);
        assert_eq!(
            granted(&*client, "key", HOUR),
            None,
            "{name}: another's was released"
        );
        client.release("key", lease, soon()).expect(name);
        // The async one doesn't wait for it.
        eventually("the lease is free", || {
            granted(&*client, "key", HOUR).is_some_and(|lease| {
                client.release("key", lease, soon()).expect(name);
                true
            })
        });
        eventually("nothing is left", || {
            server.command(&["DBSIZE"]).integer() == 0
        });
    }
}

#[test]
fn one_can_be_taken_whatever_is_there() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        client.set("key", text("old"), HOUR, soon()).expect(name);
        let first = client.lease("key", HOUR, soon()).expect(name);
        let second = client.lease("key", HOUR, soon()).expect(name);
        assert!(
            !client
                .fill("key", first, text("first"), HOUR, soon())
                .expect(name)
        );
        assert!(
            client
                .fill("key", second, text("second"), HOUR, soon())
                .expect(name)
        );
        assert_eq!(client.get("key", soon()).expect(name), Some(text("second")));
    }
}

#[test]
fn previous_names_are_read_in_the_same_round_trip() {
    let server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        server.command(&["FLUSHALL"]);
        client.set("old", text("value"), HOUR, soon()).expect(name);
        let (lookup, others) = client
            .get_many_or_lease("new", &["older", "old"], HOUR, soon())
            .expect(name);
        assert!(matches!(lookup, Lookup::Granted(_)), "{name}: {lookup:?}");
        assert_eq!(others, [None, Some(text("value"))]);
        let (lookup, others) = client
            .get_many_or_lease("old", &[], HOUR, soon())
            .expect(name);
        assert!(matches!(lookup, Lookup::Found(_)) && others.is_empty());
        // Read before the lease is granted, what is found there could be older than an invalidation.
        server.command(&["SCRIPT", "FLUSH"]);
        let (lookup, others) = client
            .get_many_or_lease("newer", &["old"], HOUR, soon())
            .expect(name);
        assert!(matches!(lookup, Lookup::Granted(_)), "{name}: {lookup:?}");
        assert_eq!(others, [Some(text("value"))]);
    }
}
