//! Where a pass has got to, on the standard error.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::report::grouped;
use crate::sources::Package;

/// One line that is written over on a terminal, and a line now and then elsewhere.
pub(crate) struct Progress<'a> {
    pass: &'static str,
    packages: &'a [Package],
    terminal: bool,
    interval: Duration,
    // Counting is all that most calls do, so that watching the work does not slow it down.
    packages_done: Cell<usize>,
    files_done: Cell<usize>,
    shown: Cell<Instant>,
}

impl<'a> Progress<'a> {
    pub(crate) fn start(pass: &'static str, packages: &'a [Package]) -> Self {
        let terminal = io::stderr().is_terminal();
        let progress = Self {
            pass,
            packages,
            terminal,
            interval: Duration::from_millis(if terminal { 100 } else { 2_000 }),
            packages_done: Cell::new(0),
            files_done: Cell::new(0),
            shown: Cell::new(Instant::now()),
        };
        progress.show();
        progress
    }

    pub(crate) fn file_done(&self) {
        self.files_done.update(|done| done + 1);
        self.show_if_due();
    }

    pub(crate) fn package_done(&self) {
        self.packages_done.update(|done| done + 1);
        self.show_if_due();
    }

    /// Leaves an empty line behind on a terminal.
    pub(crate) fn finish(self) {
        if self.terminal {
            write(format_args!("\r\x1b[K"));
        }
    }

    fn show_if_due(&self) {
        if self.shown.get().elapsed() >= self.interval {
            self.show();
        }
    }

    fn show(&self) {
        self.shown.set(Instant::now());
        let line = self.line();
        if self.terminal {
            write(format_args!("\r{line}\x1b[K"));
        } else {
            write(format_args!("{line}\n"));
        }
    }

    fn line(&self) -> String {
        let done = self.packages_done.get();
        let label = self
            .packages
            .get(done)
            .map_or_else(String::new, Package::label);
        // Short enough for a terminal of 80 columns: a line that wraps can't be written over.
        format!(
            "{}: {done} of {} packages, {} files, {label:.30}",
            self.pass,
            self.packages.len(),
            grouped(self.files_done.get()),
        )
    }
}

/// Nobody who looks at the progress is no reason to stop.
fn write(text: std::fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}
