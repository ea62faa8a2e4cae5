//! What can't be memoized, or not as it is asked for: one `check_*` a rule.

mod iterated;

use proc_macro2::Span;
use syn::FnArg;
use syn::spanned::Spanned;

use self::iterated::{
    check_box_may_borrow, check_cache_if_of_iterator, check_iterator, check_local_of_iterator,
    check_share_errors_of_iterator,
};
use crate::args::{self, Companions};
use crate::argument::Role;
use crate::diag::{Diag, quoted_list};
use crate::item;
use crate::model::{self, Execution, Model, Subject};
use crate::output::{self, Returned};
use crate::scan::mentions;
use crate::template::Format;

pub(crate) fn check(model: &Model, diag: &Diag) {
    for rule in [
        check_given_once,
        check_const,
        check_variadic,
        check_attributes,
        check_returned,
        check_iterator,
        check_box_may_borrow,
        check_cache_if_of_iterator,
        check_local_of_iterator,
        check_share_errors_of_iterator,
        check_owned,
        check_companions,
        check_companions_hide_no_primitive,
        check_cfg_on_arguments,
        check_patterns,
        check_names_differ,
        check_skip_names,
        check_template,
        check_placeholder_names,
        check_placeholder_types,
        check_skipped_are_not_in_key,
        check_skipped_are_not_in_encryption_key,
        check_arguments_are_in_key,
        check_switch_is_not_in_key,
    ] {
        rule(model, diag);
    }
}

fn check_given_once(model: &Model, diag: &Diag) {
    for attr in model
        .function
        .attrs
        .iter()
        .filter(|attr| item::is_memoize(attr))
    {
        let message = "`cache_memoize` is on the function twice; remove one";
        diag.error(attr.path().span(), message);
    }
}

fn check_const(model: &Model, diag: &Diag) {
    if let Some(token) = &model.function.sig.constness {
        let message = "a `const fn` can't be memoized, as it may run at compile time; \
                       remove `const`, or `cache_memoize`";
        diag.error(token.span, message);
    }
}

fn check_variadic(model: &Model, diag: &Diag) {
    if let Some(variadic) = &model.function.sig.variadic {
        let message = "a function of any number of arguments can't be memoized; \
                       name them, or remove `cache_memoize`";
        diag.error(variadic.dots.spans[0], message);
    }
}

/// These are about the function that calls the body, or about how the body is compiled, and the body moves.
fn check_attributes(model: &Model, diag: &Diag) {
    for name in ["track_caller", "target_feature"] {
        let attrs = model.function.attrs.iter();
        for attr in attrs.filter(|attr| attr.path().is_ident(name)) {
            let message =
                format!("`#[{name}]` can't be kept, as the cache calls the body; remove it");
            diag.error(attr.path().span(), message);
        }
    }
}

fn check_returned(model: &Model, diag: &Diag) {
    let sig = &model.function.sig;
    let is_async = model.execution != Execution::Blocking;
    let ty = model.output_type();
    let span = ty.map_or(sig.ident.span(), Spanned::span);
    let message = match model.returned {
        Returned::Wrapped {
            is_async: inner,
            by,
        } => {
            return diag.error(span, iterated::wrapped(inner || is_async, by));
        }
        Returned::Value | Returned::Stream => return,
        Returned::Iterator if !is_async => return,
        Returned::Nothing => {
            "the function returns nothing that could be remembered; \
             return a value, or remove `cache_memoize`"
        }
        Returned::Never => {
            "the function never returns, so there is nothing to remember; remove `cache_memoize`"
        }
        Returned::Future if is_async => {
            "a future that gives a future can't be memoized; await the inner one in the body"
        }
        Returned::Future => {
            "a future that doesn't say what it gives can't be memoized, nor one that isn't pinned; \
             return `impl Future<Output = T>` or `Pin<Box<dyn Future<Output = T>>>`"
        }
        Returned::Iterator => {
            "an async function that returns an iterator can't be memoized; \
             return a `Stream`, or collect the items into a `Vec`"
        }
        Returned::Opaque => {
            "an `impl Trait` can't be stored, as its type has no name to read it back by; \
             return a type that has one"
        }
    };
    diag.error(span, message);
}

