//! The bytes of an answer. A recording is handed out in windows, each waited for until it is in
//! memory, so that neither the disk nor one fast client holds the thread. What is made as it is
//! read comes from `made_body.rs`.
//!
//! ```text
//!  plain HTTP/1.1   mapped slice ──▶ hyper's queue ──▶ socket.rs: sendfile / writev
//!                   (this process never reads the bytes: a cut file is an error, not a SIGBUS)
//!  TLS, HTTP/2      pread ──▶ buffer ──▶ encryption or framing, which reads it anyway
//! ```

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use storage::peaks::PeaksBody;
use storage::view::RecordingView;

use super::activity::{InFlight, Working};
use super::buffers::Buffer;
use super::event_body::EventBody;
use super::made_body::MadeBody;
use super::metrics::HttpMetrics;
use super::prefault::Prefault;
use super::{limits, mappings};
use crate::engine::transcode::ConvertError;

/// How a connection takes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Plain HTTP/1.1: the kernel sends mapped bytes.
    Mapped,
    /// TLS or HTTP/2: bytes are read into buffers.
    Copied,
}

/// Why an answer ended early; the connection or the stream ends with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The file is shorter than when it was opened.
    #[error("the recording's file was cut while it was being sent")]
    Cut,
    /// The disk failed.
    #[error("reading the recording's file: {0}")]
    Disk(#[source] io::Error),
    /// The conversion failed.
    #[error(transparent)]
    Made(ConvertError),
    /// The conversion gave no bytes where there must be some.
    #[error("the conversion is shorter than it said")]
    Short,
}

/// An answer's body.
pub(super) enum Payload {
    /// None.
    Empty,
    /// A text; `None` once it is out.
    Text(Option<Bytes>),
    /// Parts of a recording.
    Media(Box<MediaBody>),
    /// Parts of something that is made as it is read.
    Made(Box<MadeBody>),
    /// Events as they come, until there are no more.
    Events(Box<EventBody>),
    /// Waveform peaks, piece by piece, and how many bytes are still to come.
    Peaks(Box<PeaksBody>, u64),
}

impl Payload {
    /// A text.
    pub(super) fn text(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        if text.is_empty() {
            Self::Empty
        } else {
            Self::Text(Some(text))
        }
    }

    /// Bytes still to come; of events nobody knows, and this is 0.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Empty | Self::Text(None) | Self::Events(_) => 0,
            Self::Text(Some(text)) => text.len() as u64,
            Self::Media(media) => media.remaining,
            Self::Made(made) => made.remaining(),
            Self::Peaks(_, left) => *left,
        }
    }
}

/// A body together with what counts its request as in flight.
pub(super) struct AnswerBody {
    payload: Payload,
    in_flight: InFlight,
    /// Held while a piece is being made: the client is not the one to wait for.
    working: Option<Working>,
}

