//! Talking to the daemon over its control socket.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::error::CliError;
use crate::control::wire::{ErrorAnswer, Event, PREFIX, Progress};

/// The longest JSON answer or line of one that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The daemon's socket. Each request is a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the daemon at this socket.
    #[must_use]
    pub const fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether a daemon answers.
    pub async fn answers(&self) -> bool {
        self.connect().await.is_ok()
    }

    /// Reads something.
    ///
    /// # Errors
    /// [`CliError`]: not running, refused, or not understood.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        whole(self.send(Method::GET, path, Bytes::new()).await?).await
    }

    /// Sends something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl Serialize,
    ) -> Result<T, CliError> {
        let body = serde_json::to_vec(value).map_err(CliError::NotJson)?;
        whole(self.send(Method::POST, path, body.into()).await?).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl Serialize,
    ) -> Result<T, CliError> {
        let body = serde_json::to_vec(value).map_err(CliError::NotJson)?;
        whole(self.send(Method::PATCH, path, body.into()).await?).await
    }

    /// Removes something.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        whole(self.send(Method::DELETE, path, Bytes::new()).await?).await
    }

    /// Starts a long job and follows it to its end.
    ///
    /// # Errors
    /// As [`Client::get`], and [`CliError::Cut`] when the daemon stops in between.
    pub async fn job<T: DeserializeOwned>(
        &self,
        path: &str,
        value: &impl Serialize,
        mut progress: impl FnMut(&Progress),
    ) -> Result<T, CliError> {
        let body = serde_json::to_vec(value).map_err(CliError::NotJson)?;
        let mut lines = Lines::of(self.send(Method::POST, path, body.into()).await?);
        while let Some(line) = lines.next().await? {
            match serde_json::from_slice(&line).map_err(CliError::NotUnderstood)? {
                Event::Progress(now) => progress(&now),
                Event::Done(value) => return Ok(value),
                Event::Error(error) => return Err(CliError::Refused(error)),
            }
        }
        Err(CliError::Cut)
    }

    /// Begins to read an answer line by line.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn lines(&self, path: &str) -> Result<Lines, CliError> {
        let answer = self.send(Method::GET, path, Bytes::new()).await?;
        Ok(Lines::of(answer))
    }

    /// Reads a stream of bytes piece by piece, and tells its length first.
    ///
    /// # Errors
    /// As [`Client::get`], the sink's own, and [`CliError::Cut`].
    pub async fn download(
        &self,
        path: &str,
        mut sink: impl FnMut(&[u8]) -> Result<(), CliError>,
    ) -> Result<u64, CliError> {
        let mut answer = self.send(Method::GET, path, Bytes::new()).await?;
        let mut received = 0;
        while let Some(piece) = next(&mut answer).await? {
            received += piece.len() as u64;
            sink(&piece)?;
        }
        Ok(received)
    }

    /// Asks for something and reads the answer piece by piece.
    ///
    /// # Errors
    /// As [`Client::download`].
    pub async fn post_download(
        &self,
        path: &str,
        value: &impl Serialize,
        mut sink: impl FnMut(&[u8]) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let body = serde_json::to_vec(value).map_err(CliError::NotJson)?;
        let mut answer = self.send(Method::POST, path, body.into()).await?;
        while let Some(piece) = next(&mut answer).await? {
            sink(&piece)?;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<UnixStream, CliError> {
        UnixStream::connect(&self.socket).await.map_err(|source| {
            if source.kind() == ErrorKind::PermissionDenied {
                CliError::Denied(self.socket.clone())
            } else {
                CliError::NotRunning {
                    socket: self.socket.clone(),
                    source,
                }
            }
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, CliError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(CliError::Broken)?;
        tokio::spawn(async move {
            // Its errors reach the request too.
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(method)
            .uri(format!("{PREFIX}{path}"))
            .header(hyper::header::HOST, "callreel")
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(CliError::Broken)?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let error: ErrorAnswer = whole(answer).await?;
        Err(CliError::Refused(error.error))
    }
}

/// The lines of an answer, as they come.
pub struct Lines {
    answer: Response<Incoming>,
    waiting: Vec<u8>,
}

impl Lines {
    const fn of(answer: Response<Incoming>) -> Self {
        let waiting = Vec::new();
        Self { answer, waiting }
    }

    /// The next line, with its end; `None` at the answer's end. Nothing is lost when this is
    /// dropped before it is done.
    ///
    /// # Errors
    /// [`CliError::Broken`], and [`CliError::Cut`] for a line that is too long.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, CliError> {
        let mut looked_at = 0;
        loop {
            let fresh = &self.waiting[looked_at..];
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let rest = self.waiting.split_off(looked_at + end + 1);
                return Ok(Some(std::mem::replace(&mut self.waiting, rest)));
            }
            looked_at = self.waiting.len();
            if looked_at > ANSWER_BYTES_MAX {
                return Err(CliError::Cut);
            }
            match next(&mut self.answer).await? {
                Some(piece) => self.waiting.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
    }
}

async fn next(answer: &mut Response<Incoming>) -> Result<Option<Bytes>, CliError> {
    while let Some(frame) = answer.body_mut().frame().await {
        if let Ok(data) = frame.map_err(CliError::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn whole<T: DeserializeOwned>(mut answer: Response<Incoming>) -> Result<T, CliError> {
    let mut bytes = Vec::new();
    while let Some(piece) = next(&mut answer).await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(CliError::Cut);
        }
    }
    serde_json::from_slice(&bytes).map_err(CliError::NotUnderstood)
}

/// A path's part or a parameter's value, escaped.
#[must_use]
pub fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A query from the parameters that are given.
#[must_use]
pub fn query(parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| {
        value
            .as_ref()
            .map(|value| format!("{name}={}", escaped(value)))
    });
    let given = given.collect::<Vec<_>>().join("&");
    if given.is_empty() {
        given
    } else {
        format!("?{given}")
    }
}
