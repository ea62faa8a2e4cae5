//! Servers that are absent, silent, slow, or talk nonsense.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use memoize_runtime::{Backend, Deadline, Lookup};
use test_servers::{BlackHole, Faults, Proxy, RedisServer, closed_port, eventually};

use crate::clients::{HOUR, clients, open, soon, text};

/// What a question may take that has a tenth of a second, on a machine that is busy with other tests.
const GENEROUS: Duration = Duration::from_secs(3);

fn at(address: SocketAddr) -> String {
    format!("redis://{address}")
}

/// The error that a question with a tenth of a second ends with, in about that time.
fn fails(client: &dyn Backend) -> String {
    let started = Instant::now();
    let deadline = Deadline::after(Duration::from_millis(100));
    let error = client
        .get("key", deadline)
        .expect_err("it can't be answered");
    let took = started.elapsed();
    assert!(took < GENEROUS, "{took:?}");
    error.to_string()
}

#[test]
fn a_server_may_come_later_and_go_away() {
    let mut server = RedisServer::start();
    server.kill();
    let refused = format!("connection refused ({})", server.address());
    for (name, client) in clients(&open(&server.url())) {
        assert_eq!(fails(&*client), refused, "{name}");
        for _ in 0..2 {
            server.restart();
            client.set("key", text("value"), HOUR, soon()).expect(name);
            assert_eq!(client.get("key", soon()).expect(name), Some(text("value")));
            server.kill();
            fails(&*client);
            assert_eq!(fails(&*client), refused, "{name}");
        }
    }
}

#[test]
fn a_host_without_an_address_is_told_from_a_socket_that_is_missing() {
    // One letter too long to be asked for.
    let host = "a".repeat(64);
    for (url, says) in [
        (
            format!("redis://:hunter2@{host}"),
            format!("the host's name can't be found ({host}:6379)"),
        ),
        (
            "redis+unix:///nowhere/redis?password=hunter2".to_owned(),
            "there is no such socket (/nowhere/redis)".to_owned(),
        ),
    ] {
        for (name, client) in clients(&open(&url)) {
            let error = client.get("key", soon()).expect_err(name);
            assert_eq!(error.to_string(), says, "{name}");
        }
    }
}

#[test]
fn a_restart_between_two_questions_is_no_error() {
    let mut server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        client.set("key", text("value"), HOUR, soon()).expect(name);
        for _ in 0..5 {
            server.restart();
            // The async connection learns of it in a task of its own, before or after it is asked.
            assert_eq!(client.get("key", soon()).expect(name), None, "{name}");
        }
    }
}

/// What was done, and answered by the end of the connection, is asked once more; where twice is not the same as once it is not.
#[test]
fn a_question_whose_connection_is_lost_is_asked_once_more() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let direct = open(&server.url());
    for (name, client) in clients(&open(&at(proxy.address()))) {
        // With a connection that was used before, and scripts that are known.
        let reconnect = || {
            let Lookup::Granted(lease) = client.get_or_lease("else", HOUR, soon()).expect(name)
            else {
                panic!("{name}: it was removed");
            };
            let filled = client.fill("else", lease, text("else"), HOUR, soon());
            assert!(filled.expect(name));
            client.delete("else", soon()).expect(name);
        };
        reconnect();
        proxy.swallow(1);
        let lookup = client.get_or_lease("key", HOUR, soon()).expect(name);
        let Lookup::Granted(lease) = lookup else {
            panic!("{name}: it waits for itself: {lookup:?}");
        };
        let others = direct.get_or_lease("key", HOUR, soon()).expect(name);
        assert!(matches!(others, Lookup::Busy), "{name}: {others:?}");

        proxy.swallow(1);
        let filled = client.fill("key", lease, text("value"), HOUR, soon());
        assert!(filled.expect(name), "{name}: the first time it was done");
        proxy.swallow(1);
        let found = client.get("key", soon()).expect(name);
        assert_eq!(found, Some(text("value")), "{name}");

        direct
            .set("key", text("newer"), HOUR, soon())
            .expect("it is there");
        proxy.swallow(1);
        let filled = client.fill("key", lease, text("value"), HOUR, soon());
        assert!(!filled.expect(name), "{name}: the lease is void");
        proxy.swallow(1);
        client.delete("key", soon()).expect(name);
        assert_eq!(direct.get("key", soon()).expect(name), None, "{name}");

        proxy.swallow(2);
        let error = client.get("key", soon()).expect_err(name);
        let error = error.to_string();
        assert!(
            error.starts_with("the connection was lost ("),
            "{name}: {error}"
        );
        reconnect();
        proxy.swallow(1);
        let error = client.set("key", text("twice"), HOUR, soon());
        let error = error.expect_err(name).to_string();
        assert!(
            error.starts_with("the connection was lost ("),
            "{name}: {error}"
        );
        reconnect();
        direct.delete("key", soon()).expect("it is there");
    }
}

