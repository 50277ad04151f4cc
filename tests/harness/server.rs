//! An HTTP/1.1 server that does as a test tells it: the other side of the daemon's own requests.
//! A thread a connection; written by hand, so that it can also misbehave.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::ports;

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer.
    Answer {
        /// The status.
        status: u16,
        /// Its headers, without `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// The head of an answer with this body, of which only so many bytes ever come.
    Part {
        /// Its headers, without `Content-Length`.
        headers: Vec<(String, String)>,
        /// The body.
        body: Vec<u8>,
        /// How much of it is sent.
        sent: usize,
    },
    /// A body without a stated length: so many bytes of nothing after `body`.
    Endless {
        /// Its headers.
        headers: Vec<(String, String)>,
        /// How it begins.
        body: Vec<u8>,
        /// How many zeros follow.
        zeros: usize,
    },
    /// No answer ever, on an open connection.
    Stall,
    /// No answer, and the connection is closed.
    Close,
}

impl Reply {
    /// An answer without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }
}

type Handler = dyn Fn(&Asked) -> Reply + Send + Sync;

/// A running server; it ends with this value, and its connections with it.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    handler: Box<Handler>,
    is_ending: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

impl Server {
    /// Starts one on a free port of loopback.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(ports::free_address(), handler).expect("a listening socket")
    }

    /// Starts one at an address, for instance where another one was.
    ///
    /// # Errors
    /// As `bind(2)`.
    ///
    /// # Panics
    /// When no thread can be started.
    pub fn start_at(
        address: SocketAddr,
        handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            is_ending: AtomicBool::new(false),
            connections: Mutex::new(Vec::new()),
        });
        let own = Arc::clone(&shared);
        let acceptor = std::thread::Builder::new()
            .name("server".into())
            .spawn(move || accept(&listener, &own))?;
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_ending.store(true, Ordering::SeqCst);
        // Wakes the acceptor; where it cannot be reached it has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let connections = self.shared.connections.lock();
        for connection in &*connections.unwrap_or_else(PoisonError::into_inner) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.is_ending.load(Ordering::SeqCst) {
            return;
        }
        let Ok(connection) = connection else { continue };
        let Ok(copy) = connection.try_clone() else {
            continue;
        };
        let connections = shared.connections.lock();
        connections
            .unwrap_or_else(PoisonError::into_inner)
            .push(copy);
        let shared = Arc::clone(shared);
        // A thread that cannot be started closes the connection, which is an answer too.
        let _ = std::thread::Builder::new()
            .name("connection".into())
            .spawn(move || serve(&connection, &shared));
    }
}

/// Answers until the other side, or the server, closes.
fn serve(connection: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(connection);
    while let Ok(Some(asked)) = read(&mut reader) {
        let reply = (shared.handler)(&asked);
        if !matches!(write(connection, reply), Ok(true)) {
            break;
        }
    }
    let _ = connection.shutdown(Shutdown::Both);
}

fn read(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<Asked>> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Ok(None);
    };
    let mut asked = Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let header = line(reader)?;
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':') {
            let name = name.to_ascii_lowercase();
            asked.headers.push((name, value.trim().to_owned()));
        }
    }
    let length = asked.header("content-length").unwrap_or("0");
    asked.body = vec![0; length.parse().map_err(io::Error::other)?];
    reader.read_exact(&mut asked.body)?;
    Ok(Some(asked))
}

fn line(reader: &mut BufReader<&TcpStream>) -> io::Result<String> {
    let mut text = String::new();
    reader.read_line(&mut text)?;
    Ok(text.trim_end().to_owned())
}

/// Whether the connection may be used again.
fn write(mut connection: &TcpStream, reply: Reply) -> io::Result<bool> {
    match reply {
        Reply::Answer {
            status,
            headers,
            body,
        } => {
            let mut bytes = head(status, &headers, Some(body.len()));
            bytes.extend_from_slice(&body);
            connection.write_all(&bytes)?;
            Ok(true)
        }
        Reply::Part {
            headers,
            body,
            sent,
        } => {
            let mut bytes = head(200, &headers, Some(body.len()));
            bytes.extend_from_slice(&body[..sent]);
            connection.write_all(&bytes)?;
            wait_for_close(connection);
            Ok(false)
        }
        Reply::Endless {
            headers,
            body,
            zeros,
        } => {
            let mut bytes = head(200, &headers, None);
            bytes.extend_from_slice(&body);
            connection.write_all(&bytes)?;
            let piece = vec![0; 64 * 1024];
            let mut left = zeros;
            while left > 0 {
                let count = left.min(piece.len());
                connection.write_all(&piece[..count])?;
                left -= count;
            }
            Ok(false)
        }
        Reply::Stall => {
            wait_for_close(connection);
            Ok(false)
        }
        Reply::Close => Ok(false),
    }
}

fn head(status: u16, headers: &[(String, String)], length: Option<usize>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} As told\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    match length {
        Some(length) => text.push_str(&format!("Content-Length: {length}\r\n\r\n")),
        None => text.push_str("Connection: close\r\n\r\n"),
    }
    text.into_bytes()
}

/// Whatever else is sent is left unread until one of the two sides closes.
fn wait_for_close(mut connection: &TcpStream) {
    let mut piece = [0; 1024];
    while let Ok(1..) = connection.read(&mut piece) {}
}
