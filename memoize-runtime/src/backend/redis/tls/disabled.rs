//! A URL that asks for TLS is refused before one of these would be made.

use std::convert::Infallible;
use std::io::{self, Read, Write};

use super::super::blocking::Socket;
use super::super::url::Target;
use crate::backend::BackendError;
use crate::error::ConfigError;

#[derive(Clone)]
pub(in super::super) struct Tls(Infallible);

pub(in super::super) struct TlsStream {
    pub(in super::super) sock: Socket,
    never: Infallible,
}

impl Tls {
    #[expect(clippy::unnecessary_wraps, reason = "the other one may fail")]
    pub(in super::super) fn of(_: &Target) -> Result<Option<Self>, ConfigError> {
        Ok(None)
    }

    pub(in super::super) fn blocking(&self, _: &str, _: Socket) -> Result<TlsStream, BackendError> {
        match self.0 {}
    }

    #[cfg(feature = "redis-tokio")]
    #[expect(clippy::unused_async, reason = "the other one awaits")]
    pub(in super::super) async fn tokio(
        &self,
        _: &str,
        _: tokio::net::TcpStream,
    ) -> Result<tokio::net::TcpStream, BackendError> {
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
