//! Iterators and streams that can't be memoized, or not as they are written.

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned as _;
use syn::{Lifetime, ReceiverKind, Type};

use crate::args;
use crate::diag::{Diag, quoted_list};
use crate::item;
use crate::model::{Execution, Model};
use crate::output::{self, Returned};

/// What to say of a `Result` or `Option` of a stream or iterator.
pub(super) fn wrapped(is_async: bool, by: &str) -> String {
    let what = if is_async { "stream" } else { "iterator" };
    let fix = match by {
        "Result" => "of `Result`s, and yield an `Err` where it fails",
        _ => "empty where there is none",
    };
    format!(
        "the {what} is inside of `{by}`, where its items can't be memoized; return the {what} itself, {fix}"
    )
}

pub(super) fn check_iterator(model: &Model, diag: &Diag) {
    let Some(ty) = model.output_type() else {
        return;
    };
    let unknown_form = match model.returned {
        Returned::Iterator if model.execution == Execution::Blocking => {
            "an iterator in this form can't be memoized; \
             return `impl Iterator<Item = ..>` or `Box<dyn Iterator<Item = ..>>`"
        }
        Returned::Stream => {
            "a stream in this form can't be memoized; \
             return `impl Stream<Item = ..>` or `Pin<Box<dyn Stream<Item = ..>>>`"
        }
        _ => return,
    };
    let Some(iterated) = model.iterated() else {
        return diag.error(ty.span(), unknown_form);
    };
    if ["DoubleEndedIterator", "ExactSizeIterator"].contains(&item::name(iterated.name).as_str()) {
        let message = "what comes from a cache can only be read forwards, and its length isn't known before; \
                       return an `Iterator`";
        return diag.error(iterated.name.span(), message);
    }
    if ["FusedStream", "TryStream"].contains(&item::name(iterated.name).as_str()) {
        let message = "what comes from a cache is a plain stream of items, which may be `Result`s; \
                       return a `Stream`";
        return diag.error(iterated.name.span(), message);
    }
    let trait_name = if iterated.is_async {
        "Stream"
    } else {
        "Iterator"
    };
    match iterated.item {
        None => diag.error(
            iterated.name.span(),
            format!("the type of the items is missing; write `{trait_name}<Item = ..>`"),
        ),
        Some(item) if output::mentions_impl(item.to_token_stream()) => diag.error(
            item.span(),
            "an `impl Trait` can't be stored, as its type has no name to read it back by; \
             yield items of a type that has one",
        ),
        Some(_) => {}
    }
}

/// What is memoized keeps the arguments until the last item, as the body runs again where a chunk is lost. rustc would say so too, but of
/// the attribute, and about lifetimes that nobody wrote.
pub(super) fn check_box_may_borrow(model: &Model, diag: &Diag) {
    let Some(iterated) = model.iterated() else {
        return;
    };
    let Some(box_lifetime) = iterated.lifetime.as_ref() else {
        return;
    };
    let kept = kept(model);
    let fix = match &*box_lifetime.ident.to_string() {
        "static" if !kept.is_empty() => may_borrow(&iterated, kept.len() > 1),
        "_" => match kept.split_first() {
            // The lifetime is the receiver's.
            Some((receiver, others))
                if receiver.is_receiver && others.iter().any(Kept::is_elided) =>
            {
                in_full(model, receiver.lifetime.as_ref())
            }
            _ => return,
        },
        _ if kept.iter().any(Kept::is_elided) => in_full(model, Some(box_lifetime)),
        _ => return,
    };
    let names = kept.iter().map(|kept| &kept.name);
    let are = if kept.len() == 1 { "is" } else { "are" };
    let what = if iterated.is_async {
        "stream"
    } else {
        "iterator"
    };
    let message = format!(
        "a memoized {what} keeps {}, which {are} borrowed, until its end; {fix}",
        quoted_list(names)
    );
    diag.error(box_lifetime.span(), message);
}

/// An argument that is borrowed, and kept.
struct Kept {
    name: String,
    is_receiver: bool,
    /// For how long, where that has a name.
    lifetime: Option<Lifetime>,
}

impl Kept {
    fn is_elided(&self) -> bool {
        self.lifetime.is_none()
    }
}

