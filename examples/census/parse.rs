//! Parsing any file at all, hostile ones included, without going down with it.

use std::panic::{self, AssertUnwindSafe};

use proc_macro2::Delimiter::Brace;
use proc_macro2::token_stream::IntoIter;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::Visit;

/// What the thread that parses needs. Only what is used of it becomes memory.
pub(crate) const STACK_SIZE: usize = 1 << 30;

/// How deep a syntax tree may be: far beyond what people write, while a level takes at most 9 KB of
/// stack (38 KB without optimization), so that [`STACK_SIZE`] suffices.
const MAX_DEPTH: usize = 20_000;

/// The text is not Rust, or nests too deeply.
#[derive(Debug, PartialEq)]
pub(crate) struct Unparsed;

/// Shows the file's syntax tree to a visitor.
pub(crate) fn visit(
    source: &str,
    visitor: &mut impl for<'ast> Visit<'ast>,
) -> Result<(), Unparsed> {
    // Nothing but our own code stands in the closure, and a visitor that panicked is given up.
    let visited = panic::catch_unwind(AssertUnwindSafe(|| {
        let tokens: TokenStream = without_shebang(source).parse().map_err(|_| Unparsed)?;
        // A token has at least one byte, so most files need no closer look.
        if source.len() > MAX_DEPTH && may_exceed(MAX_DEPTH, tokens.clone()) {
            return Err(Unparsed);
        }
        visitor.visit_file(&syn::parse2(tokens).map_err(|_| Unparsed)?);
        Ok(())
    }));
    // Otherwise proc-macro2 keeps the text of every file, as any span may refer to it.
    proc_macro2::extra::invalidate_current_thread_spans();
    visited.unwrap_or(Err(Unparsed))
}

/// `#!/usr/bin/..` is no Rust, while `#![..]` is.
fn without_shebang(source: &str) -> &str {
    let shebang = source.starts_with("#!") && !source[2..].trim_start().starts_with('[');
    if !shebang {
        return source;
    }
    source.find('\n').map_or("", |end| &source[end..])
}

/// Whether a syntax tree of these tokens may be deeper than `limit`, found out without recursion:
/// an overflowing stack, unlike a panic, would end the process.
///
/// A tree is no deeper than its tokens are many, and one part of a list adds nothing to the next.
/// So this sums, over the brackets around a token, the tokens since the part began.
fn may_exceed(limit: usize, tokens: TokenStream) -> bool {
    let mut open = vec![Level::new(tokens, 0)];
    while let Some(level) = open.last_mut() {
        let Some(token) = level.rest.next() else {
            open.pop();
            continue;
        };
        let depth = level.depth_at(&token);
        if depth > limit {
            return true;
        }
        if let TokenTree::Group(group) = token {
            open.push(Level::new(group.stream(), depth));
        }
    }
    false
}

/// The inside of a bracket, or the whole file.
struct Level {
    rest: IntoIter,
    /// How deep the bracket itself may be.
    base: usize,
    /// The tokens since the part of this level began that is being read.
    run: usize,
    after_angle: bool,
    after_brace: bool,
}

impl Level {
    fn new(tokens: TokenStream, base: usize) -> Self {
        Self {
            rest: tokens.into_iter(),
            base,
            run: 0,
            after_angle: false,
            after_brace: false,
        }
    }

    fn depth_at(&mut self, token: &TokenTree) -> usize {
        let begins = match token {
            TokenTree::Punct(punct) => match punct.as_char() {
                ';' => true,
                // `A<u8, A<u8, ..` does nest: to the lexer, these are no brackets.
                ',' => !self.after_angle,
                '#' => self.after_brace,
                _ => false,
            },
            TokenTree::Ident(ident) => self.after_brace && ITEMS.iter().any(|item| ident == item),
            TokenTree::Group(_) | TokenTree::Literal(_) => false,
        };
        if begins {
            (self.run, self.after_angle) = (0, false);
        }
        self.run += 1;
        self.after_angle |= matches!(token, TokenTree::Punct(punct) if punct.as_char() == '<');
        self.after_brace = matches!(token, TokenTree::Group(group) if group.delimiter() == Brace);
        self.base + self.run
    }
}

/// After a `}` these begin an item, whereas `else` goes on.
const ITEMS: [&str; 8] = [
    "pub", "fn", "unsafe", "const", "impl", "struct", "enum", "mod",
];

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl Visit<'_> for Nothing {}

    fn parses(source: &str) -> bool {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(STACK_SIZE);
            let parsing = thread.spawn_scoped(scope, || visit(source, &mut Nothing).is_ok());
            parsing.unwrap().join().unwrap()
        })
    }

    #[test]
    fn a_shebang_is_skipped_and_an_attribute_is_not() {
        assert!(parses("#!/usr/bin/env run\nfn main() {}"));
        assert!(parses("#!/usr/bin/env run"));
        assert!(parses("#! [allow(unused)]\nfn main() {}"));
        assert!(!parses("#![allow(unused)\nfn main() {}"));
    }

    #[test]
    fn depth_of_every_kind_is_survived() {
        let kinds = [
            ("", "(", "1", ")"),
            ("", "!", "1", ""),
            ("", "{", "", "}"),
            ("", "fn a() {", "", "}"),
            ("", "a+", "1", ""),
            ("", "|_| ", "1", ""),
            ("", "a = ", "1", ""),
            ("", "if a {} else ", "{}", ""),
            ("", "for S {} in ", "a", "{}"),
            ("let _: ", "A<", "u8", ">"),
            ("let _: ", "A<u8, ", "u8", ">"),
            ("let _: ", "&", "u8", ""),
            ("a", ".b()", "", ""),
            ("a", "?", "", ""),
        ];
        for (before, open, inner, close) in kinds {
            // The deepest that is let through, then what might overflow the stack.
            let deep = MAX_DEPTH / (open.len() + close.len()) - 10;
            for (depth, survives) in [(deep, true), (MAX_DEPTH, false)] {
                let (open, close) = (open.repeat(depth), close.repeat(depth));
                let source = format!("fn f() {{ {before}{open}{inner}{close}; }}");
                assert_eq!(parses(&source), survives, "{depth} times {}", &source[..50]);
            }
        }
    }

    #[test]
    fn long_is_not_deep() {
        let parts = [
            "fn f() { a(b, c); }",
            "#[a] struct S {}",
            "pub fn g() {}",
            "impl S {}",
        ];
        assert!(parses(
            &parts.map(|part| part.repeat(MAX_DEPTH / 5)).concat()
        ));
        assert!(parses(&format!(
            "const A: &[u8] = &[{}];",
            "1, ".repeat(MAX_DEPTH)
        )));
        assert!(parses(&format!(
            "fn f() {{ {} }}",
            "a(b, c);".repeat(MAX_DEPTH / 5)
        )));
    }
}
