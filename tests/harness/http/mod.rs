//! HTTP as the suite sees it: one request and one answer, whatever carries them. Written by hand
//! for HTTP/1.1, so that malformed requests can be sent and every byte of an answer is seen; hyper
//! carries HTTP/2.

mod h1;
mod h2;

use std::io;
use std::net::SocketAddr;

use serde_json::Value;

use crate::tls::Certificate;

pub use h1::{Connection, SlowReader};

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in order, without `Host`.
    pub headers: Vec<(String, String)>,
    /// The body; `Content-Length` is added when it is not empty.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self {
            method,
            target,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers in the order they came; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as much of it as came.
    pub body: Vec<u8>,
    /// Whether the body came to its announced end.
    pub complete: bool,
}

impl Answer {
    /// The value of a header that may come at most once.
    ///
    /// # Panics
    /// When it came twice.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(key, _)| key == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(
            found.next().is_none(),
            "header {name} came twice: {:?}",
            self.headers
        );
        first
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in answer {}: {}", self.status, self.text()))
    }
}

/// What carries a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP/1.1 over TCP.
    Plain1,
    /// HTTP/2 over TCP, by prior knowledge.
    Plain2,
    /// HTTP/1.1 over TLS.
    Tls1,
    /// HTTP/2 over TLS, agreed on by ALPN.
    Tls2,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain1, Self::Plain2, Self::Tls1, Self::Tls2];
}

/// Where a daemon listens.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Plain HTTP.
    pub plain: SocketAddr,
    /// HTTPS, and the certificate to expect there.
    pub tls: Option<(SocketAddr, Certificate)>,
}

/// One connection that is used again for each request, and opened anew when the server closed it.
#[derive(Debug)]
pub struct Client {
    endpoints: Endpoints,
    transport: Transport,
    connection: Option<Wire>,
}

#[derive(Debug)]
enum Wire {
    One(Box<Connection>),
    Two(Box<h2::Connection>),
}

impl Client {
    /// A client that has not connected yet.
    #[must_use]
    pub fn new(endpoints: Endpoints, transport: Transport) -> Self {
        Self {
            endpoints,
            transport,
            connection: None,
        }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn send(&mut self, request: &Request) -> Answer {
        self.try_send(request).unwrap_or_else(|error| {
            panic!(
                "{:?}: no answer to {} {}: {error}",
                self.transport, request.method, request.target
            )
        })
    }

    /// Sends a request and reads the answer, however far it comes.
    ///
    /// # Errors
    /// When no connection could be made or no answer's head came.
    pub fn try_send(&mut self, request: &Request) -> io::Result<Answer> {
        let reused = self.connection.is_some();
        match self.attempt(request) {
            // The server may close an idle connection at any time: once more on a fresh one.
            Err(_) if reused => {
                self.connection = None;
                self.attempt(request)
            }
            other => other,
        }
    }

    fn attempt(&mut self, request: &Request) -> io::Result<Answer> {
        let wire = match self.connection.take() {
            Some(wire) => wire,
            None => self.connect()?,
        };
        match wire {
            Wire::One(mut connection) => {
                let answer = connection.exchange(request)?;
                let closed = answer
                    .header("connection")
                    .is_some_and(|value| value == "close");
                if answer.complete && !closed {
                    self.connection = Some(Wire::One(connection));
                }
                Ok(answer)
            }
            Wire::Two(mut connection) => {
                let answer = connection.exchange(request)?;
                self.connection = Some(Wire::Two(connection));
                Ok(answer)
            }
        }
    }

    fn connect(&self) -> io::Result<Wire> {
        let tls = || {
            self.endpoints
                .tls
                .clone()
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no TLS listener set up"))
        };
        Ok(match self.transport {
            Transport::Plain1 => Wire::One(Box::new(Connection::plain(self.endpoints.plain)?)),
            Transport::Tls1 => {
                let (address, certificate) = tls()?;
                Wire::One(Box::new(Connection::tls(address, &certificate)?))
            }
            Transport::Plain2 => {
                Wire::Two(Box::new(h2::Connection::open(self.endpoints.plain, None)?))
            }
            Transport::Tls2 => {
                let (address, certificate) = tls()?;
                Wire::Two(Box::new(h2::Connection::open(address, Some(&certificate))?))
            }
        })
    }
}
