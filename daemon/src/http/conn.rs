//! One connection: TLS, protocol choice, hyper, and the timeouts that hyper does not have.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::StatusCode;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, Verdict};
use super::body::{AnswerBody, Transport};
use super::edge::{Complain, Edge};
use super::limits;
use super::service::{self, Connection, Worker, serve};
use super::socket::Socket;
use super::tls::ALPN_H2;
use super::upgrade::Upgraded;

/// Serves one accepted connection to its end. `stop` turns true when the server drains.
pub(super) async fn run(
    worker: Rc<Worker>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    stop: watch::Receiver<bool>,
) {
    // A client that is gone already makes this fail; reading will tell.
    let _ = stream.set_nodelay(true);
    let activity = Activity::new();
    let metrics = Arc::clone(&worker.site.metrics);
    let mut socket = Socket::new(stream, Rc::clone(&activity));
    let secure = tls.is_some();
    let draining = stop.clone();
    let connection = move |transport| {
        Rc::new(Connection {
            stop: draining,
            peer,
            secure,
            transport,
            activity,
            upgrade: Cell::new(None),
        })
    };
    let ended = match tls {
        None => match timeout(limits::REQUEST_HEADERS, socket.speaks_h2()).await {
            Ok(Ok(true)) => h2(worker, socket, connection(Transport::Copied), stop).await,
            Ok(Ok(false)) => h1(worker, socket, connection(Transport::Mapped), stop).await,
            Ok(Err(error)) => Err(End::Io(error)),
            Err(_) => Err(End::Timeout("no request came")),
        },
        Some(config) => {
            let accept = TlsAcceptor::from(config).accept(socket);
            match timeout(limits::TLS_HANDSHAKE, accept).await {
                Ok(Ok(secure)) => {
                    if secure.get_ref().1.alpn_protocol() == Some(ALPN_H2) {
                        h2(worker, secure, connection(Transport::Copied), stop).await
                    } else {
                        h1(worker, secure, connection(Transport::Copied), stop).await
                    }
                }
                Ok(Err(error)) => {
                    metrics.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                    Err(End::Io(error))
                }
                Err(_) => {
                    metrics.handshakes_failed.fetch_add(1, Ordering::Relaxed);
                    Err(End::Timeout("the TLS handshake took too long"))
                }
            }
        }
    };
    match ended {
        Ok(()) => {}
        Err(End::Timeout(why)) => {
            metrics.timed_out.fetch_add(1, Ordering::Relaxed);
            log::debug!(target: TARGET, "{peer}: closed: {why}");
        }
        Err(End::Io(error)) => log::debug!(target: TARGET, "{peer}: {error}"),
        Err(End::Http(error)) => {
            use std::error::Error as _;
            match error.source() {
                Some(cause) => log::debug!(target: TARGET, "{peer}: {error}: {cause}"),
                None => log::debug!(target: TARGET, "{peer}: {error}"),
            }
        }
    }
}

const TARGET: &str = "callreel::connection";

/// Why a connection ended before it was done.
enum End {
    Timeout(&'static str),
    Io(io::Error),
    Http(hyper::Error),
}

async fn h1<I>(
    worker: Rc<Worker>,
    io: I,
    connection: Rc<Connection>,
    stop: watch::Receiver<bool>,
) -> Result<(), End>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let activity = Rc::clone(&connection.activity);
    let edge = Edge::new(io, Complaints(Rc::clone(&worker), Rc::clone(&activity)));
    let upgrades = Rc::clone(&connection);
    let service = hyper::service::service_fn(move |request| {
        serve(Rc::clone(&worker), Rc::clone(&connection), request)
    });
    // `activity.rs` keeps the header time; hyper's, which would also run while a connection is
    // idle, is the second line. Without a timer it would silently not run at all.
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::KEEP_ALIVE_IDLE + limits::REQUEST_HEADERS)
        .max_buf_size(limits::HEAD_BUFFER_BYTES)
        .serve_connection(TokioIo::new(edge), service);
    supervise(Pin::new(&mut served), &activity, stop).await?;
    // After an upgrade hyper leaves the connection open.
    if let Some(upgrade) = upgrades.upgrade.take() {
        let parts = served.into_parts();
        let io = parts.io.into_inner().into_inner();
        upgrade(Upgraded::new(io, parts.read_buf)).await;
    }
    Ok(())
}

