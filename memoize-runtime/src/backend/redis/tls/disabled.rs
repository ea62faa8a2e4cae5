//! A URL that asks for TLS is refused before one of these would be made.

use std::convert::Infallible;
use std::io::{self, Read, Write};

use super::super::blocking::Socket;
use crate::error::{ConfigError, ConfigErrorKind};

#[derive(Clone)]
pub(in super::super) struct Tls(Infallible);

pub(in super::super) struct TlsStream {
    pub(in super::super) sock: Socket,
    never: Infallible,
}

impl Tls {
    pub(in super::super) fn system() -> Result<Self, ConfigError> {
        Err(ConfigErrorKind::RedisUrl {
            problem: "asks for TLS, which this build doesn't have; enable the feature `redis-tls` of `cache-memoize`",
        }
        .into())
    }

    pub(in super::super) fn blocking(&self, _: &str, _: Socket) -> io::Result<TlsStream> {
        match self.0 {}
    }

    #[cfg(feature = "redis-tokio")]
    #[expect(clippy::unused_async, reason = "the other one awaits")]
    pub(in super::super) async fn tokio(
        &self,
        _: &str,
        _: tokio::net::TcpStream,
    ) -> io::Result<tokio::net::TcpStream> {
        match self.0 {}
    }
}

impl Read for TlsStream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.never {}
    }
}

impl Write for TlsStream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match self.never {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.never {}
    }
}
