//! The steps that put a key together: `.key().part(id)`. The texts between the parts are in the function's static.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;
use syn::{Index, LitStr, Member};

use super::parts::{hidden_name, krate_at, path_from_inside};
use crate::args::{Companions, Local};
use crate::argument::{Argument, Name, Role};
use crate::item;
use crate::model::{Model, Subject};
use crate::template::{self, Format, Placeholder, Segment, Template};

/// In `__of`, whose arguments are references.
pub(super) fn hidden(model: &Model) -> TokenStream {
    let chain = Chain::new(model, Access::Reference);
    let path = match &model.options.companions {
        Some(Companions::Functions(_)) => path_from_inside(model),
        _ => Ident::new("Self", chain.span).to_token_stream(),
    };
    let site = hidden_name(model, "site");
    let output = model.cached();
    let steps = chain.steps();
    let start = if model.finds_first() {
        quote_spanned!(chain.span=> find::<#output>(|| now))
    } else {
        quote_spanned!(chain.span=> key::<#output>(|| ()))
    };
    quote_spanned!(chain.span=> #path::#site().#start #steps)
}

/// In the memoized function itself.
pub(super) fn inline(model: &Model) -> TokenStream {
    let chain = Chain::new(model, Access::Value);
    let krate = krate_at(model, chain.span);
    let output = model.cached();
    let steps = chain.steps();
    let start = if model.finds_first() {
        quote_spanned!(chain.span=> find::<#output>(&__SITE, || true))
    } else {
        quote_spanned!(chain.span=> key::<#output>(&__SITE, || ()))
    };
    quote_spanned!(chain.span=> #krate::__private::Site::#start #steps)
}

/// A chain of method calls. Its tokens are located at the return type, since a type that can't be cached is what can
/// be wrong with it as a whole.
struct Chain<'m> {
    model: &'m Model,
    access: Access,
    span: Span,
}

/// How the arguments are there.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    Reference,
    Value,
}

impl<'m> Chain<'m> {
    fn new(model: &'m Model, access: Access) -> Self {
        let location = model
            .cached_type()
            .map_or_else(Span::call_site, Spanned::span);
        Self {
            model,
            access,
            span: Span::mixed_site().located_at(location),
        }
    }

    fn steps(&self) -> TokenStream {
        let steps = match (&self.model.template, &self.model.options.key) {
            (Some(template), Some(key)) => self.template_steps(template, key),
            _ => self.default_steps(),
        };
        let secret = self.encryption_key();
        let end = match self.model.options.local {
            None => quote_spanned!(self.span=> .__call()),
            Some(Local::Never) => quote_spanned!(self.span=> .__bytes()),
            Some(Local::Always | Local::Within(_)) => quote_spanned!(self.span=> .__local()),
        };
        quote_spanned!(self.span=> #steps #end #secret)
    }

    /// The secret stands where the key is made, so that companions know it as well. Arguments are references there,
    /// and are made to be in the function itself.
    fn encryption_key(&self) -> Option<TokenStream> {
        let expr = self.model.options.encryption_key.as_ref()?;
        let references: TokenStream = self
            .model
            .keyed_arguments()
            .filter(|argument| self.access == Access::Value && !argument.is_destructured())
            .filter(|argument| argument.names.iter().any(|name| name.is_in(expr)))
            .map(|argument| {
                let ident = &argument.ident;
                quote_spanned!(self.span=> let #ident = &#ident;)
            })
            .collect();
        Some(if references.is_empty() {
            quote_spanned!(self.span=> .encryption_key(#expr))
        } else {
            quote_spanned!(self.span=> .encryption_key({ #references #expr }))
        })
    }

    /// Every argument, in a form that is chosen by its type.
    fn default_steps(&self) -> TokenStream {
        let receiver = self.model.keyed_receiver().map(|receiver| {
            let self_token = receiver.self_token;
            let value = referenced(self_token, self.access, self_token.span);
            self.default_step(&value, self_token.span)
        });
        let names = self
            .model
            .names()
            .filter(|(argument, name)| argument.role == Role::Keyed && !name.skipped)
            .map(|(argument, name)| {
                let value = self.argument(argument, name);
                self.default_step(&value, argument.typed.ty.span())
            });
        receiver.into_iter().chain(names).collect()
    }

    fn default_step(&self, value: &TokenStream, location: Span) -> TokenStream {
        self.step(value, "__part", location)
    }

    /// The name of the method is located where its bound is told of; all else keeps the chain at one place.
    fn step(&self, value: &TokenStream, method: &str, location: Span) -> TokenStream {
        let method = Ident::new(method, Span::mixed_site().located_at(location));
        quote_spanned!(self.span=> .arg(#value).#method())
    }

    fn template_steps(&self, template: &Template, key: &LitStr) -> TokenStream {
        let placeholders = template
            .segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Text(_) => None,
                Segment::Placeholder(placeholder) => Some(placeholder),
            });
        placeholders
            .map(|placeholder| self.placeholder_step(placeholder, key.span()))
            .collect()
    }

    fn placeholder_step(&self, placeholder: &Placeholder, key: Span) -> TokenStream {
        let subject = self
            .model
            .resolve(placeholder)
            .expect("`check_placeholder_names` has found every name");
        if let Subject::Type(ty) = subject {
            return quote_spanned!(self.span=> .type_name::<#ty>());
        }
        match &placeholder.format {
            Format::Display | Format::Digest => {
                let value = self.reference(placeholder, &subject, key);
                let method = if placeholder.format == Format::Digest {
                    "__digest"
                } else {
                    "__text"
                };
                let location = match &subject {
                    Subject::Argument(argument, _) if placeholder.path.is_empty() => {
                        argument.typed.ty.span()
                    }
                    _ => key,
                };
                self.step(&value, method, location)
            }
            Format::Spec(spec) => {
                let mut format = Literal::string(&format!("{{:{spec}}}"));
                format.set_span(key);
                let value = place(placeholder, &subject, key);
                quote_spanned!(self.span=> .format(::core::format_args!(#format, #value)))
            }
        }
    }

    /// A reference to what a placeholder names.
    fn reference(
        &self,
        placeholder: &Placeholder,
        subject: &Subject<'_>,
        key: Span,
    ) -> TokenStream {
        match subject {
            Subject::Argument(argument, name) if placeholder.path.is_empty() => {
                self.argument(argument, name)
            }
            Subject::Receiver(receiver) if placeholder.path.is_empty() => {
                let self_token = receiver.self_token;
                referenced(self_token, self.access, self_token.span)
            }
            _ => referenced(place(placeholder, subject, key), Access::Value, key),
        }
    }

    fn argument(&self, argument: &Argument, name: &Name) -> TokenStream {
        let location = argument.typed.ty.span();
        let access = if argument.is_destructured() {
            Access::Reference
        } else {
            self.access
        };
        referenced(located(&name.ident, location), access, location)
    }
}

/// What stands before each placeholder of a template, and behind the last one.
pub(super) fn texts(model: &Model) -> Vec<String> {
    let mut texts = Vec::new();
    let mut before = String::new();
    let segments = model
        .template
        .iter()
        .flat_map(|template| &template.segments);
    for segment in segments {
        match segment {
            Segment::Text(text) => before.push_str(text),
            Segment::Placeholder(_) => texts.push(std::mem::take(&mut before)),
        }
    }
    if !before.is_empty() {
        texts.push(before);
    }
    texts
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
    let index = template::index(name).map(|index| Index { index, span });
    let member = index.map_or_else(
        || item::ident(name, span).map(Member::Named),
        |index| Some(Member::Unnamed(index)),
    );
    member
        .expect("the template takes nothing else for a member")
        .to_token_stream()
}

fn referenced(place: impl ToTokens, access: Access, location: Span) -> TokenStream {
    match access {
        Access::Reference => place.into_token_stream(),
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