fn kept(model: &Model) -> Vec<Kept> {
    let receiver = model.receiver().and_then(|receiver| {
        let lifetime = match &receiver.kind {
            ReceiverKind::Reference(_, lifetime, _) => lifetime.clone(),
            ReceiverKind::Typed(_, ty) => borrow_of(ty)?.lifetime,
            _ => return None,
        };
        Some(Kept {
            name: "self".to_owned(),
            is_receiver: true,
            lifetime: lifetime.filter(|lifetime| lifetime.ident != "_"),
        })
    });
    let arguments = model.arguments.iter().filter_map(|argument| {
        let borrow = borrow_of(&argument.typed.ty)?;
        Some(argument.names.iter().map(move |name| Kept {
            name: item::name(&name.ident),
            is_receiver: false,
            lifetime: borrow.lifetime.clone(),
        }))
    });
    receiver.into_iter().chain(arguments.flatten()).collect()
}

fn borrow_of(ty: &Type) -> Option<output::Borrow> {
    output::find_borrow(ty).filter(|borrow| !borrow.is_static())
}

/// What to write for a box of which the type says that nothing in there borrows.
fn may_borrow(iterated: &output::Iterated<'_>, several: bool) -> String {
    let (lifetime, first) = if several {
        ("'a", "give them one lifetime `'a` and ")
    } else {
        ("'_", "")
    };
    match output::boxed_stream_for(iterated, lifetime) {
        Some(boxed) => format!("{first}write `{boxed}`"),
        None => format!(
            "{first}write `+ {lifetime}` behind `dyn {}<..>`",
            iterated.name
        ),
    }
}

/// The signature to write, with one lifetime for all that have no name for theirs.
fn in_full(model: &Model, lifetime: Option<&Lifetime>) -> String {
    let sig = &model.function.sig;
    let lifetime = lifetime
        .cloned()
        .unwrap_or_else(|| Lifetime::new("'a", Span::call_site()));
    let named = |part: &dyn ToTokens| {
        let (named, _) = output::name_elided(part.to_token_stream(), &lifetime);
        output::text(&named)
    };
    let is_known = sig
        .generics
        .lifetimes()
        .any(|known| known.lifetime == lifetime);
    let new = (!is_known && lifetime.ident == "a").then(|| lifetime.to_string());
    let generics: Vec<String> = new
        .into_iter()
        .chain(sig.generics.params.iter().map(output::text))
        .collect();
    let generics = match generics.as_slice() {
        [] => String::new(),
        generics => format!("<{}>", generics.join(", ")),
    };
    let inputs: Vec<String> = sig.inputs.iter().map(|input| named(input)).collect();
    format!(
        "write `{}{generics}({}) {}`",
        sig.ident,
        inputs.join(", "),
        named(&sig.output)
    )
}

pub(super) fn check_cache_if_of_iterator(model: &Model, diag: &Diag) {
    let predicate = model.options.cache_if.as_ref();
    if let (Some(predicate), Some(iterated)) = (predicate, model.iterated()) {
        let what = with_article(&iterated);
        let message = format!(
            "`cache_if` sees a whole value, which {what} never is; \
             remove it, or yield an `Err` where nothing is to be stored"
        );
        diag.error(predicate.span(), message);
    }
}

pub(super) fn check_local_of_iterator(model: &Model, diag: &Diag) {
    let keeps = matches!(
        model.options.local,
        Some(args::Local::Always | args::Local::Within(_))
    );
    if let (true, Some(span), Some(iterated)) = (keeps, model.options.local_span, model.iterated())
    {
        let what = with_article(&iterated);
        let message = format!(
            "the items of {what} are kept as bytes only; remove `local`, or return a `Vec`"
        );
        diag.error(span, message);
    }
}

pub(super) fn check_share_errors_of_iterator(model: &Model, diag: &Diag) {
    if let (Some(span), Some(iterated)) = (model.options.share_errors, model.iterated()) {
        let what = with_article(&iterated);
        let message = format!(
            "who waits for {what} is handed its items, errors included, or reads it anew; remove `share_errors`"
        );
        diag.error(span, message);
    }
}

fn with_article(iterated: &output::Iterated<'_>) -> &'static str {
    if iterated.is_async {
        "a stream"
    } else {
        "an iterator"
    }
}
