//! Posting to a URL that somebody else chose: under the same rule for addresses as fetching, with
//! an allow-list of its own. Redirects are not followed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use ipnet::IpNet;

use super::client::{Answer, Ask, Client};
use super::resolve::{self, Rule};
use super::target::Target;
use super::trust::Trust;
use super::{FetchError, limits};

/// The only way out with events.
pub(in crate::engine) struct Poster {
    client: Client,
}

/// What a receiver answered.
#[derive(Debug)]
pub(in crate::engine) struct Posted {
    pub(in crate::engine) status: StatusCode,
    pub(in crate::engine) headers: HeaderMap,
}

impl Poster {
    /// Resolves with the system's resolver and trusts the system's authorities.
    pub(in crate::engine) fn system() -> Self {
        let client = Client {
            resolver: Arc::new(resolve::System),
            trust: Trust::system(),
        };
        Self { client }
    }

    /// Whether something could be posted to a URL as far as its form and, where it names one, its
    /// address go; nothing is resolved.
    ///
    /// # Errors
    /// [`FetchError::Url`], [`FetchError::Refused`].
    pub(in crate::engine) fn inspect(url: &str, allow: &[IpNet]) -> Result<(), FetchError> {
        let target = Target::parse(url)?;
        let literal = match target.host()? {
            url::Host::Ipv4(v4) => IpAddr::V4(v4),
            url::Host::Ipv6(v6) => IpAddr::V6(v6),
            url::Host::Domain(_) => return Ok(()),
        };
        if super::address::permits(allow, literal) {
            Ok(())
        } else {
            Err(FetchError::Refused(literal))
        }
    }

    /// Posts a body with these headers; answers the status, whatever it is.
    ///
    /// # Errors
    /// [`FetchError`]; whether the receiver took the body is not known then.
    pub(in crate::engine) async fn post(
        &self,
        url: &str,
        allow: &[IpNet],
        headers: HeaderMap,
        body: Bytes,
        within: Duration,
    ) -> Result<Posted, FetchError> {
        let posting = async {
            let target = Target::parse(url)?;
            let ask = Ask::Deliver(headers, body);
            self.client.ask(&target, Rule::Checked(allow), ask).await
        };
        let answered = tokio::time::timeout(within, posting).await;
        let mut answer = answered.map_err(|_| FetchError::TimedOut(within))??;
        // A receiver that is cut off while it answers takes note of an error; a short answer is
        // heard out. What it says beside its status counts for nothing.
        let _ = tokio::time::timeout(limits::POST_HEAR_OUT, hear_out(&mut answer)).await;
        Ok(Posted {
            status: answer.parts.status,
            headers: answer.parts.headers,
        })
    }
}

async fn hear_out(answer: &mut Answer) {
    let mut heard = 0;
    while let Some(Ok(frame)) = answer.body.frame().await {
        heard += frame.data_ref().map_or(0, Bytes::len);
        if heard > limits::POST_ANSWER_BYTES {
            break;
        }
    }
}
