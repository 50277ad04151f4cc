//! Clients: hyper's over each way a connection can be, and a raw one that says anything.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::rig::Rig;

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    PlainH1,
    PlainH2,
    TlsH1,
    TlsH2,
}

impl Way {
    pub(super) const ALL: [Self; 4] = [Self::PlainH1, Self::PlainH2, Self::TlsH1, Self::TlsH2];
}

/// An answer with its whole body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) body: Bytes,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            method: Method::GET,
            path,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    pub(super) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub(super) fn with(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn key(self, rig: &Rig) -> Self {
        self.with("x-api-key", rig.key.clone())
    }

    pub(super) fn json(mut self, body: &str) -> Self {
        self.body = Bytes::copy_from_slice(body.as_bytes());
        self.method(Method::POST)
            .with("content-type", "application/json")
    }

    /// Sends it on a new connection.
    pub(super) fn send(self, rig: &Rig, way: Way) -> Answer {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(self.exchange(rig, way)).unwrap()
    }

    /// Sends it plainly.
    pub(super) fn ask(self, rig: &Rig) -> Answer {
        self.send(rig, Way::PlainH1)
    }

    async fn exchange(self, rig: &Rig, way: Way) -> Result<Answer, hyper::Error> {
        let port = usize::from(matches!(way, Way::TlsH1 | Way::TlsH2));
        let address = rig.server.local_addrs()[port].1;
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        match way {
            Way::PlainH1 => self.over_h1(stream).await,
            Way::PlainH2 => self.over_h2(stream, address).await,
            Way::TlsH1 | Way::TlsH2 => {
                let alpn: &[u8] = if way == Way::TlsH2 {
                    b"h2"
                } else {
                    b"http/1.1"
                };
                let connector = tokio_rustls::TlsConnector::from(trust(rig, alpn));
                let name = "localhost".try_into().unwrap();
                let secure = connector.connect(name, stream).await.unwrap();
                assert_eq!(secure.get_ref().1.alpn_protocol(), Some(alpn));
                if way == Way::TlsH2 {
                    self.over_h2(secure, address).await
                } else {
                    self.over_h1(secure).await
                }
            }
        }
    }

    async fn over_h1<I>(self, io: I) -> Result<Answer, hyper::Error>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, driver) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
        tokio::spawn(driver);
        let request = self.request(None);
        collect(sender.send_request(request).await?).await
    }

    async fn over_h2<I>(self, io: I, address: SocketAddr) -> Result<Answer, hyper::Error>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, driver) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await?;
        tokio::spawn(driver);
        let request = self.request(Some(address));
        collect(sender.send_request(request).await?).await
    }

    fn request(self, authority: Option<SocketAddr>) -> Request<Full<Bytes>> {
        let uri = match authority {
            Some(address) => format!("http://{address}{}", self.path),
            None => self.path,
        };
        let mut request = Request::builder().method(self.method).uri(uri);
        if authority.is_none() {
            request = request.header("host", "localhost");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(self.body)).unwrap()
    }
}

async fn collect(response: http::Response<hyper::body::Incoming>) -> Result<Answer, hyper::Error> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    })
}

fn trust(rig: &Rig, alpn: &[u8]) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rig.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    Arc::new(config)
}

/// A raw connection.
pub(super) fn raw(rig: &Rig) -> TcpStream {
    TcpStream::connect(rig.server.local_addrs()[0].1).unwrap()
}

/// Sends bytes and reads to the end; a reset is an end.
pub(super) fn converse(mut stream: &TcpStream, bytes: &[u8]) -> Vec<u8> {
    let _ = stream.write_all(bytes);
    let mut all = Vec::new();
    let mut part = [0; 16 * 1_024];
    while let Ok(count @ 1..) = stream.read(&mut part) {
        all.extend_from_slice(&part[..count]);
    }
    all
}
