//! The servers that a URL can stand for.

use std::error::Error;
use std::iter;
#[cfg(feature = "redis-tokio")]
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use memoize_runtime::{Backend, Bytes, Deadline, Lookup, Redis};
use test_servers::{Proxy, RedisCluster, RedisSentinel, RedisServer, eventually};

use crate::clients::{HOUR, clients, open, soon, text};

/// Goes once through what a server must be able to do.
fn works(redis: &Redis) {
    for (name, client) in clients(redis) {
        let Lookup::Granted(lease) = client.get_or_lease("key", HOUR, soon()).expect(name) else {
            panic!("{name}: there is nothing yet");
        };
        let value = Bytes::from(vec![7; 300_000]);
        assert!(
            client
                .fill("key", lease, value.clone(), HOUR, soon())
                .expect(name)
        );
        let found = client.get_or_lease("key", HOUR, soon()).expect(name);
        assert!(
            matches!(found, Lookup::Found(found) if found == value),
            "{name}"
        );
        client.delete("key", soon()).expect(name);
    }
}

#[test]
fn a_socket() {
    let server = RedisServer::start();
    works(&open(&format!(
        "redis+unix://{}",
        server.socket().display()
    )));
}

#[test]
fn resp3() {
    let server = RedisServer::start();
    works(&open(&format!("{}?protocol=resp3", server.url())));
    let server = RedisServer::with(&["--requirepass", "hunter2"]);
    works(&open(&format!(
        "redis://:hunter2@{}?protocol=resp3",
        server.address()
    )));
}

#[test]
fn a_database() {
    let server = RedisServer::start();
    let redis = open(&format!("{}/3", server.url()));
    works(&redis);
    for (name, client) in clients(&redis) {
        client.set(name, text("value"), HOUR, soon()).expect(name);
    }
    assert_eq!(
        server.command(&["DBSIZE"]).integer(),
        0,
        "nothing is in database 0"
    );
    let error = open(&format!("{}/99", server.url())).get_dbg();
    assert!(
        error.starts_with("the server has no such database"),
        "{error}"
    );
}

#[test]
fn user_and_password() {
    let server = RedisServer::start();
    server.command(&[
        "ACL",
        "SETUSER",
        "us@er",
        "on",
        ">pa:ss/word",
        "~*",
        "+@all",
    ]);
    server.command(&["ACL", "SETUSER", "default", ">hunter2"]);
    let address = server.address();
    works(&open(&format!("redis://us%40er:pa%3Ass%2Fword@{address}")));
    works(&open(&format!("redis://:hunter2@{address}")));
    let wrong = open(&format!("redis://:hunter3@{address}"));
    for (name, client) in clients(&wrong) {
        let error = client.get("key", soon()).expect_err(name);
        let shown = format!("{error} {error:?} {wrong:?}");
        assert!(
            shown.contains("refuses user or password"),
            "{name}: {shown}"
        );
        assert!(!shown.contains("hunter"), "{name}: {shown}");
    }
}

#[test]
fn a_server_without_a_password_is_told_from_one_with_another() {
    let server = RedisServer::start();
    let url = format!("redis://:hunter2@{}", server.address());
    let says = format!(
        "the server has no such password; leave it out of the URL ({})",
        server.address()
    );
    for (name, client) in clients(&open(&url)) {
        let error = client.get("key", soon()).expect_err(name);
        assert_eq!(error.to_string(), says, "{name}");
    }
}

/// Such a server quotes what it was sent.
#[test]
fn a_server_that_does_not_know_the_greeting_shows_no_password() {
    for (greeting, parameter, says) in [
        ("AUTH", "", "answered with an error"),
        ("HELLO", "?protocol=resp3", "leave `protocol=resp3` out"),
    ] {
        let server = RedisServer::with(&["--rename-command", greeting, ""]);
        let url = format!("redis://ann:hunter2@{}/1{parameter}", server.address());
        for (name, client) in clients(&open(&url)) {
            let error = client.get("key", soon()).expect_err(name);
            let first: &dyn Error = &error;
            let chain = iter::successors(Some(first), |&error| error.source());
            let shown: Vec<_> = chain.map(|error| format!("{error}: {error:?}")).collect();
            let shown = shown.join("; ");
            assert!(shown.contains(says), "{name}: {shown}");
            for secret in ["hunter2", "ann"] {
                assert!(!shown.contains(secret), "{name}: {shown}");
            }
        }
    }
}

