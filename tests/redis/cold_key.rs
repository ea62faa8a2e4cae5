//! Processes that miss one key at one time: one of them computes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, io, process, thread};

use cache_memoize::cache_memoize;
use test_servers::RedisServer;

use crate::{rounds, runtime};

const PROCESSES: usize = 8;
const URL: &str = "CACHE_MEMOIZE_TEST_WORKER_URL";

/// Who computed it. It takes long enough for all processes to miss meanwhile.
#[cache_memoize(key = "cold:<round>", expiration = "1h")]
fn computed_by(round: u64) -> String {
    thread::sleep(Duration::from_millis(30));
    format!("{round}:{}", process::id())
}

#[test]
fn one_of_eight_processes_computes() {
    if let Ok(url) = env::var(URL) {
        return work(&url);
    }
    let server = RedisServer::start();
    let mut workers: Vec<_> = (0..PROCESSES)
        .map(|_| Worker::start(&server.url()))
        .collect();
    let rounds = rounds("ROUNDS", 20);
    let start = Instant::now();
    for round in 0..rounds {
        for worker in &mut workers {
            worker.begin(round);
        }
        let answers: Vec<_> = workers.iter_mut().map(Worker::answer).collect();
        let computations: u64 = answers.iter().map(|answer| answer.computations).sum();
        assert_eq!(
            computations,
            round + 1,
            "one more in each round: {answers:?}"
        );
        assert!(
            answers
                .iter()
                .all(|answer| answer.value == answers[0].value),
            "{answers:?}"
        );
    }
    test_servers::shown!(
        "{rounds} cold keys, {PROCESSES} processes, {rounds} computations, {:.1?} in all",
        start.elapsed()
    );
}

/// What a worker does: a call for each line that it reads.
fn work(url: &str) {
    let runtime = runtime(url);
    for line in io::stdin().lines() {
        let round = line.expect("it is text").parse().expect("it is a number");
        let value = runtime.scope(|| computed_by(round));
        let computations = runtime.stats().computations;
        println!("\n> {value} {computations}");
    }
}

/// A process of this test, which [`work`]s.
struct Worker {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

#[derive(Debug)]
struct Answer {
    value: String,
    computations: u64,
}

impl Worker {
    fn start(url: &str) -> Self {
        let own = env::current_exe().expect("a process knows its program");
        let mut process = Command::new(own)
            .args([
                "--exact",
                "cold_key::one_of_eight_processes_computes",
                "--nocapture",
            ])
            .env(URL, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test can be started");
        let input = process.stdin.take().expect("the input is piped");
        let output = process.stdout.take().expect("the output is piped");
        Self {
            process,
            input,
            output: BufReader::new(output),
        }
    }

    fn begin(&mut self, round: u64) {
        writeln!(self.input, "{round}").expect("the worker reads");
    }

    fn answer(&mut self) -> Answer {
        let mut lines = self
            .output
            .by_ref()
            .lines()
            .map(|line| line.expect("it is text"));
        let line = lines.find_map(|line| Some(line.strip_prefix("> ")?.to_owned()));
        let line = line.expect("the worker answers");
        let (value, computations) = line
            .split_once(' ')
            .expect("there are a value and a number");
        Answer {
            value: value.to_owned(),
            computations: computations.parse().expect("it is a number"),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
