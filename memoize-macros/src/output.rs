//! What a function returns, as far as tokens tell.

mod iterated;

pub(crate) use iterated::{Iterated, boxed_stream_for, iterated};

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _};
use syn::spanned::Spanned as _;
use syn::{GenericArgument, Lifetime, Path, PathArguments, ReturnType, Type, TypeParamBound};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Returned {
    Nothing,
    Never,
    Value,
    Future,
    Iterator,
    Stream,
    /// One of them in a `Result` or `Option`.
    Wrapped {
        is_async: bool,
        by: &'static str,
    },
    /// Another `impl Trait`.
    Opaque,
}

pub(crate) fn classify(ty: &Type) -> Returned {
    match ungrouped(ty) {
        Type::Tuple(tuple) if tuple.elems.is_empty() => Returned::Nothing,
        Type::Never(_) => Returned::Never,
        Type::ImplTrait(ty) => from_bounds(&ty.bounds).unwrap_or(Returned::Opaque),
        ty => from_path(ty).unwrap_or_else(|| {
            if mentions_impl(ty.to_token_stream()) {
                Returned::Opaque
            } else {
                Returned::Value
            }
        }),
    }
}

/// A `Box<dyn Trait>`, a `Pin` of one, what `futures` calls such a future or stream, and what may be wrapped around the latter.
fn from_path(ty: &Type) -> Option<Returned> {
    let path = path(ty)?;
    let name = &path.segments.last()?.ident;
    let inner = first_type_argument(path)?;
    if name == "Pin" {
        return from_path(inner);
    }
    if is_boxed_future(name) {
        return Some(Returned::Future);
    }
    if is_boxed_stream(name) {
        return Some(Returned::Stream);
    }
    match inner {
        Type::TraitObject(object) if name == "Box" => from_bounds(&object.bounds),
        _ => wrapped(name, inner),
    }
}

fn wrapped(name: &Ident, inner: &Type) -> Option<Returned> {
    let by = ["Result", "Option"].into_iter().find(|by| name == by)?;
    let inner = match ungrouped(inner) {
        Type::ImplTrait(ty) => from_bounds(&ty.bounds),
        ty => from_path(ty),
    };
    match inner? {
        Returned::Iterator => Some(false),
        Returned::Stream => Some(true),
        _ => None,
    }
    .map(|is_async| Returned::Wrapped { is_async, by })
}

/// How a returned future is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum FutureForm {
    /// `impl Future`
    Opaque,
    /// `Pin<Box<dyn Future>>`, as `async_trait` writes it, or `BoxFuture`.
    Boxed,
}

/// The form of a returned future that can be awaited as it is, and the `T` in its `Future<Output = T>`.
pub(crate) fn future(output: &ReturnType) -> Option<(FutureForm, &Type)> {
    let ReturnType::Type(_, ty) = output else {
        return None;
    };
    match ungrouped(ty) {
        Type::ImplTrait(ty) => Some((FutureForm::Opaque, future_output(&ty.bounds)?)),
        ty => {
            let pin = path(ty)?;
            let inner = first_type_argument(pin)?;
            if is_boxed_future(&pin.segments.last()?.ident) {
                return Some((FutureForm::Boxed, inner));
            }
            let boxed = path(inner)?;
            let is_pinned_box =
                pin.segments.last()?.ident == "Pin" && boxed.segments.last()?.ident == "Box";
            match first_type_argument(boxed)? {
                Type::TraitObject(object) if is_pinned_box => {
                    Some((FutureForm::Boxed, future_output(&object.bounds)?))
                }
                _ => None,
            }
        }
    }
}

/// The type of a boxed future, as it is written on a closure: how long the box lives is left to inference. What comes out of it may
/// have to live longer, as the stream that a method of `async_trait` gives, and then so does the box that it is kept with.
pub(crate) fn with_inferred_box(mut ty: Type) -> Type {
    infer_box(&mut ty);
    ty
}

