//! HTTP/2 through hyper, on a runtime that only runs while an answer is awaited.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::HOST;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::{Answer, Request};
use crate::tls::Certificate;

/// No answer within this long fails the test instead of hanging it.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// One HTTP/2 connection.
pub(super) struct Connection {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    scheme: &'static str,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects; with a certificate over TLS, where ALPN must choose `h2`.
    pub(super) fn open(address: SocketAddr, certificate: Option<&Certificate>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let scheme = if certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let sender = runtime.block_on(async {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            match certificate {
                None => shake(TokioIo::new(socket)).await,
                Some(certificate) => {
                    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
                    let connector = tokio_rustls::TlsConnector::from(certificate.client("h2"));
                    let stream = connector.connect(name, socket).await?;
                    let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
                    if agreed.as_deref() != Some(b"h2") {
                        return Err(io::Error::other("the server did not choose h2 by ALPN"));
                    }
                    shake(TokioIo::new(stream)).await
                }
            }
        })?;
        Ok(Self {
            runtime,
            sender,
            address,
            scheme,
        })
    }

    /// Sends a request and reads the answer, however far it comes.
    pub(super) fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        let mut builder = hyper::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{}://localhost{}", self.scheme, request.target))
            .version(hyper::Version::HTTP_2);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let body = Full::new(Bytes::copy_from_slice(&request.body));
        let mut message = builder.body(body).map_err(io::Error::other)?;
        message.headers_mut().remove(HOST);
        let sender = &mut self.sender;
        self.runtime
            .block_on(async { tokio::time::timeout(SILENCE_MAX, receive(sender, message)).await? })
    }
}

async fn shake<T>(io: T) -> io::Result<SendRequest<Full<Bytes>>>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = handshake(TokioExecutor::new(), io)
        .await
        .map_err(io::Error::other)?;
    // Its error shows at the next request, as a closed sender.
    tokio::spawn(connection);
    Ok(sender)
}

async fn receive(
    sender: &mut SendRequest<Full<Bytes>>,
    message: hyper::Request<Full<Bytes>>,
) -> io::Result<Answer> {
    let response = sender
        .send_request(message)
        .await
        .map_err(io::Error::other)?;
    let (parts, mut incoming) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.as_str().to_owned(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let mut body = Vec::new();
    let mut complete = true;
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Err(_) => {
                complete = false;
                break;
            }
        }
    }
    Ok(Answer {
        status: parts.status.as_u16(),
        headers,
        body,
        complete,
    })
}