/// What is said of requests that hyper cannot read.
struct Complaints(Rc<Worker>, Rc<Activity>);

impl Complain for Complaints {
    fn is_answering(&self) -> bool {
        self.1.is_answering()
    }

    fn has_flushed(&self) {
        self.1.has_flushed();
    }

    fn complain(&self, status: StatusCode, path: &str) -> Bytes {
        service::complaint(&self.0.site, status, path)
    }
}

async fn h2<I>(
    worker: Rc<Worker>,
    io: I,
    connection: Rc<Connection>,
    stop: watch::Receiver<bool>,
) -> Result<(), End>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    connection.activity.is_multiplexed();
    let activity = Rc::clone(&connection.activity);
    let service = hyper::service::service_fn(move |request| {
        serve(Rc::clone(&worker), Rc::clone(&connection), request)
    });
    let served = http2::Builder::new(OnThisThread)
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits::H2_STREAMS)
        .max_pending_accept_reset_streams(limits::H2_PENDING_RESETS)
        .max_local_error_reset_streams(limits::H2_LOCAL_RESETS)
        .max_header_list_size(HEADER_LIST_BYTES)
        .max_send_buf_size(limits::H2_SEND_BUFFER_BYTES)
        .initial_stream_window_size(limits::H2_RECEIVE_WINDOW)
        .initial_connection_window_size(limits::H2_RECEIVE_WINDOW)
        .keep_alive_interval(limits::H2_PING_EVERY)
        .keep_alive_timeout(limits::H2_PING_ANSWER)
        .serve_connection(TokioIo::new(io), service);
    supervise(pin!(served), &activity, stop).await
}

#[allow(clippy::cast_possible_truncation, reason = "a constant of a few KiB")]
const HEADER_LIST_BYTES: u32 = limits::HEAD_BUFFER_BYTES as u32;

/// hyper's two kinds of connection.
trait Served: Future<Output = hyper::Result<()>> {
    /// Finish what is in flight and take nothing new.
    fn finish(self: Pin<&mut Self>);
}

impl<I, S, B> Served for http1::Connection<TokioIo<I>, S>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Served for http2::Connection<TokioIo<I>, S, OnThisThread>
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = AnswerBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Drives a connection, and looks at the clock on its behalf.
async fn supervise(
    mut served: Pin<&mut impl Served>,
    activity: &Activity,
    mut stop: watch::Receiver<bool>,
) -> Result<(), End> {
    let first = match activity.verdict(Instant::now()) {
        Verdict::LookAgain(at) => at,
        Verdict::Idle | Verdict::Cut(_) => Instant::now(),
    };
    let mut look = pin!(sleep_until(first));
    // Answers whether the drain began; a server that is gone drains as well.
    let mut draining = pin!(async move { stop.wait_for(|stop| *stop).await.is_ok() });
    let mut finishing = false;
    loop {
        tokio::select! {
            biased;
            ended = served.as_mut() => return ended.map_err(End::Http),
            () = look.as_mut() => {
                let now = Instant::now();
                match activity.verdict(now) {
                    Verdict::LookAgain(at) => look.as_mut().reset(at),
                    Verdict::Cut(why) => return Err(End::Timeout(why)),
                    Verdict::Idle if finishing => {
                        return Err(End::Timeout("the client did not close"));
                    }
                    Verdict::Idle => {
                        finishing = true;
                        served.as_mut().finish();
                        look.as_mut().reset(now + limits::CLOSE_LINGER);
                    }
                }
            }
            _ = draining.as_mut(), if !finishing => {
                finishing = true;
                served.as_mut().finish();
            }
        }
    }
}

/// Runs hyper's HTTP/2 streams on the connection's own thread.
#[derive(Clone, Copy)]
struct OnThisThread;

impl<F> hyper::rt::Executor<F> for OnThisThread
where
    F: Future + 'static,
{
    fn execute(&self, stream: F) {
        tokio::task::spawn_local(async move {
            stream.await;
        });
    }
}
