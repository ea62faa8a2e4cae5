//! What is shown at the end: the table, and what the two passes took.

use std::fmt::Write;
use std::time::Duration;

use crate::rows::{Longest, Row};
use crate::statistics::Statistics;

/// How one pass over all packages went.
pub(crate) struct Pass {
    pub name: &'static str,
    pub took: Duration,
    pub hits: u64,
    pub misses: u64,
}

const HEAD: [&str; 8] = [
    "package",
    "lines",
    "files",
    "unparsed",
    "functions",
    "unsafe",
    "longest",
    "function",
];
const WIDEST: usize = 36;

/// The largest package first.
pub(crate) fn render(mut rows: Vec<(String, Statistics)>, first: &Pass, second: &Pass) -> String {
    rows.sort_by(|(a, x), (b, y)| y.lines.cmp(&x.lines).then_with(|| a.cmp(b)));
    let mut total = Statistics::default();
    for (_, row) in &rows {
        total.add(row);
    }
    let packages = grouped(rows.len());
    rows.push((format!("total of {packages}"), total));

    let mut text = table(&rows);
    text.push('\n');
    text + &passes(first, second)
}

/// The longest functions, and what it took to have all of them come by.
pub(crate) fn render_longest(longest: &Longest, first: &Pass, second: &Pass) -> String {
    let mut text = format!(
        "\nthe longest of {} functions, one by one\n",
        grouped(longest.count)
    );
    for Row { file, function } in &longest.rows {
        let lines = grouped(function.lines);
        let name = truncated(&function.name);
        _ = writeln!(
            text,
            "{lines:>6}  {name:<WIDEST$}  {file}:{}",
            function.line
        );
    }
    text.push('\n');
    text + &passes(first, second)
}

fn passes(first: &Pass, second: &Pass) -> String {
    let mut text = String::new();
    for pass in [first, second] {
        let Pass {
            name,
            took,
            hits,
            misses,
        } = pass;
        let took = format!("{took:.3?}");
        _ = writeln!(
            text,
            "{name:<11} {took:>11} {hits:>6} hits {misses:>6} misses"
        );
    }
    let ratio = first.took.as_secs_f64() / second.took.as_secs_f64().max(f64::MIN_POSITIVE);
    _ = writeln!(text, "the second is {ratio:.0} times as fast");
    text
}

/// The last row is the total, and stands apart.
fn table(rows: &[(String, Statistics)]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths: [_; HEAD.len()] = std::array::from_fn(|column| {
        lines
            .iter()
            .map(|cells| cells[column].chars().count())
            .max()
            .unwrap_or(0)
    });
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
    let mut text = String::new();
    for (index, cells) in lines.iter().enumerate() {
        if index == 1 || index + 1 == lines.len() {
            text += &rule;
            text.push('\n');
        }
        text += align(cells, &widths).trim_end();
        text.push('\n');
    }
    text
}

fn cells((label, row): &(String, Statistics)) -> [String; HEAD.len()] {
    let (longest, function) = match &row.longest {
        Some(longest) => (grouped(longest.lines), truncated(&longest.name)),
        None => Default::default(),
    };
    [
        truncated(label),
        grouped(row.lines),
        grouped(row.files),
        grouped(row.unparsed),
        grouped(row.functions),
        grouped(row.unsafe_blocks),
        longest,
        function,
    ]
}

/// Names to the left, numbers to the right.
fn align(cells: &[String; HEAD.len()], widths: &[usize; HEAD.len()]) -> String {
    let last = HEAD.len() - 1;
    let aligned: Vec<_> = cells
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ if column == last => cell.clone(),
            _ => format!("{cell:>width$}"),
        })
        .collect();
    aligned.join("  ")
}

fn truncated(text: &str) -> String {
    if text.chars().count() <= WIDEST {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(WIDEST - 1).collect::<String>())
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Function;

    #[test]
    fn digits_are_grouped_by_three() {
        let shown = [0, 7, 100, 1_000, 123_456, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "7", "100", "1,000", "123,456", "1,234,567"]);
    }

    #[test]
    fn columns_are_aligned_and_the_largest_package_leads() {
        let name = "f".repeat(WIDEST + 1);
        let small = Statistics {
            files: 1,
            lines: 10,
            ..Statistics::default()
        };
        let large = Statistics {
            files: 1_000,
            lines: 20,
            longest: Some(Function {
                name,
                line: 1,
                lines: 9,
            }),
            ..Statistics::default()
        };
        let pass = |name, nanoseconds| Pass {
            name,
            took: Duration::from_nanos(nanoseconds),
            hits: 1,
            misses: 1,
        };
        let rows = vec![("small".to_owned(), small), ("large".to_owned(), large)];
        let text = render(rows, &pass("first pass", 1_000), &pass("second pass", 5));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0].trim_end(),
            "package     lines  files  unparsed  functions  unsafe  longest  function"
        );
        assert!(lines[2].starts_with("large          20  1,000 "));
        assert!(lines[2].ends_with(&format!("9  {}…", "f".repeat(WIDEST - 1))));
        assert_eq!(
            lines[3],
            "small          10      1         0          0       0"
        );
        assert!(lines[5].starts_with("total of 2     30  1,001 "));
        assert_eq!(lines.last(), Some(&"the second is 200 times as fast"));
    }
}
