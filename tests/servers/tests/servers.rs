//! The servers and faults that other tests rely on do what they say.
#![cfg(unix)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use test_servers::{
    BlackHole, Faults, Proxy, RedisCluster, RedisSentinel, RedisServer, Reply, closed_port,
    eventually,
};

#[test]
fn a_server_is_killed_and_restarted_and_keeps_its_port() {
    let mut server = RedisServer::start();
    let address = server.address();
    server.command(&["SET", "a", "1"]);
    assert_eq!(server.command(&["GET", "a"]).text(), "1");
    server.kill();
    let refused = TcpStream::connect(address).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    server.restart();
    assert_eq!(server.address(), address);
    assert_eq!(server.command(&["GET", "a"]), Reply::Bulk(None));
}

#[test]
fn a_stopped_server_answers_later() {
    let mut server = RedisServer::start();
    server.stop();
    let mut stream = TcpStream::connect(server.address()).expect("the system takes connections");
    stream.write_all(b"PING\r\n").expect("it is sent");
    let wait = Some(Duration::from_millis(50));
    stream.set_read_timeout(wait).expect("the wait is not zero");
    let mut reply = [0; 7];
    stream.read_exact(&mut reply).expect_err("nothing answers");
    server.cont();
    let wait = Some(Duration::from_secs(20));
    stream.set_read_timeout(wait).expect("the wait is not zero");
    stream.read_exact(&mut reply).expect("it is answered now");
    assert_eq!(&reply, b"+PONG\r\n");
}

#[test]
fn commands_are_counted() {
    let server = RedisServer::start();
    server.command(&["CONFIG", "RESETSTAT"]);
    for _ in 0..3 {
        server.command(&["GET", "a"]);
    }
    let stats = server.command_stats();
    assert_eq!(stats.get("get"), Some(&3));
    assert_eq!(stats.get("set"), None);
}

#[test]
fn a_cluster_has_each_key_on_one_node() {
    let cluster = RedisCluster::start(3);
    for key in ["a", "b", "c", "d", "e", "f"] {
        let slot = cluster.nodes()[0]
            .command(&["CLUSTER", "KEYSLOT", key])
            .integer();
        let index = usize::try_from(slot).expect("slots are positive") * 3 / 16_384;
        cluster.nodes()[index].command(&["SET", key, "1"]);
    }
}

#[test]
fn a_server_with_tls_has_a_certificate_of_the_authority() {
    let server = RedisServer::with_tls();
    let file = server.socket().with_file_name("authority");
    fs::write(&file, server.ca_certificate()).expect("the folder can be written");
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-verify_return_error",
            "-verify_ip",
            "127.0.0.1",
        ])
        .args(["-connect", &server.address().to_string(), "-CAfile"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Verification: OK"), "{text}");
}

#[test]
fn a_sentinel_puts_the_replica_in_the_masters_place() {
    let mut sentinel = RedisSentinel::start();
    let before = sentinel.master().address();
    sentinel.master().kill();
    eventually("the replica is the master", || {
        sentinel.master().address() != before
    });
    eventually("it takes writes", || {
        let role = sentinel.master().command(&["INFO", "replication"]).text();
        role.contains("role:master")
    });
}

#[test]
fn a_proxy_forwards_until_it_is_told_to_fail() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 1);
    let mut stream = TcpStream::connect(proxy.address()).expect("it listens");
    let mut ask = |question: &str, length: usize| {
        let mut reply = vec![0; length];
        stream.write_all(question.as_bytes()).expect("it is sent");
        stream.read_exact(&mut reply).map(|()| reply)
    };
    let pong = ask("PING\r\n", 7).expect("it is answered");
    assert_eq!(pong, b"+PONG\r\n");
    assert_eq!(proxy.faults(), 0);

    proxy.set_faults(Faults {
        exchange: 1,
        ..Faults::default()
    });
    let own = ask("ECHO aa\r\n", 8).expect("nothing was there to be exchanged");
    assert_eq!(own, b"$2\r\naa\r\n");
    let others = ask("ECHO bb\r\n", 8).expect("another's reply comes");
    assert_eq!(others, b"$2\r\naa\r\n");

    proxy.set_faults(Faults {
        reorder: 1,
        ..Faults::default()
    });
    let both = ask("ECHO cc\r\nECHO dd\r\n", 16).expect("both come");
    assert_eq!(both, b"$2\r\ndd\r\n$2\r\ncc\r\n");

    proxy.set_faults(Faults {
        repeat: 1,
        ..Faults::default()
    });
    let twice = ask("ECHO ee\r\n", 16).expect("it comes twice");
    assert_eq!(twice, b"$2\r\nee\r\n$2\r\nee\r\n");

    proxy.set_faults(Faults {
        cut: 1,
        ..Faults::default()
    });
    ask("ECHO ff\r\n", 8).expect_err("the connection ends");
    assert_eq!(proxy.faults(), 5);
}

#[test]
fn nobody_answers_where_nobody_should() {
    let refused = TcpStream::connect(closed_port()).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let hole = BlackHole::start();
    let mut stream = TcpStream::connect(hole.address()).expect("the first connection is taken");
    stream.write_all(b"PING\r\n").expect("it is sent");
    let wait = Some(Duration::from_millis(50));
    stream.set_read_timeout(wait).expect("the wait is not zero");
    let silent = stream.read(&mut [0]).expect_err("nothing answers");
    assert!(matches!(
        silent.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
}

/// The test runs itself as another process, which aborts with a server running.
#[test]
fn no_server_outlives_its_process() {
    const ABORT: &str = "TEST_SERVERS_ABORT";
    if env::var_os(ABORT).is_some() {
        let server = RedisServer::start();
        println!("listens at {}", server.address());
        std::process::abort();
    }
    let own = env::current_exe().expect("a process knows its program");
    let output = Command::new(own)
        .args(["--exact", "no_server_outlives_its_process", "--nocapture"])
        .env(ABORT, "1")
        .output()
        .expect("the test can be started");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, rest) = text.split_once("listens at ").expect("it started a server");
    let address = rest.lines().next().expect("the address ends with the line");
    eventually("the server is gone", || {
        TcpStream::connect(address).is_err()
    });
}
