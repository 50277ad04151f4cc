//! HTTP/1.1 by hand over a blocking socket, plain or TLS.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::{Answer, Request};
use crate::tls::Certificate;

/// No answer within this long fails the test instead of hanging it.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The longest head of an answer that is believed.
const HEAD_MAX: usize = 64 * 1024;

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection, with what was read beyond the last answer.
pub struct Connection {
    stream: Box<dyn Stream>,
    socket: TcpStream,
    ahead: Vec<u8>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects without TLS.
    ///
    /// # Errors
    /// As `connect(2)`.
    pub fn plain(address: SocketAddr) -> io::Result<Self> {
        let socket = dial(address)?;
        Ok(Self {
            stream: Box::new(socket.try_clone()?),
            socket,
            ahead: Vec::new(),
        })
    }

    /// Connects with TLS and offers only `http/1.1`.
    ///
    /// # Errors
    /// As `connect(2)`, or when the handshake fails.
    pub fn tls(address: SocketAddr, certificate: &Certificate) -> io::Result<Self> {
        let socket = dial(address)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(certificate.client("http/1.1"), name)
            .map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, socket.try_clone()?);
        stream.flush()?;
        Ok(Self {
            stream: Box::new(stream),
            socket,
            ahead: Vec::new(),
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// As `shutdown(2)`.
    pub fn finish_writing(&self) -> io::Result<()> {
        self.socket.shutdown(std::net::Shutdown::Write)
    }

    /// Sends a request and reads the answer, however far it comes.
    ///
    /// # Errors
    /// When the connection ends before the answer's head does.
    pub fn exchange(&mut self, request: &Request) -> io::Result<Answer> {
        self.write(&encode(request))?;
        self.read_answer(request.method == "HEAD")
    }

    /// Reads one answer; interim ones (1xx) are skipped.
    ///
    /// # Errors
    /// When the connection ends before the answer's head does, or the head is malformed.
    pub fn read_answer(&mut self, to_head: bool) -> io::Result<Answer> {
        loop {
            let (status, headers) = self.read_head()?;
            if (100..200).contains(&status) {
                continue;
            }
            let mut answer = Answer {
                status,
                headers,
                body: Vec::new(),
                complete: true,
            };
            if to_head || status == 204 || status == 304 {
                return Ok(answer);
            }
            if answer
                .header("transfer-encoding")
                .is_some_and(|value| value == "chunked")
            {
                answer.complete = self.read_chunks(&mut answer.body).is_ok();
            } else if let Some(length) = answer.header("content-length") {
                let length: u64 = length.parse().map_err(|_| malformed("Content-Length"))?;
                answer.body = self.read_body(length)?;
                answer.complete = answer.body.len() as u64 == length;
            } else {
                answer.body = self.read_to_end();
            }
            return Ok(answer);
        }
    }

    /// Reads only the head of an answer and leaves its body for a [`SlowReader`].
    ///
    /// # Errors
    /// As [`Connection::read_answer`].
    pub fn read_slowly(mut self) -> io::Result<SlowReader> {
        let (status, headers) = self.read_head()?;
        let head = Answer {
            status,
            headers,
            body: Vec::new(),
            complete: false,
        };
        Ok(SlowReader {
            head,
            connection: self,
        })
    }

    /// Reads until the other side closes. A reset counts as a close.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = std::mem::take(&mut self.ahead);
        let mut piece = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = self.stream.read(&mut piece) {
            all.extend_from_slice(&piece[..count]);
        }
        all
    }

    /// Whether the other side has closed: true at its end of file or reset. Waits for either.
    pub fn is_closed_by_peer(&mut self) -> bool {
        let mut piece = [0; 4096];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    );
                }
            }
        }
    }

    fn read_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let end = loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                break end;
            }
            if self.ahead.len() > HEAD_MAX {
                return Err(malformed("the answer's head has no end"));
            }
            self.read_more()?;
        };
        let head = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
        self.ahead.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| malformed(status_line))?;
        let headers = lines
            .map(|line| {
                let (name, value) = line.split_once(':').ok_or_else(|| malformed(line))?;
                Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
            })
            .collect::<io::Result<_>>()?;
        Ok((status, headers))
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        let count = self.stream.read(&mut piece)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.ahead.extend_from_slice(&piece[..count]);
        Ok(())
    }

    /// Reads `length` bytes, or fewer where the connection ends before.
    fn read_body(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let taken = length.min(self.ahead.len());
        let mut body: Vec<u8> = self.ahead.drain(..taken).collect();
        let mut piece = vec![0; 64 * 1024];
        while body.len() < length {
            let wanted = piece.len().min(length - body.len());
            match self.stream.read(&mut piece[..wanted]) {
                Ok(0) | Err(_) => break,
                Ok(count) => body.extend_from_slice(&piece[..count]),
            }
        }
        Ok(body)
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let line = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
                self.ahead.drain(..end + 2);
                return Ok(line);
            }
            self.read_more()?;
        }
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let line = self.read_line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| malformed(&line))?;
            let chunk = self.read_body(size)?;
            let complete = chunk.len() as u64 == size;
            body.extend_from_slice(&chunk);
            if !complete {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.read_line()?;
            if size == 0 {
                return Ok(());
            }
        }
    }
}

/// An answer whose body is read when the test asks, and not before.
#[derive(Debug)]
pub struct SlowReader {
    /// Status and headers.
    pub head: Answer,
    connection: Connection,
}

impl SlowReader {
    /// Reads the next bytes of the body.
    ///
    /// # Errors
    /// When the connection ends before.
    pub fn read_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let body = self.connection.read_body(length as u64)?;
        if body.len() < length {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(body)
        }
    }

    /// Reads whatever else comes before the server closes.
    pub fn read_to_end(mut self) -> Vec<u8> {
        self.connection.read_to_end()
    }
}

fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(SILENCE_MAX))?;
    socket.set_write_timeout(Some(SILENCE_MAX))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn encode(request: &Request) -> Vec<u8> {
    let mut text = format!(
        "{} {} HTTP/1.1\r\nHost: localhost\r\n",
        request.method, request.target
    );
    for (name, value) in &request.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !request.body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(&request.body);
    bytes
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
