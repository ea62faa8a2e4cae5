//! What a call hands to those who wait for it: its entry, or how it failed.

use std::any::Any;
use std::sync::Arc;

use crate::guard::{Own, guard};
use crate::local::Kept;

/// What lands in a flight.
#[derive(Clone)]
pub(crate) enum Landed {
    Entry(Kept),
    /// An error that is shared; it is stored nowhere.
    Failure(Failure),
}

type Failure = Arc<dyn Any + Send + Sync>;

/// What a function returns, if it is a `Result` whose errors can be shared.
#[diagnostic::on_unimplemented(
    message = "the errors of `{Self}` can't be shared",
    label = "no `Result` whose error is `Clone + Send + Sync + 'static`",
    note = "with `share_errors` each caller that waits gets a clone of the error: wrap it in an `Arc`, or remove the option"
)]
pub trait SharesErrors: Sized {
    #[doc(hidden)]
    const FAILURES: Failures<Self>;
}

#[diagnostic::do_not_recommend]
impl<T, E: Clone + Send + Sync + 'static> SharesErrors for Result<T, E> {
    const FAILURES: Failures<Self> = Failures {
        share: |result| {
            let error = result.as_ref().err()?;
            let copy = guard(|| error.clone())?;
            Some(Arc::new(Own(Some(copy))))
        },
        take: |failure| {
            let error = failure.downcast_ref::<Own<E>>()?;
            error.copy().map(Err)
        },
    };
}

/// The two ways between what a function returns and an error that is shared.
///
/// They are function pointers for the same reason as in `Outcome`.
pub struct Failures<R> {
    /// The error to share; none of a value, or where its `Clone` panics.
    pub(super) share: fn(&R) -> Option<Failure>,
    /// What was shared, as the function returns it; none where it is of another type, as of another function with this key.
    pub(super) take: fn(&(dyn Any + Send + Sync)) -> Option<R>,
}