fn infer_box(ty: &mut Type) {
    let inferred = |lifetime: &Lifetime| Lifetime::new("'_", lifetime.span());
    match ty {
        Type::Group(group) => infer_box(&mut group.elem),
        Type::Paren(paren) => infer_box(&mut paren.elem),
        Type::TraitObject(object) => {
            for bound in &mut object.bounds {
                if let TypeParamBound::Lifetime(lifetime) = bound {
                    *lifetime = inferred(lifetime);
                }
            }
        }
        Type::Path(ty) => {
            let Some(last) = ty.path.segments.last_mut() else {
                return;
            };
            let is_boxed = is_boxed_future(&last.ident);
            if let PathArguments::AngleBracketed(arguments) = &mut last.arguments {
                for argument in &mut arguments.args {
                    match argument {
                        GenericArgument::Lifetime(lifetime) => *lifetime = inferred(lifetime),
                        GenericArgument::Type(inner) if !is_boxed => infer_box(inner),
                        _ => {}
                    }
                }
            }
        }
        _ => {}
    }
}

fn future_output<'b>(bounds: impl IntoIterator<Item = &'b TypeParamBound>) -> Option<&'b Type> {
    bounds.into_iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let last = bound.path.segments.last()?;
        if last.ident != "Future" {
            return None;
        }
        arguments(&last.arguments).find_map(|argument| match argument {
            GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
            _ => None,
        })
    })
}

fn from_bounds<'b>(bounds: impl IntoIterator<Item = &'b TypeParamBound>) -> Option<Returned> {
    bounds.into_iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => from_name(&bound.path.segments.last()?.ident),
        _ => None,
    })
}

fn from_name(name: &Ident) -> Option<Returned> {
    match name.to_string().as_str() {
        "Future" => Some(Returned::Future),
        "Iterator" | "DoubleEndedIterator" | "ExactSizeIterator" | "FusedIterator" => {
            Some(Returned::Iterator)
        }
        "Stream" | "FusedStream" | "TryStream" => Some(Returned::Stream),
        _ => None,
    }
}

/// Whether it is the name that the `futures` crates give to a `Pin<Box<dyn Future>>`.
fn is_boxed_future(name: &Ident) -> bool {
    name == "BoxFuture" || name == "LocalBoxFuture"
}

/// The same of a `Pin<Box<dyn Stream>>`.
fn is_boxed_stream(name: &Ident) -> bool {
    name == "BoxStream" || name == "LocalBoxStream"
}

pub(crate) fn mentions_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => mentions_impl(group.stream()),
        _ => false,
    })
}

/// Whether the type is called `Result`. A `Result` of another name is still known at run time, by its type.
pub(crate) fn is_result(ty: &Type) -> bool {
    path(ty)
        .and_then(|path| path.segments.last())
        .is_some_and(|last| last.ident == "Result")
}

/// The `T` of a `Result<T, E>`. An alias with one parameter doesn't say which one it is.
pub(crate) fn ok_type(result: &Type) -> Option<&Type> {
    let arguments = &path(result)?.segments.last()?.arguments;
    let mut types = type_arguments(arguments);
    let first = types.next();
    types.next().and(first)
}

/// A reference or lifetime in what would be stored.
pub(crate) struct Borrow {
    pub(crate) span: Span,
    pub(crate) borrowed: String,
    /// For how long, where that has a name.
    pub(crate) lifetime: Option<Lifetime>,
    pub(crate) fix: String,
}

impl Borrow {
    /// It lives as long as any value, but there is nowhere to read one back into.
    pub(crate) fn is_static(&self) -> bool {
        self.lifetime
            .as_ref()
            .is_some_and(|lifetime| lifetime.ident == "static")
    }
}

