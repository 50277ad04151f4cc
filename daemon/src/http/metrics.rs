//! Counters of the HTTP side. How they read in `/metrics` is `metrics_text.rs`'s business.

use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

/// Whose envelope an answer takes and under which name its request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Seed 000's family.
    PlayAudioFile,
    /// Seed 001's family.
    SessionCommands,
    /// Seed 002's family.
    CallRecording,
    /// Seed 003's family.
    VoiceLog,
    /// Seed 004's family.
    TaskAudio,
    /// Callreel's own page's family.
    Supervisor,
    /// The page itself.
    Page,
    /// Health, readiness and metrics.
    Operations,
    /// Paths that do not exist.
    Unrouted,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::PlayAudioFile,
        Self::SessionCommands,
        Self::CallRecording,
        Self::VoiceLog,
        Self::TaskAudio,
        Self::Supervisor,
        Self::Page,
        Self::Operations,
        Self::Unrouted,
    ];

    /// Its name as a label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::PlayAudioFile => "play_audio_file",
            Self::SessionCommands => "session_commands",
            Self::CallRecording => "call_recording",
            Self::VoiceLog => "voice_log",
            Self::TaskAudio => "task_audio",
            Self::Supervisor => "supervisor",
            Self::Page => "page",
            Self::Operations => "operations",
            Self::Unrouted => "none",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::PlayAudioFile => 0,
            Self::SessionCommands => 1,
            Self::CallRecording => 2,
            Self::VoiceLog => 3,
            Self::TaskAudio => 4,
            Self::Supervisor => 5,
            Self::Page => 6,
            Self::Operations => 7,
            Self::Unrouted => 8,
        }
    }
}

/// The statuses that answers can have; anything else is counted under the last, as "other".
pub const STATUSES: [u16; 26] = [
    200, 201, 202, 204, 206, 304, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412, 413, 414, 415,
    416, 422, 429, 431, 500, 503, 0,
];

/// Counters of the HTTP side; all only grow.
#[derive(Debug, Default)]
pub struct HttpMetrics {
    requests: [[AtomicU64; STATUSES.len()]; Group::ALL.len()],
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections closed at once because `max_connections` were open.
    pub refused_total: AtomicU64,
    /// Connections closed at once because their address held its share.
    pub refused_address: AtomicU64,
    /// TLS handshakes that failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// Connections cut by a timeout.
    pub timed_out: AtomicU64,
    /// Wrong credentials.
    pub auth_failures: AtomicU64,
    /// Requests refused because their address asked too often.
    pub limited_address: AtomicU64,
    /// Requests refused because their credential was used too often.
    pub limited_credential: AtomicU64,
    /// When the certificate ends, in seconds since 1970; 0 without one. Not a counter.
    pub certificate_expiry_s: AtomicU64,
    /// Times the wall clock was set forward.
    pub clock_steps_forward: AtomicU64,
    /// Times the wall clock was set back.
    pub clock_steps_back: AtomicU64,
    /// What is kept and deleted. Not of HTTP, but told with it.
    pub keeping: crate::alarms::figures::KeepingFigures,
    /// Bytes of recordings handed to connections.
    pub media_bytes: AtomicU64,
    /// Media answers that ended early: the file was cut, or the disk or a conversion failed.
    pub media_cut: AtomicU64,
    /// Windows of recordings that had to be waited for.
    pub prefaults: AtomicU64,
    /// Requests for a recording that was open already.
    pub cache_hits: AtomicU64,
    /// Requests for a recording that had to be looked up.
    pub cache_misses: AtomicU64,
}

impl HttpMetrics {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an answered request.
    pub fn count(&self, group: Group, status: StatusCode) {
        let last = STATUSES.len() - 1;
        let column = STATUSES
            .iter()
            .position(|known| *known == status.as_u16())
            .unwrap_or(last);
        if let Some(cell) = self
            .requests
            .get(group.index())
            .and_then(|row| row.get(column))
        {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests so far of a group, by status (0 is any other).
    pub fn requests(&self, group: Group) -> impl Iterator<Item = (u16, u64)> + '_ {
        let row = self
            .requests
            .get(group.index())
            .map(<[_; _]>::as_slice)
            .unwrap_or_default();
        STATUSES
            .iter()
            .copied()
            .zip(row.iter().map(|cell| cell.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_under_their_group_and_status() {
        let metrics = HttpMetrics::new();
        metrics.count(Group::TaskAudio, StatusCode::PARTIAL_CONTENT);
        metrics.count(Group::TaskAudio, StatusCode::PARTIAL_CONTENT);
        metrics.count(Group::Page, StatusCode::IM_A_TEAPOT);
        let of = |group, status| {
            metrics
                .requests(group)
                .find(|(code, _)| *code == status)
                .map(|(_, count)| count)
        };
        assert_eq!(of(Group::TaskAudio, 206), Some(2));
        assert_eq!(of(Group::Page, 0), Some(1));
        assert_eq!(of(Group::Page, 206), Some(0));
        for (row, group) in Group::ALL.into_iter().enumerate() {
            assert_eq!(group.index(), row);
        }
    }
}
