//! Counts what a Rust code base is made of, twice: the second time from the cache.
//!
//! ```text
//! cargo run --release --example census               # this project and all it depends on
//! cargo run --release --example census -- PATH...    # these files and folders
//!
//! CACHE_MEMOIZE_URL=redis://127.0.0.1 cargo run --release --features redis --example census
//! ```
//!
//! With the last, run twice, the second process counts nothing: it finds what the first one counted.
//!
//! Each package is counted as a whole, and then all its functions go by one at a time. All the caching is in the attribute on
//! [`census`] and on [`functions`].

mod parse;
mod progress;
mod report;
mod rows;
mod sources;
mod statistics;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs, thread};

use cache_memoize::{Runtime, RuntimeBuilder, Stats, cache_memoize};

use progress::Progress;
use report::Pass;
use rows::{Longest, functions};
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
    if let Err(error) = Runtime::from_env().and_then(RuntimeBuilder::install) {
        eprintln!("census: {error}");
        return ExitCode::from(2);
    }
    let packages = match find_packages() {
        Ok(packages) => packages,
        Err(error) => {
            eprintln!("census: {error}");
            return ExitCode::from(error.exit_code());
        }
    };
    let (first, counted) = pass("first pass", &packages, census::stats, census);
    let (second, recalled) = pass("second pass", &packages, census::stats, census);

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
    let mut text = report::render(rows, &first, &second);

    let (first, streamed) = pass("streamed", &packages, functions::stats, longest);
    let (second, again) = pass("again", &packages, functions::stats, longest);
    if streamed == again {
        text += &report::render_longest(&merged(streamed), &first, &second);
    } else {
        complete = false;
        eprintln!("census: left out the functions: the passes differ");
    }
    let printed = print(&text);
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
fn pass<T>(
    name: &'static str,
    packages: &[Package],
    stats: impl Fn() -> Stats,
    of: impl Fn(&Package, &Progress) -> T,
) -> (Pass, Vec<T>) {
    let progress = Progress::start(name, packages);
    let before = stats();
    let start = Instant::now();
    let results = packages
        .iter()
        .map(|package| {
            let result = of(package, &progress);
            progress.package_done();
            result
        })
        .collect();
    let took = start.elapsed();
    let after = stats();
    progress.finish();
    let pass = Pass {
        name,
        took,
        hits: after.hits - before.hits,
        misses: after.misses() - before.misses(),
    };
    (pass, results)
}

/// The longest functions of a package, without those of a file that can't be read: the table says which.
fn longest(package: &Package, progress: &Progress) -> Longest {
    let mut longest = Longest::default();
    functions(package, progress)
        .flatten()
        .for_each(|row| longest.offer(row));
    longest
}

fn merged(of_packages: Vec<Longest>) -> Longest {
    let count = of_packages.iter().map(|longest| longest.count).sum();
    let mut merged = Longest::default();
    let rows = of_packages.into_iter().flat_map(|longest| longest.rows);
    rows.for_each(|row| merged.offer(row));
    Longest { count, ..merged }
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
