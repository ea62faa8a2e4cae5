//! The machine, the compiler and the day, for whoever reads a figure later.

use std::fs;
use std::process::Command;
use std::thread;

pub fn describe() -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let model = model.unwrap_or_else(|| "unknown processor".to_owned());
    let compiler = output("rustc", &["--version"]).unwrap_or_else(|| "unknown compiler".to_owned());
    let compiler = compiler.split(" (").next().unwrap_or_default().to_owned();
    let day = output("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(|| "unknown day".to_owned());
    format!("{model}, {cores} cores, {compiler}, {day}")
}

/// The first line that a program prints.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.lines().next()?.to_owned())
}
