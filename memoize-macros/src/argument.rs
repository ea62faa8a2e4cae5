//! An argument, and the names that it binds.

use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::spanned::Spanned as _;
use syn::{Pat, PatType, Type};

use crate::args::Options;
use crate::item;
use crate::output::ungrouped;
use crate::pattern::{self, Bindings};
use crate::scan::mentions;
use crate::template::Template;

pub(crate) struct Argument {
    pub(crate) typed: PatType,
    /// What the whole argument is called where it is passed on.
    pub(crate) ident: Ident,
    pub(crate) names: Vec<Name>,
    /// Where the pattern may bind names that can't be seen.
    pub(crate) unseen: Option<Span>,
    pub(crate) role: Role,
}

/// The argument's own name, or one of those in its pattern.
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

impl Argument {
    pub(crate) fn new(
        index: usize,
        typed: &PatType,
        options: &Options,
        template: Option<&Template>,
    ) -> Self {
        let simple = pattern::simple_name(&typed.pat).cloned();
        let bindings = match &simple {
            Some(ident) => Bindings {
                names: vec![ident.clone()],
                unseen: None,
            },
            None => Bindings::of(&typed.pat),
        };
        let names: Vec<Name> = bindings
            .names
            .into_iter()
            .map(|ident| Name {
                skipped: options.skips(&item::name(&ident)),
                ident,
            })
            .collect();
        let role = Role::of(&names, &typed.ty, template);
        let is_used = |ident: &Ident| {
            let is_in_option = names.iter().any(|name| name.is_in_option(options));
            role == Role::Keyed || is_in_option || !ident.to_string().starts_with('_')
        };
        let ident = match simple {
            Some(ident) if is_used(&ident) => ident,
            // `_marker` too: it shouldn't be seen to be used, not even to pass it on.
            _ => {
                let span = Span::mixed_site().located_at(typed.pat.span());
                Ident::new(&format!("__arg{index}"), span)
            }
        };
        Self {
            typed: typed.clone(),
            ident,
            names,
            unseen: bindings.unseen,
            role,
        }
    }

    /// Its names have to be taken out of it first.
    pub(crate) fn is_destructured(&self) -> bool {
        !self.names.is_empty() && pattern::simple_name(&self.typed.pat).is_none()
    }

    /// It may be there for an option, so that the body doesn't have to use it.
    pub(crate) fn is_in_option(&self, options: &Options) -> bool {
        self.names.iter().any(|name| name.is_in_option(options))
    }

    /// The pattern that binds references to the wanted names.
    pub(crate) fn pattern_by_reference(&self, wanted: &dyn Fn(&Name) -> bool) -> Pat {
        pattern::by_reference(&self.typed.pat, &|ident| {
            self.names
                .iter()
                .any(|name| name.ident == *ident && wanted(name))
        })
    }
}

impl Role {
    fn of(names: &[Name], ty: &Type, template: Option<&Template>) -> Self {
        if names.is_empty() {
            Self::Valueless
        } else if names.iter().all(|name| name.skipped) {
            Self::Skipped
        } else if is_phantom(ty) && !names.iter().any(|name| name.is_in_key(template)) {
            Self::Valueless
        } else {
            Self::Keyed
        }
    }
}

impl Name {
    pub(crate) fn is_in(&self, tokens: impl ToTokens) -> bool {
        mentions(tokens, &item::name(&self.ident))
    }

    fn is_in_option(&self, options: &Options) -> bool {
        options.call_expressions().any(|expr| self.is_in(expr))
    }

    fn is_in_key(&self, template: Option<&Template>) -> bool {
        let mut placeholders = template.into_iter().flat_map(Template::placeholders);
        placeholders.any(|placeholder| item::name(&self.ident) == placeholder.root)
    }
}

fn is_phantom(ty: &Type) -> bool {
    match ungrouped(ty) {
        Type::Path(ty) => {
            let last = ty.path.segments.last();
            last.is_some_and(|last| last.ident == "PhantomData")
        }
        _ => false,
    }
}
