//! What is to be generated: the function and its options, seen together.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{FnArg, GenericParam, Generics, Pat, PatType, Receiver, ReturnType, Type};

use crate::args::{Companions, Options};
use crate::generics::reduce;
use crate::item::{self, Function};
use crate::output::ungrouped;
use crate::pattern;
use crate::scan::{mentions, mentions_self_type};
use crate::template::{Placeholder, Template};

pub(crate) struct Model {
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) form: Form,
    /// There is a `self` or a `Self`.
    pub(crate) is_method: bool,
    /// Without the receiver.
    pub(crate) arguments: Vec<Argument>,
    pub(crate) template: Option<Template>,
}

/// Where the companions stand.
pub(crate) enum Form {
    /// On a type beside the function.
    Type(Ident),
    /// Beside the function, in the same impl.
    Functions,
    /// There are none, and the body stays in the function.
    Inline,
}

pub(crate) struct Argument {
    pub(crate) typed: PatType,
    /// What the whole argument is called where it is passed on.
    pub(crate) ident: Ident,
    pub(crate) names: Vec<Name>,
    pub(crate) role: Role,
}

/// A name that an argument binds: its own, or each of those in its pattern.
pub(crate) struct Name {
    pub(crate) ident: Ident,
    pub(crate) skipped: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    Keyed,
    /// In `skip(..)`.
    Skipped,
    /// Without a value that could be in the key: `_`, `PhantomData`.
    Valueless,
}

/// What the root of a placeholder stands for.
pub(crate) enum Subject<'m> {
    Receiver(&'m Receiver),
    Argument(&'m Argument, &'m Name),
    Type(Ident),
    Const(Ident),
}

impl Model {
    pub(crate) fn new(function: Function, options: Options) -> Self {
        let template = options.key.as_ref().map(|key| Template::parse(&key.value()));
        let arguments = typed_inputs(&function)
            .enumerate()
            .map(|(index, typed)| Argument::new(index, typed, &options, template.as_ref()))
            .collect();
        let is_method = function.sig.receiver().is_some() || uses_self_type(&function, &options);
        Self {
            form: Form::of(&function, &options, is_method),
            is_method,
            arguments,
            template,
            function,
            options,
        }
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        self.function.sig.receiver()
    }

    pub(crate) fn keyed_receiver(&self) -> Option<&Receiver> {
        self.receiver().filter(|_| !self.options.skips("self"))
    }

    pub(crate) fn keyed_arguments(&self) -> impl Iterator<Item = &Argument> {
        self.arguments.iter().filter(|argument| argument.role == Role::Keyed)
    }

    /// What `prime` takes: an expression for the expiration may need arguments that the key does without.
    pub(crate) fn primed_arguments(&self) -> impl Iterator<Item = &Argument> {
        self.arguments
            .iter()
            .filter(|argument| argument.role == Role::Keyed || self.is_in_expiration(argument))
    }

    pub(crate) fn primed_receiver(&self) -> Option<&Receiver> {
        let expiration = self.options.expiration_expr();
        self.receiver().filter(|_| {
            self.keyed_receiver().is_some() || expiration.is_some_and(|expr| mentions(expr, "self"))
        })
    }

    /// `()` where nothing is returned.
    pub(crate) fn output(&self) -> TokenStream {
        match &self.function.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, ty) => ty.to_token_stream(),
        }
    }

    pub(crate) fn output_type(&self) -> Option<&Type> {
        match &self.function.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ungrouped(ty)),
        }
    }

    /// The generics of what takes the keyed arguments only.
    pub(crate) fn key_generics(&self) -> Generics {
        self.generics_without(|argument| argument.role == Role::Skipped)
    }

    pub(crate) fn prime_generics(&self) -> Generics {
        self.generics_without(|argument| {
            argument.role == Role::Skipped && !self.is_in_expiration(argument)
        })
    }

    fn generics_without(&self, is_left_off: impl Fn(&Argument) -> bool) -> Generics {
        let (left_off, taken): (Vec<_>, Vec<_>) =
            self.arguments.iter().partition(|argument| is_left_off(argument));
        let left_off: TokenStream = types(&left_off);
        let mut kept = types(&taken);
        kept.extend(self.function.sig.output.to_token_stream());
        kept.extend(self.options.expiration_expr().map(|expr| expr.to_token_stream()));
        for placeholder in self.placeholders() {
            if let Some(Subject::Type(name) | Subject::Const(name)) = self.resolve(placeholder) {
                kept.extend(name.to_token_stream());
            }
        }
        reduce(&self.function.sig.generics, &left_off, kept)
    }

    fn is_in_expiration(&self, argument: &Argument) -> bool {
        self.options
            .expiration_expr()
            .is_some_and(|expr| argument.names.iter().any(|name| name.is_in(expr)))
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.template.iter().flat_map(Template::placeholders)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = (&Argument, &Name)> {
        self.arguments
            .iter()
            .flat_map(|argument| argument.names.iter().map(move |name| (argument, name)))
    }

    /// The names that may stand in `skip(..)`, and with generic parameters in the key.
    pub(crate) fn argument_names(&self) -> Vec<String> {
        let receiver = self.receiver().map(|_| "self".to_owned());
        receiver
            .into_iter()
            .chain(self.names().map(|(_, name)| item::name(&name.ident)))
            .collect()
    }

    pub(crate) fn resolve(&self, placeholder: &Placeholder) -> Option<Subject<'_>> {
        let root = placeholder.root.as_str();
        if root == "self" {
            return self.receiver().map(Subject::Receiver);
        }
        self.names()
            .find(|(_, name)| name.ident.unraw() == root)
            .map(|(argument, name)| Subject::Argument(argument, name))
            .or_else(|| self.resolve_own_generic(root))
            .or_else(|| self.resolve_outer_generic(root))
    }

    fn resolve_own_generic(&self, root: &str) -> Option<Subject<'_>> {
        self.function.sig.generics.params.iter().find_map(|param| match param {
            GenericParam::Type(param) if param.ident.unraw() == root => {
                Some(Subject::Type(param.ident.clone()))
            }
            GenericParam::Const(param) if param.ident.unraw() == root => {
                Some(Subject::Const(param.ident.clone()))
            }
            _ => None,
        })
    }

    /// The parameters of the impl around a method can't be seen; a capital letter says that one is meant.
    fn resolve_outer_generic(&self, root: &str) -> Option<Subject<'_>> {
        if !self.is_method || !root.starts_with(char::is_uppercase) {
            return None;
        }
        let span = self.options.key.as_ref()?.span();
        let is_upper = |c: char| c.is_uppercase() || c.is_ascii_digit() || c == '_';
        let is_const = match root {
            "N" | "M" => true,
            _ => root.chars().count() >= 2 && root.chars().all(is_upper),
        };
        let ident = Ident::new(root, span);
        Some(if is_const { Subject::Const(ident) } else { Subject::Type(ident) })
    }
}

