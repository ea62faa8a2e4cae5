//! The attribute of `cache-memoize`. Use it through that crate: generated code looks for it there.

mod args;
mod check;
mod diag;
mod duration;
mod expand;
mod fallback;
mod generics;
mod item;
mod model;
mod output;
mod pattern;
mod scan;
mod template;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use crate::args::Options;
use crate::diag::Diag;
use crate::item::Function;
use crate::model::Model;

/// TODO docs
#[proc_macro_attribute]
pub fn cache_memoize(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    memoize(options.into(), item.into()).into()
}

fn memoize(options: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse2::<Function>(item.clone()) {
        Ok(function) => memoize_function(options, function),
        Err(error) => fallback::unchanged(&error, item),
    }
}

fn memoize_function(options: TokenStream, function: Function) -> TokenStream {
    let diag = Diag::new();
    let model = Model::new(function, Options::parse(options, &diag));
    check::check(&model, &diag);
    match diag.finish() {
        Ok(()) => expand::expand(&model),
        Err(errors) => fallback::with_stubs(&model, &errors),
    }
}
