//! What needs a process of its own, as memory does: what others have freed would hide what it takes.

use std::env;
use std::fs;
use std::process::Command;
use std::time::Instant;

use cache_memoize::Memo;
use serde_bytes::ByteBuf;

use crate::bench::Bench;
use crate::figure::Figure;
use crate::large;
use crate::redis;
use crate::row::{Goal, Row};

pub fn rows(bench: &Bench) -> Vec<Row> {
    vec![expired(bench)]
}

/// What a process of this program prints, as `name number` lines.
pub fn ask(arguments: &[&str]) -> Result<Vec<(String, f64)>, String> {
    ask_with(None, arguments)
}

/// The same with a variable of its environment.
pub fn ask_with(
    variable: Option<(&str, &str)>,
    arguments: &[&str],
) -> Result<Vec<(String, f64)>, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    parse(
        Command::new(program)
            .envs(variable)
            .arg("alone")
            .args(arguments),
    )
}

fn parse(command: &mut Command) -> Result<Vec<(String, f64)>, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(errors
            .lines()
            .last()
            .unwrap_or("it says nothing")
            .to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let pair = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    Ok(text.lines().filter_map(pair).collect())
}

/// The process itself.
pub fn run(arguments: &[String]) {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["gigabyte", url, mebibytes] => gigabyte(url, mebibytes.parse().expect("a number")),
        ["large", rounds] => large::run(rounds.parse().expect("a number")),
        ["hits", url, seconds] => hits(url, seconds.parse().expect("a number")),
        other => panic!("{other:?} can't be run alone"),
    }
}

/// A program of its own counts what is allocated: `src/bin/expired.rs`.
fn expired(bench: &Bench) -> Row {
    let count = bench.or_quick("1000000", "10000");
    let what =
        format!("{count} entries that expired unread: until nine tenths of their memory are back");
    // How many seconds it is waited for what doesn't come back.
    let patience = bench.or_quick("90", "1");
    let goal = Some(Goal::AtMost(Figure::Seconds(60.0)));
    bench.progress("entries expire");
    let program = env::current_exe().map(|program| program.with_file_name("expired"));
    let found = program
        .map_err(|error| error.to_string())
        .and_then(|program| parse(Command::new(program).args([count, patience])));
    let found = match found {
        Ok(found) => found,
        Err(why) => return Row::missing(&what, &why, goal),
    };
    let number = |name| {
        let found = found.iter().find(|(known, _)| known == name);
        found.map_or(f64::NAN, |(_, number)| *number)
    };
    let beside = [
        ("they took", "grown"),
        ("and left behind", "kept"),
        (
            "held by the process in the end, its allocator's reserve included",
            "resident",
        ),
    ];
    let beside = beside.map(|(what, name)| (what.to_owned(), Figure::Bytes(number(name))));
    let seconds = number("seconds");
    if seconds.is_nan() {
        let why = format!(
            "{} of {} are still there after {patience} s",
            beside[1].1, beside[0].1
        );
        return Row::missing(&what, &why, goal).beside(beside);
    }
    Row::figure(&what, Figure::Seconds(seconds), goal).beside(beside)
}

/// Writes and reads a stream of items that don't compress, and are made one by one.
fn gigabyte(url: &str, mebibytes: u64) {
    const ITEM: usize = 1000;
    let runtime = redis::runtime(url);
    let count = (mebibytes << 20) / ITEM as u64;
    let item = |index: u64| {
        let mut state = index.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut item = Vec::with_capacity(ITEM);
        while item.len() < ITEM {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            item.extend_from_slice(&state.to_le_bytes());
        }
        ByteBuf::from(item)
    };
    peak();
    let before = resident();
    for step in ["written", "read"] {
        let started = Instant::now();
        let (mut produced, mut taken, mut first) = (0, 0, None);
        runtime.scope(|| {
            let items = (0..count).inspect(|_| produced += 1).map(item);
            for _ in Memo::new("gigabyte").iter(|| items) {
                first.get_or_insert_with(|| started.elapsed().as_secs_f64());
                taken += 1;
            }
        });
        assert_eq!(taken, count, "the stream is whole");
        assert_eq!(
            produced,
            if step == "read" { 0 } else { count },
            "the stream was stored"
        );
        println!("{step}-seconds {}", started.elapsed().as_secs_f64());
        println!("{step}-first {}", first.expect("there is an item"));
        println!("{step}-grown {}", peak().saturating_sub(before));
    }
}

/// Hits on a server for some seconds, and how many they were.
fn hits(url: &str, seconds: f64) {
    let runtime = redis::runtime(url);
    let hit = || runtime.scope(|| Memo::new("hits").get_or_compute(|| 7_u64));
    hit();
    let (started, mut count) = (Instant::now(), 0_u64);
    while started.elapsed().as_secs_f64() < seconds {
        assert_eq!(hit(), 7);
        count += 1;
    }
    println!("rate {}", count as f64 / started.elapsed().as_secs_f64());
}

/// The bytes of memory that this process holds.
pub fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells of memory");
    kib(&status, "VmRSS:") * 1024
}

/// The most that it held since the last call.
pub fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells of memory");
    // "5" resets the peak; where that is not allowed it stays, and hides nothing.
    let _ = fs::write("/proc/self/clear_refs", "5");
    kib(&status, "VmHWM:") * 1024
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.expect("Linux tells of memory in KiB")
}
