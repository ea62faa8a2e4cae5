//! Copies in this process, kept true by the server's word.

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cache_memoize::{Redis, Runtime, cache_memoize};
use test_servers::{Proxy, RedisServer, eventually};

use crate::common::Random;
use crate::{rounds, runtime, settings};

const URL: &str = "CACHE_MEMOIZE_TEST_WRITER_URL";

#[cache_memoize(key = "tracked:<id>", expiration = "1h")]
fn tracked(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "awaited-copy:<id>", expiration = "1h")]
async fn awaited(id: u64) -> u64 {
    id
}

#[cache_memoize(key = "sealed-copy:<id>", expiration = "1h", encrypt, local = true)]
fn sealed(id: u64) -> u64 {
    id
}

/// What the cache had nothing of.
const UNKNOWN: u64 = u64::MAX;

#[cache_memoize(key = "versioned:<key>", expiration = "1h", cache_if = |version| *version != UNKNOWN)]
fn versioned(key: u64) -> u64 {
    let _ = key;
    UNKNOWN
}

/// Far less on the server than here.
#[cache_memoize(key = "text:<id>", expiration = "1h", compress = true)]
fn text(id: u64) -> String {
    id.to_string().repeat(TEXT / 8)
}

#[cache_memoize(
    key = "sealed-text:<id>",
    expiration = "1h",
    compress = true,
    encrypt,
    local = true
)]
fn sealed_text(id: u64) -> String {
    text::uncached(id)
}

/// The least length of such a text, of a number with eight digits.
const TEXT: usize = 256 << 10;

fn lookups(server: &RedisServer) -> u64 {
    let stats = server.command_stats();
    ["evalsha", "eval", "get"]
        .iter()
        .filter_map(|name| stats.get(*name))
        .sum()
}

/// Whether a call is answered without the server.
fn is_local(server: &RedisServer, call: impl FnOnce()) -> bool {
    let before = lookups(server);
    call();
    lookups(server) == before
}

fn until_local(server: &RedisServer, mut call: impl FnMut()) {
    eventually("the copy is used", || is_local(server, &mut call));
}

#[test]
fn a_hit_on_a_copy_asks_nothing() {
    let server = RedisServer::start();
    let here = runtime(&server.url());
    let tasks = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be made");
    let call = |id: u64| {
        here.scope(|| assert_eq!((tracked(id), sealed(id)), (id, id)));
        tasks.block_on(here.scope_async(async { assert_eq!(awaited(id).await, id) }));
    };
    (1..=3).for_each(|id| until_local(&server, || call(id)));
    server.command(&["CONFIG", "RESETSTAT"]);
    let hits = here.stats().hits;
    (0..300).for_each(|n| call(n % 3 + 1));
    assert_eq!(here.stats().hits - hits, 900);
    let mut asked = server.command_stats();
    // What it took to ask that, and whether the connections that tell of changes stand.
    asked.retain(|name, _| !name.starts_with("config") && !["info", "hello"].contains(&&**name));
    assert!(asked.is_empty(), "{asked:?}");
}

#[test]
fn copies_take_as_much_as_is_said_however_short_their_entries_are() {
    let server = RedisServer::start();
    for (call, peek) in [
        (
            text as fn(u64) -> String,
            text::peek as fn(u64) -> Option<String>,
        ),
        (sealed_text, sealed_text::peek),
    ] {
        let here = runtime(&server.url());
        let ids = 10_000_000..10_000_200;
        here.scope(|| {
            until_local(&server, || drop(call(1)));
            // Stored by the first, and kept when it is found.
            (0..2).for_each(|_| ids.clone().for_each(|id| drop(call(id))));
            let before = lookups(&server);
            let found = ids.clone().filter_map(peek).count();
            let kept = 200 - (lookups(&server) - before);
            test_servers::shown!("{kept} of {found} texts are kept");
            assert_eq!(found, 200);
            let most = u64::try_from((32 << 20) / TEXT).expect("it is small");
            assert!((most / 2..=most).contains(&kept), "{kept}, at most {most}");
        });
    }
}

