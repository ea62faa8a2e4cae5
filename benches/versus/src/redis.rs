//! Hits on a Redis server of our own, beside the bare client's `GET` of the same entry.

use std::env;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use cache_memoize::{Memo, Redis, Runtime};
use cached::macros::concurrent_cached;
use test_servers::RedisServer;

use crate::alone;
use crate::bench::{Bench, Rounds};
use crate::figure::Figure;
use crate::row::{Goal, Row, at_most};

const CALLS: u32 = 100;

const HIT: &str = "a hit, 64 bytes";
const STREAM: &str = "1 GiB as a stream on Redis";

/// Where the peer's store finds its server, when it is first asked.
static URL: OnceLock<String> = OnceLock::new();

#[concurrent_cached(
    map_error = |error| format!("{error:?}"),
    ty = "cached::RedisCache<u64, String>",
    create = {
        cached::RedisCache::builder("versus")
            .ttl(Duration::from_secs(3600))
            .connection_string(URL.get().expect("the server was started"))
            .build()
            .expect("the server is there")
    }
)]
fn theirs(n: u64) -> Result<String, String> {
    Ok(text(n))
}

fn text(n: u64) -> String {
    format!("{n:064}")
}

pub fn rows(bench: &Bench) -> Vec<Row> {
    // A server that is started from a pinned thread would share its core.
    let Some(server) = server() else {
        let why = "there is no redis-server; install it, or name one with TEST_REDIS_SERVER";
        return [HIT, STREAM]
            .map(|what| Row::missing(what, why, at_most(1.1)))
            .into();
    };
    let mut rows = vec![hit(bench, &server)];
    rows.extend(gigabyte(bench, &server));
    rows
}

/// A server of our own, where that can be had.
pub fn server() -> Option<RedisServer> {
    let program = env::var("TEST_REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
    let mut version = Command::new(program);
    let there = version
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    there
        .is_ok_and(|status| status.success())
        .then(RedisServer::start)
}

pub fn runtime(url: &str) -> Runtime {
    let backend = Redis::open(url).expect("the server's own URL");
    Runtime::builder()
        .backend(backend)
        // What is given up on a busy machine would not be there to be hit.
        .budget(Duration::from_secs(60))
        .build()
        .expect("valid settings")
}

fn hit(bench: &Bench, server: &RedisServer) -> Row {
    let runtime = runtime(&server.url());
    let ours = || Memo::new(("text", 7)).get_or_compute(|| text(7));
    runtime.scope(ours);
    let key = runtime.scope(|| Memo::new(("text", 7)).key());
    URL.get_or_init(|| server.url());
    let mut client = redis::Client::open(server.url())
        .and_then(|client| client.get_connection())
        .expect("it is there");
    let (bare, peer) = ("redis, bare GET", "cached, Redis store");
    let times = bench.pinned(0, || {
        Rounds::new()
            .add(bare, CALLS, |calls| {
                for _ in 0..calls {
                    let entry: Vec<u8> = redis::cmd("GET")
                        .arg(key.as_str())
                        .query(&mut client)
                        .expect("it answers");
                    assert!(!black_box(entry).is_empty(), "it was written");
                }
            })
            .add("ours", CALLS, |calls| {
                runtime.scope(|| (0..calls).for_each(|_| drop(black_box(ours()))));
            })
            .add(peer, CALLS, |calls| {
                (0..calls).for_each(|_| drop(black_box(theirs(7))));
            })
            .run(bench, bench.rounds())
    });
    let others = times.others(&["ours", bare]);
    let bare = (bare, Figure::Seconds(times.of(bare)));
    Row::ratio(HIT, Figure::Seconds(times.of("ours")), bare, at_most(1.1)).beside(others)
}

fn gigabyte(bench: &Bench, server: &RedisServer) -> Vec<Row> {
    bench.progress(STREAM);
    let mebibytes = bench.or_quick("1024", "16");
    let most = Some(Goal::AtMost(Figure::Bytes(16.0 * 1024.0 * 1024.0)));
    let found = match alone::ask(&["gigabyte", &server.url(), mebibytes]) {
        Ok(found) => found,
        Err(why) => return vec![Row::missing(STREAM, &why, most)],
    };
    let number = |name: &str| {
        found
            .iter()
            .find(|(known, _)| known == name)
            .map_or(f64::NAN, |(_, number)| *number)
    };
    ["written", "read"]
        .map(|step| {
            let grown = Figure::Bytes(number(&format!("{step}-grown")));
            Row::figure(
                &format!("{STREAM}, {step}: growth of peak memory"),
                grown,
                most,
            )
            .beside([
                (
                    "all of it".to_owned(),
                    Figure::Seconds(number(&format!("{step}-seconds"))),
                ),
                (
                    "the first item".to_owned(),
                    Figure::Seconds(number(&format!("{step}-first"))),
                ),
            ])
        })
        .into()
}
