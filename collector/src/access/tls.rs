//! Certificates, and connections under them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Where certificate and key stand, and what was read there last.
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0}: {1}; it has to be PEM")]
    File(PathBuf, rustls::pki_types::pem::Error),
    /// There is nothing in it.
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    /// They do not fit.
    #[error("{0} and {1} cannot be used: {2}")]
    Unfit(PathBuf, PathBuf, rustls::Error),
}

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let config = RwLock::new(config(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), config })
    }

    /// Reads them anew; what cannot be used changes nothing. Connections go on under what they began with.
    pub fn renew(&self) {
        match config(&self.certificate, &self.key) {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
                tracing::info!(certificate = %self.certificate.display(), "certificate read anew");
            }
            Err(error) => tracing::error!(%error, "the certificate stays as it was"),
        }
    }

    /// For the next connection, which speaks this protocol (ALPN).
    pub fn acceptor(&self, protocol: &[u8]) -> TlsAcceptor {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(config).into()
    }
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |error| TlsError::File(path, error)
    };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(file(certificate))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(file(certificate))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(certificate.to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(file(key))?;
    let unfit = |error| TlsError::Unfit(certificate.to_owned(), key.to_owned(), error);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(unfit)?.with_no_client_auth().with_single_cert(chain, private);
    Ok(Arc::new(config.map_err(unfit)?))
}
