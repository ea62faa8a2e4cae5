//! TLS to the server. Gated here once: without the feature there is a twin that can't be made.

#[cfg(not(feature = "redis-tls"))]
mod disabled;
#[cfg(feature = "redis-tls")]
mod enabled;

#[cfg(not(feature = "redis-tls"))]
pub(super) use disabled::{Tls, TlsStream};
#[cfg(feature = "redis-tls")]
pub(super) use enabled::{Tls, TlsStream};