fn check_owned(model: &Model, diag: &Diag) {
    if model.returned != Returned::Value && model.iterated().is_none() {
        return;
    }
    if let Some(borrow) = model.cached_type().and_then(output::find_borrow) {
        let problem = if borrow.is_static() {
            "can't be read back"
        } else {
            "borrows, and a remembered value outlives the call"
        };
        let message = format!(
            "the returned `{}` {problem}; {}",
            borrow.borrowed, borrow.fix
        );
        diag.error(borrow.span, message);
    }
}

fn check_companions(model: &Model, diag: &Diag) {
    if let (true, Some(Companions::Type(name))) = (model.is_method, &model.options.companions) {
        let message = "a method can't have its companions on a type, as none can be declared beside it; \
                       write `companions = \"functions\"`";
        diag.error(name.span(), message);
    }
}

fn check_companions_hide_no_primitive(model: &Model, diag: &Diag) {
    if let Some(name) = model::companion_type(&model.function, &model.options, model.is_method)
        && item::is_primitive(name)
    {
        let message = format!(
            "the companions of `{}` would hide the type of that name; add `companions = Name`",
            item::name(name)
        );
        diag.error(name.span(), message);
    }
}

fn check_cfg_on_arguments(model: &Model, diag: &Diag) {
    let attrs = model
        .function
        .sig
        .inputs
        .iter()
        .flat_map(|input| match input {
            FnArg::Receiver(receiver) => &receiver.attrs,
            FnArg::Typed(typed) => &typed.attrs,
        });
    for attr in attrs.filter(|attr| item::is_cfg(attr)) {
        let message = "`#[cfg]` on an argument can't be memoized, as the key would need it too; \
                       put it on two versions of the function";
        diag.error(attr.path().span(), message);
    }
}

fn check_patterns(model: &Model, diag: &Diag) {
    for span in model
        .arguments
        .iter()
        .filter_map(|argument| argument.unseen)
    {
        let message = "the names in this pattern can't be seen; \
                       give the argument a name and take it apart in the body";
        diag.error(span, message);
    }
}

/// By the hygiene of `macro_rules` there can be several of one spelling, and a key or option could mean either.
fn check_names_differ(model: &Model, diag: &Diag) {
    let mut seen: Vec<String> = Vec::new();
    for (_, argument) in model.names() {
        let name = item::name(&argument.ident);
        if seen.contains(&name) {
            let message =
                format!("two arguments are called `{name}`; give one of them another name");
            diag.error(argument.ident.span(), message);
        }
        seen.push(name);
    }
}

fn check_skip_names(model: &Model, diag: &Diag) {
    let known = model.argument_names();
    let mut seen: Vec<String> = Vec::new();
    for ident in model.options.skip.iter().flatten() {
        let name = item::name(ident);
        if !known.contains(&name) {
            let message = format!("unknown argument `{name}` in `skip`; {}", listed(&known));
            diag.error(ident.span(), message);
        } else if seen.contains(&name) {
            let message = format!("argument `{name}` is in `skip` twice; remove one");
            diag.error(ident.span(), message);
        }
        seen.push(name);
    }
}

fn check_template(model: &Model, diag: &Diag) {
    for problem in model
        .template
        .iter()
        .flat_map(|template| &template.problems)
    {
        diag.error(key_span(model), problem);
    }
}

fn check_placeholder_names(model: &Model, diag: &Diag) {
    for root in unknown_roots(model) {
        let known = model.argument_names();
        let message = format!("unknown name `{root}` in the key; {}", listed(&known));
        diag.error(key_span(model), message);
    }
}

fn check_placeholder_types(model: &Model, diag: &Diag) {
    for placeholder in model.placeholders() {
        let takes_format = match model.resolve(placeholder) {
            Some(Subject::Type(_)) => false,
            Some(Subject::Const(_)) => placeholder.path.is_empty(),
            _ => true,
        };
        if !takes_format && (!placeholder.path.is_empty() || placeholder.format != Format::Display)
        {
            let message = format!(
                "`{}` is a generic parameter, which has no fields and no format; write `<{}>`",
                placeholder.source, placeholder.root
            );
            diag.error(key_span(model), message);
        }
    }
}

