//! One request over one connection of its own: HTTP/1.1, plain or TLS, to an address that was
//! checked. No pool, no cookies, no proxies, no content codings.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT,
};
use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use url::Host;

use super::FetchError;
use super::resolve::{Resolver, Rule, addresses};
use super::target::Target;
use super::trust::Trust;
use crate::engine::limits;

/// Makes requests.
pub(super) struct Client {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) trust: Trust,
}

/// What is asked of a target.
pub(super) enum Ask {
    /// GET, with these headers besides the usual.
    Get(HeaderMap),
    /// POST with JSON.
    Post(Bytes),
    /// POST with these headers instead of the usual.
    Deliver(HeaderMap, Bytes),
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub(super) parts: http::response::Parts,
    pub(super) body: Incoming,
    /// Keeps the connection going until the answer is dropped.
    _driver: Driver,
}

impl Client {
    /// Asks a target. The answer may have any status.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(super) async fn ask(
        &self,
        target: &Target,
        rule: Rule<'_>,
        ask: Ask,
    ) -> Result<Answer, FetchError> {
        let request = request(target, ask)?;
        let within = limits::FETCH_CONNECT;
        let connecting = async {
            let addresses = addresses(&*self.resolver, target, rule).await?;
            let stream = connect(&addresses).await?;
            if !target.is_https() {
                return handshake(stream).await;
            }
            let name = server_name(target)?;
            let connector = tokio_rustls::TlsConnector::from(self.trust.client().await?);
            let secure = connector.connect(name, stream).await;
            handshake(secure.map_err(transport)?).await
        };
        let connected = tokio::time::timeout(within, connecting).await;
        let (mut sender, driver) = connected.map_err(|_| FetchError::TimedOut(within))??;
        let answer = sender.send_request(request).await.map_err(transport)?;
        let (parts, body) = answer.into_parts();
        Ok(Answer {
            parts,
            body,
            _driver: driver,
        })
    }
}

fn request(target: &Target, ask: Ask) -> Result<Request<Full<Bytes>>, FetchError> {
    let (method, mut headers, body) = match ask {
        Ask::Get(headers) => (Method::GET, headers, Bytes::new()),
        Ask::Post(json) => {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            (Method::POST, headers, json)
        }
        Ask::Deliver(headers, body) => (Method::POST, headers, body),
    };
    headers.insert(HOST, target.host_header()?);
    let sound = HeaderValue::from_static("audio/*, */*;q=0.1");
    headers.entry(ACCEPT).or_insert(sound);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target.path().parse().map_err(|_| FetchError::Url)?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Tries one address after the other.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, FetchError> {
    let mut failure = FetchError::Resolve(None);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = transport(error),
        }
    }
    Err(failure)
}

fn server_name(target: &Target) -> Result<ServerName<'static>, FetchError> {
    match target.host()? {
        Host::Ipv4(v4) => Ok(ServerName::from(std::net::IpAddr::V4(v4))),
        Host::Ipv6(v6) => Ok(ServerName::from(std::net::IpAddr::V6(v6))),
        Host::Domain(name) => {
            ServerName::try_from(name.trim_end_matches('.').to_owned()).map_err(|_| FetchError::Url)
        }
    }
}

type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

async fn handshake<I>(io: I) -> Result<(Sender, Driver), FetchError>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(limits::FETCH_HEAD_BYTES)
        .handshake(TokioIo::new(io))
        .await
        .map_err(transport)?;
    // What ends a connection ends its request too, and is told there.
    let driver = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok((sender, Driver(driver)))
}

/// Ends the connection when nobody reads from it any more.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn transport(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FetchError {
    FetchError::Transport(error.into())
}

const AGENT: &str = concat!("callreel/", env!("CARGO_PKG_VERSION"));
