//! Collects errors, so that one build shows all of an attribute's, and finds what a misspelt name meant.

use std::cell::RefCell;
use std::fmt::Display;

use proc_macro2::Span;

/// The errors found so far. Dropping it before [`Diag::finish`] looked at them is a bug, and panics.
pub(crate) struct Diag {
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Diag {
    pub(crate) fn new() -> Self {
        Self {
            errors: RefCell::new(Some(Vec::new())),
        }
    }

    pub(crate) fn error(&self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    pub(crate) fn push(&self, error: syn::Error) {
        self.errors
            .borrow_mut()
            .as_mut()
            .expect("only `finish` takes the errors, and it takes `self`")
            .push(error);
    }

    /// All errors in one, in the order they were found.
    pub(crate) fn finish(self) -> syn::Result<()> {
        let errors = self.errors.take().unwrap_or_default();
        let all = errors.into_iter().reduce(|mut all, error| {
            all.combine(error);
            all
        });
        all.map_or(Ok(()), Err)
    }
}

impl Drop for Diag {
    fn drop(&mut self) {
        let was_finished = self.errors.borrow().is_none();
        assert!(
            was_finished || std::thread::panicking(),
            "`Diag` was dropped before its errors were looked at"
        );
    }
}

/// The candidate that `name` is most likely a misspelling of, if one is near enough.
pub(crate) fn closest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let near_enough = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= near_enough)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance, one row of the table at a time.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, from) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// "`a`, `b`, `c`"
pub(crate) fn quoted_list(names: impl IntoIterator<Item = impl Display>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (from, to, distance) in [
            ("", "", 0),
            ("", "abc", 3),
            ("expiraton", "expiration", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edit_distance(from, to), distance);
            assert_eq!(edit_distance(to, from), distance);
        }
    }

    #[test]
    fn only_near_names_are_suggested() {
        let options = ["key", "skip", "expiration"];
        assert_eq!(closest("expiraton", options), Some("expiration"));
        assert_eq!(closest("kye", options), None);
        assert_eq!(closest("ttl", options), None);
    }

    #[test]
    fn all_errors_come_out() {
        let diag = Diag::new();
        diag.error(Span::call_site(), "first");
        diag.error(Span::call_site(), "second");
        let messages: Vec<String> = diag
            .finish()
            .expect_err("two errors")
            .into_iter()
            .map(|error| error.to_string())
            .collect();
        assert_eq!(messages, ["first", "second"]);
    }

    #[test]
    #[should_panic(expected = "dropped before")]
    fn errors_cannot_be_forgotten() {
        Diag::new().error(Span::call_site(), "lost");
    }
}
