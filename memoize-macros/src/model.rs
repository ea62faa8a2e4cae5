//! What is to be generated: the function and its options, seen together.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{FnArg, GenericParam, Generics, Receiver, ReturnType, Signature, Type, Visibility};

use crate::args::{Companions, Local, Options};
use crate::argument::{Argument, Name, Role};
use crate::generics::reduce;
use crate::item::{self, Function};
use crate::output::{self, FutureForm, Iterated, Returned, ungrouped};
use crate::scan::{mentions, mentions_self_type};
use crate::template::{Placeholder, Template};

pub(crate) struct Model {
    pub(crate) function: Function,
    pub(crate) options: Options,
    pub(crate) form: Form,
    /// How the function is run.
    pub(crate) execution: Execution,
    /// What it returns, or its future gives.
    pub(crate) returned: Returned,
    /// There is a `self` or a `Self`, or the user says that there is an impl.
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

/// How a function comes to its value.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Execution {
    Blocking,
    /// `async fn`
    Async,
    /// `-> impl Future`
    Future,
    /// `-> Pin<Box<dyn Future>>`
    BoxedFuture,
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
        let template = options
            .key
            .as_ref()
            .map(|key| Template::parse(&key.value()));
        let typed_inputs = function.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed),
            FnArg::Receiver(_) => None,
        });
        let arguments = typed_inputs
            .enumerate()
            .map(|(index, typed)| Argument::new(index, typed, &options, template.as_ref()))
            .collect();
        let is_method = function.sig.receiver().is_some()
            || matches!(options.companions, Some(Companions::Functions(_)))
            || uses_self_type(&function, &options, template.as_ref());
        let execution = Execution::of(&function.sig);
        Self {
            form: Form::of(&function, &options, is_method),
            execution,
            returned: execution
                .output_type(&function.sig)
                .map_or(Returned::Nothing, output::classify),
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
        self.arguments
            .iter()
            .filter(|argument| argument.role == Role::Keyed)
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

    /// What is computed; `()` where it is nothing.
    pub(crate) fn output(&self) -> TokenStream {
        self.output_type()
            .map_or_else(|| quote!(()), ToTokens::to_token_stream)
    }

    pub(crate) fn output_type(&self) -> Option<&Type> {
        self.execution.output_type(&self.function.sig)
    }

    /// What an iterator or a stream that the function returns is made of; the stream may come from a future.
    pub(crate) fn iterated(&self) -> Option<Iterated<'_>> {
        let ty = self.output_type()?;
        match self.returned {
            Returned::Iterator if self.execution == Execution::Blocking => output::iterated(ty),
            Returned::Stream => output::iterated(ty),
            _ => None,
        }
    }

    /// Whether who calls the function awaits what it gives.
    pub(crate) fn is_awaited(&self) -> bool {
        self.execution != Execution::Blocking
            || self.iterated().is_some_and(|iterated| iterated.is_async)
    }

    /// Whether a call's value is looked for as soon as its key is complete: where nothing is said about a call but its key, and the
    /// thread that makes it waits for it.
    pub(crate) fn finds_first(&self) -> bool {
        let Options {
            cache_if,
            force_overwrite,
            encryption_key,
            local,
            ..
        } = &self.options;
        let is_plain = cache_if.is_none()
            && force_overwrite.is_none()
            && encryption_key.is_none()
            && self.options.expiration_expr().is_none();
        is_plain && *local != Some(Local::Never) && !self.is_awaited() && self.iterated().is_none()
    }

    /// The type that is cached: what is returned, or each item of it.
    pub(crate) fn cached_type(&self) -> Option<&Type> {
        match self.iterated() {
            Some(iterated) => iterated.item.map(ungrouped),
            None => self.output_type(),
        }
    }

    /// The same as tokens, `()` where nothing is returned.
    pub(crate) fn cached(&self) -> TokenStream {
        self.cached_type()
            .map_or_else(|| quote!(()), ToTokens::to_token_stream)
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
        let generics = &self.function.sig.generics;
        if generics.params.is_empty() {
            return generics.clone();
        }
        let (left_off, taken): (Vec<_>, Vec<_>) = self
            .arguments
            .iter()
            .partition(|argument| is_left_off(argument));
        let left_off: TokenStream = types(&left_off);
        let mut kept = types(&taken);
        kept.extend(self.output());
        let secret = self.options.encryption_key.as_ref();
        let expressions = self.options.expiration_expr().into_iter().chain(secret);
        kept.extend(expressions.map(ToTokens::to_token_stream));
        for placeholder in self.placeholders() {
            if let Some(Subject::Type(name) | Subject::Const(name)) = self.resolve(placeholder) {
                kept.extend(name.to_token_stream());
            }
        }
        reduce(generics, &left_off, kept)
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
            .find(|(_, name)| item::name(&name.ident) == root)
            .map(|(argument, name)| Subject::Argument(argument, name))
            .or_else(|| self.resolve_own_generic(root))
            .or_else(|| self.resolve_outer_generic(root))
    }

    fn resolve_own_generic(&self, root: &str) -> Option<Subject<'_>> {
        self.function
            .sig
            .generics
            .params
            .iter()
            .find_map(|param| match param {
                GenericParam::Type(param) if item::name(&param.ident) == root => {
                    Some(Subject::Type(param.ident.clone()))
                }
                GenericParam::Const(param) if item::name(&param.ident) == root => {
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
        Some(if is_const {
            Subject::Const(ident)
        } else {
            Subject::Type(ident)
        })
    }
}

impl Execution {
    fn of(sig: &Signature) -> Self {
        match output::future(&sig.output) {
            _ if sig.asyncness.is_some() => Self::Async,
            Some((FutureForm::Opaque, _)) => Self::Future,
            Some((FutureForm::Boxed, _)) => Self::BoxedFuture,
            None => Self::Blocking,
        }
    }

    /// What a function that is run like this returns, or its future gives.
    fn output_type(self, sig: &Signature) -> Option<&Type> {
        let ReturnType::Type(_, ty) = &sig.output else {
            return None;
        };
        match self {
            Self::Blocking | Self::Async => Some(ungrouped(ty)),
            Self::Future | Self::BoxedFuture => {
                output::future(&sig.output).map(|(_, given)| ungrouped(given))
            }
        }
    }
}

impl Form {
    fn of(function: &Function, options: &Options, is_method: bool) -> Self {
        // An error as well; the stub of such a name would hide the type from all code around it.
        if companion_type(function, options, is_method).is_some_and(item::is_primitive) {
            return Self::Inline;
        }
        match &options.companions {
            // In an impl there can be no type; it is an error, but the stubs must not make a second one.
            Some(Companions::Type(name)) if !is_method => Self::Type(name.clone()),
            Some(Companions::Off) => Self::Inline,
            // Located at the function, but ours: its name is no mistake of the user's to be warned about.
            None if !is_method => {
                let name = &function.sig.ident;
                let span = Span::mixed_site().located_at(name.span());
                let mut name = name.clone();
                name.set_span(span);
                Self::Type(name)
            }
            None if matches!(function.vis, Visibility::Inherited) => Self::Inline,
            Some(Companions::Type(_) | Companions::Functions(_)) | None => Self::Functions,
        }
    }
}

/// What the user calls the type that holds the companions.
pub(crate) fn companion_type<'m>(
    function: &'m Function,
    options: &'m Options,
    is_method: bool,
) -> Option<&'m Ident> {
    match &options.companions {
        _ if is_method => None,
        None => Some(&function.sig.ident),
        Some(Companions::Type(name)) => Some(name),
        Some(Companions::Functions(_) | Companions::Off) => None,
    }
}

fn uses_self_type(function: &Function, options: &Options, template: Option<&Template>) -> bool {
    let mut expressions = options.call_expressions().chain(&options.cache_if);
    let mut placeholders = template.into_iter().flat_map(Template::placeholders);
    mentions_self_type(function.sig.to_token_stream())
        || mentions_self_type(function.body.stream())
        || expressions.any(|expr| mentions_self_type(expr.to_token_stream()))
        || placeholders.any(|placeholder| placeholder.root == "Self")
}

fn types(arguments: &[&Argument]) -> TokenStream {
    arguments
        .iter()
        .map(|argument| argument.typed.ty.to_token_stream())
        .collect()
}
