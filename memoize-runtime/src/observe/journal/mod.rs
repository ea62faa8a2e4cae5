//! Who else wants to know what is counted: nobody, but in tests (feature `testing`).

#[cfg(not(feature = "testing"))]
mod disabled;
#[cfg(feature = "testing")]
mod enabled;

#[cfg(not(feature = "testing"))]
pub(crate) use disabled::Journal;
#[cfg(feature = "testing")]
pub(crate) use enabled::{Journal, Log};
