//! A certificate of our own for the TLS benchmarks: ECDSA P-256, the same for every server.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;

use crate::error::Failure;
use crate::tls_client::Trust;

/// A self-signed certificate for `localhost`, in files as servers want it.
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    trust: Trust,
}

impl Certificate {
    /// Makes one in a folder.
    pub(crate) fn make(dir: &Path) -> Result<Self, Failure> {
        let refused = |what: &'static str| move |error: rcgen::Error| Failure::tls(what)(error);
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(refused("making a key"))?;
        let made = rcgen::CertificateParams::new(vec![NAME.to_owned()])
            .and_then(|params| params.self_signed(&key))
            .map_err(refused("making a certificate"))?;
        let paths = (dir.join("bench.pem"), dir.join("bench.key"));
        std::fs::write(&paths.0, made.pem()).map_err(Failure::io("writing the certificate"))?;
        std::fs::write(&paths.1, key.serialize_pem()).map_err(Failure::io("writing the key"))?;
        let der: CertificateDer<'static> = made.der().clone();
        Ok(Self {
            certificate: paths.0,
            key: paths.1,
            trust: Trust::new(der, NAME)?,
        })
    }

    /// What a client needs to speak with whoever has it.
    pub(crate) fn trust(&self) -> Trust {
        self.trust.clone()
    }
}

const NAME: &str = "localhost";
