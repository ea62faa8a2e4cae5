//! The same streams through Djblets, the Python library whose behaviour ours has: it runs `peer.py`.
//!
//! A second process, so not in the same rounds: goals are 20 times.

use std::path::Path;
use std::process::Command;

use crate::bench::Bench;
use crate::figure::Figure;
use crate::row::{Row, at_least};
use crate::{large, streams};

const PACKAGE: &str = "djblets==6.1";
const ROWS: u32 = 20_000;

const READ: &str = "20,000 rows, read";
const SEALED: &str = "20,000 rows, sealed and compressed, read";

pub fn rows(bench: &Bench) -> Vec<Row> {
    let found = match run(bench) {
        Ok(found) => found,
        Err(why) => {
            return [READ, SEALED]
                .map(|what| Row::missing(what, &why, at_least(20.0)))
                .into();
        }
    };
    let ours = bench.pinned(0, || streams::measure(bench, ROWS, bench.or_quick(100, 1)));
    let seconds = |name: &str| {
        let line = found
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        line.unwrap_or(f64::NAN)
    };
    let rate = |seconds: f64| Figure::Rate(f64::from(ROWS) / seconds);
    let row = |what: &str, name, theirs, goal| {
        let theirs = ("Djblets 6.1, Django locmem", rate(seconds(theirs)));
        Row::ratio(what, rate(ours.of(name)), theirs, goal)
    };
    let throughput = |name| Figure::Throughput(large::BYTES as f64 / seconds(name));
    vec![
        row(READ, "read", "stream read", at_least(20.0)),
        row(SEALED, "sealed read", "stream sealed read", at_least(20.0)).beside([
            (
                "Djblets, 12 MiB, sealed and compressed, write".to_owned(),
                throughput("value sealed write"),
            ),
            (
                "Djblets, 12 MiB, sealed and compressed, read".to_owned(),
                throughput("value sealed read"),
            ),
            ("Djblets, hit".to_owned(), Figure::Seconds(seconds("hit"))),
        ]),
        row(
            "20,000 rows, write, its source included",
            "write",
            "stream write",
            None,
        ),
    ]
}

/// What the script prints, or why there is nothing.
fn run(bench: &Bench) -> Result<String, String> {
    bench.progress("Djblets");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment = folder.join("target/djblets");
    let python = environment.join("bin/python");
    let has = |python: &Path| ask(Command::new(python).args(["-c", "import djblets"])).is_ok();
    if !has(&python) {
        bench.progress("Djblets is installed");
        ask(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment))?;
        ask(Command::new(&python).args(["-m", "pip", "install", "--quiet", PACKAGE]))?;
    }
    let rounds = bench.or_quick("10", "1");
    let arguments = [&ROWS.to_string(), &large::BYTES.to_string(), rounds];
    ask(Command::new(&python)
        .arg(folder.join("peer.py"))
        .args(arguments))
}

fn ask(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors
        .lines()
        .last()
        .unwrap_or("it says nothing")
        .to_owned();
    Err(format!("{program}: {last}"))
}
