//! The little of HTTP that the benchmark of calls needs: posting JSON over a kept connection, and
//! handing out one file.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::error::Failure;

/// A client that keeps its connection.
pub(crate) struct Api {
    out: TcpStream,
    answers: BufReader<TcpStream>,
    /// Header lines that each request bears.
    headers: String,
}

impl Api {
    pub(crate) fn connect(to: SocketAddr, headers: String) -> Result<Self, Failure> {
        let connect = || {
            let out = TcpStream::connect(to)?;
            out.set_nodelay(true)?;
            out.set_read_timeout(Some(Duration::from_secs(10)))?;
            let answers = BufReader::new(out.try_clone()?);
            Ok(Self {
                out,
                answers,
                headers,
            })
        };
        connect().map_err(Failure::io("connection to callreeld"))
    }

    /// Posts a body and expects this status.
    pub(crate) fn post(&mut self, path: &str, body: &Value, status: u16) -> Result<Value, Failure> {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{}\
             Content-Length: {}\r\n\r\n{body}",
            self.headers,
            body.len()
        );
        let (told, answer) = self.exchange(&request).map_err(Failure::io(path))?;
        if told != status {
            return Err(Failure::Answer {
                server: "callreeld".into(),
                what: format!("POST {path}: {told} {answer}"),
            });
        }
        Ok(serde_json::from_str(&answer).unwrap_or_default())
    }

    fn exchange(&mut self, request: &str) -> std::io::Result<(u16, String)> {
        self.out.write_all(request.as_bytes())?;
        let head = read_head(&mut self.answers)?;
        let status = head.split_whitespace().nth(1);
        let status = status.and_then(|text| text.parse().ok()).unwrap_or(0);
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        self.answers.read_exact(&mut body)?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// Serves one WAV file to whoever asks, until the process ends; where it is.
pub(crate) fn serve(file: Vec<u8>) -> Result<String, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::io("the prompt's server"))?;
    let address = listener
        .local_addr()
        .map_err(Failure::io("the prompt's server"))?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever hangs up early asks again.
            let _served = answer(stream, &file);
        }
    });
    Ok(format!("http://{address}/prompt.wav"))
}

fn answer(mut stream: TcpStream, file: &[u8]) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    read_head(&mut BufReader::new(stream.try_clone()?))?;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nETag: \"1\"\r\nCache-Control: max-age=3600\
         \r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        file.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(file)
}

fn read_head(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if from.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if head[before..].trim_end().is_empty() {
            return Ok(head);
        }
    }
}
