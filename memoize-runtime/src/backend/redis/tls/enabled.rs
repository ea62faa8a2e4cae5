//! By rustls, with ring, and the roots that the system trusts unless others are given.

use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::super::blocking::Socket;
use crate::error::{ConfigError, ConfigErrorKind};

#[derive(Clone)]
pub(in super::super) struct Tls(Arc<ClientConfig>);

pub(in super::super) type TlsStream = StreamOwned<ClientConnection, Socket>;

const NO_ROOTS: &str = "asks for TLS, and the system has no certificate authorities that could be read; install them, or give one \
     to `Redis::ca_certificate`";
const BAD_PEM: &str = "has a certificate authority that is no certificate in PEM; begin it with `-----BEGIN CERTIFICATE-----`";

impl Tls {
    /// Trusts whom the system trusts.
    pub(in super::super) fn system() -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        // A few that can't be read are usual, and no reason not to trust the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::new(roots, NO_ROOTS)
    }

    /// Trusts these alone.
    pub(in super::super) fn trusting(pem: &[u8]) -> Result<Self, ConfigError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            certificate
                .ok()
                .and_then(|certificate| roots.add(certificate).ok())
                .ok_or(ConfigErrorKind::RedisUrl { problem: BAD_PEM })?;
        }
        Self::new(roots, BAD_PEM)
    }

    fn new(roots: RootCertStore, without: &'static str) -> Result<Self, ConfigError> {
        if roots.is_empty() {
            return Err(ConfigErrorKind::RedisUrl { problem: without }.into());
        }
        // Not the process's default provider, which may be another one, or several, and then none.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| ConfigErrorKind::RedisUrl { problem: without })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// A stream that shakes hands as it is used.
    pub(in super::super) fn blocking(&self, host: &str, socket: Socket) -> io::Result<TlsStream> {
        let connection = ClientConnection::new(Arc::clone(&self.0), name(host)?);
        let connection = connection.map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, socket))
    }

    #[cfg(feature = "redis-tokio")]
    pub(in super::super) async fn tokio(
        &self,
        host: &str,
        stream: tokio::net::TcpStream,
    ) -> io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(&self.0));
        connector.connect(name(host)?, stream).await
    }
}

fn name(host: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