#[test]
fn a_server_that_takes_no_more_connections_says_what_to_raise() {
    let server = RedisServer::with(&["--maxclients", "1"]);
    let first = open(&server.url());
    first.get("key", soon()).expect("it is the only one");
    // The async client may see the end of the connection first.
    for parameter in ["", "?protocol=resp3"] {
        let error = open(&format!("{}{parameter}", server.url())).get_dbg();
        assert!(error.contains("raise its `maxclients`"), "{error}");
    }
    first.get("key", soon()).expect("it is still connected");
}

#[test]
fn the_commands_that_the_documentation_names_are_enough() {
    let server = RedisServer::start();
    let commands = "+get +set +del +unlink +pttl +evalsha +eval";
    let keys = ["~key", "~{key*"];
    let mut acl = vec!["ACL", "SETUSER", "default", "reset", "on", ">hunter2"];
    acl.extend(keys.into_iter().chain(commands.split(' ')));
    server.command(&["ACL", "SETUSER", "other", "on", "nopass", "~*", "+@all"]);
    server.command(&acl);
    works(&open(&format!("redis://:hunter2@{}", server.address())));
}

#[test]
fn debug_shows_the_kind_and_the_hosts_alone() {
    for (url, shown) in [
        (
            "redis://me:hunter2@host:1/2?protocol=resp3",
            "Redis(redis://host:1)",
        ),
        (
            "unix:/run/redis?password=hunter2",
            "Redis(redis+unix:///run/redis)",
        ),
        (
            "redis+sentinel://:hunter2@a,[::1]:2/service?sentinel_password=hunter3",
            "Redis(redis+sentinel://a:26379,[::1]:2)",
        ),
    ] {
        assert_eq!(format!("{:?}", open(url)), shown);
    }
}

