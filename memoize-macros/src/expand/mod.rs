//! Generated code. All of ours has the hygiene of `mixed_site`, so that no local of ours meets one of the user's.

pub(crate) mod companions;
mod key;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, FnArg, GenericParam, Generics, ReceiverKind, Safety, Signature, Type};

use crate::args::{Expiration, Options};
use crate::item::{is_lint, name, without_expectation};
use crate::model::{Argument, Form, Model};

/// `quote!` with our hygiene.
macro_rules! ours {
    ($($tokens:tt)*) => {
        ::quote::quote_spanned! { ::proc_macro2::Span::mixed_site()=> $($tokens)* }
    };
}
use ours;

pub(crate) fn expand(model: &Model) -> TokenStream {
    match &model.form {
        Form::Inline => inline(model),
        Form::Type(_) | Form::Functions => {
            let function = function(model);
            let companions = companions::companions(model);
            quote!(#function #companions)
        }
    }
}

/// The user's function, which calls `uncached` on a miss.
fn function(model: &Model) -> TokenStream {
    let attrs = model.function.attrs.iter().map(without_expectation);
    let vis = &model.function.vis;
    let sig = Signature {
        inputs: plain_inputs(model),
        ..model.function.sig.clone()
    };
    let path = companions::path_from_outside(model);
    let call = key::call(model, &path, Self_::Own);
    let overwrite = force_overwrite(model);
    let expiration = expiration(model);
    let run = run(model, &path);
    ours! {
        #(#attrs)*
        #vis #sig {
            #call #overwrite #expiration #run
        }
    }
}

/// The user's function with the body where it was.
fn inline(model: &Model) -> TokenStream {
    let attrs = &model.function.attrs;
    let vis = &model.function.vis;
    let sig = Signature {
        inputs: inline_inputs(model),
        ..model.function.sig.clone()
    };
    let krate = krate(&model.options);
    let site = new_site(model);
    let names = destructure(model, |name| !name.skipped);
    let call = key::inline(model);
    let overwrite = force_overwrite(model);
    let expiration = expiration(model);
    let body = inline_body(model);
    let output = model.output();
    let run = match &model.options.cache_if {
        Some(predicate) => ours!(.__run_if(#predicate, move || -> #output #body)),
        None => ours!(.run(move || -> #output #body)),
    };
    ours! {
        #(#attrs)*
        #vis #sig {
            static __SITE: #krate::__private::Site = #site;
            #names
            #call #overwrite #expiration #run
        }
    }
}
