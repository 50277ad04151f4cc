//! The HTTP server as the daemon sees it: start, addresses, reload, shutdown.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio::time::Instant;

pub use super::tls::TlsError;
pub(crate) use super::tls::try_pair;

use super::auth::admin::AdminKey;
use super::limits;
use super::listen;
use super::site::Site;
use super::tls::Certificates;
use super::worker::{self, Ears, Runtime, Stop};
use crate::app::App;
use crate::config::schema::{Config, Http};
use crate::passed::Passed;

/// Why the server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("http.{field}: cannot listen on {address}: {source}")]
    Listen {
        /// `listen` or `listen_tls`.
        field: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A socket that was passed in cannot be used.
    #[error("a socket passed to the daemon cannot be used: {0}")]
    Passed(#[source] io::Error),
    /// HTTPS without a certificate.
    #[error(
        "HTTPS needs a certificate: name it and its key in [http.tls], give the service the \
         credentials callreel_certificate.pem and callreel_certificate.key, or set certificate = \
         true in [first_start]"
    )]
    NoCertificate,
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// A thread cannot be made.
    #[error("cannot start an HTTP thread: {0}")]
    Thread(#[source] io::Error),
}

/// The running server. Dropping it stops it at once; [`HttpServer::shutdown`] is the polite way.
pub struct HttpServer {
    addresses: Vec<(&'static str, SocketAddr)>,
    certificates: Option<Arc<Certificates>>,
    config: Arc<ArcSwap<Config>>,
    admin: Arc<AdminKey>,
    draining: watch::Sender<bool>,
    deadline: watch::Sender<Option<Instant>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl HttpServer {
    /// Binds what `[http]` says and serves. Port 0 takes a free port.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(app: App) -> Result<Self, StartError> {
        Self::start_with(app, Passed::default())
    }

    /// The same, with sockets that are open already. Where any are passed for plain HTTP,
    /// `http.listen` is not bound; likewise for TLS.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start_with(app: App, passed: Passed) -> Result<Self, StartError> {
        let site = Site::new(app).map_err(StartError::Random)?;
        Self::start_site(site, passed)
    }

    /// The same, for a site put together of parts.
    pub(super) fn start_site(site: Arc<Site>, passed: Passed) -> Result<Self, StartError> {
        let config = site.config.load_full();
        let http = &config.http;
        let count = worker_count(http.workers);
        let (plain, tls) = sockets(http, passed, count)?;
        let certificates = match http.tls.pair() {
            Some(files) => Some(Arc::new(Certificates::load(&files)?)),
            None if !tls.is_empty() => return Err(StartError::NoCertificate),
            None => None,
        };
        let mut addresses = Vec::new();
        for (scheme, all) in [("http", &plain), ("https", &tls)] {
            for first in all.iter().filter_map(|shared| shared.first()) {
                addresses.push((scheme, first.local_addr().map_err(StartError::Passed)?));
            }
        }
        let (draining, draining_seen) = watch::channel(false);
        let (deadline, deadline_seen) = watch::channel(None);
        let stop = Stop {
            draining: draining_seen,
            deadline: deadline_seen,
        };
        let server = Self {
            addresses,
            certificates: certificates.clone(),
            config: Arc::clone(&site.config),
            admin: Arc::clone(&site.admin),
            draining,
            deadline,
            workers: Mutex::new(Vec::with_capacity(count)),
        };
        for (index, mut ears) in share_out(plain, tls, certificates.as_ref(), count)
            .into_iter()
            .enumerate()
        {
            for socket in ears
                .plain
                .iter_mut()
                .chain(ears.tls.iter_mut().map(|(tls, _)| tls))
            {
                socket.set_nonblocking(true).map_err(StartError::Passed)?;
            }
            let thread = spawn(index, Arc::clone(&site), ears, stop.clone())?;
            server
                .workers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(thread);
        }
        Ok(server)
    }

