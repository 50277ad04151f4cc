//! What the family keeps between requests: streams that are open, how the lines stood last, and
//! exports under way.

use std::sync::Arc;

use super::export_job::Exports;
use super::line_state::LinesWatch;
use crate::http::event_streams::EventStreams;

/// The family's own state, shared by all workers.
pub(in crate::http) struct Supervisors {
    /// Streams of lines, exports and live sound.
    pub(super) streams: Arc<EventStreams>,
    /// How the lines stand.
    pub(super) lines: LinesWatch,
    /// Exports that are made, or ready.
    pub(super) exports: Exports,
}

impl Supervisors {
    /// Nothing yet.
    pub(in crate::http) fn new() -> Self {
        Self {
            streams: EventStreams::new(),
            lines: LinesWatch::new(),
            exports: Exports::new(),
        }
    }
}
