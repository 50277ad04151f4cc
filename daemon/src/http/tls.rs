//! TLS 1.2 and 1.3: certificates, and reading them again while running.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::ProducesTickets;

use crate::config::schema::Pair;

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("http.tls: cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM.
    #[error("http.tls: {path} is not PEM: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The certificate file holds none.
    #[error("http.tls.certificate: {path} holds no 'BEGIN CERTIFICATE' section")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds none.
    #[error(
        "http.tls.key: {path} holds no private key; it needs a 'BEGIN PRIVATE KEY', \
         'BEGIN RSA PRIVATE KEY' or 'BEGIN EC PRIVATE KEY' section that is not encrypted"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is another certificate's.
    #[error(
        "http.tls: the key in {key} does not belong to the certificate in {certificate}; put the \
         key that the certificate was issued for beside it"
    )]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// Certificate and key do not go together, or one of them is of an unknown kind.
    #[error("http.tls: {certificate} and {key} cannot be used together: {source}")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The TLS library cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Library(#[source] rustls::Error),
}

impl TlsError {
    /// Why a file could not be read, where that is the reason.
    pub(crate) fn unread(&self) -> Option<&io::Error> {
        match self {
            Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The certificate in force.
pub(super) struct Certificates {
    config: ArcSwap<ServerConfig>,
    /// Kept over reloads, so that clients' sessions go on.
    tickets: Arc<dyn ProducesTickets>,
}

impl Certificates {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub(super) fn load(files: &Pair) -> Result<Self, TlsError> {
        let tickets = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Library)?;
        let config = build(files, &tickets)?;
        Ok(Self {
            config: ArcSwap::from_pointee(config),
            tickets,
        })
    }

    /// Reads them again; new connections use them from now on.
    ///
    /// # Errors
    /// [`TlsError`]; then the old ones stay in force.
    pub(super) fn reload(&self, files: &Pair) -> Result<(), TlsError> {
        self.config.store(Arc::new(build(files, &self.tickets)?));
        Ok(())
    }

    /// What a new connection uses.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

fn build(files: &Pair, tickets: &Arc<dyn ProducesTickets>) -> Result<ServerConfig, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = private_key(&files.key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(TlsError::Library)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|source| unusable(files, source))?;
    config.alpn_protocols = vec![ALPN_H2.to_vec(), b"http/1.1".to_vec()];
    config.ticketer = Arc::clone(tickets);
    Ok(config)
}

fn unusable(files: &Pair, source: rustls::Error) -> TlsError {
    let (certificate, key) = (files.certificate.clone(), files.key.clone());
    let mismatch = rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch);
    if source == mismatch {
        return TlsError::Mismatch { certificate, key };
    }
    TlsError::Unusable {
        certificate,
        key,
        source,
    }
}

/// Reads certificate and key and sees whether they can be used together. Gives the chain, the
/// server's own certificate first.
///
/// # Errors
/// [`TlsError`].
pub(crate) fn try_pair(files: &Pair) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let tickets = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Library)?;
    build(files, &tickets)?;
    certificates(&files.certificate)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|source| TlsError::Pem {
        path: path.to_owned(),
        source,
    })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(chain)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|source| match source {
        pem::Error::NoItemsFound => TlsError::NoKey {
            path: path.to_owned(),
        },
        source => TlsError::Pem {
            path: path.to_owned(),
            source,
        },
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The protocol name of HTTP/2 over TLS (RFC 9113 section 3.2).
pub(super) const ALPN_H2: &[u8] = b"h2";
