//! What tokens mention, without parsing them: a body may be half typed, or be written for a later Rust.

use std::mem;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use crate::item;

/// Whether a variable, parameter or lifetime (`'a`) of this name is mentioned; `.name` is a field or a method.
pub(crate) fn mentions(tokens: impl ToTokens, name: &str) -> bool {
    mentions_name(tokens.into_token_stream(), name)
}

fn mentions_name(tokens: TokenStream, name: &str) -> bool {
    let mut before = [' ', ' '];
    tokens.into_iter().any(|token| {
        let mut punct = ' ';
        let found = match &token {
            TokenTree::Ident(ident) => match before {
                [_, '\''] => format!("'{ident}") == name,
                [first, '.'] if first != '.' => false,
                _ => item::name(ident) == name,
            },
            TokenTree::Group(group) => mentions_name(group.stream(), name),
            TokenTree::Punct(p) => {
                punct = p.as_char();
                false
            }
            TokenTree::Literal(_) => false,
        };
        before = [before[1], punct];
        found
    })
}

/// Whether the enclosing impl's `Self` is mentioned. The braces of a nested `impl`, `trait` or `fn` have their own.
pub(crate) fn mentions_self_type(tokens: TokenStream) -> bool {
    let mut in_nested_header = false;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "Self" => return true,
            TokenTree::Ident(ident) if ident == "impl" || ident == "trait" => {
                in_nested_header = true;
            }
            // A name follows the keyword of an item, parentheses that of a pointer type.
            TokenTree::Ident(ident) if ident == "fn" => {
                in_nested_header |= matches!(tokens.peek(), Some(TokenTree::Ident(_)));
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => in_nested_header = false,
            TokenTree::Group(group) => {
                let is_nested_body =
                    group.delimiter() == Delimiter::Brace && mem::take(&mut in_nested_header);
                if !is_nested_body && mentions_self_type(group.stream()) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> TokenStream {
        text.parse().expect("valid tokens")
    }

    #[test]
    fn names() {
        for text in ["id", "f(id)", "0..id", "vec![x, id]", "r#id + 1", "id.id"] {
            assert!(mentions(tokens(text), "id"), "{text}");
        }
        for text in ["ids", "user.id", "user.id()", "\"id\"", "'id", "&'id str"] {
            assert!(!mentions(tokens(text), "id"), "{text}");
        }
        assert!(mentions(tokens("&'a str"), "'a"));
        assert!(!mentions(tokens("Vec<a>"), "'a"));
    }

    #[test]
    fn the_self_type() {
        for text in [
            "Self::new()",
            "vec![Self]",
            "fn inner() {} Self",
            "let f: fn(u8) = g; { Self }",
            "struct X; impl X { fn new() -> Self { X } } { Self::new() }",
        ] {
            assert!(mentions_self_type(tokens(text)), "{text}");
        }
        for text in [
            "self.id",
            "Selfish",
            "struct X; impl Default for X { fn default() -> Self { X } } 1",
            "trait T { fn t() -> Self; } 1",
        ] {
            assert!(!mentions_self_type(tokens(text)), "{text}");
        }
    }
}
