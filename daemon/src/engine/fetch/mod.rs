//! SKELETON
//! Fetching a URL that somebody else chose, without being turned against the network the
//! appliance stands in (API.md section 0, "Fetching a URL").
use std::path::Path;
use std::time::Duration;

use storage::prompt::SoundFacts;

use crate::config::schema::Fetch;

/// The only way out to URLs. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    _config: Fetch,
}

/// What was fetched.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// The sound is in the file.
    Sound {
        /// What it is.
        facts: SoundFacts,
        /// Its entity tag, to ask again with.
        etag: Option<String>,
        /// How long it may be used unasked.
        fresh_for: Duration,
    },
    /// It is as it was under the entity tag that was given.
    Unchanged,
}

/// Why a URL was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not an absolute http or https URL, or with a user in it.
    #[error("the URL is not an absolute http or https URL")]
    Url,
    /// An address that may not be connected to.
    #[error("the URL leads to {0}, which may not be fetched from; see [fetch] allow")]
    Refused(std::net::IpAddr),
    /// The name does not resolve.
    #[error("the URL's host does not resolve")]
    Resolve(#[source] Option<std::io::Error>),
    /// No connection, no TLS, broken answer.
    #[error("fetching: {0}")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An answer that is not 200.
    #[error("the server answered {0}")]
    Status(u16),
    /// More than three redirects.
    #[error("more than {0} redirects")]
    Redirects(usize),
    /// It took too long.
    #[error("fetching took longer than {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It is too large.
    #[error("the file is larger than {0} bytes")]
    TooLarge(u64),
    /// It is no sound.
    #[error("the URL is not a sound: {0}")]
    NotAudio(#[source] audio_io::codec::probe::ProbeError),
    /// The local file.
    #[error("writing what was fetched: {0}")]
    Io(#[source] std::io::Error),
}

impl Fetcher {
    /// A fetcher under this configuration.
    #[must_use]
    pub fn new(config: Fetch) -> Self {
        Self { _config: config }
    }

    /// Fetches a URL into a file.
    ///
    /// # Errors
    /// [`FetchError`]; the file is rubbish then.
    pub async fn fetch(
        &self,
        url: &str,
        into: &Path,
        known_etag: Option<&str>,
    ) -> Result<Fetched, FetchError> {
        let _ = (url, into, known_etag);
        todo!()
    }
}
