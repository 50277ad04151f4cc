//! Fetching a URL that somebody else chose, without being turned against the network the
//! appliance stands in (API.md section 0, "Fetching a URL").
//!
//! ```text
//!  URL ─▶ target.rs (strict) ─▶ resolve.rs (once) ─▶ address.rs (every address)
//!            ▲                                            │ the checked address
//!            └── redirect, at most 3 ── client.rs ◀───────┘
//!                                          └─ 200 ─▶ download.rs ─▶ file, facts
//! ```

mod address;
mod client;
mod download;
pub(super) mod post;
mod resolve;
mod target;
#[cfg(test)]
pub(super) mod tests;
mod trust;

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION};
use storage::prompt::SoundFacts;

use self::client::{Answer, Ask, Client};
use self::resolve::Rule;
use self::target::Target;
use self::trust::Trust;
use super::limits;
use crate::config::schema::Fetch;

/// Whether a text is a URL that could be fetched as far as its form goes.
pub(super) fn is_url(text: &str) -> bool {
    Target::parse(text).is_ok()
}

/// The only way out to URLs. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    config: Arc<ArcSwap<Fetch>>,
    client: Arc<Client>,
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
    #[error(
        "the URL is not an absolute http or https URL of at most {} bytes, without a user",
        limits::FETCH_URL_BYTES
    )]
    Url,
    /// An address that may not be connected to.
    #[error("the URL leads to {0}, which may not be fetched from; see [fetch] allow")]
    Refused(IpAddr),
    /// The name does not resolve.
    #[error("the URL's host does not resolve")]
    Resolve(#[source] Option<std::io::Error>),
    /// No connection, no TLS, broken answer.
    #[error("fetching: {0}")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is nothing to check an https server's certificate with.
    #[error(
        "the system has no certificate authorities to check https servers with; \
        install ca-certificates"
    )]
    NoTrust,
    /// An https URL that redirects to an http one.
    #[error("the URL redirects from https to http")]
    Downgrade,
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
    /// It came compressed although it was asked for as it is.
    #[error("the server sent a content coding that was not asked for")]
    Coded,
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
        let client = Client {
            resolver: Arc::new(resolve::System),
            trust: Trust::system(),
        };
        Self::assemble(config, client)
    }

    fn assemble(config: Fetch, client: Client) -> Self {
        Self {
            config: Arc::new(ArcSwap::from_pointee(config)),
            client: Arc::new(client),
        }
    }

    /// Puts another configuration in force, for this and all its clones; fetches under way go on
    /// under the one they began with.
    pub fn reload(&self, config: Fetch) {
        self.config.store(Arc::new(config));
    }

    /// Whether a URL could be fetched as far as its form and its addresses go; nothing is
    /// connected to.
    ///
    /// # Errors
    /// [`FetchError::Url`], [`FetchError::Resolve`], [`FetchError::Refused`],
    /// [`FetchError::TimedOut`].
    pub async fn inspect(&self, url: &str) -> Result<(), FetchError> {
        let target = Target::parse(url)?;
        let config = self.config.load_full();
        let rule = Rule::Checked(&config.allow);
        let found = resolve::addresses(&*self.client.resolver, &target, rule);
        let within = limits::FETCH_CONNECT;
        let found = tokio::time::timeout(within, found).await;
        found.map_err(|_| FetchError::TimedOut(within))?.map(drop)
    }

    /// Fetches a URL into a file, which must exist.
    ///
    /// # Errors
    /// [`FetchError`]; the file is rubbish then.
    pub async fn fetch(
        &self,
        url: &str,
        into: &Path,
        known_etag: Option<&str>,
    ) -> Result<Fetched, FetchError> {
        let within = limits::FETCH_WHOLE;
        let fetching = self.follow(url, into, known_etag);
        let fetched = tokio::time::timeout(within, fetching).await;
        fetched.map_err(|_| FetchError::TimedOut(within))?
    }

    async fn follow(
        &self,
        url: &str,
        into: &Path,
        known_etag: Option<&str>,
    ) -> Result<Fetched, FetchError> {
        let mut target = Target::parse(url)?;
        let config = self.config.load_full();
        for _ in 0..=limits::FETCH_REDIRECTS {
            let ask = Ask::Get(conditions(known_etag));
            let rule = Rule::Checked(&config.allow);
            let answer = self.client.ask(&target, rule, ask).await?;
            match answer.parts.status {
                StatusCode::OK => return sound(answer, into).await,
                StatusCode::NOT_MODIFIED if known_etag.is_some() => {
                    return Ok(Fetched::Unchanged);
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    let location = answer.parts.headers.get(LOCATION);
                    let location = location.and_then(|value| value.to_str().ok());
                    target = target.redirected(location.ok_or(FetchError::Url)?)?;
                }
                other => return Err(FetchError::Status(other.as_u16())),
            }
        }
        Err(FetchError::Redirects(limits::FETCH_REDIRECTS))
    }

    /// Asks an upstream that the configuration names, with JSON, for a sound. It may be anywhere;
    /// size and time are limited as for every URL, and redirects are not followed.
    ///
    /// # Errors
    /// [`FetchError`]; the file is rubbish then.
    pub(super) async fn ask_upstream(
        &self,
        url: &str,
        json: Bytes,
        into: &Path,
        within: Duration,
    ) -> Result<SoundFacts, FetchError> {
        let asking = async {
            let target = Target::parse(url)?;
            let answer = self
                .client
                .ask(&target, Rule::Trusted, Ask::Post(json))
                .await?;
            match answer.parts.status {
                StatusCode::OK => download::download(answer, into).await,
                other => Err(FetchError::Status(other.as_u16())),
            }
        };
        let answered = tokio::time::timeout(within, asking).await;
        answered.map_err(|_| FetchError::TimedOut(within))?
    }
}

async fn sound(answer: Answer, into: &Path) -> Result<Fetched, FetchError> {
    let etag = download::etag(&answer.parts.headers);
    let fresh_for = download::fresh_for(&answer.parts.headers);
    let facts = download::download(answer, into).await?;
    Ok(Fetched::Sound {
        facts,
        etag,
        fresh_for,
    })
}

fn conditions(known_etag: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(value) = known_etag.and_then(|tag| HeaderValue::from_str(tag).ok()) {
        headers.insert(IF_NONE_MATCH, value);
    }
    headers
}