/// Finds a borrow in the value; the error of a `Result` may borrow, as it isn't stored.
pub(crate) fn find_borrow(ty: &Type) -> Option<Borrow> {
    let ty = ungrouped(ty);
    match ty {
        Type::Reference(reference) => Some(Borrow {
            span: reference.and_token.span(),
            borrowed: text(ty),
            lifetime: reference.lifetime.clone().and_then(named),
            fix: format!("return `{}`", owned(&reference.elem)),
        }),
        Type::Array(array) => find_borrow(&array.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(find_borrow),
        Type::Path(_) if is_result(ty) => first_type_argument(path(ty)?).and_then(find_borrow),
        Type::Path(ty) => ty.path.segments.iter().find_map(|segment| {
            arguments(&segment.arguments).find_map(|argument| match argument {
                GenericArgument::Type(ty) => find_borrow(ty),
                GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => Some(Borrow {
                    span: lifetime.span(),
                    borrowed: text(ty),
                    lifetime: named(lifetime.clone()),
                    fix: "return a type without a lifetime, or with `'static`".to_owned(),
                }),
                _ => None,
            })
        }),
        _ => None,
    }
}

fn named(lifetime: Lifetime) -> Option<Lifetime> {
    (lifetime.ident != "_").then_some(lifetime)
}

fn owned(borrowed: &Type) -> String {
    match borrowed {
        Type::Slice(slice) => format!("Vec<{}>", text(&slice.elem)),
        Type::TraitObject(_) => format!("Box<{}>", text(borrowed)),
        _ => match text(borrowed).rsplit("::").next() {
            Some("str") => "String".to_owned(),
            Some("Path") => "PathBuf".to_owned(),
            Some("OsStr") => "OsString".to_owned(),
            Some("CStr") => "CString".to_owned(),
            _ => text(borrowed),
        },
    }
}

/// The type with a name for each elided lifetime, and whether there were any. The elision of a signature means
/// another thing once arguments are left out of it.
pub(crate) fn name_elided(ty: TokenStream, name: &Lifetime) -> (TokenStream, bool) {
    let mut any = false;
    let mut named = TokenStream::new();
    let mut after_ident = false;
    let mut tokens = ty.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_ident = matches!(token, TokenTree::Ident(_));
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(ident)) if ident == "_" => {
                    any = true;
                    name.to_tokens(&mut named);
                }
                ident => {
                    named.append(punct);
                    named.append_all(ident);
                }
            },
            TokenTree::Punct(punct) if punct.as_char() == '&' => {
                named.append(Punct::new('&', Spacing::Alone));
                if !matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'')
                {
                    any = true;
                    name.to_tokens(&mut named);
                }
            }
            // `fn(&T)` and `Fn(&T)` elide lifetimes of their own.
            TokenTree::Group(group)
                if !(after_ident && group.delimiter() == Delimiter::Parenthesis) =>
            {
                let (inner, inner_any) = name_elided(group.stream(), name);
                any |= inner_any;
                named.append(Group::new(group.delimiter(), inner));
            }
            token => named.append(token),
        }
        after_ident = is_ident;
    }
    (named, any)
}

fn path(ty: &Type) -> Option<&Path> {
    match ungrouped(ty) {
        Type::Path(ty) => Some(&ty.path),
        _ => None,
    }
}

fn first_type_argument(path: &Path) -> Option<&Type> {
    type_arguments(&path.segments.last()?.arguments).next()
}

fn type_arguments(of: &PathArguments) -> impl Iterator<Item = &Type> {
    arguments(of).filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn arguments(arguments: &PathArguments) -> impl Iterator<Item = &GenericArgument> {
    match arguments {
        PathArguments::AngleBracketed(arguments) => Some(arguments.args.iter()),
        _ => None,
    }
    .into_iter()
    .flatten()
}

/// Without parentheses, and without the group that `macro_rules` puts around what it substitutes.
pub(crate) fn ungrouped(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        }
    }
}