#[test]
fn a_cluster() {
    let mut cluster = RedisCluster::start(3);
    let redis = open(&cluster.url());
    works(&redis);
    for (name, client) in clients(&redis) {
        let keys: Vec<String> = (0..60).map(|n| format!("{name}:{n}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let entries: Vec<(&str, Bytes)> = keys.iter().map(|key| (*key, text(key))).collect();
        client.set_many(&entries, HOUR, soon()).expect(name);
        for node in cluster.nodes() {
            assert!(
                node.command(&["DBSIZE"]).integer() > 0,
                "each node has some"
            );
        }
        let found = client.get_many(&keys, soon()).expect(name);
        assert!(
            found
                .iter()
                .zip(&keys)
                .all(|(found, key)| *found == Some(text(key)))
        );
        let (lookup, others) = client
            .get_many_or_lease("new", &keys, HOUR, soon())
            .expect(name);
        assert!(matches!(lookup, Lookup::Granted(_)), "{name}");
        assert!(
            others
                .iter()
                .zip(&keys)
                .all(|(found, key)| *found == Some(text(key)))
        );
        client.delete_many(&keys, soon()).expect(name);
        client.delete("new", soon()).expect(name);
        for key in ["a{b}c", "a{}b", "a}b", "a{b", "{a}}", "}{"] {
            let Lookup::Granted(lease) = client.get_or_lease(key, HOUR, soon()).expect(key) else {
                panic!("{name}: {key} is new");
            };
            assert!(client.fill(key, lease, text(key), HOUR, soon()).expect(key));
            client.delete(key, soon()).expect(key);
        }
        for node in cluster.nodes() {
            assert_eq!(node.command(&["DBSIZE"]).integer(), 0, "{name}");
        }
    }
    // A node that is gone is an error for its keys alone.
    cluster.nodes_mut()[0].kill();
    for (name, client) in clients(&redis) {
        let answers = (0..60).filter(|n| client.get(&format!("key:{n}"), soon()).is_ok());
        let answers = answers.count();
        assert!((20..60).contains(&answers), "{name}: {answers}");
    }
}

/// Goes once through what works while the slot of `key` is on its way, and `key` and `there` are still where they were. What takes a key and
/// the record of its lease is refused by both nodes; what is there is found and removed all the same, and nothing else is stored.
fn works_on_the_way(name: &str, client: &dyn Backend, there: &str) {
    assert_eq!(client.get("key", soon()).expect(name), Some(text("value")));
    for key in ["key", there] {
        let found = client.get_or_lease(key, HOUR, soon()).expect(name);
        assert!(
            matches!(&found, Lookup::Found(value) if *value == text("value")),
            "{name}: {found:?}"
        );
    }
    let absent = "{key}absent";
    for _ in 0..2 {
        let Lookup::Granted(lease) = client.get_or_lease(absent, HOUR, soon()).expect(name) else {
            panic!("{name}: nobody has it, nor a lease");
        };
        let filled = client.fill(absent, lease, text("value"), HOUR, soon());
        assert!(!filled.expect(name), "{name}: there is no record");
    }
    assert_eq!(client.get(absent, soon()).expect(name), None, "{name}");
    client.delete(absent, soon()).expect(name);
    // Its record is over there already.
    let lease = client.lease(there, HOUR, soon()).expect(name);
    client.delete(there, soon()).expect(name);
    assert_eq!(client.get(there, soon()).expect(name), None, "{name}");
    let filled = client.fill(there, lease, text("value"), HOUR, soon());
    assert!(!filled.expect(name), "{name}: it was voided");
}

#[test]
fn a_slot_that_moves_is_followed() {
    let cluster = RedisCluster::start(3);
    let redis = open(&cluster.url());
    let nodes = cluster.nodes();
    for (name, client) in clients(&redis) {
        let there = "{key}there";
        for key in ["key", there] {
            client.set(key, text("value"), HOUR, soon()).expect(name);
        }
        let slot = nodes[0]
            .command(&["CLUSTER", "KEYSLOT", "key"])
            .integer()
            .to_string();
        let has = |node: &&RedisServer| {
            node.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"])
                != test_servers::Reply::Array(Vec::new())
        };
        let from = nodes.iter().find(has).expect("one has it");
        let to = nodes
            .iter()
            .find(|node| !has(node))
            .expect("the others don't");
        let id = |node: &RedisServer| node.command(&["CLUSTER", "MYID"]).text();
        // On its way, and not there yet: what isn't found is asked for over there.
        to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]);
        from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]);
        works_on_the_way(name, &*client, there);
        let port = to.address().port().to_string();
        from.command(&["MIGRATE", "127.0.0.1", &port, "key", "0", "5000"]);
        let found = client.get_or_lease("key", HOUR, soon()).expect(name);
        assert!(matches!(found, Lookup::Found(_)), "{name}: {found:?}");
        for node in [to, from] {
            node.command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]);
        }
        for _ in 0..3 {
            assert_eq!(client.get("key", soon()).expect(name), Some(text("value")));
        }
        client.delete("key", soon()).expect(name);
        works(&redis);
        assert!(
            nodes.iter().all(|node| !has(&node)),
            "{name}: nothing stays"
        );
    }
}

#[test]
fn the_master_that_sentinels_name() {
    let mut service = RedisSentinel::start();
    let redis = open(&service.url());
    works(&redis);
    service.master().kill();
    for (name, client) in clients(&redis) {
        eventually("the replica has taken over", || {
            client.set(name, text("value"), HOUR, soon()).is_ok()
        });
        assert_eq!(client.get(name, soon()).expect(name), Some(text("value")));
    }
    let error = open(&service.url().replace("/main", "/other")).get_dbg();
    assert!(
        error.contains("the sentinel doesn't know the service"),
        "{error}"
    );
}

