//! A certificate for loopback, and clients that trust exactly it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// A self-signed certificate and where its PEM files are.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// PEM file: the certificate.
    pub certificate: PathBuf,
    /// PEM file: its private key.
    pub key: PathBuf,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes a fresh one for `localhost` and writes it into `folder`.
    ///
    /// # Panics
    /// When it cannot be made or written.
    pub fn make(folder: &Path) -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let certificate = folder.join("certificate.pem");
        let key = folder.join("key.pem");
        std::fs::write(&certificate, made.cert.pem()).expect("certificate.pem");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("key.pem");
        Self {
            certificate,
            key,
            der: made.cert.der().clone(),
        }
    }

    /// `[http.tls]` with this certificate.
    #[must_use]
    pub fn table(&self) -> String {
        format!(
            "[http.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n\n",
            self.certificate.display(),
            self.key.display()
        )
    }

    /// A client that trusts only this certificate and offers `protocol` by ALPN.
    ///
    /// # Panics
    /// When the certificate cannot be trusted.
    #[must_use]
    pub fn client(&self, protocol: &str) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.der.clone())
            .expect("a trustworthy certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Arc::new(config)
    }

    /// The certificate itself, to compare with what a server shows.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }
}