#[test]
fn copies_take_no_more_than_the_setting_says() {
    let server = RedisServer::start();
    let redis = || Redis::open(&server.url()).expect("it is a URL");
    let ids = 10_000_000..10_000_020;
    let kept = |capacity: usize| {
        let here = settings(redis()).local_capacity(capacity);
        let here = here.build().expect("valid settings");
        here.scope(|| {
            if capacity > 0 {
                until_local(&server, || drop(text(2)));
            }
            (0..2).for_each(|_| ids.clone().for_each(|id| drop(text(id))));
            let before = lookups(&server);
            assert_eq!(ids.clone().filter_map(text::peek).count(), 20);
            20 - (lookups(&server) - before)
        })
    };
    assert_eq!(kept(64 << 20), 20);
    assert!((1..=8).contains(&kept(8 * TEXT)));
    assert_eq!(kept(0), 0);
}

#[test]
fn a_change_by_another_process_ends_a_copy() {
    let server = RedisServer::start();
    let (here, there) = (runtime(&server.url()), runtime(&server.url()));
    let mut delays = Vec::new();
    for version in 1_000..1_200 {
        until_local(&server, || {
            here.scope(|| tracked(1));
        });
        assert!(there.scope(|| tracked::prime(1, version)));
        let written = Instant::now();
        here.scope(|| {
            while tracked(1) != version {
                assert!(written.elapsed() < Duration::from_secs(20));
            }
        });
        delays.push(written.elapsed());
        // Never again the old one.
        here.scope(|| (0..100).for_each(|_| assert_eq!(tracked(1), version)));
    }
    delays.sort_unstable();
    test_servers::shown!(
        "a change was seen {:.1?} after its writing was acknowledged, {:.1?} at the most, of {}",
        delays[delays.len() / 2],
        delays[delays.len() - 1],
        delays.len()
    );
    assert!(there.scope(|| tracked::invalidate(1)));
    eventually("the invalidation is seen", || {
        here.scope(|| tracked::peek(1)).is_none()
    });
}

#[test]
fn a_change_of_what_is_sealed_ends_its_copy() {
    let server = RedisServer::start();
    let (here, there) = (runtime(&server.url()), runtime(&server.url()));
    until_local(&server, || {
        here.scope(|| sealed(1));
    });
    assert!(there.scope(|| sealed::prime(1, 11)));
    eventually("the change is seen", || here.scope(|| sealed(1)) == 11);
    until_local(&server, || assert_eq!(here.scope(|| sealed(1)), 11));
}

#[test]
fn an_answer_that_was_overtaken_by_a_change_is_not_kept() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let (here, there) = (
        runtime(&format!("redis://{}", proxy.address())),
        runtime(&server.url()),
    );
    assert!(there.scope(|| tracked::prime(1, 10)));
    until_local(&server, || {
        here.scope(|| tracked(2));
    });
    let held = proxy.hold();
    thread::scope(|scope| {
        let asking = scope.spawn(|| here.scope(|| tracked(1)));
        eventually("the server has answered", || held.has_come());
        assert!(there.scope(|| tracked::prime(1, 11) && tracked::prime(2, 22)));
        // The news comes in its order, by another connection than the answer.
        eventually("both changes are told", || here.scope(|| tracked(2)) == 22);
        drop(held);
        assert_eq!(asking.join().expect("it doesn't panic"), 10);
    });
    here.scope(|| (0..100).for_each(|_| assert_eq!(tracked(1), 11)));
}

#[test]
fn a_lost_connection_empties_what_it_vouched_for() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let (here, there) = (
        runtime(&format!("redis://{}", proxy.address())),
        runtime(&server.url()),
    );
    for version in 100..105 {
        until_local(&server, || {
            here.scope(|| tracked(1));
        });
        proxy.cut();
        // Nobody is told of this.
        assert!(there.scope(|| tracked::prime(1, version)));
        eventually("the change is seen", || {
            here.scope(|| tracked(1)) == version
        });
    }
    until_local(&server, || assert_eq!(here.scope(|| tracked(1)), 104));
    // Nor does it take another connection to empty it.
    drop(proxy);
    eventually("what nobody vouches for isn't used", || {
        here.scope(|| tracked(1)) == 1
    });
}