#[test]
fn what_nobody_asked_for_is_no_answer() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let redis = open(&at(proxy.address()));
    for key in ["a", "b"] {
        redis
            .set(key, text(key), HOUR, soon())
            .expect("it is there");
    }
    let before = proxy.connections();
    assert_eq!(
        redis.get("a", soon()).expect("it is there"),
        Some(text("a"))
    );
    proxy.interject(b"$5\r\nwrong\r\n");
    assert_eq!(
        redis.get("b", soon()).expect("it is there"),
        Some(text("b"))
    );
    assert_eq!(proxy.connections(), before + 1, "that one is given up");
}

#[test]
fn nothing_waits_beyond_its_deadline() {
    let hole = BlackHole::start();
    let hosts = [at(closed_port()), at(hole.address())];
    for url in &hosts {
        for (name, client) in clients(&open(url)) {
            let error = fails(&*client);
            assert!(
                ["connection refused (", "no answer in time ("]
                    .iter()
                    .any(|reason| error.starts_with(reason)),
                "{name}: {error}"
            );
        }
    }
    let kinds = [
        format!("redis+cluster://{}", hole.address()),
        format!("redis+sentinel://{}/service", hole.address()),
        // Nobody has that name, and who knows when that is said.
        "redis://nobody.invalid".to_owned(),
        "redis+unix:///no/such/socket".to_owned(),
    ];
    for url in &kinds {
        for (_, client) in clients(&open(url)) {
            fails(&*client);
        }
    }
}

#[test]
fn a_guide_that_is_silent_leaves_time_for_the_next() {
    let hole = BlackHole::start();
    let cluster = test_servers::RedisCluster::start(3);
    let others = cluster.url().replace("redis+cluster://", "");
    let redis = open(&format!("redis+cluster://{},{others}", hole.address()));
    for (name, client) in clients(&redis) {
        let deadline = Deadline::after(Duration::from_secs(4));
        client
            .set("key", text("value"), HOUR, deadline)
            .expect(name);
    }
}

/// Sends what is given to whoever says something, byte by byte, with a pause between two.
fn says(answer: &'static [u8], pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                let mut question = [0; 4096];
                while stream.read(&mut question).is_ok_and(|read| read > 0) {
                    for byte in answer {
                        if stream.write_all(&[*byte]).is_err() {
                            return;
                        }
                        thread::sleep(pause);
                    }
                }
            });
        }
    });
    address
}

#[test]
fn an_answer_in_drips_is_not_waited_for() {
    let slow = says(
        b"$50\r\n12345678901234567890123456789012345678901234567890\r\n",
        Duration::from_millis(80),
    );
    for (name, client) in clients(&open(&at(slow))) {
        let error = fails(&*client);
        assert!(error.starts_with("no answer in time ("), "{name}: {error}");
    }
}

#[test]
fn nonsense_is_an_error_and_no_panic() {
    let nonsense: [&[u8]; 13] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\0",
        b"$abc\r\n",
        b"*1\r\n$1\r\nx\r\n",
        b"*2\r\n+\r\n*-1\r\n",
        b":99999999999999999999\r\n",
        b":1\r\n",
        b"+OK\r\n",
        b"-MOVED hunter2\r\n",
        b"-MOVED 99999 host:1\r\n",
        b"-ASK 1 127.0.0.1:1\r\n",
        b"-LOADING hunter2\r\n",
        b"-\r\n",
    ];
    for answer in nonsense {
        for (name, client) in clients(&open(&at(says(answer, Duration::ZERO)))) {
            let error = fails(&*client);
            assert!(!error.contains("hunter2"), "{name}: {error}");
        }
    }
}

