//! Alarms of the appliance, posted as Standard Webhooks: signed like the events of calls, and not
//! by way of the outbox, since that lies on the disk which an alarm may be about.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use storage::outbox::WebhookSecret;

use super::sign;
use crate::engine::fetch::FetchError;
use crate::engine::fetch::post::Poster;

/// How long an attempt may take.
const WITHIN: Duration = Duration::from_secs(15);

/// The way out.
pub(crate) struct AlarmPoster(Poster);

/// One alarm on its way.
pub(crate) struct Letter<'a> {
    pub(crate) url: &'a str,
    pub(crate) allow: &'a [IpNet],
    pub(crate) secret: &'a WebhookSecret,
    pub(crate) id: &'a str,
    /// When it is posted, in seconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) body: Bytes,
}

/// Why it did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LetterError {
    #[error("the receiver answered {0}")]
    Status(http::StatusCode),
    #[error("it leads to {0}, which nothing may be posted to unless [webhooks] allow lists it")]
    Refused(std::net::IpAddr),
    #[error(transparent)]
    Transport(FetchError),
}

impl From<FetchError> for LetterError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Refused(address) => Self::Refused(address),
            other => Self::Transport(other),
        }
    }
}

impl AlarmPoster {
    pub(crate) fn system() -> Self {
        Self(Poster::system())
    }

    /// Posts it once.
    pub(crate) async fn post(&self, letter: Letter<'_>) -> Result<(), LetterError> {
        let Letter {
            url,
            allow,
            secret,
            id,
            timestamp,
            body,
        } = letter;
        let signature = sign::signature(secret, id, timestamp, &body);
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| FetchError::Url);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("webhook-id"), value(id)?);
        let name = HeaderName::from_static("webhook-timestamp");
        headers.insert(name, HeaderValue::from(timestamp));
        let name = HeaderName::from_static("webhook-signature");
        headers.insert(name, value(&signature)?);
        let posted = self.0.post(url, allow, headers, body, WITHIN).await?;
        if posted.status.is_success() {
            Ok(())
        } else {
            Err(LetterError::Status(posted.status))
        }
    }
}
