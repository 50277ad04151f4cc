//! What a session plays, as data: files that are being fetched, what is heard, and sounds that were
//! told to end. What happens to them is `playing.rs`.

use std::time::Duration;

use audio_io::units::Millis;

use super::command::Urls;
use super::digits::Collector;
use super::event::{Playback, StopReason};
use super::machine::{Asked, millis};
use super::plan::DigitPlan;
use super::signal::{JobId, SoundEnd, SoundId};

/// Files that are being fetched.
#[derive(Debug)]
pub(super) struct Preparing {
    pub(super) asked: Asked,
    pub(super) job: JobId,
    pub(super) wish: Wish,
}

#[derive(Debug)]
pub(super) enum Wish {
    Files {
        urls: Urls,
        offset_sec: u32,
    },
    Digits {
        plan: DigitPlan,
        invalid: Option<Urls>,
        /// The prompt is there, `invalid` is being fetched.
        has_prompt: bool,
    },
}

/// What the caller hears or is asked.
#[derive(Debug)]
pub(super) struct Speaking {
    pub(super) asked: Asked,
    pub(super) job: Option<JobId>,
    /// What the player plays; nothing while a collection waits.
    pub(super) sound: Option<SoundId>,
    /// Whether the player has begun, ever since this speaks.
    pub(super) began: bool,
    pub(super) paused: bool,
    pub(super) meter: Meter,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Files {
        urls: Urls,
        file_path: String,
        offset_sec: u32,
    },
    Silence,
    Digits {
        collector: Collector,
        has_invalid: bool,
    },
}

/// A sound that was told to end, until the player has said so.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) sound: SoundId,
    pub(super) playback: Playback,
    pub(super) reason: StopReason,
    pub(super) guess: SoundEnd,
    pub(super) due: Duration,
}

/// How long a sound has been heard, for when the player does not say it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    heard: Duration,
    since: Option<Duration>,
}

impl Meter {
    pub(super) fn run(&mut self, now: Duration) {
        self.since.get_or_insert(now);
    }

    pub(super) fn hold(&mut self, now: Duration) {
        self.heard = self.total(now);
        self.since = None;
    }

    pub(super) fn total(&self, now: Duration) -> Duration {
        let running = self.since.map(|since| now.saturating_sub(since));
        self.heard + running.unwrap_or_default()
    }
}

impl Speaking {
    pub(super) const fn is_collecting(&self) -> bool {
        matches!(self.kind, Kind::Digits { .. })
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) const fn due(&self) -> Option<Duration> {
        match &self.kind {
            Kind::Digits { collector, .. } => collector.due(),
            Kind::Files { .. } | Kind::Silence => None,
        }
    }

    pub(super) fn playback(&self) -> Playback {
        let (urls, file_path) = match &self.kind {
            Kind::Files {
                urls, file_path, ..
            } => (Some(urls.clone()), Some(file_path.clone())),
            Kind::Silence | Kind::Digits { .. } => (None, None),
        };
        Playback {
            command_uid: self.asked.uid.clone(),
            urls,
            file_path,
        }
    }

    pub(super) fn guess(&self, now: Duration) -> SoundEnd {
        let duration_ms = millis(self.meter.total(now));
        let start = match &self.kind {
            Kind::Files { offset_sec, .. } => Millis::from_secs(u64::from(*offset_sec)),
            Kind::Silence | Kind::Digits { .. } => Millis::ZERO,
        };
        SoundEnd {
            offset_ms: Millis(start.0 + duration_ms.0),
            duration_ms,
            failed: false,
        }
    }
}