#[test]
fn more_than_any_answer_of_ours_is_not_read() {
    let server = RedisServer::start();
    server.command(&["SETRANGE", "key", "20000000", "x"]);
    // The async client can't tell before it was read.
    let redis = open(&server.url());
    let error = redis.get("key", soon()).expect_err("it is too long");
    let error = error.to_string();
    assert!(
        error.starts_with("the answer is longer than any of ours ("),
        "{error}"
    );
    redis
        .set("key", text("value"), HOUR, soon())
        .expect("it is replaced");
}

#[test]
fn a_late_answer_is_never_anothers() {
    let mut server = RedisServer::start();
    for (name, client) in clients(&open(&server.url())) {
        for n in 0..20 {
            client
                .set(&format!("key:{n}"), text(&format!("{n}")), HOUR, soon())
                .expect(name);
        }
        for round in 0..3 {
            server.stop();
            fails(&*client);
            server.cont();
            for n in 0..20 {
                let found = client.get(&format!("key:{n}"), soon()).expect(name);
                assert_eq!(found, Some(text(&format!("{n}"))), "{name}: {round}");
            }
        }
    }
}

#[test]
fn a_connection_that_was_answered_twice_is_not_used_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 7);
    for (name, client) in clients(&open(&at(proxy.address()))) {
        for n in 0..20 {
            client
                .set(&format!("key:{n}"), text(&format!("{n}")), HOUR, soon())
                .expect(name);
        }
        let before = proxy.faults();
        for _ in 0..10 {
            proxy.set_faults(Faults {
                repeat: 1,
                ..Faults::default()
            });
            let _ = client.get("key:0", soon());
            proxy.set_faults(Faults::default());
            // However late the second answer comes, it shows up before long.
            eventually("answers are to the questions again", || {
                (0..20).all(|n| {
                    let found = client.get(&format!("key:{n}"), soon());
                    found.is_ok_and(|found| found == Some(text(&format!("{n}"))))
                })
            });
        }
        assert!(proxy.faults() >= before + 10);
    }
}

/// One that stays a reply behind gives each question the answer to the one before.
#[test]
fn a_connection_whose_answers_make_no_sense_is_not_used_again() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 7);
    for (name, client) in clients(&open(&at(proxy.address()))) {
        client.set("key", text("value"), HOUR, soon()).expect(name);
        let lookup = || client.get_or_lease("key", HOUR, soon());
        lookup().expect(name);
        // The script's answer comes twice, the value not at all.
        let before = proxy.connections();
        proxy.set_faults(Faults {
            repeat: 1,
            ..Faults::default()
        });
        let error = lookup().expect_err(name).to_string();
        proxy.set_faults(Faults::default());
        assert_eq!(error, "the server's answer makes no sense", "{name}");
        assert!(matches!(lookup().expect(name), Lookup::Found(_)));
        assert_eq!(proxy.connections(), before + 1, "{name}: another one");
    }
}

/// A server that is full answers as fast as ever, and to connect again for each answer would be slower.
#[test]
fn a_refusal_is_no_reason_to_connect_again() {
    let server = RedisServer::with(&["--maxmemory", "1"]);
    let proxy = Proxy::start(server.address(), 0);
    for (name, client) in clients(&open(&at(proxy.address()))) {
        let before = proxy.connections();
        for _ in 0..10 {
            let error = client.get_or_lease("key", HOUR, soon()).expect_err(name);
            assert_eq!(error.to_string(), "the server is out of memory", "{name}");
        }
        assert_eq!(proxy.connections(), before + 1, "{name}");
    }
}

#[cfg(feature = "redis-tokio")]
mod tokio {
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;
    use std::time::Duration;

    use memoize_runtime::{AsyncBackend, Backend, Lookup};
    use test_servers::RedisServer;

