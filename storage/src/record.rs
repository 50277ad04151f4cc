//! The rows of the index, as plain values. How they are encoded is `index/values.rs`'s business.

use std::fmt;

use audio_io::block::GapCause;
use audio_io::clock::{EARLIEST, Kept};
use audio_io::format::StreamFormat;
pub use audio_io::units::WallMillis;
use audio_io::units::{CentiDbfs, Frames, Millis};
use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, LineName, Names, Number, RecordingId, TenantId, TenantName};
use crate::limits::CLOCKS_APART_MS;

/// The file format of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Container {
    /// RIFF WAVE, or RF64 past 4 GiB.
    Wav,
    /// MPEG-1/2/2.5 layer III.
    Mp3,
    /// AAC in MP4.
    M4a,
    /// Opus or Vorbis in WebM.
    WebM,
    /// Opus or Vorbis in Ogg.
    Ogg,
    /// FLAC.
    Flac,
}

impl Container {
    /// Every format.
    pub const ALL: [Self; 6] = [
        Self::Wav,
        Self::Mp3,
        Self::M4a,
        Self::WebM,
        Self::Ogg,
        Self::Flac,
    ];

    /// The format of a file name's extension, as [`Container::extension`] writes it.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|container| container.extension() == extension)
    }

    /// The media type on the wire.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Mp3 => "audio/mpeg",
            Self::M4a => "audio/mp4",
            Self::WebM => "audio/webm",
            Self::Ogg => "audio/ogg",
            Self::Flac => "audio/flac",
        }
    }

    /// The file name's extension, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::M4a => "m4a",
            Self::WebM => "webm",
            Self::Ogg => "ogg",
            Self::Flac => "flac",
        }
    }
}

/// Where a recording stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// Being recorded.
    Live,
    /// Sealed: its file never changes again.
    Stored,
    /// Ended without anything worth keeping (too short); no file.
    Absent,
    /// Could not be written; what reached the disk is kept.
    Failed,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Silence outlasted the line's hang time (`vox`).
    Silence,
    /// Stopped by command.
    Command,
    /// The maximum length was reached.
    MaxLength,
    /// Rotated by time (`always`).
    Rotated,
    /// The device stayed away.
    DeviceLost,
    /// The daemon was stopped.
    Shutdown,
    /// The daemon or the machine died; the recording was repaired at the next start.
    Crash,
    /// The disk was full.
    DiskFull,
    /// The disk failed.
    DiskError,
    /// Brought in by `callreel recordings import`.
    Imported,
    /// The call was hung up (`hook`).
    HungUp,
}

/// Frames that are missing from a recording; its file holds silence there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Where in the recording the gap begins.
    pub at: Frames,
    /// How long it is.
    pub frames: Frames,
    /// Why.
    pub cause: GapCause,
}

/// Something about a stretch of a recording that its sound does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Where in the recording it begins.
    pub at: Frames,
    /// How long it is in the recording; for [`MarkKind::Skipped`], how long what is not in it was.
    pub frames: Frames,
    /// What it is.
    pub kind: MarkKind,
}

impl Mark {
    /// Where in the recording it ends; what was skipped has no length there.
    #[must_use]
    pub fn end(&self) -> Frames {
        match self.kind {
            MarkKind::Skipped => self.at,
            _ => Frames(self.at.0.saturating_add(self.frames.0)),
        }
    }
}

/// What a [`Mark`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// The caller pressed a key: `0` to `9`, `*`, `#`, `A` to `D`; `None` where the digits are
    /// masked and nobody shall read them off the marks either.
    Digit(Option<char>),
    /// Silence in place of the tones of digits.
    Masked,
    /// Silence in place of a pause that was commanded.
    Paused,
    /// A pause that was commanded and is not in the recording at all: it belongs at this place.
    Skipped,
}

/// The level of one leg over a whole recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegLevel {
    /// Root mean square.
    pub rms: CentiDbfs,
    /// Highest sample.
    pub peak: CentiDbfs,
}

/// How far the wall clock could be trusted when a recording began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeQuality {
    /// Whether somebody (NTP, PTP) kept the clock right; `None` where the system did not tell.
    pub synchronised: Option<bool>,
    /// How far the clock could be wrong at most, where it was kept right.
    pub max_error: Option<Millis>,
    /// The clock had been set to another time since the daemon's start.
    pub stepped: bool,
    /// The clock cannot have been right: nobody kept it, and it showed a time before this program
    /// was made, or before one that the store had seen. So does a clock that has lost its battery.
    pub implausible: bool,
}

impl TimeQuality {
    /// What a clock that is kept so and shows this is worth, where a trusted one has shown `seen`.
    #[must_use]
    pub fn judge(kept: Kept, wall: WallMillis, seen: WallMillis) -> Self {
        // What was seen last may be the end of a recording, which was measured by its device.
        let seen = WallMillis(seen.0.saturating_sub(CLOCKS_APART_MS));
        Self {
            synchronised: kept.synchronised,
            max_error: kept.max_error,
            stepped: kept.stepped,
            implausible: kept.synchronised != Some(true) && wall < seen.max(EARLIEST),
        }
    }

    /// Whether later times may be measured by this one: it was kept right, or at least nobody
    /// touched it and nothing speaks against it.
    #[must_use]
    pub fn is_trusted(self) -> bool {
        !self.implausible && (self.synchronised == Some(true) || !self.stepped)
    }
}

impl fmt::Display for TimeQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.synchronised {
            Some(true) => "synchronised",
            Some(false) => "not synchronised",
            None => "unknown",
        })?;
        if let Some(most) = self.max_error {
            write!(f, ", within {} ms", most.0)?;
        }
        for (is_so, what) in [(self.stepped, "stepped"), (self.implausible, "implausible")] {
            if is_so {
                write!(f, ", {what}")?;
            }
        }
        Ok(())
    }
}

