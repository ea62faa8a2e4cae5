//! The key template: `user:<id>:<range:?>`. Strings in, strings out; what the names mean is not known here.

use std::fmt::{self, Write as _};

use proc_macro2::Span;

use crate::item;
use crate::separator::is_separator;

/// A parsed template. Segments are there for what could be parsed, whatever problems there are.
#[derive(Debug, Default)]
pub(crate) struct Template {
    pub(crate) segments: Vec<Segment>,
    pub(crate) problems: Vec<Problem>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Segment {
    /// As it stands in the key: all of it in 0x21..=0x7e.
    Text(String),
    Placeholder(Placeholder),
}

/// `<root.path:format>`
#[derive(Debug, PartialEq)]
pub(crate) struct Placeholder {
    pub(crate) root: String,
    pub(crate) path: Vec<String>,
    pub(crate) format: Format,
    /// With its brackets, for error messages.
    pub(crate) source: String,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Format {
    Display,
    /// `:#`, a hash of the serialized form.
    Digest,
    /// Everything else after the `:`, for `format_args!`.
    Spec(String),
}

#[derive(Debug, PartialEq)]
pub(crate) enum Problem {
    Empty,
    Unclosed(String),
    Unnamed,
    NotAName(String),
    SpecNamesArgument(String),
    NoSeparator {
        left: String,
        between: String,
        right: String,
    },
}

impl Template {
    pub(crate) fn parse(source: &str) -> Self {
        let mut template = Self::default();
        if source.is_empty() {
            template.problems.push(Problem::Empty);
        }
        let mut text = String::new();
        let mut rest = source;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("<<") {
                text.push('<');
                rest = after;
            } else if c == '<' {
                template.push_text(&mut text);
                rest = template.parse_placeholder(rest);
            } else {
                push_escaped(&mut text, c);
                rest = &rest[c.len_utf8()..];
            }
        }
        template.push_text(&mut text);
        template.check_separators();
        template
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Placeholder(placeholder) => Some(placeholder),
            Segment::Text(_) => None,
        })
    }

    fn push_text(&mut self, text: &mut String) {
        if !text.is_empty() {
            self.segments.push(Segment::Text(std::mem::take(text)));
        }
    }

    /// Takes the placeholder that `source` starts with, and returns what comes after it.
    fn parse_placeholder<'s>(&mut self, source: &'s str) -> &'s str {
        let Some(end) = end_of_placeholder(source) else {
            self.problems.push(Problem::Unclosed(source.to_owned()));
            return "";
        };
        let (source, rest) = source.split_at(end);
        match Placeholder::parse(source) {
            Ok(placeholder) => self.segments.push(Segment::Placeholder(placeholder)),
            Err(problem) => self.problems.push(problem),
        }
        rest
    }

    /// Two values with nothing between them that a value can't hold could be cut at two places, and share a key.
    fn check_separators(&mut self) {
        let mut left: Option<&Placeholder> = None;
        let mut between = "";
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => between = text,
                Segment::Placeholder(right) => {
                    if let Some(left) = left
                        && !between.chars().any(is_separator)
                    {
                        self.problems.push(Problem::NoSeparator {
                            left: left.source.clone(),
                            between: between.to_owned(),
                            right: right.source.clone(),
                        });
                    }
                    left = Some(right);
                    between = "";
                }
            }
        }
    }
}

impl Placeholder {
    fn parse(source: &str) -> Result<Self, Problem> {
        let inner = &source[1..source.len() - 1];
        if inner.is_empty() {
            return Err(Problem::Unnamed);
        }
        let (name, format) = match inner.split_once(':') {
            None => (inner, Format::Display),
            Some((name, "#")) => (name, Format::Digest),
            Some((name, spec)) => (name, Format::Spec(spec.to_owned())),
        };
        // `{:w$}`, `{:.*}` and braces reach for arguments that the macro doesn't pass.
        if matches!(&format, Format::Spec(spec) if spec.contains(['{', '}', '$', '*'])) {
            return Err(Problem::SpecNamesArgument(source.to_owned()));
        }
        let mut members = name.split('.').map(str::to_owned);
        let root = members.next().unwrap_or_default();
        let path: Vec<String> = members.collect();
        if !is_root(&root) || !path.iter().all(|member| is_member(member)) {
            return Err(Problem::NotAName(source.to_owned()));
        }
        Ok(Self {
            root,
            path,
            format,
            source: source.to_owned(),
        })
    }
}

