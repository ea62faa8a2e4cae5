//! What is made when there are errors: these, and all that other code refers to, so that no second error follows.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, TokenStreamExt as _};

use crate::expand::companions;
use crate::item::is_memoize;
use crate::model::Model;

/// The errors and the item as it was.
pub(crate) fn unchanged(errors: &syn::Error, item: TokenStream) -> TokenStream {
    let mut tokens = errors.to_compile_error();
    tokens.extend(item);
    tokens
}

/// The errors, the plain function, and companions that do nothing.
pub(crate) fn with_stubs(model: &Model, errors: &syn::Error) -> TokenStream {
    let function = &model.function;
    let mut tokens = errors.to_compile_error();
    // Another `cache_memoize` would be expanded next, and make companions as well.
    tokens.append_all(function.attrs.iter().filter(|attr| !is_memoize(attr)));
    function.vis.to_tokens(&mut tokens);
    function.sig.to_tokens(&mut tokens);
    tokens.append(function.body.clone());
    tokens.extend(companions::stubs(model));
    tokens
}
