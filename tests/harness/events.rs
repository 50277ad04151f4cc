//! A reader of a server-sent event stream (WHATWG HTML, section 9.2): a thread keeps what comes
//! until the value goes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// One event of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// `id`, if it has one.
    pub id: Option<String>,
    /// `event`, if it has one.
    pub event: Option<String>,
    /// `data`, its lines joined.
    pub data: String,
}

/// An open stream.
#[derive(Debug)]
pub struct EventStream {
    connection: TcpStream,
    /// The status line and the headers, as they came.
    pub head: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl EventStream {
    /// Asks for a stream and waits for its head.
    ///
    /// # Errors
    /// When no answer's head comes.
    pub fn open(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let mut connection = TcpStream::connect(address)?;
        let mut request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("Accept: text/event-stream\r\n\r\n");
        connection.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(connection.try_clone()?);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let is_chunked = head.to_ascii_lowercase().contains("chunked");
        let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let own = Arc::clone(&sent);
        std::thread::Builder::new()
            .name("events".into())
            .spawn(move || {
                // The end of the connection is the end of the stream.
                let _ = if is_chunked {
                    follow(&mut BufReader::new(Chunks { reader, left: 0 }), &own)
                } else {
                    follow(&mut reader, &own)
                };
            })?;
        Ok(Self {
            connection,
            head,
            sent,
        })
    }

    /// What has come.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        let sent = self.sent.lock();
        sent.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}

fn follow(reader: &mut impl BufRead, sent: &Mutex<Vec<Sent>>) -> io::Result<()> {
    let mut event = Sent::default();
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            let done = std::mem::take(&mut event);
            if !done.data.is_empty() {
                let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                sent.push(done);
            }
            continue;
        }
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => event.id = Some(value.to_owned()),
            "event" => event.event = Some(value.to_owned()),
            "data" if event.data.is_empty() => event.data = value.to_owned(),
            "data" => event.data = format!("{}\n{value}", event.data),
            // Comments keep the connection alive; `retry` is for browsers.
            _ => {}
        }
    }
}

/// The body of a chunked answer (RFC 9112, section 7.1).
struct Chunks<R> {
    reader: R,
    left: usize,
}

impl<R: BufRead> Read for Chunks<R> {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut line = String::new();
            while line.trim().is_empty() {
                line.clear();
                if self.reader.read_line(&mut line)? == 0 {
                    return Ok(0);
                }
            }
            let size = line.split(';').next().unwrap_or_default().trim();
            self.left = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = piece.len().min(self.left);
        let count = self.reader.read(&mut piece[..most])?;
        self.left -= count;
        Ok(count)
    }
}
