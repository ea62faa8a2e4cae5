//! Generated code. All of ours has the hygiene of `mixed_site`, so that no local of ours meets one of the user's.

pub(crate) mod companions;
mod key;
mod parts;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Signature;

use self::parts::{
    call, destructure, force_overwrite, inline_body, inline_inputs, krate, memoized, new_site,
    own_receiver, path_from_outside, plain_inputs, uncached,
};
use crate::item::without_expectation;
use crate::model::{Form, Model};

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

/// The user's function, with the body in `uncached`.
fn function(model: &Model) -> TokenStream {
    let attrs = model.function.attrs.iter().map(without_expectation);
    let vis = &model.function.vis;
    let sig = Signature {
        inputs: plain_inputs(model),
        ..model.function.sig.clone()
    };
    let path = path_from_outside(model);
    let call = call(model, &path, own_receiver(model), true);
    let overwrite = force_overwrite(model);
    let uncached = uncached(model, &path);
    let body = ours!(move || #uncached);
    let none = TokenStream::new();
    let work = memoized(model, &none, &call, overwrite.as_ref(), &body);
    ours! {
        #(#attrs)*
        #vis #sig {
            #work
        }
    }
}

/// The user's function, with the body where it was.
fn inline(model: &Model) -> TokenStream {
    let attrs = &model.function.attrs;
    let vis = &model.function.vis;
    let sig = Signature {
        inputs: inline_inputs(model),
        ..model.function.sig.clone()
    };
    let krate = krate(model);
    let ty = ours!(#krate::__private::Site);
    let site = new_site(model, &ty);
    let names = destructure(model, &|name| !name.skipped);
    let key = key::inline(model);
    let overwrite = force_overwrite(model);
    let body = inline_body(model);
    let work = memoized(model, &names, &key, overwrite.as_ref(), &body);
    ours! {
        #(#attrs)*
        #vis #sig {
            static __SITE: #ty = #site;
            #work
        }
    }
}
