//! Counts what a Rust code base is made of, twice: the second time from the cache.
//!
//! ```text
//! cargo run --release --example census               # this project and all it depends on
//! cargo run --release --example census -- PATH...    # these files and folders
//! ```
//!
//! All the caching is in one attribute, on [`census`].

mod parse;
mod progress;
mod report;
mod sources;
mod statistics;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs, thread};

use cache_memoize::cache_memoize;

use progress::Progress;
use report::Pass;
use sources::{Package, SourceError};
use statistics::Statistics;

/// One package's statistics. What has changed on disk has another `stamp`, so it is counted anew.
#[cache_memoize(
    key = "census:<package.id>:<package.stamp>",
    expiration = "1d",
    skip(progress)
)]
fn census(package: &Package, progress: &Progress) -> Result<Statistics, SourceError> {
    let mut statistics = Statistics::default();
    for path in &package.files {
        let source = fs::read(path).map_err(|error| SourceError::unreadable(path, error))?;
        statistics.add_file(&source);
        progress.file_done();
    }
    Ok(statistics)
}

fn main() -> ExitCode {
    // The parser recurses as deep as the source nests, and the main thread's stack is small.
    let worker = thread::Builder::new()
        .name("census".into())
        .stack_size(parse::STACK_SIZE)
        .spawn(run)
        .expect("the system can start a thread");
    worker.join().unwrap_or(ExitCode::FAILURE)
}

fn run() -> ExitCode {
    let packages = match find_packages() {
        Ok(packages) => packages,
        Err(error) => {
            eprintln!("census: {error}");
            return ExitCode::from(error.exit_code());
        }
    };
    let (first, counted) = pass("first pass", &packages);
    let (second, recalled) = pass("second pass", &packages);

    let mut complete = true;
    let mut rows = Vec::new();
    for ((package, counted), recalled) in packages.iter().zip(counted).zip(recalled) {
        match agreed(counted, recalled) {
            Ok(statistics) => rows.push((package.label(), statistics)),
            Err(why) => {
                complete = false;
                eprintln!("census: left out {}: {why}", package.label());
            }
        }
    }
    let printed = print(&report::render(rows, &first, &second));
    if complete && printed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The packages to count: the paths given as arguments, or else the project's dependency graph.
fn find_packages() -> Result<Vec<Package>, SourceError> {
    let paths: Vec<_> = env::args_os().skip(1).collect();
    if paths.is_empty() {
        eprintln!("census: asking cargo for the dependency graph");
        return sources::dependency_graph();
    }
    sources::given(paths.iter().map(Path::new))
}

/// Asks for every package once; nothing here knows whether it is counted or recalled.
fn pass(name: &'static str, packages: &[Package]) -> (Pass, Vec<Result<Statistics, SourceError>>) {
    let progress = Progress::start(name, packages);
    let before = census::stats();
    let start = Instant::now();
    let results = packages
        .iter()
        .map(|package| {
            let result = census(package, &progress);
            progress.package_done();
            result
        })
        .collect();
    let took = start.elapsed();
    let after = census::stats();
    progress.finish();
    let pass = Pass {
        name,
        took,
        hits: after.hits - before.hits,
        misses: after.misses() - before.misses(),
    };
    (pass, results)
}

/// A cache that is fast and wrong is worth nothing, so both passes have to say the same.
fn agreed(
    counted: Result<Statistics, SourceError>,
    recalled: Result<Statistics, SourceError>,
) -> Result<Statistics, String> {
    let counted = counted.map_err(|error| error.to_string())?;
    let recalled = recalled.map_err(|error| error.to_string())?;
    if counted != recalled {
        return Err("the passes differ".into());
    }
    Ok(counted)
}

/// Whether it could be written. A reader that has seen enough (`census | head`) is no failure.
fn print(text: &str) -> bool {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("census: cannot write to the standard output: {error}");
            false
        }
        _ => true,
    }
}