/// It would answer with what it has, and who only reads would never notice.
#[test]
fn a_master_that_was_demoted_is_not_asked_again() {
    for index in 0..clients(&open("redis://localhost")).len() {
        let mut service = RedisSentinel::start();
        let redis = open(&service.url());
        let (name, client) = clients(&redis).remove(index);
        client.set("key", text("value"), HOUR, soon()).expect(name);
        assert!(client.get("key", soon()).expect(name).is_some());
        let demoted = service.demote();
        let reads = || demoted.command_stats().get("get").copied();
        eventually("it asks another", || {
            demoted.command(&["CONFIG", "RESETSTAT"]);
            let found = client.get("key", soon());
            found.is_ok_and(|found| found.is_some()) && reads().is_none()
        });
    }
}

/// Has each client ask a URL once, which leads to the first server, and then until it finds what the second one has; the first is not asked
/// any more. `redirect` has the URL lead to the second.
fn end_with_another(first: &RedisServer, second: &RedisServer, url: &str, redirect: impl FnOnce()) {
    let named = clients(&open(url)).len();
    // Each for itself, as they tell each other.
    let clients: Vec<_> = (0..named)
        .map(|index| clients(&open(url)).remove(index))
        .collect();
    first.command(&["SET", "key", "first"]);
    second.command(&["SET", "key", "second"]);
    for (name, client) in &clients {
        assert_eq!(client.get("key", soon()).expect(name), Some(text("first")));
    }
    redirect();
    thread::scope(|scope| {
        for (name, client) in &clients {
            scope.spawn(move || {
                // Where they are is asked after some seconds, so that this takes as long.
                eventually("the second is asked", || {
                    client.get("key", soon()).expect(name) == Some(text("second"))
                });
            });
        }
    });
    first.command(&["CONFIG", "RESETSTAT"]);
    for (name, client) in &clients {
        client.delete("key", soon()).expect(name);
        assert_eq!(client.get("key", soon()).expect(name), None);
    }
    assert!(
        !first.command_stats().contains_key("get"),
        "it is not asked"
    );
}

/// As where a name or a balancer leads to another server by now, and nobody ends what is connected to the first one.
#[test]
fn an_address_that_leads_to_another_server() {
    let (first, second) = (RedisServer::start(), RedisServer::start());
    let proxy = Proxy::start(first.address(), 0);
    let url = format!("redis://{}", proxy.address());
    end_with_another(&first, &second, &url, || proxy.redirect(second.address()));
}

/// It may be cut off from those that replaced it, and not from us.
#[test]
fn a_master_that_does_not_know_that_it_was_replaced() {
    let (service, second) = (RedisSentinel::start(), RedisServer::start());
    end_with_another(service.named(), &second, &service.url(), || {
        service.name_another(&second);
    });
}

/// All of a runtime's threads for what blocks may be taken, and it doesn't end before they do.
#[cfg(feature = "redis-tokio")]
#[test]
fn a_name_that_is_resolved_while_no_thread_of_the_runtime_is_free() {
    let server = RedisServer::start();
    let url = format!("redis://localhost:{}", server.address().port());
    let twin = Arc::new(open(&url)).async_twin().expect("it has one");
    let tasks = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .max_blocking_threads(1)
        .build()
        .expect("the system has threads");
    let (end, until) = std::sync::mpsc::channel::<()>();
    tasks.spawn_blocking(move || until.recv());
    let found = tasks.block_on(async { twin.get("key", soon()).await });
    assert_eq!(found.expect("it needs none"), None);
    drop(end);
}

/// How often the nodes were asked where the slots are.
fn searches(cluster: &RedisCluster) -> u64 {
    let asked = |node: &RedisServer| {
        let stats = node.command_stats();
        let slots = stats.get("cluster|slots").or_else(|| stats.get("cluster"));
        slots.copied().unwrap_or(0)
    };
    cluster.nodes().iter().map(asked).sum()
}

