//! A hash of a function's text.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// FNV-1a over the tokens: the same for every compiler, and blind to spaces, comments and line breaks.
///
/// It tells apart functions that a developer wrote, and is no defence: a few lines do, and a faster or stronger hash would
/// be one more dependency of every build.
pub(crate) fn of(tokens: TokenStream) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.tokens(tokens);
    hash.0
}

struct Fnv(u64);

impl Fnv {
    fn tokens(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    self.text(opening(group.delimiter()));
                    self.tokens(group.stream());
                    self.text(")");
                }
                TokenTree::Ident(ident) => self.text(&ident.to_string()),
                // `a && b` is not `a & &b`.
                TokenTree::Punct(punct) if punct.spacing() == Spacing::Joint => {
                    self.text(&format!("{punct} joint"));
                }
                TokenTree::Punct(punct) => self.text(&punct.to_string()),
                TokenTree::Literal(literal) => self.text(&literal.to_string()),
            }
        }
    }

    fn text(&mut self, text: &str) {
        // No UTF-8 holds the last byte: two texts never run together to one.
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

fn opening(delimiter: Delimiter) -> &'static str {
    match delimiter {
        Delimiter::Parenthesis => "(",
        Delimiter::Brace => "{",
        Delimiter::Bracket => "[",
        Delimiter::None => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::of;

    fn hash(text: &str) -> u64 {
        of(text.parse().expect("valid tokens"))
    }

    #[test]
    fn layout_does_not_count() {
        assert_eq!(
            hash("fn f(id: u64) { g(id) /* why */ }"),
            hash("fn f( id:u64 )\n{ g(id)\n}")
        );
        assert_eq!(hash("fn f() {}"), 0x70b5_a2c0_d491_39f6);
    }

    #[test]
    fn everything_else_counts() {
        let texts = [
            "", "a", "ab", "a b", "\"a\"", "'a'", "'a", "(a)", "[a]", "{a}", "(a) b", "(a b)",
            "() a b", "a && b", "a & &b", "1", "1.0", "1u8", "r#a", "{ b }", "{} b",
        ];
        let hashes: HashSet<u64> = texts.into_iter().map(hash).collect();
        assert_eq!(hashes.len(), texts.len());
    }
}