impl Form {
    fn of(function: &Function, options: &Options, is_method: bool) -> Self {
        match &options.companions {
            Some(Companions::Type(name)) => Self::Type(name.clone()),
            Some(Companions::Functions(_)) => Self::Functions,
            Some(Companions::Off) => Self::Inline,
            // Located at the function, but ours: its name is no mistake of the user's to be warned about.
            None if !is_method => {
                let name = &function.sig.ident;
                let span = Span::mixed_site().located_at(name.span());
                let mut name = name.clone();
                name.set_span(span);
                Self::Type(name)
            }
            None if matches!(function.vis, syn::Visibility::Inherited) => Self::Inline,
            None => Self::Functions,
        }
    }
}

impl Argument {
    fn new(index: usize, typed: &PatType, options: &Options, template: Option<&Template>) -> Self {
        let simple = pattern::simple_name(&typed.pat).cloned();
        let idents = match &simple {
            Some(ident) => vec![ident.clone()],
            None => pattern::names(&typed.pat),
        };
        let names: Vec<Name> = idents
            .into_iter()
            .map(|ident| Name {
                skipped: options.skips(&item::name(&ident)),
                ident,
            })
            .collect();
        let in_key = |name: &Name| {
            template.is_some_and(|template| {
                template.placeholders().any(|placeholder| name.ident.unraw() == placeholder.root)
            })
        };
        let role = if names.is_empty() || (is_phantom(&typed.ty) && !names.iter().any(in_key)) {
            Role::Valueless
        } else {
            Role::Keyed
        };
        let role = if !names.is_empty() && names.iter().all(|name| name.skipped) {
            Role::Skipped
        } else {
            role
        };
        let ident = simple.unwrap_or_else(|| {
            let span = Span::mixed_site().located_at(typed.pat.span());
            Ident::new(&format!("__arg{index}"), span)
        });
        Self {
            typed: typed.clone(),
            ident,
            names,
            role,
        }
    }

    /// Its names have to be taken out of it first.
    pub(crate) fn is_destructured(&self) -> bool {
        !self.names.is_empty() && pattern::simple_name(&self.typed.pat).is_none()
    }

    /// The pattern that binds references to the wanted names.
    pub(crate) fn pattern_by_reference(&self, wanted: &dyn Fn(&Name) -> bool) -> Pat {
        pattern::by_reference(&self.typed.pat, &|ident| {
            self.names.iter().any(|name| name.ident == *ident && wanted(name))
        })
    }
}

impl Name {
    pub(crate) fn is_in(&self, tokens: impl quote::ToTokens) -> bool {
        mentions(tokens, &item::name(&self.ident))
    }
}

pub(crate) fn typed_inputs(function: &Function) -> impl Iterator<Item = &PatType> {
    function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    })
}

fn uses_self_type(function: &Function, options: &Options) -> bool {
    let expressions = [
        options.expiration_expr(),
        options.force_overwrite.as_ref(),
        options.cache_if.as_ref(),
    ];
    mentions_self_type(function.sig.to_token_stream())
        || mentions_self_type(function.body.stream())
        || expressions.into_iter().flatten().any(|expr| mentions_self_type(expr.to_token_stream()))
}

fn types(arguments: &[&Argument]) -> TokenStream {
    arguments.iter().map(|argument| argument.typed.ty.to_token_stream()).collect()
}

fn is_phantom(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Path(ty) => {
            ty.path.segments.last().is_some_and(|last| last.ident == "PhantomData")
        }
        _ => false,
    }
}
