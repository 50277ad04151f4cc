//! `multipart/form-data` (RFC 7578), read as it comes: texts become parameters, a file goes to the
//! store's disk. Nothing of a file is kept before it is known who sends it, so the token stands in
//! query, header, or before the file.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame};
use http_body_util::BodyDataStream;
use multer::{Field, Multipart};
use storage::scratch::Scratch;
use tokio::sync::SemaphorePermit;

use super::body::{Gate, Received};
use super::params::{Fault, Place};
use crate::http::error::Problem;
use crate::http::limits;
use crate::http::service::Call;
use crate::spool::{Spool, SpoolError};

/// A file that was sent.
pub(super) struct Upload {
    /// Where it is.
    pub(super) scratch: Scratch,
    /// What its sender calls it.
    pub(super) name: Option<String>,
}

/// Reads a multipart body into `received`.
///
/// # Errors
/// Only what `gate` says; everything else is in [`Received::problem`].
pub(super) async fn receive<B>(
    call: &Call<'_>,
    body: B,
    gate: Gate<'_>,
    received: &mut Received,
) -> Result<(), Problem>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let boundary = call.parts.headers.get(CONTENT_TYPE);
    let boundary = boundary.and_then(|value| multer::parse_boundary(value.to_str().ok()?).ok());
    let Some(boundary) = boundary.filter(|boundary| boundary.len() <= BOUNDARY_BYTES) else {
        received.note(malformed());
        return Ok(());
    };
    let allowance = Allowance::default();
    let metered = Metered {
        body: Box::pin(body),
        allowance: allowance.clone(),
        rests: false,
    };
    let mut form = Form {
        call,
        parts: Multipart::new(BodyDataStream::new(metered), boundary),
        allowance,
        gate,
    };
    let read = tokio::time::timeout(limits::UPLOAD_WHOLE, form.read(received)).await;
    match read.unwrap_or_else(|_| Err(Stop::Told(too_slow()))) {
        Ok(()) => Ok(()),
        Err(Stop::Told(problem)) => {
            received.note(problem);
            Ok(())
        }
        Err(Stop::Refused(problem)) => Err(problem),
    }
}

/// RFC 2046 section 5.1.1.
const BOUNDARY_BYTES: usize = 70;

struct Form<'a, 'b> {
    call: &'a Call<'a>,
    parts: Multipart<'b>,
    allowance: Allowance,
    gate: Gate<'a>,
}

/// Why reading ends before the end.
enum Stop {
    /// The gate says no.
    Refused(Problem),
    /// Something is wrong with the body.
    Told(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Told(problem)
    }
}

impl Form<'_, '_> {
    async fn read(&mut self, received: &mut Received) -> Result<(), Stop> {
        let mut count = 0;
        while let Some(field) = in_time(self.parts.next_field()).await?.map_err(broken)? {
            count += 1;
            if count > limits::PARAMETERS {
                return Err(Problem::from(Fault::TooMany(Place::Body)).into());
            }
            let name = field.name().unwrap_or_default().to_owned();
            if field.file_name().is_none() && !FILES.contains(&name.as_str()) {
                let text = text(field).await?;
                let body = &mut received.parameters.body;
                if let Err(fault) = body.take(Place::Body, &name, text) {
                    received.note(fault.into());
                }
                continue;
            }
            let Some(gate) = self.gate else {
                let message = format!("This path takes no file; '{name}' is one.");
                return Err(Problem::parameter(message).into());
            };
            gate(&received.parameters).map_err(Stop::Refused)?;
            if received.upload.is_some() {
                return Err(Problem::parameter("More than one file is sent; send one.").into());
            }
            received.upload = Some(self.file(field).await?);
        }
        Ok(())
    }

