//! Sound that is made as it is read, through the media core and hyper over each protocol: the same
//! conditionals, ranges, multipart and HEAD as files have, and answers that end short where the
//! making fails.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use storage::record::WallMillis;

use super::rig::{NOW, NOW_TEXT, pattern};
use crate::engine::transcode::{ConvertError, Made, Reading};
use crate::http::activity::Activity;
use crate::http::body::{AnswerBody, Payload, Transport};
use crate::http::error::Problem;
use crate::http::media::{self, Cache, Entity, MediaRequest, Presentation};
use crate::http::metrics::{Group, HttpMetrics};

/// No multiple of a piece.
const SIZE: usize = 100_003;
/// What the double makes at a time.
const PIECE: u64 = 4_096;

/// Makes the pattern, each piece after the scheduler had a turn; fails from `good` on.
struct Pattern {
    bytes: Bytes,
    good: u64,
    reads: AtomicUsize,
    made: AtomicU64,
}

impl Made for Pattern {
    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn etag(&self) -> &'static str {
        "made"
    }
    fn last_modified(&self) -> WallMillis {
        NOW
    }
    fn read(&self, range: Range<u64>) -> Reading {
        let end = range.end.min(range.start + PIECE);
        let at = |at: u64| usize::try_from(at).unwrap();
        let piece = self.bytes.slice(at(range.start)..at(end));
        let fails = range.start >= self.good;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.made.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Box::pin(async move {
            tokio::task::yield_now().await;
            if fails {
                Err(ConvertError::Gone)
            } else {
                Ok(piece)
            }
        })
    }
}

struct Stage {
    made: Arc<Pattern>,
    metrics: Arc<HttpMetrics>,
    runtime: tokio::runtime::Runtime,
}

struct Told {
    status: StatusCode,
    headers: HeaderMap,
    /// `Err` if the answer ended before its length.
    body: Result<Bytes, ()>,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

impl Stage {
    fn new(good: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            made: Arc::new(Pattern {
                bytes: pattern(SIZE).into(),
                good,
                reads: AtomicUsize::new(0),
                made: AtomicU64::new(0),
            }),
            metrics: Arc::default(),
            runtime,
        }
    }

    fn ask(&self, h2: bool, method: Method, headers: &[(&str, &str)]) -> Told {
        let mut request = Request::builder().method(method).uri("http://x/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&self.runtime, self.exchange(h2, request))
    }

    async fn exchange(&self, h2: bool, request: Request<Full<Bytes>>) -> Told {
        let (near, far) = tokio::io::duplex(8_192);
        let entity = Rc::new(Entity::made(self.made.clone()).unwrap());
        let metrics = Arc::clone(&self.metrics);
        let service = hyper::service::service_fn(move |request: Request<_>| {
            let answer = answer(&entity, &request, &metrics);
            async move { Ok::<_, std::convert::Infallible>(answer) }
        });
        if h2 {
            let served = hyper::server::conn::http2::Builder::new(OnThisThread)
                .serve_connection(TokioIo::new(far), service);
            tokio::task::spawn_local(served);
            let connecting =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(near));
            let (mut sender, driver) = connecting.await.unwrap();
            tokio::spawn(driver);
            told(sender.send_request(request).await.unwrap()).await
        } else {
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(far), service);
            tokio::task::spawn_local(served);
            let connecting = hyper::client::conn::http1::handshake(TokioIo::new(near));
            let (mut sender, driver) = connecting.await.unwrap();
            tokio::spawn(driver);
            told(sender.send_request(request).await.unwrap()).await
        }
    }
}

async fn told(response: Response<hyper::body::Incoming>) -> Told {
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    Told {
        status: parts.status,
        headers: parts.headers,
        body: body.map_err(drop),
    }
}

fn answer<B>(
    entity: &Entity,
    request: &Request<B>,
    metrics: &Arc<HttpMetrics>,
) -> Response<AnswerBody> {
    let asked = MediaRequest {
        method: request.method(),
        headers: request.headers(),
        transport: Transport::Mapped,
        boundary: "b0",
    };
    let shown = Presentation {
        content_type: "audio/mpeg",
        disposition: Some(media::inline("a.mp3")),
        cache: Cache::Private,
        ranges: true,
    };
    let answer: Response<Payload> = media::answer(entity, &asked, &shown, metrics)
        .unwrap_or_else(|refusal| Problem::from(refusal).answer(Group::CallRecording, "1"));
    answer.map(|payload| AnswerBody::new(payload, Activity::new().begin()))
}

#[derive(Clone, Copy)]
struct OnThisThread;

impl<F: Future + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, stream: F) {
        tokio::task::spawn_local(async move {
            stream.await;
        });
    }
}

