//! The function that the attribute stands on.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{AttrStyle, Attribute, Meta, Path, Signature, Token, Visibility, braced};

use crate::scan::mentions;

/// A function or method. Its body stays unparsed: faster, and an editor can expand it half typed.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig: Signature = if is_signature(input) {
            input.parse()?
        } else {
            let message = "`cache_memoize` goes on functions and methods; move it to one";
            return Err(syn::Error::new(Span::call_site(), message));
        };
        if input.peek(Token![;]) {
            let message = "a function without a body has nothing to remember; \
                           put `cache_memoize` on its implementations";
            return Err(syn::Error::new(sig.ident.span(), message));
        }
        let body;
        let braces = braced!(body in input);
        attrs.extend(body.call(Attribute::parse_inner)?.into_iter().map(as_outer));
        let mut body = Group::new(Delimiter::Brace, body.parse()?);
        body.set_span(braces.span.join());
        Ok(Self {
            attrs,
            vis,
            sig,
            body,
        })
    }
}

fn is_signature(input: ParseStream<'_>) -> bool {
    let modifiers = input.fork();
    while modifiers.peek(Token![const])
        || modifiers.peek(Token![async])
        || modifiers.peek(Token![unsafe])
        || modifiers.peek(Token![extern])
        || modifiers.peek(syn::LitStr)
    {
        if modifiers.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    modifiers.peek(Token![fn])
}

/// `#![..]` in a body means what `#[..]` before the function does, and only there we can copy it.
fn as_outer(attr: Attribute) -> Attribute {
    Attribute {
        style: AttrStyle::Outer,
        ..attr
    }
}

/// Another of ours, by whatever path.
pub(crate) fn is_memoize(attr: &Attribute) -> bool {
    let last = attr.path().segments.last();
    last.is_some_and(|segment| segment.ident == "cache_memoize")
}

pub(crate) fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
}

/// What is true of the companions if it is true of the function: `#[cfg]`, `#[doc(hidden)]`.
pub(crate) fn is_for_companions(attr: &Attribute) -> bool {
    let is_hidden = |doc: &Meta| {
        let list = doc.require_list();
        list.is_ok_and(|list| mentions(&list.tokens, "hidden"))
    };
    is_cfg(attr) || (attr.path().is_ident("doc") && is_hidden(&attr.meta))
}

/// `allow` and its kin, a `cfg_attr` of nothing else included.
pub(crate) fn is_lint(attr: &Attribute) -> bool {
    is_lint_path(attr.path()) || (attr.path().is_ident("cfg_attr") && sets_only_lints(&attr.meta))
}

fn is_lint_path(path: &Path) -> bool {
    ["allow", "warn", "deny", "forbid", "expect"]
        .iter()
        .any(|level| path.is_ident(level))
}

fn sets_only_lints(cfg_attr: &Meta) -> bool {
    let metas = Punctuated::<Meta, Token![,]>::parse_terminated;
    cfg_attr.require_list().is_ok_and(|list| {
        list.parse_args_with(metas)
            .is_ok_and(|metas| metas.iter().skip(1).all(|meta| is_lint_path(meta.path())))
    })
}

/// `expect` as `allow`: without the body there may be nothing to meet the expectation.
pub(crate) fn without_expectation(attr: &Attribute) -> Attribute {
    let mut attr = attr.clone();
    if let Meta::List(list) = &mut attr.meta
        && list.path.is_ident("expect")
    {
        let span = list.path.segments[0].ident.span();
        list.path = Ident::new("allow", span).into();
    }
    attr
}

/// Whether it is the name of a type that is there without being declared.
pub(crate) fn is_primitive(ident: &Ident) -> bool {
    const PRIMITIVES: [&str; 19] = [
        "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32",
        "i64", "i128", "isize", "f16", "f32", "f64", "f128",
    ];
    PRIMITIVES.contains(&name(ident).as_str())
}

/// The identifier of this name, raw where it is a keyword. There is none for `self` and its kin, which can't be raw.
pub(crate) fn ident(name: &str, span: Span) -> Option<Ident> {
    let is_ident = |text: &str| syn::parse_str::<Ident>(text).is_ok_and(|ident| ident == text);
    if is_ident(name) {
        Some(Ident::new(name, span))
    } else if is_ident(&format!("r#{name}")) {
        Some(Ident::new_raw(name, span))
    } else {
        None
    }
}

/// The name without `r#`, as it stands in keys and messages.
pub(crate) fn name(ident: &Ident) -> String {
    ident.unraw().to_string()
}