    /// What is served, scheme and address: first plain ones, then TLS, in the order of
    /// configuration.
    #[must_use]
    pub fn local_addrs(&self) -> &[(&'static str, SocketAddr)] {
        &self.addresses
    }

    /// Reads the admin key, and certificate and key again, from where the configuration in force
    /// says. Connections that exist go on with the old ones.
    ///
    /// # Errors
    /// [`TlsError`]; then the old ones stay in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.admin.reload(&self.config.load().admin);
        match (&self.certificates, self.config.load().http.tls.pair()) {
            (Some(certificates), Some(files)) => certificates.reload(&files),
            _ => Ok(()),
        }
    }

    /// Takes nothing new, lets answers in flight end for at most `drain`, then cuts them. Blocks
    /// until all threads have ended. A second call finds nothing to do.
    pub fn shutdown(&self, drain: Duration) {
        self.stop_in(drain);
        let workers =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            if worker.join().is_err() {
                log::error!("an HTTP thread had died");
            }
        }
    }

    fn stop_in(&self, drain: Duration) {
        self.deadline.send_replace(Some(Instant::now() + drain));
        self.draining.send_replace(true);
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shutdown(Duration::ZERO);
    }
}

fn worker_count(configured: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let count = if configured == 0 { cores() } else { configured };
    count.clamp(1, limits::WORKERS_MAX)
}

/// For each address one socket a worker.
type Shared = Vec<Vec<TcpListener>>;

fn sockets(http: &Http, passed: Passed, count: usize) -> Result<(Shared, Shared), StartError> {
    let open = |field, addresses: &[SocketAddr]| -> Result<Shared, StartError> {
        let one = |address: &SocketAddr| {
            // An IPv6 wildcard takes IPv4 too, unless IPv4 is listened on for itself.
            let taken = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
            let v6_only = http.listen.iter().chain(&http.listen_tls).any(taken);
            listen::open(*address, count, v6_only).map_err(|source| StartError::Listen {
                field,
                address: *address,
                source,
            })
        };
        addresses.iter().map(one).collect()
    };
    let shared = |sockets: Vec<TcpListener>| -> Result<Shared, StartError> {
        let copies = |socket: TcpListener| -> io::Result<Vec<TcpListener>> {
            let mut all = (1..count)
                .map(|_| socket.try_clone())
                .collect::<io::Result<Vec<_>>>()?;
            all.push(socket);
            Ok(all)
        };
        sockets
            .into_iter()
            .map(|socket| copies(socket).map_err(StartError::Passed))
            .collect()
    };
    let (plain, tls) = (passed.http, passed.https);
    let plain = if plain.is_empty() {
        open("listen", &http.listen)?
    } else {
        shared(plain)?
    };
    let tls = if tls.is_empty() {
        open("listen_tls", &http.listen_tls)?
    } else {
        shared(tls)?
    };
    Ok((plain, tls))
}

fn share_out(
    plain: Shared,
    tls: Shared,
    certificates: Option<&Arc<Certificates>>,
    count: usize,
) -> Vec<Ears> {
    let mut ears: Vec<Ears> = (0..count)
        .map(|_| Ears {
            plain: Vec::new(),
            tls: Vec::new(),
        })
        .collect();
    for sockets in plain {
        for (ears, socket) in ears.iter_mut().zip(sockets) {
            ears.plain.push(socket);
        }
    }
    if let Some(certificates) = certificates {
        for sockets in tls {
            for (ears, socket) in ears.iter_mut().zip(sockets) {
                ears.tls.push((socket, Arc::clone(certificates)));
            }
        }
    }
    ears
}

/// Starts a worker's thread; returns when its runtime stands.
fn spawn(
    index: usize,
    site: Arc<Site>,
    ears: Ears,
    stop: Stop,
) -> Result<JoinHandle<()>, StartError> {
    let (started, starting) = sync_channel::<io::Result<()>>(1);
    let body = move || {
        let runtime = match Runtime::new() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        let _ = started.send(Ok(()));
        if let Err(error) = runtime.block_on(worker::run(site, ears, stop)) {
            log::error!("an HTTP thread ended: {error}");
        }
    };
    let thread = std::thread::Builder::new()
        .name(format!("http-{index}"))
        .spawn(body)
        .map_err(StartError::Thread)?;
    match starting.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(StartError::Thread(error)),
        Err(_) => Err(StartError::Thread(io::Error::other("it died at its start"))),
    }
}