#[test]
fn what_is_made_answers_like_a_file() {
    let bytes = pattern(SIZE);
    let stage = Stage::new(u64::MAX);
    for h2 in [false, true] {
        let whole = stage.ask(h2, Method::GET, &[]);
        assert_eq!(whole.status, StatusCode::OK);
        assert_eq!(whole.header("content-length"), SIZE.to_string());
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert_eq!(whole.header("etag"), "\"made\"");
        assert_eq!(whole.header("last-modified"), NOW_TEXT);
        assert_eq!(whole.header("content-type"), "audio/mpeg");
        let disposition = whole.header("content-disposition");
        assert_eq!(disposition, "inline; filename=\"a.mp3\"");
        assert!(whole.body.unwrap() == bytes);
        for (range, first, end) in [
            ("bytes=0-1", 0, 2),
            ("bytes=0-", 0, SIZE),
            ("bytes=4095-4096", 4_095, 4_097),
            ("bytes=50000-99999", 50_000, 100_000),
            ("bytes=-1", SIZE - 1, SIZE),
            ("bytes=-999999", 0, SIZE),
            ("bytes=0-9,10-19", 0, 20),
        ] {
            let part = stage.ask(h2, Method::GET, &[("range", range)]);
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{range}");
            let expected = format!("bytes {first}-{}/{SIZE}", end - 1);
            assert_eq!(part.header("content-range"), expected);
            assert_eq!(part.header("content-length"), (end - first).to_string());
            assert!(part.body.unwrap() == bytes[first..end], "{range}");
        }
        let none = stage.ask(h2, Method::GET, &[("range", "bytes=100003-")]);
        assert_eq!(none.status, StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(none.header("content-range"), format!("bytes */{SIZE}"));
        let several = stage.ask(h2, Method::GET, &[("range", "bytes=90000-98999,5-6,-3")]);
        let body = several.body.clone().unwrap();
        assert_eq!(several.header("content-length"), body.len().to_string());
        let mut expected = Vec::new();
        for (first, end) in [(90_000, 99_000), (5, 7), (SIZE - 3, SIZE)] {
            let lead = format!(
                "\r\n--b0\r\nContent-Type: audio/mpeg\r\nContent-Range: bytes {first}-{}/{SIZE}\
                 \r\n\r\n",
                end - 1
            );
            expected.extend_from_slice(lead.as_bytes());
            expected.extend_from_slice(&bytes[first..end]);
        }
        expected.extend_from_slice(b"\r\n--b0--\r\n");
        assert!(body == expected);
    }
}

#[test]
fn nothing_is_made_that_is_not_sent() {
    let stage = Stage::new(u64::MAX);
    for h2 in [false, true] {
        let head = stage.ask(h2, Method::HEAD, &[("range", "bytes=0-1")]);
        assert_eq!(head.status, StatusCode::OK);
        assert_eq!(head.header("content-length"), SIZE.to_string());
        let same = stage.ask(h2, Method::GET, &[("if-none-match", "\"made\"")]);
        assert_eq!(same.status, StatusCode::NOT_MODIFIED);
        let other = stage.ask(h2, Method::GET, &[("if-match", "\"x\"")]);
        assert_eq!(other.status, StatusCode::PRECONDITION_FAILED);
        let dated = [("if-range", "\"x\""), ("range", "bytes=0-1")];
        assert_eq!(stage.made.reads.load(Ordering::Relaxed), 0);
        assert_eq!(stage.ask(h2, Method::GET, &dated).status, StatusCode::OK);
        stage.made.reads.store(0, Ordering::Relaxed);
        stage.made.made.store(0, Ordering::Relaxed);
        let part = stage.ask(h2, Method::GET, &[("range", "bytes=60000-69999")]);
        assert_eq!(part.body.unwrap().len(), 10_000);
        assert_eq!(stage.made.reads.load(Ordering::Relaxed), 3);
        assert_eq!(stage.made.made.load(Ordering::Relaxed), 10_000);
        stage.made.reads.store(0, Ordering::Relaxed);
    }
}

#[test]
fn answers_whose_making_fails_end_short() {
    for h2 in [false, true] {
        let stage = Stage::new(2 * PIECE);
        let whole = stage.ask(h2, Method::GET, &[]);
        assert_eq!(whole.status, StatusCode::OK);
        assert_eq!(whole.header("content-length"), SIZE.to_string());
        assert!(whole.body.is_err(), "the client must know that it is cut");
        assert_eq!(stage.metrics.media_cut.load(Ordering::Relaxed), 1);
        assert_eq!(stage.metrics.media_bytes.load(Ordering::Relaxed), 2 * PIECE);
        let good = stage.ask(h2, Method::GET, &[("range", "bytes=0-8191")]);
        assert_eq!(good.body.unwrap().len(), 8_192);
    }
}
