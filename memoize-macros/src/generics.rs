//! Generic parameters of functions that take fewer arguments than the one they stand beside.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::{GenericParam, Generics};

use crate::item;
use crate::scan::mentions;

/// The generics without the parameters that only the types in `left_off` mention. Where clauses that mention one
/// of them go too.
pub(crate) fn reduce(
    generics: &Generics,
    left_off: &TokenStream,
    mut kept: TokenStream,
) -> Generics {
    let (mut dropped, mut staying): (Vec<_>, Vec<_>) = generics.params.iter().partition(|param| {
        mentions(left_off, &param_name(param)) && !mentions(&kept, &param_name(param))
    });
    // The bounds of a parameter that stays may mention one that would go.
    while let Some(param) = staying.pop() {
        kept.extend(param.to_token_stream());
        let (mentioned, rest) = dropped
            .into_iter()
            .partition(|param| mentions(&kept, &param_name(param)));
        staying.extend::<Vec<_>>(mentioned);
        dropped = rest;
    }

    let is_dropped = |tokens: &TokenStream| {
        dropped
            .iter()
            .any(|param| mentions(tokens, &param_name(param)))
    };
    let mut reduced = generics.clone();
    reduced.params = generics
        .params
        .iter()
        .filter(|param| {
            !dropped
                .iter()
                .any(|dropped| param_name(dropped) == param_name(param))
        })
        .cloned()
        .collect();
    if let Some(clause) = &mut reduced.where_clause {
        clause.predicates = clause
            .predicates
            .iter()
            .filter(|predicate| !is_dropped(&predicate.to_token_stream()))
            .cloned()
            .collect();
    }
    reduced
}

fn param_name(param: &GenericParam) -> String {
    match param {
        GenericParam::Lifetime(param) => param.lifetime.to_string(),
        GenericParam::Type(param) => item::name(&param.ident),
        GenericParam::Const(param) => item::name(&param.ident),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reduces(from: &str, left_off: &str, kept: &str, to: &str) {
        let generics = |header: &str| -> Generics {
            let signature: syn::Signature = syn::parse_str(header).expect("a signature");
            signature.generics
        };
        let tokens = |text: &str| -> TokenStream { text.parse().expect("tokens") };
        let reduced = reduce(&generics(from), &tokens(left_off), tokens(kept));
        let expected = generics(to);
        let text = |generics: &Generics| {
            let params = generics.to_token_stream();
            format!("{params} {}", generics.where_clause.to_token_stream())
        };
        assert_eq!(text(&reduced), text(&expected));
    }

    #[test]
    fn only_what_skipped_arguments_alone_mention_goes() {
        reduces("fn f<D, T>()", "&D", "T", "fn f<T>()");
        reduces("fn f<D, T>()", "&D", "Vec<D> T", "fn f<D, T>()");
        reduces("fn f<T>()", "", "", "fn f<T>()");
        reduces("fn f<'a, const N: usize>()", "&'a [u8; N]", "", "fn f()");
    }

    #[test]
    fn bounds_keep_what_they_mention() {
        reduces(
            "fn f<'a, D: 'a, T: From<D>>()",
            "&'a D",
            "T",
            "fn f<'a, D: 'a, T: From<D>>()",
        );
        reduces(
            "fn f<D, T>() where D: Into<T>, T: Copy",
            "D",
            "T",
            "fn f<T>() where T: Copy",
        );
    }
}