#[test]
fn one_asks_for_all_where_the_nodes_are() {
    let mut cluster = RedisCluster::start(3);
    let url = cluster.url();
    for index in 0..clients(&open(&url)).len() {
        let (name, client) = clients(&open(&url)).remove(index);
        for node in cluster.nodes() {
            node.command(&["CONFIG", "RESETSTAT"]);
        }
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| client.get("key", soon()).expect(name));
            }
        });
        assert_eq!(searches(&cluster), 1, "{name}: the others wait for it");
        // One that is late may be busy, and the others are where they were.
        let others: Vec<String> = (0..30).map(|n| format!("key:{n}")).collect();
        cluster.nodes_mut()[0].stop();
        let late = Deadline::after(Duration::from_millis(100));
        let is_late = |key: &&String| client.get(key, late).is_err();
        assert!(others.iter().find(is_late).is_some(), "{name}");
        cluster.nodes_mut()[0].cont();
        for key in &others {
            client.get(key, soon()).expect(name);
        }
        assert_eq!(searches(&cluster), 1, "{name}: nothing was lost");
    }
}

#[cfg(feature = "redis-tls")]
#[test]
fn tls() {
    let server = RedisServer::with_tls();
    let url = server.url();
    let trusting = |redis: Redis| redis.ca_certificate(&server.ca_certificate());
    works(&trusting(open(&url)).expect("it is a certificate"));
    for (name, client) in clients(&open(&url)) {
        let error = client
            .get("key", soon())
            .expect_err("nobody vouches for it");
        assert!(!error.to_string().is_empty(), "{name}");
    }
    let other = RedisServer::with_tls();
    let other = open(&url).ca_certificate(&other.ca_certificate());
    for (name, client) in clients(&other.expect("it is a certificate")) {
        client.get("key", soon()).expect_err(name);
    }
    for pem in [
        &b"hunter2"[..],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = open(&url)
            .ca_certificate(pem)
            .expect_err("it is none")
            .to_string();
        assert!(error.contains("no certificate in PEM"), "{error}");
    }
}

/// What is trusted is in the environment, so each case is a process of its own.
#[cfg(feature = "redis-tls")]
#[test]
fn tls_where_the_system_has_no_authorities() {
    use std::path::Path;
    use std::process::Command;
    use std::{env, fs};

    const URL: &str = "CACHE_MEMOIZE_TEST_TLS_URL";
    const FILE: &str = "CACHE_MEMOIZE_TEST_CA_FILE";
    if let (Ok(url), Ok(file)) = (env::var(URL), env::var(FILE)) {
        if env::var("SSL_CERT_FILE").as_ref() == Ok(&file) {
            return works(&open(&url));
        }
        for (name, client) in clients(&open(&url)) {
            let error = client.get("key", soon()).expect_err(name).to_string();
            assert!(
                error.contains("no certificate authorities"),
                "{name}: {error}"
            );
        }
        let pem = fs::read(&file).expect("it is there");
        works(
            &open(&url)
                .ca_certificate(&pem)
                .expect("it is a certificate"),
        );
        return works(&open(&format!("{url}?ca_certificate={file}")));
    }
    let server = RedisServer::with_tls();
    let file = server.ca_certificate_file();
    let own = env::current_exe().expect("a process knows its program");
    for trusted in [&*file, Path::new("/no/such/file")] {
        let run = Command::new(&own)
            .args([
                "--exact",
                "servers::tls_where_the_system_has_no_authorities",
            ])
            .env("SSL_CERT_FILE", trusted)
            .env_remove("SSL_CERT_DIR")
            .env(URL, server.url())
            .env(FILE, &file)
            .output()
            .expect("the test can be started");
        let output = String::from_utf8_lossy(&run.stdout);
        assert!(
            run.status.success() && output.contains("1 passed"),
            "{output}"
        );
    }
    for (file, problem) in [
        (file.with_extension("none"), "can't be read"),
        (
            server.socket().with_file_name("output"),
            "no certificate in PEM",
        ),
    ] {
        let url = format!("{}?ca_certificate={}", server.url(), file.display());
        let error = Redis::open(&url)
            .expect_err("nobody can be trusted")
            .to_string();
        assert!(error.contains(problem), "{error}");
    }
}

trait GetDbg {
    fn get_dbg(&self) -> String;
}

impl GetDbg for Redis {
    /// The error that a question is answered with.
    fn get_dbg(&self) -> String {
        let error = self.get("key", soon()).expect_err("it can't be asked");
        error.to_string()
    }
}
