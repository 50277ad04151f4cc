//! What every part of the running daemon shares.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use storage::handle::StorageHandle;

use crate::config::schema::Config;
use crate::engine::EngineHandle;

/// The running daemon's parts; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The only door to recordings.
    pub storage: StorageHandle,
    /// The only door to lines and calls.
    pub engine: EngineHandle,
    /// The only door to calls under control.
    pub calls: crate::engine::calls::Calls,
    /// The configuration in force.
    pub config: Arc<ArcSwap<Config>>,
    /// Recordings in other formats.
    pub transcoder: crate::engine::transcode::Transcoder,
    /// Stored and spoken prompts.
    pub prompts: crate::engine::prompts::Prompts,
    /// URLs that others chose.
    pub fetcher: crate::engine::fetch::Fetcher,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where HTTP is served, once it is: scheme and address, plain ones first.
    pub served: Arc<OnceLock<Vec<(&'static str, SocketAddr)>>>,
    /// Counters of the HTTP side.
    pub http_metrics: Arc<crate::http::metrics::HttpMetrics>,
}