/// Past the first `>`, but for one right after the `:`, which aligns (`<id:>8>`).
fn end_of_placeholder(source: &str) -> Option<usize> {
    let aligns = |at: usize| source[..at].ends_with(':') && !source[..at - 1].contains(':');
    source
        .match_indices('>')
        .map(|(at, _)| at)
        .find(|at| !aligns(*at))
        .map(|at| at + 1)
}

fn is_root(name: &str) -> bool {
    matches!(name, "self" | "Self") || is_ident(name)
}

fn is_member(name: &str) -> bool {
    is_ident(name) || index(name).is_some()
}

fn is_ident(name: &str) -> bool {
    // The compiler's lexer complains by itself about most of what it can't read.
    let may_be_one = name.chars().all(|c| c == '_' || c.is_alphanumeric());
    may_be_one && item::ident(name, Span::call_site()).is_some()
}

/// The field of a tuple that is called so.
pub(crate) fn index(name: &str) -> Option<u32> {
    let index: u32 = name.parse().ok()?;
    (index.to_string() == name).then_some(index)
}

/// Backends take keys of printable ASCII without spaces; all else goes in as UTF-8, escaped as values are.
fn push_escaped(text: &mut String, c: char) {
    if c.is_ascii_graphic() {
        text.push(c);
    } else {
        push_percent_encoded(text, c);
    }
}

