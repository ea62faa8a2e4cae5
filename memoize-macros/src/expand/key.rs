//! The steps that put a key together: `.text("user:").part(id)`.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Index, LitStr};

use super::ours;
use super::parts::{hidden_name, krate, path_from_inside};
use crate::model::{Argument, Model, Name, Role, Subject};
use crate::template::{Format, Placeholder, Segment, Template};

/// How the arguments are there.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    Reference,
    Value,
}

/// In `__call`, whose arguments are references.
pub(super) fn hidden(model: &Model) -> TokenStream {
    let path = path_from_inside(model);
    let site = hidden_name(model, "site");
    let start = start(model);
    let output = model.output();
    let steps = steps(model, Access::Reference);
    ours!(#path::#site().#start::<#output>(|| ()) #steps)
}

/// In the memoized function itself.
pub(super) fn inline(model: &Model) -> TokenStream {
    let krate = krate(model);
    let start = start(model);
    let output = model.output();
    let steps = steps(model, Access::Value);
    ours!(#krate::__private::Site::#start::<#output>(&__SITE, || ()) #steps)
}

fn start(model: &Model) -> Ident {
    let name = if model.template.is_some() { "key" } else { "default_key" };
    Ident::new(name, Span::mixed_site())
}

fn steps(model: &Model, access: Access) -> TokenStream {
    let steps: TokenStream = match (&model.template, &model.options.key) {
        (Some(template), Some(key)) => template_steps(model, template, key, access),
        _ => default_steps(model, access),
    };
    // At the return type, so that this is where a type that can't be cached is told of.
    let location = model.output_type().map_or_else(Span::mixed_site, |ty| ty.span());
    let call = Ident::new("__call", Span::mixed_site().located_at(location));
    ours!(#steps.#call())
}

/// Every argument, in a form that is chosen by its type.
fn default_steps(model: &Model, access: Access) -> TokenStream {
    let krate = krate(model);
    let receiver = model.keyed_receiver().map(|receiver| {
        let self_token = receiver.self_token;
        referenced(self_token.to_token_stream(), access, self_token.span)
    });
    let names = model
        .names()
        .filter(|(argument, name)| argument.role == Role::Keyed && !name.skipped)
        .map(|(argument, name)| argument_reference(argument, name, access));
    receiver
        .into_iter()
        .chain(names)
        .map(|value| ours!(.arg(#krate::__private::arg(#value).__part())))
        .collect()
}

fn template_steps(model: &Model, template: &Template, key: &LitStr, access: Access) -> TokenStream {
    template
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Text(text) => ours!(.text(#text)),
            Segment::Placeholder(placeholder) => {
                let subject = model
                    .resolve(placeholder)
                    .expect("`check_placeholder_names` has found every name");
                placeholder_step(placeholder, &subject, key.span(), access)
            }
        })
        .collect()
}

fn placeholder_step(
    placeholder: &Placeholder,
    subject: &Subject<'_>,
    key: Span,
    access: Access,
) -> TokenStream {
    if let Subject::Type(ty) = subject {
        return ours!(.type_name::<#ty>());
    }
    match &placeholder.format {
        Format::Display => {
            let value = reference(placeholder, subject, key, access);
            ours!(.part(#value))
        }
        Format::Digest => {
            let value = reference(placeholder, subject, key, access);
            ours!(.digest(#value))
        }
        Format::Spec(spec) => {
            let mut format = Literal::string(&format!("{{:{spec}}}"));
            format.set_span(key);
            let value = place(placeholder, subject, key);
            ours!(.format(::core::format_args!(#format, #value)))
        }
    }
}

/// A reference to what a placeholder names.
fn reference(
    placeholder: &Placeholder,
    subject: &Subject<'_>,
    key: Span,
    access: Access,
) -> TokenStream {
    let place = place(placeholder, subject, key);
    match subject {
        _ if !placeholder.path.is_empty() => referenced(place, Access::Value, key),
        Subject::Receiver(receiver) => referenced(place, access, receiver.self_token.span),
        Subject::Argument(argument, name) => argument_reference(argument, name, access),
        Subject::Type(_) | Subject::Const(_) => referenced(place, Access::Value, key),
    }
}

fn argument_reference(argument: &Argument, name: &Name, access: Access) -> TokenStream {
    let location = argument.typed.ty.span();
    let ident = located(&name.ident, location).to_token_stream();
    let access = if argument.is_destructured() { Access::Reference } else { access };
    referenced(ident, access, location)
}

/// The place that a placeholder names: `id`, `user.name.0`.
fn place(placeholder: &Placeholder, subject: &Subject<'_>, key: Span) -> TokenStream {
    let root = match subject {
        Subject::Receiver(receiver) => receiver.self_token.to_token_stream(),
        Subject::Argument(argument, name) if placeholder.path.is_empty() => {
            located(&name.ident, argument.typed.ty.span()).to_token_stream()
        }
        Subject::Argument(_, name) => located(&name.ident, key).to_token_stream(),
        Subject::Type(ident) | Subject::Const(ident) => ident.to_token_stream(),
    };
    placeholder.path.iter().fold(root, |place, name| {
        let member = member(name, key);
        quote_spanned!(key=> #place.#member)
    })
}

fn member(name: &str, span: Span) -> TokenStream {
    if let Ok(index) = name.parse() {
        return Index { index, span }.to_token_stream();
    }
    let is_keyword = syn::parse_str::<Ident>(name).is_err();
    let ident = if is_keyword { Ident::new_raw(name, span) } else { Ident::new(name, span) };
    ident.to_token_stream()
}

fn referenced(place: TokenStream, access: Access, location: Span) -> TokenStream {
    match access {
        Access::Reference => place,
        Access::Value => {
            let span = Span::mixed_site().located_at(location);
            quote_spanned!(span=> &#place)
        }
    }
}

/// The same variable, but a bound that it doesn't meet is told of at `location`.
fn located(ident: &Ident, location: Span) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(ident.span().located_at(location));
    ident
}
