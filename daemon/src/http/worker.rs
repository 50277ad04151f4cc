//! A worker: one thread with its own runtime, listeners and open recordings. Nothing on the way
//! of a request is shared with other workers but counters.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::address::Full;
use super::recordings::Recordings;
use super::service::Worker;
use super::site::Site;
use super::tls::Certificates;
use super::{conn, limits, prefault};

/// What a worker listens on.
pub(super) struct Ears {
    /// Plain sockets.
    pub(super) plain: Vec<TcpListener>,
    /// TLS sockets, with their certificate.
    pub(super) tls: Vec<(TcpListener, Arc<Certificates>)>,
}

/// How a server is told to stop.
#[derive(Clone)]
pub(super) struct Stop {
    /// Turns true when nothing new is taken.
    pub(super) draining: watch::Receiver<bool>,
    /// When what is in flight is cut; set before the drain begins.
    pub(super) deadline: watch::Receiver<Option<Instant>>,
}

/// A thread's runtime.
pub(super) enum Runtime {
    /// With a ring for prefaulting.
    Ring(tokio_uring::Runtime),
    /// Where the kernel refuses io_uring.
    Plain(tokio::runtime::Runtime),
}

impl Runtime {
    /// The best this machine has. The ring is probed, since tokio-uring's own start panics where
    /// the kernel refuses it.
    ///
    /// # Errors
    /// Neither kind can be made.
    pub(super) fn new() -> io::Result<Self> {
        match tokio_uring::Runtime::new(tokio_uring::builder().entries(RING_ENTRIES)) {
            Ok(runtime) => Ok(Self::Ring(runtime)),
            Err(refusal) => {
                log::info!("HTTP prefaults on a thread pool, since io_uring is refused: {refusal}");
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map(Self::Plain)
            }
        }
    }

    /// Runs a future and everything it spawns locally.
    pub(super) fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Ring(runtime) => {
                prefault::thread_has_ring(true);
                runtime.block_on(future)
            }
            Self::Plain(runtime) => {
                prefault::thread_has_ring(false);
                LocalSet::new().block_on(runtime, future)
            }
        }
    }
}

/// Operations of a ring that can be under way; the only ones are prefaults.
const RING_ENTRIES: u32 = 64;

/// Serves until told to stop, then drains.
pub(super) async fn run(site: Arc<Site>, ears: Ears, stop: Stop) -> io::Result<()> {
    let recordings = Recordings::new(site.storage.clone(), Arc::clone(&site.metrics));
    let worker = Rc::new(Worker { site, recordings });
    let mut listeners: JoinSet<()> = JoinSet::new();
    let connections = Rc::new(std::cell::RefCell::new(JoinSet::new()));
    for socket in ears.plain {
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let accept = Accept {
            worker: Rc::clone(&worker),
            stop: stop.clone(),
        };
        listeners.spawn_local(accept.run(socket, None, Rc::clone(&connections)));
    }
    for (socket, certificates) in ears.tls {
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let accept = Accept {
            worker: Rc::clone(&worker),
            stop: stop.clone(),
        };
        listeners.spawn_local(accept.run(socket, Some(certificates), Rc::clone(&connections)));
    }
    let sweeper = tokio::task::spawn_local(tell_refusals(Rc::clone(&worker)));
    while listeners.join_next().await.is_some() {}
    // Nothing is accepted any more: the set is this function's alone.
    let mut open = connections.take();
    let deadline = (*stop.deadline.borrow()).unwrap_or_else(Instant::now);
    let mut cut: Pin<&mut _> = std::pin::pin!(sleep_until(deadline));
    loop {
        tokio::select! {
            ended = open.join_next() => if ended.is_none() { break },
            () = cut.as_mut() => {
                log::info!("{} connections were cut at the end of the drain", open.len());
                open.shutdown().await;
                break;
            }
        }
    }
    sweeper.abort();
    // Each worker tells what is there at its end: what comes after the last one is nobody's.
    let site = &worker.site;
    site.refusals.flush(&site.storage, site.clock.monotonic());
    Ok(())
}

/// Tells how many credentials were refused, when it is time to. Every worker looks; one finds it.
async fn tell_refusals(worker: Rc<Worker>) {
    let site = &worker.site;
    loop {
        sleep(limits::REFUSALS_SWEEP).await;
        site.refusals.sweep(&site.storage, site.clock.monotonic());
    }
}

type Open = Rc<std::cell::RefCell<JoinSet<()>>>;

struct Accept {
    worker: Rc<Worker>,
    stop: Stop,
}

impl Accept {
    async fn run(
        mut self,
        listener: tokio::net::TcpListener,
        tls: Option<Arc<Certificates>>,
        open: Open,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                _ = self.stop.draining.wait_for(|draining| *draining) => return,
                accepted = listener.accept() => accepted,
            };
            // Ended connections are let go of here, so that the set stays as long as it must be.
            while open.borrow_mut().try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer)) => {
                    let tls = tls.as_ref().map(|certificates| certificates.current());
                    self.take(stream, peer, tls, &open);
                }
                Err(error) if is_clients_fault(&error) => {}
                Err(error) => {
                    log::warn!("cannot accept connections for now: {error}");
                    sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(
        &self,
        stream: tokio::net::TcpStream,
        peer: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        open: &Open,
    ) {
        let site = &self.worker.site;
        site.metrics.accepted.fetch_add(1, Ordering::Relaxed);
        let most = site.config.load().http.max_connections;
        match site.connections.take(peer.ip(), most) {
            Ok(place) => {
                let worker = Rc::clone(&self.worker);
                let stop = self.stop.draining.clone();
                open.borrow_mut().spawn_local(async move {
                    conn::run(worker, stream, peer, tls, stop).await;
                    drop(place);
                });
            }
            Err(full) => {
                let (counter, limit) = match full {
                    Full::Total => (&site.metrics.refused_total, "all connections"),
                    Full::Address => (&site.metrics.refused_address, "its address's share"),
                };
                counter.fetch_add(1, Ordering::Relaxed);
                log::debug!("{peer}: refused: {limit} in use");
                if tls.is_none() {
                    // Best effort, without waiting: a connection that is refused costs nothing.
                    let _ = stream.try_write(&busy(&site.request_id()));
                }
            }
        }
    }
}

/// The answer to a connection that cannot be served, written before any request is read.
fn busy(request_id: &str) -> Vec<u8> {
    let body = "{\"error\":{\"code\":\"busy\",\"message\":\"Too many connections; retry.\"}}";
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nRetry-After: 1\r\nCache-Control: no-store\r\n\
         X-Request-Id: {request_id}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Errors of `accept` that concern one connection, which is gone (accept(2)).
fn is_clients_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
