//! Every function of the sources, one at a time: however many there are, few are in memory.

use std::fs;
use std::path::Path;

use cache_memoize::cache_memoize;
use serde::{Deserialize, Serialize};

use crate::progress::Progress;
use crate::sources::{Package, SourceError};
use crate::statistics::{self, Function};

/// A function, and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub file: String,
    pub function: Function,
}

/// The functions of a package, in the order of its files. A file is read when its turn comes.
#[cache_memoize(
    key = "functions:<package.id>:<package.stamp>",
    expiration = "1d",
    skip(progress)
)]
pub(crate) fn functions(
    package: &Package,
    progress: &Progress,
) -> impl Iterator<Item = Result<Row, SourceError>> {
    package.files.iter().flat_map(|path| {
        let rows = of_file(path);
        progress.file_done();
        let (rows, error) = match rows {
            Ok(rows) => (rows, None),
            Err(error) => (Vec::new(), Some(Err(error))),
        };
        rows.into_iter().map(Ok).chain(error)
    })
}

fn of_file(path: &Path) -> Result<Vec<Row>, SourceError> {
    let source = fs::read(path).map_err(|error| SourceError::unreadable(path, error))?;
    let file = path.display().to_string();
    let row = |function| Row {
        file: file.clone(),
        function,
    };
    Ok(statistics::functions(&source)
        .into_iter()
        .map(row)
        .collect())
}

/// How many functions went by, and the longest of them, the longest first.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Longest {
    pub count: usize,
    pub rows: Vec<Row>,
}

impl Longest {
    const MOST: usize = 10;

    pub(crate) fn offer(&mut self, row: Row) {
        self.count += 1;
        let lines = row.function.lines;
        let place = self
            .rows
            .partition_point(|known| known.function.lines >= lines);
        if place < Self::MOST {
            self.rows.truncate(Self::MOST - 1);
            self.rows.insert(place, row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_stay_and_the_first_of_equals_leads() {
        let mut longest = Longest::default();
        for (line, lines) in [3, 9, 1, 9].into_iter().cycle().take(40).enumerate() {
            longest.offer(Row {
                file: String::new(),
                function: Function {
                    name: String::new(),
                    line,
                    lines,
                },
            });
        }
        let lines: Vec<_> = longest.rows.iter().map(|row| row.function.line).collect();
        assert_eq!(lines, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
        assert_eq!(longest.count, 40);
    }
}
