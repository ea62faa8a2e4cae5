//! The table as a picture, for the README; it follows the reader's choice of light and dark.

use std::fmt::Write;

use crate::bench::Bench;
use crate::row::{Group, Row};
use crate::table;

const WIDTH: u32 = 1040;
const LINE: u32 = 22;
const SMALL: u32 = 17;

/// Where the columns are: text begins there, figures end there.
const WHAT: u32 = 24;
const OURS: u32 = 480;
const THEIRS: u32 = 570;
const MEASURED: u32 = 660;
const GOAL: u32 = 775;
/// The line that a bar begins at, which is the goal itself, and how far a bar goes on either side.
const ZERO: u32 = 905;
const REACH: f64 = 110.0;

/// A bar has its full length at so many times the goal, or at one of so many.
const FULL: f64 = 8.0;

pub const STYLE: &str = "\
text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#1f2328}\
.small{font-size:11px;fill:#59636e}.head{font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}\
.back{fill:#fff}.rule{stroke:#d1d9e0}.good{fill:#2da44e}.bad{fill:#cf6a3c}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.back{fill:#0d1117}.rule{stroke:#3d444d}\
.good{fill:#3fb950}.bad{fill:#e0823d}}";

pub fn of_groups(groups: &[Group], bench: &Bench) -> String {
    let mut picture = Picture {
        body: String::new(),
        y: 30,
    };
    picture.text(WHAT, "", "what was run");
    for (x, name) in [
        (OURS, "ours"),
        (THEIRS, "theirs"),
        (MEASURED, "figure"),
        (GOAL, "goal"),
    ] {
        picture.text(x, "head end", name);
    }
    picture.text(ZERO, "head middle", "short of it | beyond the goal");
    for group in groups {
        picture.y += LINE + 8;
        picture.text(WHAT - 8, "head", group.name);
        picture.rule();
        group.rows.iter().for_each(|row| picture.row(row));
    }
    picture.y += LINE;
    for line in [bench.describe(), bench.describe_control()] {
        picture.y += SMALL;
        picture.text(WHAT - 8, "small", &line);
    }
    picture.y += SMALL;
    document(WIDTH, picture.y, &picture.body)
}

pub fn document(width: u32, height: u32, body: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\">\n\
         <style>{STYLE}</style>\n<rect class=\"back\" width=\"{width}\" height=\"{height}\"/>\n{body}</svg>\n"
    )
}

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

struct Picture {
    body: String,
    y: u32,
}

impl Picture {
    fn row(&mut self, row: &Row) {
        self.y += LINE;
        self.text(WHAT, "", &row.what);
        let figure =
            |figure: Option<crate::figure::Figure>| figure.map(|figure| figure.to_string());
        self.text(OURS, "end", &figure(row.ours).unwrap_or_default());
        let theirs = row.theirs.as_ref().map(|(_, theirs)| *theirs);
        self.text(THEIRS, "end", &figure(theirs).unwrap_or_default());
        self.text(MEASURED, "head end", &table::measured(row));
        self.text(GOAL, "end", &table::goal(row));
        self.bar(row);
        let mut below: Vec<_> = row
            .theirs
            .iter()
            .map(|(name, _)| format!("theirs: {name}"))
            .collect();
        below.extend(
            row.beside
                .iter()
                .map(|(name, figure)| format!("{name} {figure}")),
        );
        below.extend(
            row.measured
                .as_ref()
                .err()
                .map(|why| format!("not measured: {why}")),
        );
        // A line holds about as many characters.
        for line in wrap(&below, 120) {
            self.y += SMALL;
            self.text(WHAT + 12, "small", &line);
        }
    }

    /// To the right as far as the goal is exceeded, to the left as far as it is missed.
    fn bar(&mut self, row: &Row) {
        let (Some(goal), Ok(measured)) = (row.goal, &row.measured) else {
            return;
        };
        let reached = goal.reached_by(*measured);
        let length = (REACH * (reached.ln() / FULL.ln()).clamp(-1.0, 1.0)).round();
        let (zero, y) = (f64::from(ZERO), self.y - 10);
        let (x, class) = if reached >= 1.0 {
            (zero, "good")
        } else {
            (zero + length, "bad")
        };
        // What is exactly the goal is seen, too.
        let width = length.abs().max(3.0);
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"11\" rx=\"2\"/>"
        );
    }

    fn text(&mut self, x: u32, class: &str, text: &str) {
        if !text.is_empty() {
            let (y, text) = (self.y, escape(text));
            let _ = writeln!(
                self.body,
                "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
            );
        }
    }

    fn rule(&mut self) {
        let (from, to, y) = (WHAT - 8, WIDTH - 16, self.y + 6);
        let _ = writeln!(
            self.body,
            "<line class=\"rule\" x1=\"{from}\" x2=\"{to}\" y1=\"{y}\" y2=\"{y}\"/>"
        );
    }
}

/// As many parts on a line as fit.
fn wrap(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.len() + part.len() < width => {
                line.push_str(" \u{b7} ");
                line.push_str(part);
            }
            _ => lines.push(part.clone()),
        }
    }
    lines
}
