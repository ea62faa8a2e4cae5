//! By rustls, with ring, and the roots that the system trusts unless others are given.

use std::fs;
use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::super::blocking::Socket;
use super::super::error;
use super::super::url::Target;
use crate::backend::BackendError;
use crate::error::{ConfigError, ConfigErrorKind};

/// What connections are made with; nothing where the system has no authorities. Who connects is told so, as others may be given until then.
#[derive(Clone)]
pub(in super::super) struct Tls(Option<Arc<ClientConfig>>);

pub(in super::super) type TlsStream = StreamOwned<ClientConnection, Socket>;

const NO_ROOTS: &str = "the system has no certificate authorities that could be read; install them, name their file in `SSL_CERT_FILE`, \
     or give one to `Redis::ca_certificate`";
const NO_FILE: &str =
    "names a `ca_certificate` that can't be read; write the path of a file in PEM";
const BAD_PEM: &str = "has a certificate authority that is no certificate in PEM; begin it with `-----BEGIN CERTIFICATE-----`";

impl Tls {
    /// As the URL says: none, with the authorities of a file, or with the system's.
    ///
    /// # Errors
    /// The file can't be read, or has something else in it.
    pub(in super::super) fn of(target: &Target) -> Result<Option<Self>, ConfigError> {
        if !target.tls {
            return Ok(None);
        }
        let Some(file) = &target.ca_certificate else {
            return Ok(Some(Self::system()));
        };
        let pem = fs::read(file).map_err(|_| ConfigErrorKind::RedisUrl { problem: NO_FILE })?;
        Self::trusting(&pem).map(Some)
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
        let config = config(roots).ok_or(ConfigErrorKind::RedisUrl { problem: BAD_PEM })?;
        Ok(Self(Some(config)))
    }

    /// Trusts whom the system trusts.
    fn system() -> Self {
        let mut roots = RootCertStore::empty();
        // A few that can't be read are usual, and no reason not to trust the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self(config(roots))
    }

    /// A stream that shakes hands as it is used.
    pub(in super::super) fn blocking(
        &self,
        host: &str,
        socket: Socket,
    ) -> Result<TlsStream, BackendError> {
        let name = name(host).map_err(error::of_io)?;
        let connection = ClientConnection::new(self.config()?, name);
        let connection = connection.map_err(|error| error::of_io(io::Error::other(error)))?;
        Ok(StreamOwned::new(connection, socket))
    }

    #[cfg(feature = "redis-tokio")]
    pub(in super::super) async fn tokio(
        &self,
        host: &str,
        stream: tokio::net::TcpStream,
    ) -> Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>, BackendError> {
        let connector = tokio_rustls::TlsConnector::from(self.config()?);
        let name = name(host).map_err(error::of_io)?;
        connector.connect(name, stream).await.map_err(error::of_io)
    }

    fn config(&self) -> Result<Arc<ClientConfig>, BackendError> {
        self.0.clone().ok_or_else(|| BackendError::new(NO_ROOTS))
    }
}

/// None where nobody is trusted.
fn config(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    if roots.is_empty() {
        return None;
    }
    // Not the process's default provider, which may be another one, or several, and then none.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
}

fn name(host: &str) -> io::Result<ServerName<'static>> {
    ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
