//! How a run ends.

use std::fmt::{self, Display};

/// The error that every run ends with. What a type says of a sample is of no interest.
#[derive(Debug)]
pub(super) struct Stop;

impl serde::de::Error for Stop {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type is being traced")
    }
}

impl std::error::Error for Stop {}