fn push_percent_encoded(text: &mut String, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        write!(text, "%{byte:02X}").expect("writing to a string can't fail");
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "the key is empty; write a template, or leave `key` out for one of all arguments",
            ),
            Self::Unclosed(source) => write!(
                f,
                "`{source}` in the key is not closed; add a `>`, or write `<<` for a literal `<`"
            ),
            Self::Unnamed => f.write_str(
                "`<>` in the key names nothing; write an argument, or `<<` for a literal `<`",
            ),
            Self::NotAName(source) => write!(
                f,
                "`{source}` in the key is neither an argument nor a field path; \
                 write one such as `<user.id>`, or `<<` for a literal `<`"
            ),
            Self::SpecNamesArgument(source) => write!(
                f,
                "the format of `{source}` reaches for another argument; write its numbers out"
            ),
            Self::NoSeparator {
                left,
                between,
                right,
            } => write!(
                f,
                "`{left}{between}{right}` can give different arguments one key; \
                 separate them by a character that no value holds, as in `{left}:{right}`"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Segment {
        Segment::Text(text.to_owned())
    }

    fn placeholder(root: &str, path: &[&str], format: Format, source: &str) -> Segment {
        Segment::Placeholder(Placeholder {
            root: root.to_owned(),
            path: path.iter().map(|&member| member.to_owned()).collect(),
            format,
            source: source.to_owned(),
        })
    }

    #[track_caller]
    fn parses(source: &str, segments: &[Segment]) {
        let template = Template::parse(source);
        assert_eq!(template.problems, []);
        assert_eq!(template.segments, segments);
    }

    #[track_caller]
    fn fails(source: &str, problems: &[Problem]) {
        assert_eq!(Template::parse(source).problems, problems);
    }

    /// All strings of up to `len` of these characters.
    fn strings(alphabet: &[char], len: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut longest = all.clone();
        for _ in 0..len {
            longest = longest
                .iter()
                .flat_map(|start| alphabet.iter().map(move |c| format!("{start}{c}")))
                .collect();
            all.extend_from_slice(&longest);
        }
        all
    }

    #[test]
    fn placeholders() {
        let display =
            |root, path: &[&str], source| placeholder(root, path, Format::Display, source);
        let spec =
            |spec: &str, source| placeholder("x", &[], Format::Spec(spec.to_owned()), source);
        parses("user:<id>", &[text("user:"), display("id", &[], "<id>")]);
        parses("<user.id>", &[display("user", &["id"], "<user.id>")]);
        parses("<a.0.b>", &[display("a", &["0", "b"], "<a.0.b>")]);
        parses("<Self>", &[display("Self", &[], "<Self>")]);
        parses("<type.fn>", &[display("type", &["fn"], "<type.fn>")]);
        parses("<größe>", &[display("größe", &[], "<größe>")]);
        parses("<x:.3>", &[spec(".3", "<x:.3>")]);
        parses("<x:?>", &[spec("?", "<x:?>")]);
        parses("<x:#?>", &[spec("#?", "<x:#?>")]);
        parses("<x:>8>", &[spec(">8", "<x:>8>")]);
        parses("<x:<8>", &[spec("<8", "<x:<8>")]);
        parses("<x:#>", &[placeholder("x", &[], Format::Digest, "<x:#>")]);
    }

    #[test]
    fn text_is_escaped_where_a_backend_could_not_take_it() {
        parses("a b\té", &[text("a%20b%09%C3%A9")]);
        parses("100%,|/\"", &[text("100%,|/\"")]);
        parses("a<<b>", &[text("a<b>")]);
    }

    #[test]
    fn problems() {
        fails("", &[Problem::Empty]);
        fails("a:<id", &[Problem::Unclosed("<id".to_owned())]);
        fails("<x:>", &[Problem::Unclosed("<x:>".to_owned())]);
        fails("<>", &[Problem::Unnamed]);
        for source in [
            "<f()>",
            "< id>",
            "<1>",
            "<a..b>",
            "<a.>",
            "<.a>",
            "<:?>",
            "<_>",
            "<super>",
            "<r#type>",
            "<user.self>",
            "<user.Self>",
            "<user.crate>",
            "<user._>",
            "<user.99999999999>",
            "<user.01>",
            "<Ⓐ>",
        ] {
            fails(source, &[Problem::NotAName(source.to_owned())]);
        }
        for source in ["<x:w$>", "<x:.*>", "<x:{}>"] {
            fails(source, &[Problem::SpecNamesArgument(source.to_owned())]);
        }
    }

    #[test]
    fn values_are_kept_apart() {
        for between in ["", "-", "a", "%", "_.~", " ", "é"] {
            let problems = Template::parse(&format!("<a>{between}<b>")).problems;
            assert!(
                matches!(problems[..], [Problem::NoSeparator { .. }]),
                "{between:?}"
            );
        }
        for between in [":", "/", "|", "a:b", "<<", ">", "=", "\\"] {
            assert_eq!(Template::parse(&format!("<a>{between}<b>")).problems, []);
        }
        fails(
            "<a>:<b><c>",
            &[Problem::NoSeparator {
                left: "<b>".to_owned(),
                between: String::new(),
                right: "<c>".to_owned(),
            }],
        );
    }

    #[test]
    fn whatever_is_written_text_is_printable() {
        for source in strings(&['<', '>', 'a', '.', ':', ' ', 'é'], 6) {
            for segment in Template::parse(&source).segments {
                if let Segment::Text(text) = segment {
                    assert!(text.bytes().all(|b| b.is_ascii_graphic()), "{source:?}");
                }
            }
        }
    }

    #[test]
    fn a_template_without_problems_is_taken_whole() {
        for source in strings(&['<', '>', 'a', ':', '?'], 7) {
            let template = Template::parse(&source);
            if !template.problems.is_empty() {
                continue;
            }
            let again: String = template
                .segments
                .iter()
                .map(|segment| match segment {
                    Segment::Text(text) => text.replace('<', "<<"),
                    Segment::Placeholder(placeholder) => placeholder.source.clone(),
                })
                .collect();
            assert_eq!(again, source);
        }
    }

    /// With every accepted separator, every two pairs of short values. That the runtime escapes what may separate is shown
    /// where both are at hand, in the tests of `cache-memoize`.
    #[test]
    fn no_two_pairs_of_values_share_a_key() {
        let escaped = |value: &String| {
            let mut text = String::new();
            for c in value.chars() {
                if is_separator(c) || c == '%' {
                    push_percent_encoded(&mut text, c);
                } else {
                    text.push(c);
                }
            }
            text
        };
        let values: Vec<String> = strings(&['a', '-', ':', '%'], 3)
            .iter()
            .map(escaped)
            .collect();
        for between in strings(&['a', '-', ':'], 2) {
            if !Template::parse(&format!("<x>{between}<y>"))
                .problems
                .is_empty()
            {
                continue;
            }
            let mut keys = std::collections::HashSet::new();
            for x in &values {
                for y in &values {
                    assert!(keys.insert(format!("{x}{between}{y}")));
                }
            }
        }
    }
}