/// As where a name or a balancer leads to another server by now, and nobody ends what is connected to the first one.
#[test]
fn copies_end_when_their_address_leads_to_another_server() {
    let (first, second) = (RedisServer::start(), RedisServer::start());
    let proxy = Proxy::start(first.address(), 0);
    let here = runtime(&format!("redis://{}", proxy.address()));
    until_local(&first, || assert_eq!(here.scope(|| tracked(1)), 1));
    proxy.redirect(second.address());
    let there = runtime(&second.url());
    assert!(there.scope(|| tracked::prime(1, 11)));
    // The address is tried out each seven seconds, so that this takes as long.
    eventually("the other server is asked", || {
        here.scope(|| tracked(1)) == 11
    });
    // What is connected to the first one is not asked again.
    first.command(&["CONFIG", "RESETSTAT"]);
    here.scope(|| (2..50).for_each(|id| assert_eq!(tracked(id), id)));
    assert_eq!(lookups(&first), 0);
    until_local(&second, || assert_eq!(here.scope(|| tracked(1)), 11));
}

/// That server takes connections as before, and hears of nothing.
#[test]
fn copies_end_when_their_server_is_no_master_any_more() {
    let server = RedisServer::start();
    let here = runtime(&server.url());
    let call = || assert_eq!(here.scope(|| tracked(1)), 1);
    until_local(&server, call);
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    eventually("the server is asked", || !is_local(&server, call));
    (0..20).for_each(|_| assert!(!is_local(&server, call)));
    server.command(&["REPLICAOF", "NO", "ONE"]);
    until_local(&server, call);
}

#[test]
fn an_emptied_server_empties_the_copies() {
    let server = RedisServer::start();
    let here = runtime(&server.url());
    let call = || {
        here.scope(|| tracked(3));
    };
    until_local(&server, call);
    server.command(&["FLUSHALL"]);
    eventually("the server is asked", || !is_local(&server, call));
}

#[test]
fn copies_are_kept_whichever_way_the_server_is_reached() {
    let server = RedisServer::start();
    // No more than the documentation of `Redis` names, and less than it advises.
    let commands =
        "+get +set +del +unlink +pttl +evalsha +eval +select +client|tracking +hello +info";
    for (user, commands) in [
        ("ann", commands),
        ("bob", commands.trim_end_matches(" +info")),
    ] {
        let mut acl = vec!["ACL", "SETUSER", user, "on", ">secret"];
        acl.extend(["~cache:*", "~{cache:*"]);
        acl.extend(commands.split(' '));
        server.command(&acl);
    }
    let address = server.address();
    for url in [
        format!("redis://{address}/?protocol=resp3"),
        format!("redis://ann:secret@{address}/1"),
        format!("redis://bob:secret@{address}/1"),
        format!("redis+unix://{}", server.socket().display()),
    ] {
        let here = runtime(&url);
        until_local(&server, || {
            here.scope(|| tracked(4));
        });
    }
    let server = RedisServer::with_tls();
    let redis = Redis::open(&server.url()).expect("it is a URL");
    let redis = redis.ca_certificate(&server.ca_certificate());
    let here = settings(redis.expect("it is a certificate"));
    let here = here.build().expect("valid settings");
    until_local(&server, || {
        here.scope(|| tracked(4));
    });
}

#[test]
fn a_server_that_does_not_tell_is_asked_each_time() {
    let server = RedisServer::start();
    server.command(&[
        "ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all", "-client",
    ]);
    let here = runtime(&format!("redis://ann:secret@{}", server.address()));
    let refused = || {
        let stats = server.command(&["INFO", "errorstats"]).text();
        stats.contains("errorstat_NOPERM")
    };
    eventually("it has refused", || {
        here.scope(|| tracked(5));
        refused()
    });
    let call = || {
        here.scope(|| tracked(5));
    };
    (0..20).for_each(|_| assert!(!is_local(&server, call)));
    assert_eq!(here.stats().faults, 0);
}