    use crate::clients::{HOUR, open, soon, text};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("the system has threads")
    }

    fn twin(server: &RedisServer) -> Arc<dyn AsyncBackend> {
        let redis = Arc::new(open(&server.url()));
        Backend::async_twin(redis).expect("it has one")
    }

    #[test]
    fn an_answer_that_is_dropped_is_never_anothers() {
        let server = RedisServer::start();
        let twin = twin(&server);
        runtime().block_on(async {
            for n in 0..100 {
                let key = format!("key:{n}");
                twin.set(&key, text(&key), HOUR, soon())
                    .await
                    .expect("it answers");
            }
            for n in 0..100 {
                let dropped = format!("key:{n}");
                let kept = format!("key:{}", 99 - n);
                // Sent, and dropped before the answer can be there.
                let mut answer = twin.get(&dropped, soon());
                poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_ready())).await;
                drop(answer);
                let found = twin.get(&kept, soon()).await.expect("it answers");
                assert_eq!(found, Some(text(&kept)));
            }
        });
    }

    #[test]
    fn a_lease_whose_answer_is_dropped_is_given_up() {
        let server = RedisServer::start();
        let twin = twin(&server);
        let key = |n: u32| format!("key:{n}");
        runtime().block_on(async {
            // A connection is there, by which it is sent.
            let found = twin.get("else", soon()).await;
            assert_eq!(found.expect("it answers"), None);
            for n in 0..20 {
                let (key, seen) = (key(n), |answer: Poll<_>| answer.is_ready());
                let mut answer = twin.lease(&key, HOUR, soon());
                poll_fn(|context| Poll::Ready(seen(answer.as_mut().poll(context)))).await;
                // It is sent meanwhile, and dropped before the answer can be there.
                tokio::task::yield_now().await;
            }
            // Each gives up some of those before it.
            for _ in 0..3 {
                twin.get_or_lease("else", HOUR, soon())
                    .await
                    .expect("it answers");
            }
        });
        let direct = open(&server.url());
        for n in 0..20 {
            let lookup = direct.get_or_lease(&key(n), HOUR, soon());
            let lookup = lookup.expect("it answers");
            assert!(matches!(lookup, Lookup::Granted(_)), "{n}: {lookup:?}");
        }
    }

    #[test]
    fn each_runtime_has_its_connection_and_none_uses_the_blocking_client() {
        let server = RedisServer::start();
        let twin = twin(&server);
        for n in 0..3 {
            let key = format!("key:{n}");
            let first = runtime();
            first.block_on(async {
                twin.set(&key, text(&key), HOUR, soon())
                    .await
                    .expect("it answers");
            });
            // While the first one isn't polled, and when it has ended.
            runtime().block_on(async {
                assert_eq!(
                    twin.get(&key, soon()).await.expect("it answers"),
                    Some(text(&key))
                );
            });
            drop(first);
        }
        let found = smol::block_on(twin.get("key:0", soon()));
        assert_eq!(found.expect("without tokio"), Some(text("key:0")));
    }

    #[test]
    fn tasks_share_a_connection() {
        let server = RedisServer::start();
        let twin = twin(&server);
        let clients = || server.command(&["INFO", "clients"]).text();
        let connected = || {
            let clients = clients();
            let line = clients
                .lines()
                .find_map(|line| line.strip_prefix("connected_clients:"));
            line.expect("it is counted")
                .parse::<u64>()
                .expect("a number")
        };
        let before = connected();
        runtime().block_on(async {
            let mut tasks = Vec::new();
            for n in 0..200 {
                let twin = Arc::clone(&twin);
                tasks.push(tokio::spawn(async move {
                    let key = format!("key:{n}");
                    twin.set(&key, text(&key), HOUR, soon())
                        .await
                        .expect("it answers");
                    let found = twin.get(&key, soon()).await.expect("it answers");
                    assert_eq!(found, Some(text(&key)));
                }));
            }
            for task in tasks {
                task.await.expect("no assertion failed");
            }
            assert_eq!(connected(), before + 1);
        });
    }

    #[test]
    fn a_lease_is_given_up_without_being_awaited() {
        let server = RedisServer::start();
        let twin = twin(&server);
        runtime().block_on(async {
            let lookup = twin
                .get_or_lease("key", HOUR, soon())
                .await
                .expect("it answers");
            let Lookup::Granted(lease) = lookup else {
                panic!("there is nothing yet");
            };
            twin.release("key", lease);
            for _ in 0..1000 {
                if server.command(&["DBSIZE"]).integer() == 0 {
                    return;
                }
                tokio::task::yield_now().await;
                std::thread::sleep(Duration::from_millis(1));
            }
            panic!("it is still there");
        });
    }
}
