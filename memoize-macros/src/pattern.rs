//! Patterns of arguments: what they bind, and how they look where the argument is behind a reference.

use proc_macro2::{Ident, Span};
use syn::spanned::Spanned as _;
use syn::{Pat, PatIdent, PatWild, Token};

use crate::item;

/// `x` or `mut x`
pub(crate) fn simple_name(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(PatIdent {
            by_ref: None,
            subpat: None,
            ident,
            ..
        }) => Some(ident),
        _ => None,
    }
}

/// What a destructuring pattern binds.
#[derive(Default)]
pub(crate) struct Bindings {
    pub(crate) names: Vec<Ident>,
    /// The first place where there may be names that can't be told. One that is missed would be missing in the key.
    pub(crate) unseen: Option<Span>,
}

impl Bindings {
    pub(crate) fn of(pat: &Pat) -> Self {
        let mut bindings = Self::default();
        bindings.collect(pat);
        bindings
    }

    fn collect(&mut self, pat: &Pat) {
        match pat {
            Pat::Ident(pat) => {
                if may_be_constant(pat) {
                    self.unseen.get_or_insert(pat.ident.span());
                }
                self.names.push(pat.ident.clone());
                if let Some((_, inner)) = &pat.subpat {
                    self.collect(inner);
                }
            }
            // Each case binds the same names.
            Pat::Or(pat) => {
                if let Some(case) = pat.cases.first() {
                    self.collect(case);
                }
            }
            Pat::Paren(pat) => self.collect(&pat.pat),
            Pat::Reference(pat) => self.collect(&pat.pat),
            Pat::Slice(pat) => pat.elems.iter().for_each(|pat| self.collect(pat)),
            Pat::Tuple(pat) => pat.elems.iter().for_each(|pat| self.collect(pat)),
            Pat::TupleStruct(pat) => pat.elems.iter().for_each(|pat| self.collect(pat)),
            Pat::Struct(pat) => pat.fields.iter().for_each(|field| self.collect(&field.pat)),
            Pat::Const(_)
            | Pat::Lit(_)
            | Pat::Path(_)
            | Pat::Range(_)
            | Pat::Rest(_)
            | Pat::Wild(_) => {}
            _ => {
                self.unseen.get_or_insert(pat.span());
            }
        }
    }
}

/// The pattern for a reference to what `pat` takes apart: without `&`, `ref` and `mut`, the default binding
/// modes make each name a reference. Names that aren't `wanted` become `_`, as unused ones are warned about.
pub(crate) fn by_reference(pat: &Pat, wanted: &dyn Fn(&Ident) -> bool) -> Pat {
    let recur = |pat: &Pat| by_reference(pat, wanted);
    match pat.clone() {
        Pat::Ident(mut pat) => {
            pat.by_ref = None;
            pat.mutability = None;
            pat.subpat = pat.subpat.map(|(at, inner)| (at, Box::new(recur(&inner))));
            match pat.subpat {
                _ if wanted(&pat.ident) => Pat::Ident(pat),
                Some((_, inner)) => *inner,
                None => wild(&pat.ident),
            }
        }
        Pat::Or(mut pat) => {
            pat.cases.iter_mut().for_each(|case| *case = recur(case));
            Pat::Or(pat)
        }
        Pat::Paren(mut pat) => {
            *pat.pat = recur(&pat.pat);
            Pat::Paren(pat)
        }
        Pat::Reference(pat) => recur(&pat.pat),
        Pat::Slice(mut pat) => {
            pat.elems.iter_mut().for_each(|elem| *elem = recur(elem));
            Pat::Slice(pat)
        }
        Pat::Tuple(mut pat) => {
            pat.elems.iter_mut().for_each(|elem| *elem = recur(elem));
            Pat::Tuple(pat)
        }
        Pat::TupleStruct(mut pat) => {
            pat.elems.iter_mut().for_each(|elem| *elem = recur(elem));
            Pat::TupleStruct(pat)
        }
        Pat::Struct(mut pat) => {
            for field in &mut pat.fields {
                *field.pat = recur(&field.pat);
                if field.colon_token.is_none() && simple_name(&field.pat).is_none() {
                    field.colon_token = Some(Token![:](pat.brace_token.span.open()));
                }
            }
            Pat::Struct(pat)
        }
        other => other,
    }
}

fn wild(name: &Ident) -> Pat {
    Pat::Wild(PatWild {
        attrs: Vec::new(),
        underscore_token: Token![_](name.span()),
    })
}

/// A unit struct or a constant looks like a name; by its case it is either.
fn may_be_constant(pat: &PatIdent) -> bool {
    pat.by_ref.is_none()
        && pat.mutability.is_none()
        && pat.subpat.is_none()
        && item::name(&pat.ident).starts_with(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;
    use syn::parse::Parser as _;

    use super::*;

    fn pat(text: &str) -> Pat {
        Pat::parse_single.parse_str(text).expect("a pattern")
    }

    #[track_caller]
    fn becomes(from: &str, wanted: &[&str], to: &str) {
        let by_reference = by_reference(&pat(from), &|name| wanted.iter().any(|w| name == w));
        assert_eq!(
            by_reference.to_token_stream().to_string(),
            pat(to).to_token_stream().to_string()
        );
    }

    #[test]
    fn names_in_order() {
        for (text, expected) in [
            ("(a, mut b)", vec!["a", "b"]),
            ("Point { x, y: (ref y, _), .. }", vec!["x", "y"]),
            (
                "whole @ Some([first, rest @ ..])",
                vec!["whole", "first", "rest"],
            ),
            ("&(a, path::Unit)", vec!["a"]),
            ("(ref A, mut B, C @ _)", vec!["A", "B", "C"]),
            ("(A(x) | B(x))", vec!["x"]),
            ("_", vec![]),
        ] {
            let bindings = Bindings::of(&pat(text));
            assert_eq!(bindings.names, expected, "{text}");
            assert!(bindings.unseen.is_none(), "{text}");
        }
    }

    #[test]
    fn what_may_hide_a_name_is_not_taken_for_nothing() {
        for text in [
            "(a, Unit)",
            "Point { x, Y }",
            "(A | A)",
            "&[N, ..]",
            "whole @ Unit",
            "(a, point!(x, y))",
        ] {
            assert!(Bindings::of(&pat(text)).unseen.is_some(), "{text}");
        }
    }

    #[test]
    fn behind_a_reference() {
        becomes("(a, mut b)", &["a", "b"], "(a, b)");
        becomes("(a, mut b)", &["b"], "(_, b)");
        becomes("&(ref a, &b)", &["a", "b"], "(a, b)");
        becomes(
            "P { x, ref mut y, z: mut w, .. }",
            &["x", "w"],
            "P { x, y: _, z: w, .. }",
        );
        becomes("[all @ .., last]", &["last"], "[.., last]");
        becomes("whole @ (a, path::Unit)", &["a"], "(a, path::Unit)");
    }
}
