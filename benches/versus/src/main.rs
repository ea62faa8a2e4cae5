//! Us beside our peers, in turn, in one process.
//!
//! ```text
//! versus [--quick] [--only WORDS] [--svg PATH]     each goal with our figure beside it
//! versus curves [--quick] [--only WORDS] [--svg PATH]   how cost grows
//! ```
//!
//! `--quick` shows in a few rounds that everything runs; its figures are no evidence. `--only` takes the groups whose name has
//! one of these words in it, separated by commas. The picture, and the table beside it, go to `docs/` if
//! everything was measured, and to where `--svg` says.

mod alone;
mod bench;
mod build;
mod curves;
mod djblets;
mod figure;
mod flights;
mod hits;
mod large;
mod machine;
mod misses;
mod picture;
mod redis;
mod row;
mod sealed;
mod streams;
mod table;
mod threads;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bench::Bench;
use row::Group;

/// A name, and what measures it.
type Measured = (&'static str, fn(&Bench) -> Vec<row::Row>);

const GROUPS: &[Measured] = &[
    ("hits in process", hits::rows),
    ("threads", threads::rows),
    ("misses", misses::rows),
    ("single flight", flights::rows),
    ("small sealed values", sealed::rows),
    ("large sealed values", large::rows),
    ("streams", streams::rows),
    ("Redis", redis::rows),
    ("memory", alone::rows),
    ("builds", build::rows),
];

struct Arguments {
    curves: bool,
    quick: bool,
    only: Vec<String>,
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut given = env::args().skip(1).peekable();
    if given.next_if(|first| first == "alone").is_some() {
        alone::run(&given.collect::<Vec<_>>());
        return ExitCode::SUCCESS;
    }
    let mut arguments = Arguments {
        curves: given.next_if(|first| first == "curves").is_some(),
        quick: false,
        only: Vec::new(),
        svg: None,
    };
    while let Some(argument) = given.next() {
        match (argument.as_str(), given.peek()) {
            ("--quick", _) => arguments.quick = true,
            ("--only", Some(_)) => {
                let words = given.next().unwrap_or_default();
                arguments.only = words.split(',').map(str::to_lowercase).collect();
            }
            ("--svg", Some(_)) => arguments.svg = given.next().map(PathBuf::from),
            _ => {
                eprintln!(
                    "versus: `{argument}` is not understood; use [curves] [--quick] [--only WORDS] [--svg PATH]"
                );
                return ExitCode::FAILURE;
            }
        }
    }
    let (name, (picture, table)) = if arguments.curves {
        ("curves", curves(&arguments))
    } else {
        ("versus", goals(&arguments))
    };
    let path = match &arguments.svg {
        Some(path) => path.clone(),
        None if arguments.quick || !arguments.only.is_empty() => {
            env::temp_dir().join(format!("{name}.svg"))
        }
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/{name}.svg")),
    };
    for (what, path, text) in [
        ("picture", path.clone(), picture),
        ("table", path.with_extension("md"), table),
    ] {
        match fs::write(&path, text) {
            Ok(()) => println!("{what}: {}", path.display()),
            Err(error) => {
                eprintln!(
                    "versus: the {what} can't be written: {error}; name another place with `--svg`"
                );
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Measures and prints group by group, so that something is seen before the end.
fn goals(arguments: &Arguments) -> (String, String) {
    let bench = Bench::new(arguments.quick);
    println!("{}", bench.describe());
    let groups: Vec<_> = chosen(GROUPS, &arguments.only)
        .map(|&(name, measure)| {
            bench.begin(name);
            let rows = measure(&bench);
            bench.end();
            let group = Group { name, rows };
            table::print(&group);
            group
        })
        .collect();
    table::print_end(&groups);
    println!("{}", bench.describe_control());
    let picture = picture::of_groups(&groups, &bench);
    (picture, table::markdown(&groups, &bench))
}

fn curves(arguments: &Arguments) -> (String, String) {
    let bench = Bench::new(arguments.quick);
    println!("{}", bench.describe());
    let curves: Vec<_> = chosen(curves::CURVES, &arguments.only)
        .map(|&(name, measure)| {
            bench.begin(name);
            let curve = measure(&bench);
            bench.end();
            curves::print(&curve);
            curve
        })
        .collect();
    let picture = curves::picture(&curves, &bench);
    (picture, curves::markdown(&curves, &bench))
}

fn chosen<'a, T>(
    all: &'a [(&'static str, T)],
    only: &[String],
) -> impl Iterator<Item = &'a (&'static str, T)> {
    all.iter().filter(move |(name, _)| {
        only.is_empty() || only.iter().any(|word| name.to_lowercase().contains(word))
    })
}
