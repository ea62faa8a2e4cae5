//! Processes share a server that is killed, stopped and emptied under them; what each of them saw is then held against the
//! promises by what all of them did.
//!
//! `HISTORY_ROUNDS=100 HISTORY_SECONDS=30 HISTORY_SEED=7 cargo test --release --all-features --test history -- --nocapture` for a
//! long one; the default is what CI runs. The seed chooses what is done and what goes wrong, but not when the processes get to run.
//! A round that breaks a promise leaves its logs, and says where.
#![cfg(unix)]

mod check;
mod event;
mod functions;
mod troubles;
mod worker;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use test_servers::{Random, RedisServer};

use check::{Counts, Report, check};
use event::Event;
use functions::LIFE;
use troubles::Troubles;
use worker::{Orders, TASKS, THREADS};

const PROCESSES: u32 = 3;

/// In the environment of the processes that this test starts of itself.
const ORDERS: &str = "HISTORY_ORDERS";

#[test]
fn what_processes_share_over_a_failing_server_keeps_the_promises() {
    if let Ok(orders) = env::var(ORDERS) {
        worker::work(&serde_json::from_str(&orders).expect("the orders are from us"));
        return;
    }
    let rounds = number("HISTORY_ROUNDS", 1);
    let seconds = number("HISTORY_SECONDS", 8);
    let first_seed = number("HISTORY_SEED", 1);
    let (mut troubles_in_all, mut counts_in_all) = (Troubles::default(), Counts::default());
    for seed in first_seed..first_seed + rounds {
        let started = Instant::now();
        let folder = new_folder(seed);
        let troubles = round(&folder, seed, Duration::from_secs(seconds));
        let events = read(&folder);
        let report = check(&events, LIFE);
        test_servers::shown!(
            "history: seed {seed}, {PROCESSES} processes of {THREADS} threads and {TASKS} tasks, {:.1?}\n{troubles:?}\n{:?}",
            started.elapsed(),
            report.counts
        );
        assert!(
            report.violations.is_empty(),
            "{} in {}, the first of them:\n{}",
            report.violations.len(),
            folder.display(),
            report.violations[0]
        );
        assert_something_happened(&report, &troubles);
        troubles_in_all += &troubles;
        counts_in_all += &report.counts;
        fs::remove_dir_all(&folder).expect("the folder can be removed");
    }
    test_servers::shown!(
        "{rounds} rounds in all, no promise broken: {troubles_in_all:?}, {counts_in_all:?}"
    );
}

/// A history in which nothing is shared, or nothing fails, proves nothing.
fn assert_something_happened(report: &Report, troubles: &Troubles) {
    let counts = &report.counts;
    assert!(troubles.killed + troubles.stopped > 0, "{troubles:?}");
    assert!(counts.from_others > 0, "{counts:?}");
    assert!(counts.invalidated > 0 && counts.primed > 0, "{counts:?}");
    assert!(counts.failed > 0, "{counts:?}");
}

/// Has processes work on a server for some time, and makes troubles meanwhile; their logs are in `folder` then.
fn round(folder: &Path, seed: u64, time: Duration) -> Troubles {
    let mut server = RedisServer::start();
    let workers: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let url = if process == 2 {
                format!("redis+unix://{}", server.socket().display())
            } else {
                server.url()
            };
            start(&Orders {
                process,
                url,
                seed,
                folder: folder.to_owned(),
            })
        })
        .collect();
    let mut troubles = Troubles::default();
    troubles.make(&mut server, &mut Random::new(seed), time);
    for mut worker in workers {
        drop(worker.stdin.take());
        let status = worker.wait().expect("it was started");
        assert!(status.success(), "a process failed, see above");
    }
    troubles
}

/// Starts this program as one that does what `orders` say until its input ends.
fn start(orders: &Orders) -> Child {
    let own = env::current_exe().expect("a process knows its program");
    Command::new(own)
        .args([
            "--exact",
            "what_processes_share_over_a_failing_server_keeps_the_promises",
            "--nocapture",
        ])
        .env(
            ORDERS,
            serde_json::to_string(orders).expect("orders are plain"),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the test can be started")
}

/// All that was noted down by all.
fn read(folder: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    for file in fs::read_dir(folder).expect("the folder is there") {
        let path = file.expect("the folder can be read").path();
        let file = fs::File::open(path).expect("the log can be read");
        for line in BufReader::new(file).lines() {
            let line = line.expect("the log can be read");
            events.push(serde_json::from_str(&line).expect("the log is from us"));
        }
    }
    events
}

fn new_folder(seed: u64) -> PathBuf {
    let name = format!("history-{}-{seed}", process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |given| given.parse().expect("a number"))
}
