//! What the attribute adds to the code, to its builds, and what the crate adds to a user's build.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::bench::Bench;
use crate::figure::Figure;
use crate::row::{Goal, Row};

const FUNCTIONS: u32 = 300;

const OURS: &str = "cache-memoize";

pub fn rows(bench: &Bench) -> Vec<Row> {
    let mut rows = generated();
    rows.push(check(bench));
    rows.extend(clean(bench));
    rows
}

/// The lines of the snapshot that the tests hold the attribute to.
fn generated() -> Vec<Row> {
    let path = repository().join("memoize-macros/tests/snapshots/free_function.rs");
    let whats = [
        "generated lines in the function",
        "generated lines with the companions",
    ];
    let goals = [6.0, 45.0].map(|lines| Some(Goal::AtMost(Figure::Count(lines))));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return vec![Row::missing(whats[1], &error.to_string(), goals[1])],
    };
    let code = || {
        text.lines()
            .filter(|line| !line.trim_start().starts_with("///"))
    };
    let first = code().take_while(|line| *line != "}").count() - 1;
    let figures = [first, code().count()].map(|lines| Figure::Count(lines as f64));
    (0..2)
        .map(|index| Row::figure(whats[index], figures[index], goals[index]))
        .collect()
}

/// Seconds that `cargo check` takes longer for annotated functions than for plain ones.
fn check(bench: &Bench) -> Row {
    let what = "cargo check of 300 annotated functions, over plain ones";
    let goal = Some(Goal::AtMost(Figure::Seconds(1.0)));
    let measured = || -> io::Result<[f64; 2]> {
        let dependency = format!("cache-memoize = {{ path = {:?} }}", repository());
        let package = Package::new("check", &dependency)?;
        let mut least = [f64::INFINITY; 2];
        for round in 0..=bench.or_quick(5, 1) {
            for (annotated, least) in [false, true].into_iter().zip(&mut least) {
                bench.progress(&format!("cargo check, round {round}"));
                package.write(&functions(annotated))?;
                let seconds = package.cargo("check")?;
                // The first round checks what they depend on.
                if round > 0 {
                    *least = least.min(seconds);
                }
            }
        }
        Ok(least)
    };
    match measured() {
        Ok([plain, annotated]) => Row::figure(what, Figure::Seconds(annotated - plain), goal)
            .beside([("300 plain functions".to_owned(), Figure::Seconds(plain))]),
        Err(error) => Row::missing(what, &error.to_string(), goal),
    }
}

fn functions(annotated: bool) -> String {
    let mut text = "use std::io;\n".to_owned();
    for index in 0..FUNCTIONS {
        if annotated {
            let _ = writeln!(
                text,
                "#[cache_memoize::cache_memoize(key = \"function_{index}:<id>:<name>\")]"
            );
        }
        let _ = writeln!(
            text,
            "pub fn function_{index}(id: u64, name: &str) -> io::Result<(u64, String)> {{\n    Ok((id + {index}, name.to_owned()))\n}}"
        );
    }
    text
}

/// How many crates a user's clean debug build takes, and how long, beside `cached`.
fn clean(bench: &Bench) -> Vec<Row> {
    let names = [OURS, "cached"];
    let dependencies = [
        format!(
            "cache-memoize = {{ path = {:?} }}\nserde = {{ version = \"1\", features = [\"derive\"] }}",
            repository()
        ),
        "cached = \"4.1\"".to_owned(),
    ];
    let mut found = Vec::new();
    for (name, dependency) in names.iter().zip(&dependencies) {
        let measured = || -> io::Result<(f64, f64)> {
            let package = Package::new("clean", dependency)?;
            package.write("fn main() {}\n")?;
            package.cargo("fetch")?;
            let mut least = f64::INFINITY;
            for round in 0..bench.or_quick(3, 1) {
                bench.progress(&format!("a clean build with {name}, round {round}"));
                package.cargo("clean")?;
                least = least.min(package.cargo("build")?);
            }
            Ok((package.crates()?, least))
        };
        found.push(measured());
    }
    let goal = Some(Goal::AtMost(Figure::Count(45.0)));
    let whats = [
        "crates of a user's clean build, default features, serde's derive",
        "a user's clean debug build",
    ];
    match <[_; 2]>::try_from(found).expect("one for each name") {
        [Ok(ours), Ok(theirs)] => vec![
            Row {
                theirs: Some((names[1].to_owned(), Figure::Count(theirs.0))),
                ..Row::figure(whats[0], Figure::Count(ours.0), goal)
            },
            Row::ratio(
                whats[1],
                Figure::Seconds(ours.1),
                (names[1], Figure::Seconds(theirs.1)),
                None,
            ),
        ],
        [ours, theirs] => {
            let error = ours.and(theirs).expect_err("one of them failed");
            vec![Row::missing(whats[0], &error.to_string(), goal)]
        }
    }
}

fn repository() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    path.canonicalize().unwrap_or(path)
}

/// A package of its own, gone when it is dropped.
struct Package(PathBuf);

impl Package {
    fn new(name: &str, dependencies: &str) -> io::Result<Self> {
        let path =
            std::env::temp_dir().join(format!("cache-memoize-{name}-{}", std::process::id()));
        let package = Self(path);
        fs::create_dir_all(package.0.join("src"))?;
        let manifest = format!(
            "[package]\nname = \"user\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependencies}\n"
        );
        fs::write(package.0.join("Cargo.toml"), manifest)?;
        Ok(package)
    }

    /// `main.rs` for what has a main function, or else `lib.rs`.
    fn write(&self, code: &str) -> io::Result<()> {
        let name = if code.contains("fn main") {
            "src/main.rs"
        } else {
            "src/lib.rs"
        };
        fs::write(self.0.join(name), code)
    }

    /// Runs cargo, in a folder for its output that nothing else uses, and says how many seconds it took.
    fn cargo(&self, command: &str) -> io::Result<f64> {
        let started = Instant::now();
        let mut cargo = self.command();
        let output = cargo.arg(command).output()?;
        if output.status.success() {
            return Ok(started.elapsed().as_secs_f64());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let first = errors.lines().find(|line| line.starts_with("error"));
        Err(io::Error::other(format!(
            "cargo {command}: {}",
            first.unwrap_or("failed")
        )))
    }

    /// All that is compiled, build scripts and macros included, but for the package itself.
    fn crates(&self) -> io::Result<f64> {
        let mut cargo = self.command();
        let output = cargo
            .args([
                "tree",
                "--edges",
                "normal,build",
                "--prefix",
                "none",
                "--format",
                "{p}",
            ])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut crates: Vec<_> = text
            .lines()
            .map(|line| line.trim_end_matches(" (*)"))
            .collect();
        crates.sort_unstable();
        crates.dedup();
        Ok(crates
            .iter()
            .filter(|line| !line.is_empty() && !line.starts_with("user v"))
            .count() as f64)
    }

    fn command(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .env("CARGO_TERM_COLOR", "never");
        cargo
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        // A folder for temporary files that stays is nothing to stop for.
        let _ = fs::remove_dir_all(&self.0);
    }
}
