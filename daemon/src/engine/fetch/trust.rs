//! Which servers are believed to be who they say: the system's certificate authorities, read when
//! the first https URL comes.

use std::io;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use super::FetchError;

/// The authorities.
pub(super) struct Trust {
    client: OnceCell<Arc<ClientConfig>>,
}

impl Trust {
    /// Those of the system.
    pub(super) fn system() -> Self {
        Self {
            client: OnceCell::new(),
        }
    }

    /// These.
    #[cfg(test)]
    pub(super) fn of(roots: RootCertStore) -> Self {
        Self {
            client: OnceCell::new_with(Some(configure(roots).unwrap())),
        }
    }

    /// What encrypted connections are made with.
    ///
    /// # Errors
    /// [`FetchError::NoTrust`] if the system has none; the next fetch looks again.
    pub(super) async fn client(&self) -> Result<Arc<ClientConfig>, FetchError> {
        self.client
            .get_or_try_init(|| async {
                let roots = crate::spool::off_loop(|| Ok(system_roots())).await;
                let roots = roots.map_err(FetchError::Io)?;
                if roots.is_empty() {
                    return Err(FetchError::NoTrust);
                }
                configure(roots)
            })
            .await
            .cloned()
    }
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        log::warn!("certificate authorities: {error}");
    }
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if unusable > 0 {
        log::debug!("{unusable} certificate authorities cannot be used");
    }
    roots
}

fn configure(roots: RootCertStore) -> Result<Arc<ClientConfig>, FetchError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError::Transport(io::Error::other(error).into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
