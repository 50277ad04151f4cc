//! Waveform peaks of recordings: where they come from, and the door to them.
//!
//! ```text
//!  recording ─▶ PeakMeter at the recorder ─▶ live: what there is so far
//!                          └─ seal ─▶ <id>.peaks ─▶ stored: the wanted level
//!  none, damaged, older, imported, exchanged ─▶ made once, all who ask wait for the one ─┘
//! ```
//! The peaks of a recording are those of its file's sound: what was masked or paused is silent in
//! them too. They never hold up a recording: what cannot be kept is made again.

mod make;
mod sidecar;
#[cfg(test)]
mod tests;
mod waveform;

use std::io;
use std::path::Path;
use std::sync::Arc;

use audio_io::dsp::peaks::{Level, Peak, PeakMeter, Pyramid};
use audio_io::format::Channels;
use audio_io::units::{Frames, SampleRate};
use tokio::sync::oneshot;

use crate::error::{PeaksError, ReadError};
use crate::handle::StorageHandle;
use crate::ids::{RecordingId, RecordingName};
use crate::limits::VIEW_TRIES;
use crate::paths::peaks_of;
use crate::record::{Recording, RecordingState};
use crate::recorder::ViewRequest;
use crate::shared::Shared;
pub(crate) use make::Maker;
use sidecar::encode;
pub(crate) use sidecar::{Sidecar, SidecarError, is_older, rebind};
pub use waveform::PeaksBody;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeaksWish {
    /// Samples a pixel: of the levels there are the coarsest that is not coarser is answered, or
    /// the finest.
    pub zoom: u32,
    /// Which version of the formats.
    pub version: PeaksVersion,
    /// How wide the values are.
    pub bits: PeaksBits,
    /// Which channels.
    pub channels: PeaksChannels,
}

/// A version of audiowaveform's formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeaksVersion {
    /// One channel only: ask for [`PeaksChannels::Mixed`] where a recording has two legs.
    One,
    /// Any number of channels.
    Two,
}

impl PeaksVersion {
    /// As it is written.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

/// The width of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeaksBits {
    /// -128 to 127.
    Eight,
    /// -32768 to 32767.
    Sixteen,
}

/// Which channels are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeaksChannels {
    /// Each leg, the caller's first.
    Split,
    /// One: both legs mixed.
    Mixed,
}

/// A format of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeaksFormat {
    /// Binary.
    Dat,
    /// JSON.
    Json,
}

/// One level of a recording's peaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peaks {
    wish: PeaksWish,
    about: About,
    zoom: u32,
    channels: u32,
    pairs: Vec<Peak>,
}

/// What is known of the sound they are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) rate: SampleRate,
    pub(crate) frames: Frames,
    pub(crate) is_live: bool,
    /// Names the content, in an entity tag.
    pub(crate) of: String,
}

impl Peaks {
    fn new(wish: PeaksWish, about: About, zoom: u32, channels: u32, pairs: Vec<Peak>) -> Self {
        Self {
            wish,
            about,
            zoom,
            channels,
            pairs,
        }
    }

    /// What was asked for.
    #[must_use]
    pub const fn wish(&self) -> &PeaksWish {
        &self.wish
    }

    /// Samples a second of the sound.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.about.rate
    }

    /// How long the sound is that they are of.
    #[must_use]
    pub const fn frames(&self) -> Frames {
        self.about.frames
    }

    /// Samples a pair covers; the last may cover fewer.
    #[must_use]
    pub const fn zoom(&self) -> u32 {
        self.zoom
    }

    /// Channels that are told.
    #[must_use]
    pub const fn channels(&self) -> u32 {
        self.channels
    }

    /// Pairs of each channel.
    #[must_use]
    pub fn length(&self) -> u32 {
        let channels = self.channels.max(1) as usize;
        u32::try_from(self.pairs.len() / channels).unwrap_or(u32::MAX)
    }

    /// Whether the recording goes on: more will follow, and nothing may be cached.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.about.is_live
    }

    /// For each stretch, for each channel.
    #[must_use]
    pub fn pairs(&self) -> &[Peak] {
        &self.pairs
    }

    /// Strong entity tag of an answer, without quotes.
    #[must_use]
    pub fn etag(&self, format: PeaksFormat) -> String {
        let bits = match self.wish.bits {
            PeaksBits::Eight => 8,
            PeaksBits::Sixteen => 16,
        };
        let format = match format {
            PeaksFormat::Dat => "dat",
            PeaksFormat::Json => "json",
        };
        let channels = match self.wish.channels {
            PeaksChannels::Split => "split",
            PeaksChannels::Mixed => "mixed",
        };
        let (of, zoom, version) = (&self.about.of, self.zoom, self.wish.version.number());
        format!("{of}-{zoom}-v{version}-{bits}-{channels}-{format}")
    }

    /// The answer's body.
    #[must_use]
    pub fn into_body(self, format: PeaksFormat) -> PeaksBody {
        PeaksBody::new(Arc::new(self), format)
    }
}

