//! Pieces that the function and its companions have in common.

use proc_macro2::{Group, Ident, Literal, Span, TokenStream};
use quote::{ToTokens, TokenStreamExt as _, format_ident, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Expr, FnArg, GenericParam, Generics, LitInt, Pat, PatIdent, ReceiverKind, ReturnType, Safety,
    Token, Type,
};

use super::{key, ours};
use crate::args::{Codec, Companions, Expiration, Local};
use crate::argument::{Argument, Name};
use crate::hash;
use crate::item::{is_for_parameters, name, without_expectation};
use crate::model::{Execution, Form, Model};
use crate::output;

pub(super) fn krate(model: &Model) -> TokenStream {
    krate_at(model, Span::mixed_site())
}

pub(super) fn krate_at(model: &Model, span: Span) -> TokenStream {
    let path = model.options.krate.as_ref().map(ToTokens::to_token_stream);
    path.unwrap_or_else(|| quote_spanned!(span=> ::cache_memoize))
}

/// What the function's `static` holds.
pub(super) fn new_site(model: &Model, site: &TokenStream) -> TokenStream {
    let name = name(&model.function.sig.ident);
    let expiration = match &model.options.expiration {
        Some(Expiration::Millis(millis)) => {
            let millis = Literal::u64_unsuffixed(*millis);
            Some(ours!(.expiration_millis(#millis)))
        }
        _ => None,
    };
    let version = model.options.version.map(|version| {
        let version = Literal::u32_unsuffixed(version);
        ours!(.version(#version))
    });
    let codec = (model.options.codec == Some(Codec::Msgpack)).then(|| ours!(.msgpack()));
    let encrypt = model.options.encrypt.then(|| ours!(.encrypt()));
    let compress = model
        .options
        .compress
        .map(|compress| ours!(.compress(#compress)));
    let local = match model.options.local {
        Some(Local::Always) => Some(ours!(.local())),
        Some(Local::Within(millis)) => {
            let millis = Literal::u64_unsuffixed(millis);
            Some(ours!(.local_millis(#millis)))
        }
        Some(Local::Never) | None => None,
    };
    let texts = key::texts(model);
    let tokens = tokens(model);
    ours!(#site::new(::core::module_path!(), #name, &[#(#texts),*]) #expiration #version #codec #encrypt #compress #local #tokens)
}

/// Two functions may come to one default key: `macro_rules` can write two of a name, which the compiler places at one line
/// and column. By a hash of what they do they can't read each other.
fn tokens(model: &Model) -> Option<TokenStream> {
    if model.template.is_some() {
        return None;
    }
    let function = &model.function;
    let mut text = function.sig.to_token_stream();
    text.append(function.body.clone());
    let digits = format!("{:016x}", hash::of(text));
    let groups: Vec<&str> = (0..16).step_by(4).map(|at| &digits[at..at + 4]).collect();
    let hash = LitInt::new(&format!("0x{}", groups.join("_")), Span::mixed_site());
    Some(ours!(.tokens(#hash)))
}

/// The name of a companion; it leads an editor to the function.
pub(super) fn companion_name(model: &Model, role: &str) -> Ident {
    let function = &model.function.sig.ident;
    let span = Span::mixed_site().located_at(function.span());
    match &model.form {
        Form::Type(_) => Ident::new(role, span),
        _ => format_ident!("{function}_{role}", span = span),
    }
}

pub(super) fn hidden_name(model: &Model, role: &str) -> Ident {
    format_ident!("__{}", companion_name(model, role))
}

/// What companions are reached by from the memoized function.
pub(super) fn path_from_outside(model: &Model) -> TokenStream {
    match &model.form {
        Form::Type(name) => name.to_token_stream(),
        _ => path_from_inside(model),
    }
}

/// What companions are reached by from each other. Where the user asked for associated functions, it is their
/// word that has to answer for there being no impl.
pub(super) fn path_from_inside(model: &Model) -> TokenStream {
    let span = match &model.options.companions {
        Some(Companions::Functions(span)) => Span::mixed_site().located_at(*span),
        _ => Span::mixed_site(),
    };
    Ident::new("Self", span).to_token_stream()
}

/// `__of(&id)`, with the receiver where it is in the key, and whether it `finds` the value where that is asked.
pub(super) fn call(
    model: &Model,
    path: &TokenStream,
    receiver: Option<TokenStream>,
    finds: bool,
) -> TokenStream {
    let name = hidden_name(model, "of");
    let turbofish = turbofish(&model.key_generics());
    let arguments = model.keyed_arguments().map(|argument| {
        let ident = &argument.ident;
        ours!(&#ident)
    });
    let finds = model.finds_first().then(|| finds.to_token_stream());
    let arguments = receiver.into_iter().chain(finds).chain(arguments);
    ours!(#path::#name #turbofish(#(#arguments),*))
}

/// The receiver as `__of(&self)` takes it, in a function with the user's signature. A reference to it coerces
/// from whatever else it may be: `Self`, `&mut Self`, `Arc<Self>`, `Pin<&mut Self>`.
pub(super) fn own_receiver(model: &Model) -> Option<TokenStream> {
    model.keyed_receiver().map(|receiver| {
        let self_token = receiver.self_token;
        let is_shared = matches!(receiver.kind, ReceiverKind::Reference(_, _, None));
        let borrow = (!is_shared).then(|| ours!(&));
        quote!(#borrow #self_token)
    })
}

/// The call of the plain function.
pub(super) fn uncached(model: &Model, path: &TokenStream) -> TokenStream {
    let name = companion_name(model, "uncached");
    let turbofish = turbofish(&model.function.sig.generics);
    let receiver = model
        .receiver()
        .map(|receiver| receiver.self_token.to_token_stream());
    let arguments = model
        .arguments
        .iter()
        .map(|argument| argument.ident.to_token_stream());
    let arguments = receiver.into_iter().chain(arguments);
    let call = ours!(#path::#name #turbofish(#(#arguments),*));
    match model.function.sig.safety {
        Safety::Unsafe(token) => ours!(#token { #call }),
        _ => call,
    }
}

/// The function's whole work: the call is put together from `call` with the options, and `body` run or not.
///
/// Where the options are evaluated, or there is an await, the call stands in a statement of its own. Temporaries, such
/// as the guard of a lock, would else live until the body has run.
pub(super) fn memoized(
    model: &Model,
    before: &TokenStream,
    call: &TokenStream,
    overwrite: Option<&TokenStream>,
    body: &TokenStream,
) -> TokenStream {
    let expiration = expiration(model);
    let execution = model.execution;
    let share_errors = share_errors(model);
    let call = ours!(#call #overwrite #expiration);
    let run = run(model, execution, body);
    let has_temporaries = overwrite.is_some() || expiration.is_some();
    let work = if has_temporaries || share_errors.is_some() || execution != Execution::Blocking {
        ours!(#before let __call = #call; #share_errors __call #run)
    } else {
        ours!(#before #call #run)
    };
    match execution {
        Execution::Blocking | Execution::Async => work,
        Execution::Future => {
            let work = coerced(model, work);
            ours!(async move { #work })
        }
        Execution::BoxedFuture => {
            let work = coerced(model, work);
            ours!(::std::boxed::Box::pin(async move { #work }))
        }
    }
}

/// An async block doesn't say what it gives, so a box in there stays what it is unless it is told.
fn coerced(model: &Model, work: TokenStream) -> TokenStream {
    if !model.iterated().is_some_and(|iterated| iterated.is_boxed) {
        return work;
    }
    let output = model.output();
    ours!(let __stream: #output = { #work }; __stream)
}

fn run(model: &Model, execution: Execution, body: &TokenStream) -> TokenStream {
    if let Some(iterated) = model.iterated() {
        return match (iterated.is_async, iterated.is_boxed, execution) {
            (false, false, _) => ours!(.iter(#body)),
            (false, true, _) => ours!(.boxed_iter(#body)),
            (true, false, Execution::Blocking) => ours!(.stream(#body)),
            (true, true, Execution::Blocking) => ours!(.boxed_stream(#body)),
            (true, false, _) => ours!(.stream_async(#body).await),
            (true, true, _) => ours!(.boxed_stream_async(#body).await),
        };
    }
    match (&model.options.cache_if, execution) {
        (None, Execution::Blocking) => ours!(.run(#body)),
        (Some(predicate), Execution::Blocking) => ours!(.__run_if(#predicate, #body)),
        (None, _) => ours!(.run_async(#body).await),
        (Some(predicate), _) => ours!(.__run_if_async(#predicate, #body).await),
    }
}

pub(super) fn force_overwrite(model: &Model) -> Option<TokenStream> {
    model.options.force_overwrite.as_ref().map(|expr| {
        let expr = over_arguments(model, expr);
        ours!(.force_overwrite(#expr))
    })
}

pub(super) fn expiration(model: &Model) -> Option<TokenStream> {
    model.options.expiration_expr().map(|expr| {
        let expr = over_arguments(model, expr);
        ours!(.expiration(#expr))
    })
}

/// A statement, all of which has the span of the option: so the compiler says there what it asks of the error, and once, though `refresh`
/// asks the same.
fn share_errors(model: &Model) -> Option<TokenStream> {
    model.options.share_errors.map(|span| {
        let span = Span::mixed_site().located_at(span);
        quote_spanned!(span=> let __call = __call.share_errors();)
    })
}

/// An option's expression, with the names that it takes from patterns.
fn over_arguments(model: &Model, expr: &Expr) -> TokenStream {
    let names = destructure(model, &|name| name.is_in(expr));
    if names.is_empty() {
        expr.to_token_stream()
    } else {
        ours!({ #names #expr })
    }
}

/// Binds references to the wanted names that stand in patterns.
pub(super) fn destructure(model: &Model, wanted: &dyn Fn(&Name) -> bool) -> TokenStream {
    model
        .arguments
        .iter()
        .filter(|argument| argument.is_destructured() && argument.names.iter().any(wanted))
        .map(|argument| {
            let pat = argument.pattern_by_reference(wanted);
            let ident = &argument.ident;
            ours!(let #pat = &#ident;)
        })
        .collect()
}

/// The body as a closure, where arguments with a pattern are taken apart.
pub(super) fn inline_body(model: &Model) -> TokenStream {
    let patterns: TokenStream = model
        .arguments
        .iter()
        .filter(|argument| argument.is_destructured())
        .map(|argument| {
            let allow = unused_in_body(model, argument);
            let pat = &argument.typed.pat;
            let ident = &argument.ident;
            ours!(#allow let #pat = #ident;)
        })
        .collect();
    let with_body = |mut statements: TokenStream| {
        statements.append_all(model.function.body.stream());
        let mut group = Group::new(model.function.body.delimiter(), statements);
        group.set_span(model.function.body.span());
        group
    };
    let output = model.output();
    // An opaque type can't be written on a closure.
    let is_opaque = model.execution == Execution::Future
        || model.iterated().is_some_and(|iterated| !iterated.is_boxed);
    match (model.execution, &model.function.sig.output) {
        (Execution::Async, _) if is_opaque => {
            let body = with_body(patterns);
            ours!(move || async move #body)
        }
        (Execution::Async, _) => {
            // An async block has no return type to write. All else is checked against its first `return`, so that an error in
            // the body is told of where it is.
            let location = model
                .output_type()
                .map_or_else(Span::call_site, Spanned::span);
            let span = Span::mixed_site().located_at(location);
            let edge = quote_spanned! {span=>
                #[allow(clippy::diverging_sub_expression, clippy::empty_loop, clippy::needless_return, unreachable_code)]
                if false {
                    let returned: #output = loop {};
                    return returned;
                }
            };
            let body = with_body(quote!(#edge #patterns));
            ours!(move || async move #body)
        }
        (_, ReturnType::Type(_, ty)) if !is_opaque => {
            let body = with_body(patterns);
            let ty = match model.execution {
                Execution::BoxedFuture => output::with_inferred_box(Type::clone(ty)),
                _ => Type::clone(ty),
            };
            ours!(move || -> #ty #body)
        }
        _ => {
            let body = with_body(patterns);
            ours!(move || #body)
        }
    }
}

/// The user's inputs, each with a name, and immutable: they are only passed on.
pub(super) fn plain_inputs(model: &Model) -> Punctuated<FnArg, Token![,]> {
    let receiver = model.receiver().map(|receiver| {
        let mut receiver = receiver.clone();
        receiver.attrs.clear();
        receiver.mutability = None;
        FnArg::Receiver(receiver)
    });
    let arguments = model.arguments.iter().map(|argument| {
        let mut typed = argument.typed.clone();
        typed.attrs = parameter_attributes(argument);
        *typed.pat = ident_pattern(&argument.ident);
        FnArg::Typed(typed)
    });
    receiver.into_iter().chain(arguments).collect()
}

/// The user's inputs, with names in place of the patterns that the closure takes apart.
pub(super) fn inline_inputs(model: &Model) -> Punctuated<FnArg, Token![,]> {
    let receiver = model.receiver().cloned().map(FnArg::Receiver);
    let arguments = model.arguments.iter().map(|argument| {
        let mut typed = argument.typed.clone();
        if argument.is_destructured() {
            *typed.pat = ident_pattern(&argument.ident);
        }
        FnArg::Typed(typed)
    });
    receiver.into_iter().chain(arguments).collect()
}

/// `id: u64`
pub(super) fn parameter(argument: &Argument) -> TokenStream {
    let attrs = parameter_attributes(argument);
    let ident = &argument.ident;
    let ty = &argument.typed.ty;
    ours!(#(#attrs)* #ident: #ty)
}

/// `id: &u64`, or a pattern that binds the references which the key takes.
pub(super) fn reference_parameter(argument: &Argument) -> TokenStream {
    let attrs = parameter_attributes(argument);
    let pat = if argument.is_destructured() {
        argument.pattern_by_reference(&|name| !name.skipped)
    } else {
        ident_pattern(&argument.ident)
    };
    let ty = match &*argument.typed.ty {
        // `&impl A + B` would be ambiguous.
        Type::ImplTrait(ty) if ty.bounds.len() > 1 => quote!((#ty)),
        ty => ty.to_token_stream(),
    };
    ours!(#(#attrs)* #pat: &#ty)
}

/// Where an argument is there for an option, the compiler sees no use of it beside the body.
pub(super) fn unused_in_body(model: &Model, argument: &Argument) -> Option<syn::Attribute> {
    argument
        .is_in_option(&model.options)
        .then(|| syn::parse_quote!(#[allow(unused_variables)]))
}

fn parameter_attributes(argument: &Argument) -> Vec<syn::Attribute> {
    argument
        .typed
        .attrs
        .iter()
        .filter(|attr| is_for_parameters(attr))
        .map(without_expectation)
        .collect()
}

fn ident_pattern(ident: &Ident) -> Pat {
    Pat::Ident(PatIdent {
        attrs: Vec::new(),
        by_ref: None,
        mutability: None,
        ident: ident.clone(),
        subpat: None,
    })
}

/// `::<T, N>`: lifetimes are left to inference, as late-bound ones can't be given.
fn turbofish(generics: &Generics) -> Option<TokenStream> {
    let names: Vec<&Ident> = generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Lifetime(_) => None,
            GenericParam::Type(param) => Some(&param.ident),
            GenericParam::Const(param) => Some(&param.ident),
        })
        .collect();
    (!names.is_empty()).then(|| ours!(::<#(#names),*>))
}