impl AnswerBody {
    /// Keeps the request in flight until the body is dropped.
    pub(super) fn new(payload: Payload, in_flight: InFlight) -> Self {
        Self {
            payload,
            in_flight,
            working: None,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        this.in_flight.moves();
        match &mut this.payload {
            Payload::Empty => Poll::Ready(None),
            Payload::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Payload::Media(media) => media
                .poll_next(cx)
                .map(|next| next.map(|bytes| bytes.map(Frame::data))),
            Payload::Made(made) => {
                let next = made.poll_next(cx);
                this.working = next.is_pending().then(|| this.in_flight.works());
                next.map(|next| next.map(|bytes| bytes.map(Frame::data)))
            }
            Payload::Peaks(peaks, left) => Poll::Ready(peaks.next().map(|piece| {
                *left = left.saturating_sub(piece.len() as u64);
                Ok(Frame::data(piece))
            })),
            Payload::Events(events) => {
                let next = events.poll_next(cx);
                this.working = next.is_pending().then(|| this.in_flight.works());
                next.map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.payload {
            Payload::Events(events) => events.is_over(),
            other => other.len() == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.payload {
            Payload::Events(events) if !events.is_over() => SizeHint::new(),
            other => SizeHint::with_exact(other.len()),
        }
    }
}

/// One piece of a media answer.
#[derive(Debug)]
pub(super) enum Part {
    /// Text around the parts of a multipart answer.
    Text(Bytes),
    /// A range of the recording's byte space.
    Range(Range<u64>),
}

/// Parts of a recording, in order.
pub(super) struct MediaBody {
    view: RecordingView,
    transport: Transport,
    current: Option<Part>,
    later: VecDeque<Part>,
    remaining: u64,
    /// The window that is being waited for, or read ahead.
    coming: Option<(Range<u64>, Prefault)>,
    /// Whether the last window was not in memory: the next probably is not either.
    cold: bool,
    /// Whether the file's length was looked at in this very turn of the event loop.
    length_known: bool,
    metrics: Arc<HttpMetrics>,
}

impl MediaBody {
    /// One range.
    pub(super) fn range(
        view: RecordingView,
        range: Range<u64>,
        transport: Transport,
        metrics: Arc<HttpMetrics>,
    ) -> Self {
        let remaining = range.end - range.start;
        Self::new(
            view,
            Part::Range(range),
            VecDeque::new(),
            remaining,
            transport,
            metrics,
        )
    }

    /// Several parts with texts between them, `remaining` bytes in all.
    pub(super) fn parts(
        view: RecordingView,
        mut parts: VecDeque<Part>,
        remaining: u64,
        transport: Transport,
        metrics: Arc<HttpMetrics>,
    ) -> Self {
        let first = parts.pop_front().unwrap_or(Part::Range(0..0));
        Self::new(view, first, parts, remaining, transport, metrics)
    }

    fn new(
        view: RecordingView,
        first: Part,
        later: VecDeque<Part>,
        remaining: u64,
        transport: Transport,
        metrics: Arc<HttpMetrics>,
    ) -> Self {
        if transport == Transport::Mapped {
            mappings::remember(view.mapping());
        }
        Self {
            view,
            transport,
            current: Some(first),
            later,
            remaining,
            coming: None,
            cold: false,
            length_known: true,
            metrics,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            match &mut self.current {
                None => match self.later.pop_front() {
                    None => return Poll::Ready(None),
                    next => self.current = next,
                },
                Some(Part::Text(text)) => {
                    let text = std::mem::take(text);
                    self.current = None;
                    return self.emit(Ok(text));
                }
                Some(Part::Range(range)) if range.is_empty() => self.current = None,
                Some(Part::Range(range)) => {
                    let range = range.clone();
                    let window = match ready!(self.poll_window(cx, &range)) {
                        Ok(window) => window,
                        Err(error) => return self.emit(Err(error)),
                    };
                    let bytes = self.read(&window);
                    let rest = window.end..range.end;
                    if self.cold && bytes.is_ok() && !rest.is_empty() {
                        self.look_ahead(&rest);
                    }
                    self.current = Some(Part::Range(rest));
                    return self.emit(bytes);
                }
            }
        }
    }

    fn emit(&mut self, bytes: Result<Bytes, BodyError>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &bytes {
            Ok(bytes) => {
                self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
                self.metrics
                    .media_bytes
                    .fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            Err(_) => {
                self.metrics.media_cut.fetch_add(1, Ordering::Relaxed);
                self.current = None;
                self.later.clear();
            }
        }
        Poll::Ready(Some(bytes))
    }

    /// The next window at the start of `range`, once it is in memory.
    fn poll_window(
        &mut self,
        cx: &mut Context<'_>,
        range: &Range<u64>,
    ) -> Poll<Result<Range<u64>, BodyError>> {
        if self.coming.is_none() {
            let window = range.start..range.end.min(range.start.saturating_add(self.window()));
            let (header, _) = self.view.layout();
            if window.start < header {
                return Poll::Ready(Ok(window.start..window.end.min(header)));
            }
            if self.view.mapping().is_resident(self.in_mapping(&window)) {
                self.cold = false;
                return Poll::Ready(Ok(window));
            }
            self.cold = true;
            self.start(&cold_part(&window));
        }
        let Some((window, prefault)) = &mut self.coming else {
            return Poll::Ready(Err(BodyError::Cut));
        };
        let done = ready!(prefault.poll(cx));
        self.length_known = false;
        let window = window.clone();
        self.coming = None;
        match done {
            Err(error) if error.raw_os_error() == Some(libc::EFAULT) => {
                Poll::Ready(Err(BodyError::Cut))
            }
            // Anything else is the advice's own trouble (memory, an old kernel): the read or the
            // write that follows waits for the disk or tells what is wrong.
            Err(_) | Ok(()) => Poll::Ready(Ok(window)),
        }
    }

    fn look_ahead(&mut self, rest: &Range<u64>) {
        let window = rest.start..rest.end.min(rest.start.saturating_add(self.window()));
        let (header, _) = self.view.layout();
        if window.start >= header && !self.view.mapping().is_resident(self.in_mapping(&window)) {
            self.start(&cold_part(&window));
        }
    }

    fn start(&mut self, window: &Range<u64>) {
        self.metrics.prefaults.fetch_add(1, Ordering::Relaxed);
        let prefault = Prefault::start(self.view.mapping(), self.in_mapping(window));
        self.coming = Some((window.clone(), prefault));
    }

    const fn window(&self) -> u64 {
        match self.transport {
            Transport::Mapped => limits::MAPPED_WINDOW_BYTES,
            Transport::Copied => limits::COPIED_WINDOW_BYTES as u64,
        }
    }

    /// Where a window behind the made-up header lies in the file.
    fn in_file(&self, window: &Range<u64>) -> Range<u64> {
        let (header, file_start) = self.view.layout();
        let shift = |at: u64| at.saturating_sub(header).saturating_add(file_start);
        shift(window.start)..shift(window.end)
    }

    /// The same, counted from the start of the mapping.
    fn in_mapping(&self, window: &Range<u64>) -> Range<u64> {
        let part = self.in_file(window);
        let start = self.view.mapping().file_offset();
        part.start.saturating_sub(start)..part.end.saturating_sub(start)
    }

    fn read(&mut self, window: &Range<u64>) -> Result<Bytes, BodyError> {
        let (header, _) = self.view.layout();
        if window.start < header {
            return Ok(self.view.slices(window.clone()).header);
        }
        let part = self.in_file(window);
        let length = usize::try_from(window.end - window.start).map_err(|_| BodyError::Cut)?;
        let mapping = self.view.mapping();
        match self.transport {
            Transport::Mapped => {
                // The last page of a cut file reads as zeros: only the length tells.
                // `media::answer` looked at it just before it made the body.
                if !std::mem::take(&mut self.length_known) {
                    let present = mapping.file().metadata().map_err(BodyError::Disk)?.len();
                    if present < part.end {
                        return Err(BodyError::Cut);
                    }
                }
                let bytes = self.view.slices(window.clone()).mapped;
                if bytes.len() == length {
                    Ok(bytes)
                } else {
                    Err(BodyError::Cut)
                }
            }
            Transport::Copied => {
                let mut buffer = Buffer::take();
                let mut filled = 0;
                while filled < length {
                    let at = part.start + filled as u64;
                    let space = buffer.space(length).get_mut(filled..).unwrap_or_default();
                    match mapping.read_at(at, space) {
                        Ok(0) => return Err(BodyError::Cut),
                        Ok(count) => filled += count,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(BodyError::Disk(error)),
                    }
                }
                Ok(buffer.freeze(length))
            }
        }
    }
}

/// The first part of a window, short enough for its first byte to come soon.
fn cold_part(window: &Range<u64>) -> Range<u64> {
    window.start
        ..window
            .end
            .min(window.start.saturating_add(limits::COLD_WINDOW_BYTES))
}