/// A recording's peaks so far, as the recorder has them.
pub(crate) struct LivePeaks {
    pub(crate) meter: PeakMeter,
    /// Sound that the meter has not seen yet.
    pub(crate) unseen: Vec<u8>,
}

impl StorageHandle {
    /// Peaks of a recording, so far if it is live. Where none are kept they are made once, on a
    /// thread of their own at the lowest priority, and kept; that takes a second for some hours
    /// of sound. Whoever stops waiting for it, and is the last, ends it.
    ///
    /// # Errors
    /// [`PeaksError`]. `Channels` when version 1 is asked for both legs.
    pub async fn peaks(&self, recording: &Recording, wish: PeaksWish) -> Result<Peaks, PeaksError> {
        peaks(&self.shared, recording, wish).await
    }
}

async fn peaks(
    shared: &Arc<Shared>,
    recording: &Recording,
    wish: PeaksWish,
) -> Result<Peaks, PeaksError> {
    let id = recording.facts.id;
    let mut row = recording.clone();
    for _ in 0..VIEW_TRIES {
        if row.state == RecordingState::Live {
            if let Some(live) = ask(shared, id).await? {
                return off_the_loop(id, move || so_far(id, live, wish)).await;
            }
        } else {
            let result = stored(shared, &row, wish).await;
            if !matches!(result, Err(PeaksError::NoFile(_))) {
                return result;
            }
        }
        // It ended, or its file was exchanged for another, since the row was read.
        let now = find(shared, &row)?.ok_or(PeaksError::NoFile(id))?;
        if now == row && row.state != RecordingState::Live {
            return Err(PeaksError::NoFile(id));
        }
        row = now;
    }
    Err(PeaksError::Busy(id))
}

fn find(shared: &Shared, row: &Recording) -> Result<Option<Recording>, ReadError> {
    let name = RecordingName::Recid(row.facts.id);
    shared.index.find(row.facts.tenant, &name)
}

/// What the recorder has of an open recording.
async fn ask(shared: &Shared, id: RecordingId) -> Result<Option<LivePeaks>, PeaksError> {
    let (reply, answer) = oneshot::channel();
    match shared.views.try_send(ViewRequest::Peaks { id, reply }) {
        Ok(()) => Ok(answer.await.unwrap_or(None)),
        Err(tokio::sync::mpsc::error::TrySendError::Full(_)) => Err(PeaksError::Busy(id)),
        Err(tokio::sync::mpsc::error::TrySendError::Closed(_)) => Ok(None),
    }
}

fn so_far(id: RecordingId, live: LivePeaks, wish: PeaksWish) -> Result<Peaks, PeaksError> {
    let LivePeaks { mut meter, unseen } = live;
    meter.push(&unseen);
    meter.coarsen_to(wish.zoom);
    let pyramid = meter.finish();
    let about = About {
        rate: pyramid.rate,
        frames: pyramid.frames,
        is_live: true,
        of: format!("live-{:x}-{:x}", id.0, pyramid.frames.0),
    };
    of_pyramid(&pyramid, wish, about)
}