fn check_skipped_are_not_in_key(model: &Model, diag: &Diag) {
    for ident in model.options.skip.iter().flatten() {
        if model
            .placeholders()
            .any(|placeholder| item::name(ident) == placeholder.root)
        {
            let message = format!(
                "argument `{}` is in `skip` and in the key; remove it from one of them",
                item::name(ident)
            );
            diag.error(ident.span(), message);
        }
    }
}

fn check_skipped_are_not_in_encryption_key(model: &Model, diag: &Diag) {
    let Some(expr) = &model.options.encryption_key else {
        return;
    };
    for ident in model.options.skip.iter().flatten() {
        if mentions(expr, &item::name(ident)) {
            let message = format!(
                "argument `{0}` is in `skip`, so companions have no `{0}` to take the secret from; \
                 leave it out of `encryption_key`, or put it in the key",
                item::name(ident)
            );
            diag.error(expr.span(), message);
        }
    }
}

fn check_arguments_are_in_key(model: &Model, diag: &Diag) {
    let Some(template) = &model.template else {
        return;
    };
    // What is misspelt or unreadable may well be what is missing: one error is enough.
    let missing = missing_arguments(model);
    let is_explained = missing.len() <= unknown_roots(model).count();
    if is_explained || !template.problems.is_empty() || model.options.is_broken("skip") {
        return;
    }
    for (name, span) in missing {
        let is_written = |form: &String| template.text().any(|text| text.contains(form));
        let hint = [format!("{{{name}}}"), format!("%{name}%")]
            .iter()
            .any(is_written)
            .then(|| format!("; a placeholder is written `<{name}>`"));
        let hint = hint.unwrap_or_default();
        let message = format!(
            "argument `{name}` is not part of the key; add `<{name}>` to it, or `skip({name})`{hint}"
        );
        diag.error(span, message);
    }
}

/// By a switch that is in the key, a forced call would write an entry that only forced calls read.
fn check_switch_is_not_in_key(model: &Model, diag: &Diag) {
    let Some(expr) = &model.options.force_overwrite else {
        return;
    };
    let Some(switch) = args::switch(expr).map(item::name) else {
        return;
    };
    let keyed = model
        .names()
        .any(|(_, name)| !name.skipped && item::name(&name.ident) == switch);
    // What is missing in a template is told of as that.
    let in_key = match &model.template {
        Some(_) => model
            .placeholders()
            .find(|placeholder| placeholder.root == switch)
            .map(|placeholder| Some(placeholder.source.as_str())),
        None => Some(None),
    };
    let (true, false, Some(placeholder)) = (keyed, model.options.is_broken("skip"), in_key) else {
        return;
    };
    let remove = placeholder.map_or_else(String::new, |source| {
        format!("remove `{source}` there and ")
    });
    let message = format!(
        "`{switch}` is in the key, so forcing would write another entry; {remove}add `skip({switch})`"
    );
    diag.error(expr.span(), message);
}

fn missing_arguments(model: &Model) -> Vec<(String, Span)> {
    let receiver = model
        .keyed_receiver()
        .map(|receiver| ("self".to_owned(), receiver.self_token.span));
    let names = model
        .names()
        .filter(|(argument, name)| argument.role == Role::Keyed && !name.skipped)
        .filter(|(argument, _)| !argument.typed.attrs.iter().any(item::is_cfg))
        .map(|(_, name)| (item::name(&name.ident), name.ident.span()));
    receiver
        .into_iter()
        .chain(names)
        .filter(|(name, _)| {
            model
                .placeholders()
                .all(|placeholder| placeholder.root != *name)
        })
        .collect()
}

fn unknown_roots(model: &Model) -> impl Iterator<Item = &str> {
    model
        .placeholders()
        .filter(|placeholder| model.resolve(placeholder).is_none())
        .map(|placeholder| placeholder.root.as_str())
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "the function has no arguments".to_owned(),
        [name] => format!("the only argument is `{name}`"),
        names => format!("the arguments are {}", quoted_list(names)),
    }
}

fn key_span(model: &Model) -> Span {
    model
        .options
        .key
        .as_ref()
        .map_or_else(Span::call_site, syn::LitStr::span)
}