/// A type, or another part of a signature, as one writes it: printed tokens have spaces everywhere.
pub(crate) fn text(ty: &impl ToTokens) -> String {
    let mut text = ty.to_token_stream().to_string();
    for (spaced, tight) in [
        (" < ", "<"),
        (" >", ">"),
        (" :: ", "::"),
        (":: ", "::"),
        ("& ", "&"),
        (" ,", ","),
        (" :", ":"),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn returned(output: &str) -> Returned {
        match syn::parse_str(output).expect("a return type") {
            ReturnType::Default => Returned::Nothing,
            ReturnType::Type(_, ty) => classify(&ty),
        }
    }

    fn ty(text: &str) -> Type {
        syn::parse_str(text).expect("a type")
    }

    #[test]
    fn kinds() {
        assert_eq!(returned(""), Returned::Nothing);
        assert_eq!(returned("-> ()"), Returned::Nothing);
        assert_eq!(returned("-> !"), Returned::Never);
        assert_eq!(returned("-> Vec<u8>"), Returned::Value);
        assert_eq!(returned("-> Box<dyn Shape>"), Returned::Value);
        assert_eq!(
            returned("-> impl Iterator<Item = u8> + use<>"),
            Returned::Iterator
        );
        assert_eq!(
            returned("-> Box<dyn Iterator<Item = u8> + '_>"),
            Returned::Iterator
        );
        assert_eq!(returned("-> impl Future<Output = u8>"), Returned::Future);
        assert_eq!(
            returned("-> ::std::pin::Pin<Box<dyn Future<Output = u8> + Send>>"),
            Returned::Future
        );
        for stream in [
            "-> impl Stream<Item = u8>",
            "-> Pin<Box<dyn Stream<Item = u8> + Send + '_>>",
            "-> futures::stream::BoxStream<'static, u8>",
            "-> LocalBoxStream<'_, u8>",
        ] {
            assert_eq!(returned(stream), Returned::Stream);
        }
        assert_eq!(returned("-> impl Display"), Returned::Opaque);
        assert_eq!(returned("-> Option<impl Display>"), Returned::Opaque);
        for (wrapped, is_async, by) in [
            ("-> Option<impl Iterator<Item = u8>>", false, "Option"),
            ("-> io::Result<BoxStream<'_, u8>>", true, "Result"),
        ] {
            assert_eq!(returned(wrapped), Returned::Wrapped { is_async, by });
        }
    }

    #[test]
    fn what_futures_give() {
        for (text, form) in [
            (
                "-> impl Send + Future<Output = io::Result<u8>> + 'a",
                FutureForm::Opaque,
            ),
            (
                "-> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = io::Result<u8>> + Send + 'async_trait>>",
                FutureForm::Boxed,
            ),
            (
                "-> futures::future::BoxFuture<'_, io::Result<u8>>",
                FutureForm::Boxed,
            ),
            ("-> LocalBoxFuture<'a, io::Result<u8>>", FutureForm::Boxed),
        ] {
            let output = syn::parse_str(text).expect("a return type");
            let (found, given) = future(&output).expect(text);
            assert_eq!(
                (found, super::text(given).as_str()),
                (form, "io::Result<u8>")
            );
        }
        for text in [
            "",
            "-> u8",
            "-> impl Future",
            "-> Box<dyn Future<Output = u8>>",
        ] {
            assert!(
                future(&syn::parse_str(text).expect("a return type")).is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn results_are_known_by_their_last_name() {
        for text in [
            "Result<u8, E>",
            "io::Result<u8>",
            "::core::fmt::Result",
            "(Result<u8, E>)",
        ] {
            assert!(is_result(&ty(text)), "{text}");
        }
        for text in ["Option<Result<u8, E>>", "Res<u8>", "u8"] {
            assert!(!is_result(&ty(text)), "{text}");
        }
    }

    #[test]
    fn borrows_and_what_to_return_instead() {
        for (text, borrowed, fix) in [
            ("&str", "&str", "return `String`"),
            ("Option<&'a [u8]>", "&'a [u8]", "return `Vec<u8>`"),
            ("Result<&User, E>", "&User", "return `User`"),
            (
                "(u8, &'static std::path::Path)",
                "&'static std::path::Path",
                "return `PathBuf`",
            ),
            (
                "Cow<'_, str>",
                "Cow<'_, str>",
                "return a type without a lifetime, or with `'static`",
            ),
        ] {
            let borrow = find_borrow(&ty(text)).expect(text);
            assert_eq!(
                (borrow.borrowed.as_str(), borrow.fix.as_str()),
                (borrowed, fix)
            );
        }
        for text in [
            "User",
            "Cow<'static, str>",
            "Result<u8, &'a str>",
            "Result<u8, ParseError<'_>>",
            "Vec<Option<u8>>",
        ] {
            assert!(find_borrow(&ty(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn elided_lifetimes_get_a_name() {
        for (from, to) in [
            ("E<'_>", "E<'x>"),
            ("(&str, &'a mut [&u8])", "(&'x str, &'a mut [&'x u8])"),
            ("Result<u8, E>", "Result<u8, E>"),
            ("Box<dyn Fn(&str)>", "Box<dyn Fn(&str)>"),
        ] {
            let name = Lifetime::new("'x", Span::call_site());
            let (named, any) = name_elided(ty(from).to_token_stream(), &name);
            assert_eq!(named.to_string(), ty(to).to_token_stream().to_string());
            assert_eq!(any, from != to);
        }
    }
}