/// In a process of its own, since it listens to what all threads log.
#[test]
fn only_a_server_that_will_not_tell_is_warned_of() {
    const OWN: &str = "CACHE_MEMOIZE_TEST_OWN_LOG";
    if env::var_os(OWN).is_none() {
        let own = env::current_exe().expect("a process knows its program");
        let test = "tracking::only_a_server_that_will_not_tell_is_warned_of";
        let run = Command::new(own)
            .args(["--exact", test])
            .env(OWN, "")
            .output()
            .expect("the test can be started");
        let output = String::from_utf8_lossy(&run.stdout);
        assert!(
            run.status.success() && output.contains("1 passed"),
            "{output}"
        );
        return;
    }
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .init();
    let is_warned = || log.text().contains("the server doesn't tell of changes");

    let server = RedisServer::with(&["--lua-time-limit", "1"]);
    let set_user = ["ACL", "SETUSER", "ann", "on", ">secret", "~*", "+@all"];
    server.command(&set_user);
    let proxy = Proxy::start(server.address(), 0);
    let here = runtime(&format!("redis://ann:secret@{}", proxy.address()));
    let call = || {
        here.scope(|| tracked(6));
    };
    until_local(&server, call);

    // Busy for a while it tells nothing, and does again.
    let mut endless = TcpStream::connect(server.address()).expect("it listens");
    let script = b"*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n";
    endless.write_all(script).expect("it listens");
    let is_busy = || {
        let refused = server.try_command(&["PING"]);
        refused.is_err_and(|error| error.starts_with("BUSY"))
    };
    eventually("it is busy", is_busy);
    let before = proxy.replies();
    proxy.cut();
    eventually("it is asked again", || proxy.replies() > before + 4);
    server.command(&["SCRIPT", "KILL"]);
    eventually("it is not busy", || !is_busy());
    until_local(&server, call);
    assert!(!is_warned(), "{}", log.text());

    server.command(&["ACL", "SETUSER", "ann", "-client"]);
    proxy.cut();
    eventually("it is warned of", is_warned);
    assert!(!is_local(&server, call));
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let log = self.0.lock().expect("no test panics in here");
        String::from_utf8_lossy(&log).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no test panics in here").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Another process writes ever newer versions, and connections are cut. What was seen once is the oldest that any later call may return.
#[test]
fn a_reader_never_goes_back() {
    const KEYS: u8 = 8;
    if let Ok(url) = env::var(URL) {
        return write(&url, KEYS.into());
    }
    let server = RedisServer::start();
    let proxy = Proxy::start(server.address(), 0);
    let here = runtime(&format!("redis://{}", proxy.address()));
    let seen = [const { AtomicU64::new(0) }; KEYS as usize];
    let (over, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let read = |seed: u64| {
        let mut random = Random::seeded();
        (0..seed).for_each(|_| {
            random.next();
        });
        while !over.load(Ordering::Relaxed) {
            let key = random.below(KEYS.into());
            let seen = &seen[usize::try_from(key).expect("it is small")];
            let oldest = seen.load(Ordering::SeqCst);
            let version = here.scope(|| versioned(key));
            if version != UNKNOWN {
                assert!(version >= oldest, "{key}: {version} after {oldest}");
                seen.fetch_max(version, Ordering::SeqCst);
            }
            calls.fetch_add(1, Ordering::Relaxed);
        }
    };
    let own = env::current_exe().expect("a process knows its program");
    let mut writer = Command::new(own)
        .args(["--exact", "tracking::a_reader_never_goes_back"])
        .env(URL, server.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the test can be started");
    let all_move = |by: u64| {
        let before: Vec<_> = seen
            .iter()
            .map(|seen| seen.load(Ordering::SeqCst))
            .collect();
        eventually("newer versions are seen of all keys", || {
            let newer =
                |(seen, before): (&AtomicU64, &u64)| seen.load(Ordering::SeqCst) >= before + by;
            seen.iter().zip(&before).all(newer)
        });
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3).map(|seed| scope.spawn(move || read(seed))).collect();
        let ending = Ending(&over);
        for _ in 0..rounds("ROUNDS", 10) {
            all_move(5);
            proxy.cut();
        }
        all_move(5);
        drop(ending);
        for reader in readers {
            reader.join().expect("it never goes back");
        }
    });
    drop(writer.stdin.take());
    assert!(writer.wait().expect("it was started").success());
    let (calls, asked) = (calls.load(Ordering::Relaxed), lookups(&server));
    test_servers::shown!("{calls} calls, the server ran {asked} commands for them and the writer");
}

/// Writes one version after another until its input ends.
fn write(url: &str, keys: u64) {
    let over = AtomicBool::new(false);
    let here: Runtime = runtime(url);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            over.store(true, Ordering::Relaxed);
        });
        let mut version = 0;
        while !over.load(Ordering::Relaxed) {
            version += 1;
            for key in 0..keys {
                assert!(here.scope(|| versioned::prime(key, version)));
                // So that there is time for copies.
                thread::sleep(Duration::from_micros(100));
            }
        }
    });
}

/// Ends the readers also where the test panics.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