async fn stored(
    shared: &Arc<Shared>,
    row: &Recording,
    wish: PeaksWish,
) -> Result<Peaks, PeaksError> {
    let id = row.facts.id;
    let outcome = row.outcome.as_ref().ok_or(PeaksError::NoFile(id))?;
    if row.state == RecordingState::Absent || outcome.size_bytes == 0 {
        return Err(PeaksError::NoFile(id));
    }
    let hash = outcome.content_hash;
    let path = shared.layout.recording(&row.facts);
    let beside = peaks_of(&path);
    let kept = off_the_loop(id, move || match Sidecar::open(&beside, &hash) {
        Ok(sidecar) => of_sidecar(&sidecar, wish, &hash),
        Err(SidecarError::Io(error)) if error.kind() != io::ErrorKind::NotFound => {
            log::debug!("peaks of recording {id} are made again: {error}");
            Ok(None)
        }
        Err(_) => Ok(None),
    });
    if let Some(peaks) = kept.await? {
        return Ok(peaks);
    }
    let pyramid = shared.peaks.make(shared, row).await?;
    let about = About {
        rate: pyramid.rate,
        frames: pyramid.frames,
        is_live: false,
        of: crate::view::hex(&hash),
    };
    off_the_loop(id, move || of_pyramid(&pyramid, wish, about)).await
}

/// Which tracks are wanted, and how many there are then.
fn tracks(channels: Channels, wish: PeaksWish) -> Result<&'static [usize], PeaksError> {
    match (channels, wish.channels, wish.version) {
        (Channels::Mono, ..) => Ok(&[0]),
        (Channels::Stereo, PeaksChannels::Mixed, _) => Ok(&[2]),
        (Channels::Stereo, PeaksChannels::Split, PeaksVersion::Two) => Ok(&[0, 1]),
        (Channels::Stereo, PeaksChannels::Split, PeaksVersion::One) => Err(PeaksError::Channels),
    }
}

/// The coarsest of some levels that is no coarser than was asked for; the finest if all are.
fn choose(zooms: impl Iterator<Item = u32>, zoom: u32) -> usize {
    let fitting = zooms.enumerate().filter(|(_, covered)| *covered <= zoom);
    fitting.last().map_or(0, |(number, _)| number)
}

fn of_pyramid(pyramid: &Pyramid, wish: PeaksWish, about: About) -> Result<Peaks, PeaksError> {
    let keep = tracks(pyramid.channels, wish)?;
    let zooms = pyramid.levels.iter().map(|level| level.frames_per_peak);
    let number = choose(zooms, wish.zoom);
    let all = audio_io::dsp::peaks::tracks_of(pyramid.channels);
    let (zoom, pairs) = pyramid.levels.get(number).map_or_else(
        || (1, Vec::new()),
        |level| {
            let stretches = level.peaks.chunks_exact(all);
            let of =
                |stretch: &[Peak]| keep.iter().map(|track| stretch[*track]).collect::<Vec<_>>();
            (level.frames_per_peak, stretches.flat_map(of).collect())
        },
    );
    let channels = u32::try_from(keep.len()).unwrap_or_default();
    Ok(Peaks::new(wish, about, zoom, channels, pairs))
}

/// `None` where the sidecar turns out to be damaged.
fn of_sidecar(
    sidecar: &Sidecar,
    wish: PeaksWish,
    hash: &[u8; 32],
) -> Result<Option<Peaks>, PeaksError> {
    let keep = tracks(sidecar.channels, wish)?;
    let number = choose(sidecar.zooms(), wish.zoom);
    let Ok(Level {
        frames_per_peak,
        peaks,
    }) = sidecar.level(number, keep)
    else {
        return Ok(None);
    };
    let about = About {
        rate: sidecar.rate,
        frames: sidecar.frames,
        is_live: false,
        of: crate::view::hex(hash),
    };
    let channels = u32::try_from(keep.len()).unwrap_or_default();
    Ok(Some(Peaks::new(
        wish,
        about,
        frames_per_peak,
        channels,
        peaks,
    )))
}

/// Disk and arithmetic are not for a thread that serves others.
async fn off_the_loop<T: Send + 'static>(
    id: RecordingId,
    work: impl FnOnce() -> Result<T, PeaksError> + Send + 'static,
) -> Result<T, PeaksError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(PeaksError::Io(id, io::ErrorKind::Interrupted.into())))
}

/// Keeps a recording's peaks beside it. That they cannot be kept is no trouble.
pub(crate) fn keep(path: &Path, pyramid: &Pyramid, content_hash: &[u8; 32]) {
    let bytes = encode(pyramid, content_hash);
    if let Err(error) = crate::paths::write_rebuildable(&peaks_of(path), &bytes) {
        log::warn!("no peaks beside '{}': {error}", path.display());
    }
}
