//! Iterators and streams, as far as tokens tell.

use proc_macro2::Ident;
use syn::{GenericArgument, Lifetime, Type, TypeParamBound};

use super::{
    Returned, arguments, first_type_argument, from_name, is_boxed_stream, path, text, ungrouped,
};

/// What an iterator or a stream is made of, as far as the type says it.
pub(crate) struct Iterated<'t> {
    /// It is a stream.
    pub(crate) is_async: bool,
    /// The trait's own name, and where it stands.
    pub(crate) name: &'t Ident,
    pub(crate) item: Option<&'t Type>,
    /// It is a `Box<dyn Iterator>`, or a `Pin<Box<dyn Stream>>`.
    pub(crate) is_boxed: bool,
    /// How long what is in the box lives, and where that is said. Where it is left out, nothing in there borrows.
    pub(crate) lifetime: Option<Lifetime>,
}

/// Reads a type that is [classified](classify) as an iterator or as a stream.
pub(crate) fn iterated(ty: &Type) -> Option<Iterated<'_>> {
    let ty = ungrouped(ty);
    if let Type::ImplTrait(ty) = ty {
        return iterated_by(&ty.bounds, false);
    }
    let path = path(ty)?;
    let last = path.segments.last()?;
    let inner = first_type_argument(path)?;
    if is_boxed_stream(&last.ident) {
        return Some(Iterated {
            is_async: true,
            name: &last.ident,
            item: Some(inner),
            is_boxed: true,
            lifetime: arguments(&last.arguments).find_map(|argument| match argument {
                GenericArgument::Lifetime(lifetime) => Some(lifetime.clone()),
                _ => None,
            }),
        });
    }
    let is_pinned = last.ident == "Pin";
    let object = if is_pinned {
        first_type_argument(super::path(inner)?)?
    } else {
        inner
    };
    match ungrouped(object) {
        Type::TraitObject(object) => {
            iterated_by(&object.bounds, true).filter(|iterated| iterated.is_async == is_pinned)
        }
        _ => None,
    }
}

fn iterated_by<'b>(
    bounds: impl IntoIterator<Item = &'b TypeParamBound, IntoIter: Clone>,
    is_boxed: bool,
) -> Option<Iterated<'b>> {
    let mut bounds = bounds.into_iter();
    let lifetime = bounds.clone().find_map(|bound| match bound {
        TypeParamBound::Lifetime(lifetime) => Some(lifetime),
        _ => None,
    });
    bounds.find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let last = bound.path.segments.last()?;
        let is_async = match from_name(&last.ident)? {
            Returned::Iterator => false,
            Returned::Stream => true,
            _ => return None,
        };
        let item = arguments(&last.arguments).find_map(|argument| match argument {
            GenericArgument::AssocType(assoc) if assoc.ident == "Item" => Some(&assoc.ty),
            _ => None,
        });
        Some(Iterated {
            is_async,
            name: &last.ident,
            item,
            is_boxed,
            lifetime: is_boxed.then(|| {
                let unsaid = || Lifetime::new("'static", last.ident.span());
                lifetime.cloned().unwrap_or_else(unsaid)
            }),
        })
    })
}

/// The type as it is to be written for what lives that long, where it has one of the names that the `futures` crates give.
pub(crate) fn boxed_stream_for(iterated: &Iterated<'_>, lifetime: &str) -> Option<String> {
    let item = iterated.item.filter(|_| is_boxed_stream(iterated.name))?;
    Some(format!("{}<{lifetime}, {}>", iterated.name, text(item)))
}