/// Which way a call went, as the appliance's owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallDirection {
    /// Somebody called.
    In,
    /// Somebody was called.
    Out,
}

/// What starts a recording: everything that is known before its first frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingFacts {
    /// Whose it is.
    pub tenant: TenantId,
    /// Its number.
    pub id: RecordingId,
    /// All its names.
    pub names: Names,
    /// The line it came from; `None` for an import without one.
    pub line: Option<LineName>,
    /// The caller's number.
    pub from: Option<Number>,
    /// The called number.
    pub to: Option<Number>,
    /// When its first frame was captured.
    pub started_at: WallMillis,
    /// The sound's format as stored. For compressed imports: rate and channels, 16 bit.
    pub format: StreamFormat,
    /// The file's format.
    pub container: Container,
    /// How far `started_at` can be trusted; `None` where that is not known: in imports, and in
    /// recordings of programs that did not ask.
    #[serde(default)]
    pub time: Option<TimeQuality>,
    /// Who took or made the call, where that is known.
    #[serde(default)]
    pub agent: Option<AgentName>,
    /// Which way it went, where that is known.
    #[serde(default)]
    pub direction: Option<CallDirection>,
}

/// What is known when a recording has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingOutcome {
    /// Why it ended.
    pub end_cause: EndCause,
    /// Its length.
    pub frames: Frames,
    /// Missing frames, in order.
    pub gaps: Vec<Gap>,
    /// Pressed keys and spans that are not as they were heard, ordered by where they begin; at
    /// most [`crate::limits::MARKS_MAX`] and three more, none beyond the recording's end.
    pub marks: Vec<Mark>,
    /// Caller's level first; one entry for mono.
    pub levels: Vec<LegLevel>,
    /// The file's length.
    pub size_bytes: u64,
    /// BLAKE3 of the whole file.
    pub content_hash: [u8; 32],
    /// When it was sealed.
    pub sealed_at: WallMillis,
}

/// A recording's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Known from the start.
    pub facts: RecordingFacts,
    /// Where it stands.
    pub state: RecordingState,
    /// Known from the end; `None` while live.
    pub outcome: Option<RecordingOutcome>,
}

impl Recording {
    /// Its length, where that is known: the frames divided by the rate.
    #[must_use]
    pub fn duration(&self) -> Option<Millis> {
        self.outcome
            .as_ref()
            .map(|outcome| self.facts.format.rate.duration_of(outcome.frames))
    }
}

/// A tenant's row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// Its number.
    pub id: TenantId,
    /// Its name, unique.
    pub name: TenantName,
    /// When it was added.
    pub created_at: WallMillis,
    /// When it was switched off: its keys and users open nothing then.
    pub disabled_at: Option<WallMillis>,
    /// What its recordings are converted to after sealing; `Wav` keeps them as recorded.
    pub keep_as: Container,
}

/// Which family a credential opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Seed 000.
    PlayAudioFile,
    /// Seed 001.
    SessionCommands,
    /// Seed 002.
    CallRecording,
    /// Seed 003.
    VoiceLog,
    /// Seed 004.
    TaskAudio,
    /// Callreel's own.
    Supervisor,
}

/// An issued key. The secret itself is never stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The key's public id, for listing and revoking.
    pub key_id: u64,
    /// Whose it is.
    pub tenant: TenantId,
    /// What it opens.
    pub family: Family,
    /// Keyed BLAKE3 of the secret.
    pub secret_hash: [u8; 32],
    /// A note of whoever issued it.
    pub label: String,
    /// When it was issued.
    pub created_at: WallMillis,
    /// When it was revoked.
    pub revoked_at: Option<WallMillis>,
    /// When it stops by itself.
    pub expires_at: Option<WallMillis>,
    /// Where it may be used from; empty means anywhere.
    pub allow: Vec<ipnet::IpNet>,
    /// On whose behalf it was issued.
    pub user_id: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_its_keeper_or_else_by_what_was_seen() {
        let now = WallMillis(EARLIEST.0 + 1_000_000_000);
        let alone = Kept {
            synchronised: Some(false),
            ..Kept::default()
        };
        let judge = |kept, wall, seen| TimeQuality::judge(kept, wall, WallMillis(seen));
        let fine = judge(alone, now, 0);
        assert!(!fine.implausible && fine.is_trusted());
        let dead = judge(alone, WallMillis(5_000), 0);
        assert!(dead.implausible && !dead.is_trusted(), "1970");
        let earlier = judge(alone, now, now.0 + 3_600_000);
        assert!(earlier.implausible, "an hour before what was seen");
        let nearly = judge(alone, now, now.0 + 1_000);
        assert!(!nearly.implausible, "a device's clock is not exact");
        let set = Kept {
            stepped: true,
            ..alone
        };
        assert!(!judge(set, now, 0).is_trusted(), "who set it?");
        let right = Kept {
            synchronised: Some(true),
            max_error: Some(Millis(20)),
            stepped: true,
        };
        let right = judge(right, now, now.0 + 3_600_000);
        assert!(right.is_trusted(), "what was seen was wrong: {right:?}");
        assert_eq!(right.max_error, Some(Millis(20)));
        assert_eq!(right.to_string(), "synchronised, within 20 ms, stepped");
        assert_eq!(dead.to_string(), "not synchronised, implausible");
        let unknown = judge(Kept::default(), now, 0);
        assert!(unknown.is_trusted() && unknown.synchronised.is_none());
    }
}
