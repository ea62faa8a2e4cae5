//! The functions beside a memoized one, on a type of its name or in the same impl.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{FnArg, Generics, Lifetime, Receiver, Signature, Visibility};

use super::parts::{
    call, companion_name, expiration, hidden_name, krate, memoized, new_site, own_receiver,
    parameter, path_from_inside, plain_inputs, reference_parameter, uncached, unused_in_body,
};
use super::{key, ours};
use crate::item::{
    is_for_companions, is_for_parameters, is_lint, is_must_use, name, without_expectation,
};
use crate::model::{Execution, Form, Model};
use crate::output::{self, Returned};

/// A function to be given attributes and a visibility.
struct Companion {
    /// What it does, in a line; nothing for what users don't see.
    doc: &'static str,
    signature: TokenStream,
    /// With its braces.
    body: TokenStream,
}

/// All that is made beside a memoized function.
pub(super) fn companions(model: &Model) -> TokenStream {
    let hidden = [site(model), hidden_call(model)];
    let of_values = |companion: fn(&Model) -> Companion| {
        let is_value = model.iterated().is_none();
        is_value.then(|| companion(model))
    };
    let public: Vec<Companion> = [
        Some(key(model)),
        of_values(peek),
        Some(invalidate(model)),
        Some(refresh(model)),
        of_values(prime),
        Some(stats(model)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let body = model.function.body.to_token_stream();
    place(
        model,
        &hidden,
        &public,
        &plain(model, "uncached", body),
        None,
    )
}

/// What other code refers to, where the function can't be memoized.
pub(crate) fn stubs(model: &Model) -> TokenStream {
    let mut public = vec![key(model), invalidate(model), stats(model)];
    if matches!(model.returned, Returned::Value | Returned::Nothing) {
        public.extend([peek(model), prime(model)]);
    }
    for companion in &mut public {
        companion.body = ours!({ ::core::unreachable!() });
    }
    // Only the user's body says which type an `impl Trait` is.
    let body = match (model.execution, model.returned) {
        (
            Execution::Blocking | Execution::Async,
            Returned::Value | Returned::Nothing | Returned::Never,
        ) => ours!({ ::core::unreachable!() }),
        _ => model.function.body.to_token_stream(),
    };
    public.push(plain(model, "refresh", body.clone()));
    let unused = ours!(#[allow(unused_mut, unused_variables)]);
    place(
        model,
        &[],
        &public,
        &plain(model, "uncached", body),
        Some(&unused),
    )
}

/// Puts the companions where the form wants them.
///
/// Of the lints, those that are set to `allow` are for names that stand in our signatures as well. A body does have what
/// clippy's would apply to, so that stands on each of ours instead.
///
/// Functions begin with the user's visibility, so that clippy takes them for the user's own, and pedantic clippy asks for
/// docs that the function has already. Of `uncached`, whose body is the user's, it is told no more than that, and before
/// the user's own levels, so that an `expect` holds.
fn place(
    model: &Model,
    hidden: &[Companion],
    public: &[Companion],
    uncached: &Companion,
    stub_allow: Option<&TokenStream>,
) -> TokenStream {
    let function = &model.function;
    let vis = &function.vis;
    let shared = attributes(function.attrs.iter().filter(|attr| is_for_companions(attr)));
    let lints = attributes(function.attrs.iter().filter(|attr| is_lint(attr)));
    let softened = function
        .attrs
        .iter()
        .filter(|attr| is_lint(attr))
        .map(without_expectation);
    let mut lenient = attributes(softened);
    lenient.extend(stub_allow.cloned());
    let is_public = matches!(vis, Visibility::Public(_));
    let terse = is_public.then(|| ours!(#[allow(clippy::pedantic)]));
    let undocumented_body =
        is_public.then(|| ours!(#[allow(clippy::missing_errors_doc, clippy::missing_panics_doc)]));
    let must_use = attributes(function.attrs.iter().filter(|attr| is_must_use(attr)));
    // `prime` takes one argument more, and clippy tells of it here too. What it thinks of the function stands there.
    let crowded =
        (function.sig.inputs.len() >= 7).then(|| ours!(#[allow(clippy::too_many_arguments)]));
    let docs = public.iter().map(|companion| companion.doc);
    let doc = uncached.doc;
    match &model.form {
        Form::Inline => TokenStream::new(),
        Form::Functions => ours! {
            #( #shared #lenient #crowded #hidden )*
            #( #[doc = #docs] #shared #lenient #crowded #terse #vis #public )*
            #[doc = #doc]
            #shared #stub_allow #undocumented_body #must_use #lints #vis #uncached
        },
        Form::Type(ty) => {
            let (peek, prime) = match model.iterated() {
                None => (" `peek`,", " `prime`,"),
                Some(_) => ("", ""),
            };
            let companions_doc = format!(
                " Companions of `{}`: `key`,{peek} `invalidate`, `refresh`,{prime} `stats`, `uncached`.",
                name(&function.sig.ident)
            );
            ours! {
                #[doc = #companions_doc]
                #shared
                #vis enum #ty {}
                #shared #lenient
                impl #ty {
                    #( #crowded #hidden )*
                    #( #[doc = #docs] #crowded pub #public )*
                    #[doc = #doc]
                    #must_use #lints pub #uncached
                }
            }
        }
    }
}

fn attributes(attrs: impl Iterator<Item = impl ToTokens>) -> TokenStream {
    attrs.map(|attr| attr.to_token_stream()).collect()
}

fn site(model: &Model) -> Companion {
    let krate = krate(model);
    let name = hidden_name(model, "site");
    let site = new_site(model, &ours!(Site));
    Companion {
        doc: "",
        signature: ours!(fn #name() -> &'static #krate::__private::Site),
        body: ours!({
            use #krate::__private::Site;
            static SITE: Site = #site;
            &SITE
        }),
    }
}

fn hidden_call(model: &Model) -> Companion {
    let krate = krate(model);
    let steps = key::hidden(model);
    let name = hidden_name(model, "of");
    let mut generics = model.key_generics();
    let output = output_without_elision(model, &mut generics);
    let call = if model.finds_first() {
        ours!(Find)
    } else {
        ours!(Call)
    };
    let now = model.finds_first().then(|| ours!(now: bool));
    let inputs = inputs(
        model.keyed_receiver(),
        now.into_iter()
            .chain(model.keyed_arguments().map(reference_parameter)),
    );
    Companion {
        doc: "",
        signature: signature(
            &ours!(fn #name),
            &generics,
            &inputs,
            &ours!(#krate::__private::#call<#output>),
        ),
        body: ours!({ #steps }),
    }
}

fn key(model: &Model) -> Companion {
    let krate = krate(model);
    let name = companion_name(model, "key");
    let call = keyed_call(model);
    Companion {
        doc: " The key of the entry.",
        signature: signature(
            &ours!(fn #name),
            &model.key_generics(),
            &keyed_inputs(model),
            &ours!(#krate::CacheKey),
        ),
        body: ours!({ #call.key() }),
    }
}

fn peek(model: &Model) -> Companion {
    let head = head(model, "peek");
    let call = keyed_call(model);
    let mut generics = model.key_generics();
    let output = output_without_elision(model, &mut generics);
    let value = value(model, output);
    Companion {
        doc: " The cached value, if there is one; computes nothing.",
        signature: signature(
            &head,
            &generics,
            &keyed_inputs(model),
            &ours!(::core::option::Option<#value>),
        ),
        body: match (returns_result(model), model.is_awaited()) {
            (false, false) => ours!({ #call.peek() }),
            (true, false) => ours!({ #call.peek_ok() }),
            (false, true) => ours!({ #call.peek_async().await }),
            (true, true) => ours!({ #call.peek_ok_async().await }),
        },
    }
}

fn invalidate(model: &Model) -> Companion {
    let head = head(model, "invalidate");
    let call = keyed_call(model);
    Companion {
        doc: " Removes the entry; `false` if the backend could not be asked.",
        signature: signature(
            &head,
            &model.key_generics(),
            &keyed_inputs(model),
            &ours!(bool),
        ),
        body: if model.is_awaited() {
            ours!({ #call.invalidate_async().await })
        } else {
            ours!({ #call.invalidate() })
        },
    }
}

fn refresh(model: &Model) -> Companion {
    let path = path_from_inside(model);
    let call = call(model, &path, own_receiver(model), false);
    let uncached = uncached(model, &path);
    let body = ours!(move || #uncached);
    let none = TokenStream::new();
    let call = ours!(#call.force_overwrite(true));
    let work = memoized(model, &none, &call, None, &body);
    let signature = Signature {
        abi: None,
        ident: companion_name(model, "refresh"),
        inputs: plain_inputs(model),
        ..model.function.sig.clone()
    };
    Companion {
        doc: " Computes and stores; an `Err` leaves the old entry, what `cache_if` turns down removes it.",
        signature: signature.to_token_stream(),
        body: ours!({ #work }),
    }
}

fn prime(model: &Model) -> Companion {
    let head = head(model, "prime");
    let call = keyed_call(model);
    let expiration = expiration(model);
    let value = value(model, model.output());
    let arguments = model
        .primed_arguments()
        .map(parameter)
        .chain([ours!(value: #value)]);
    let inputs = inputs(model.primed_receiver(), arguments);
    Companion {
        doc: " Stores a value that you have, without asking `cache_if`; `false` if it could not be stored.",
        signature: signature(&head, &model.prime_generics(), &inputs, &ours!(bool)),
        body: match (returns_result(model), model.is_awaited()) {
            (false, false) => ours!({ #call #expiration.prime(value) }),
            (true, false) => ours!({ #call #expiration.prime_ok(value) }),
            (false, true) => ours!({ #call #expiration.prime_async(value).await }),
            (true, true) => ours!({ #call #expiration.prime_ok_async(value).await }),
        },
    }
}

fn stats(model: &Model) -> Companion {
    let krate = krate(model);
    let name = companion_name(model, "stats");
    let path = path_from_inside(model);
    let site = hidden_name(model, "site");
    Companion {
        doc: " Hits, misses and their reasons, of this process.",
        signature: ours!(fn #name() -> #krate::Stats),
        body: ours!({ #path::#site().stats() }),
    }
}

/// The function as the user wrote it, under another name.
fn plain(model: &Model, role: &str, body: TokenStream) -> Companion {
    let mut sig = Signature {
        constness: None,
        abi: None,
        variadic: None,
        ident: companion_name(model, role),
        ..model.function.sig.clone()
    };
    if let Some(FnArg::Receiver(receiver)) = sig.inputs.first_mut() {
        receiver.attrs.clear();
    }
    let typed = sig.inputs.iter_mut().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    for (typed, argument) in typed.zip(&model.arguments) {
        typed.attrs.retain(is_for_parameters);
        typed.attrs.extend(unused_in_body(model, argument));
    }
    Companion {
        doc: " The plain function, without the cache.",
        signature: sig.to_token_stream(),
        body,
    }
}

/// The call that a companion makes, whose receiver is `&self`.
fn keyed_call(model: &Model) -> TokenStream {
    let receiver = model
        .keyed_receiver()
        .map(|receiver| receiver.self_token.to_token_stream());
    call(model, &path_from_inside(model), receiver, false)
}

fn keyed_inputs(model: &Model) -> TokenStream {
    inputs(
        model.keyed_receiver(),
        model.keyed_arguments().map(parameter),
    )
}

fn inputs(
    receiver: Option<&Receiver>,
    arguments: impl Iterator<Item = TokenStream>,
) -> TokenStream {
    let receiver = receiver.map(|receiver| {
        let self_token = receiver.self_token;
        ours!(&#self_token)
    });
    let inputs = receiver.into_iter().chain(arguments);
    ours!(#(#inputs),*)
}

/// An async function's companions are async, as they may ask a server.
fn head(model: &Model, role: &str) -> TokenStream {
    let asyncness = model.is_awaited().then(|| ours!(async));
    let name = companion_name(model, role);
    ours!(#asyncness fn #name)
}

fn signature(
    head: &TokenStream,
    generics: &Generics,
    inputs: &TokenStream,
    output: &TokenStream,
) -> TokenStream {
    let where_clause = &generics.where_clause;
    ours!(#head #generics(#inputs) -> #output #where_clause)
}

/// What is stored, as far as the signature shows it.
fn value(model: &Model, output: TokenStream) -> TokenStream {
    match model.output_type() {
        Some(ty) if output::is_result(ty) => output::ok_type(ty).map_or_else(
            || {
                let krate = krate(model);
                ours!(#krate::__private::OkOf<#output>)
            },
            ToTokens::to_token_stream,
        ),
        _ => output,
    }
}

fn returns_result(model: &Model) -> bool {
    model.output_type().is_some_and(output::is_result)
}

/// An error may borrow for an elided lifetime, which with fewer arguments would mean another, or none.
fn output_without_elision(model: &Model, generics: &mut Generics) -> TokenStream {
    let lifetime = Lifetime::new("'__elided", Span::mixed_site());
    let (output, any) = output::name_elided(model.cached(), &lifetime);
    if any {
        generics.params.insert(0, syn::parse_quote!(#lifetime));
    }
    output
}

impl ToTokens for Companion {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.signature.to_tokens(tokens);
        self.body.to_tokens(tokens);
    }
}