    async fn file(&self, mut field: Field<'_>) -> Result<Upload, Problem> {
        let site = &self.call.worker.site;
        let _place: SemaphorePermit<'_> = site.uploads.try_acquire().map_err(|_| busy())?;
        let recordings = &self.call.worker.recordings;
        let scratch = recordings.off_loop(|storage| storage.scratch("upload"));
        let scratch = scratch.await.map_err(Problem::internal)?.map_err(stored)?;
        let name = field.file_name().map(str::to_owned);
        let spool = Spool::open(scratch.path(), limits::UPLOAD_BYTES).await;
        let mut spool = spool.map_err(spooled)?;
        loop {
            self.allowance.renew();
            match in_time(field.chunk()).await?.map_err(broken)? {
                Some(piece) => spool.push(&piece).await.map_err(spooled)?,
                None => break,
            }
        }
        spool.finish().await.map_err(spooled)?;
        self.allowance.renew();
        Ok(Upload { scratch, name })
    }
}

/// Names of fields that are files, with a file name or without.
const FILES: [&str; 3] = ["file", "audio", "upload"];

async fn text(field: Field<'_>) -> Result<String, Problem> {
    let bytes = in_time(field.bytes()).await?.map_err(broken)?;
    let text = String::from_utf8(bytes.into()).ok();
    let text = text.filter(|text| !text.contains('\0'));
    text.ok_or_else(|| Problem::parameter("A field of the body is not UTF-8 without NUL."))
}

/// Waits for the client, but not for long.
async fn in_time<T>(step: impl Future<Output = T>) -> Result<T, Problem> {
    let done = tokio::time::timeout(limits::REQUEST_BODY, step).await;
    done.map_err(|_| too_slow())
}

/// Bytes that may still come before something is made of those that came: the parser gathers what
/// it cannot read yet, such as a part's header without an end.
#[derive(Clone)]
struct Allowance(Arc<AtomicU64>);

impl Default for Allowance {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(limits::FORM_BODY_BYTES as u64)))
    }
}

impl Allowance {
    fn renew(&self) {
        let whole = limits::FORM_BODY_BYTES as u64;
        self.0.store(whole, Ordering::Relaxed);
    }

    fn spend(&self, bytes: usize) -> Result<(), BodyFault> {
        let left = self.0.load(Ordering::Relaxed);
        let left = left.checked_sub(bytes as u64).ok_or(BodyFault::TooLarge)?;
        self.0.store(left, Ordering::Relaxed);
        Ok(())
    }
}

/// A body that is handed on one frame at a time, within an allowance. Left to itself the parser
/// would take in all that the connection has before it looks at any of it.
struct Metered<B> {
    body: Pin<Box<B>>,
    allowance: Allowance,
    rests: bool,
}

#[derive(Debug, thiserror::Error)]
enum BodyFault {
    #[error("more than {} bytes besides the file", limits::FORM_BODY_BYTES)]
    TooLarge,
    #[error(transparent)]
    Transport(Box<dyn std::error::Error + Send + Sync>),
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if std::mem::take(&mut self.rests) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let frame = match ready!(self.body.as_mut().poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(BodyFault::Transport(error.into())))),
            Some(Ok(frame)) => frame,
        };
        self.rests = true;
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        Poll::Ready(Some(self.allowance.spend(bytes).map(|()| frame)))
    }
}

fn broken(error: multer::Error) -> Problem {
    match error {
        multer::Error::StreamReadFailed(cause)
            if matches!(cause.downcast_ref(), Some(BodyFault::TooLarge)) =>
        {
            too_large(limits::FORM_BODY_BYTES as u64)
        }
        other => malformed().because(other),
    }
}

fn malformed() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid_body",
        "The body is not multipart/form-data with the boundary that Content-Type names.",
    )
}

fn too_large(most: u64) -> Problem {
    let message = format!("The body is longer than {most} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

fn too_slow() -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        "body_timeout",
        "The body did not arrive in time.",
    )
}

fn busy() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "busy",
        "Too many files are being sent; try again.",
    )
    .retry_after(limits::REQUEST_BODY)
}

fn spooled(error: SpoolError) -> Problem {
    match error {
        SpoolError::TooLarge(most) => too_large(most),
        SpoolError::Io(error) => stored(error),
    }
}

fn stored(error: std::io::Error) -> Problem {
    if error.kind() == std::io::ErrorKind::StorageFull {
        let message = "The disk has no room for files; recordings need it.";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_space", message)
            .retry_after(SPACE_AGAIN)
            .because(error);
    }
    Problem::internal(error)
}

/// When it may be worth asking again for what needs space.
const SPACE_AGAIN: Duration = Duration::from_secs(60);
