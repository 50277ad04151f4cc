//! One line on the recorder thread: its rings in, its trigger, its open recording out.

use std::sync::Arc;

use audio_io::block::{Block, BlockKind, GapCause};
use audio_io::capture::{CaptureStream, DeviceState};
use audio_io::dsp::level::LevelMeter;
use audio_io::dsp::vad::{VoiceDetector, VoxParams};
use audio_io::format::StreamFormat;
use audio_io::units::{Frames, Millis, WallMillis};
use storage::handle::StorageHandle;
use storage::ids::{Number, RecordingId};
use storage::record::{Container, EndCause, RecordingFacts};
use storage::recorder::{BeginError, Recorder};

use crate::config::schema;

use super::legs::{Pairing, Piece, Side};
use super::limits::METER_WINDOW;
use super::live::LineLive;
use super::preroll::{Kept, PreRoll};
use super::recorder::Totals;
use super::trigger::{Progress, Rules, Step};

/// What a line needs of its surroundings while it works.
pub(crate) struct Surroundings<'a> {
    pub(crate) recorder: &'a mut Recorder,
    pub(crate) storage: &'a StorageHandle,
    pub(crate) totals: &'a Totals,
    /// The wall clock at this tick.
    pub(crate) wall: WallMillis,
}

/// Who talks to whom, as far as it is known when a recording begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parties {
    pub(crate) from: Option<Number>,
    pub(crate) to: Option<Number>,
}

/// Where a line's sound comes from.
pub(crate) enum Inputs {
    /// One device with one leg or two.
    One(CaptureStream),
    /// Two mono devices; the caller's first.
    Two(Box<(CaptureStream, CaptureStream, Pairing)>),
}

/// One line.
pub(crate) struct Line {
    inputs: Inputs,
    core: Core,
}

impl Line {
    pub(crate) fn new(live: Arc<LineLive>, inputs: Inputs) -> Self {
        let format = live.format;
        let core = Core {
            rules: Rules::of(&live.config),
            meter: LevelMeter::new(format),
            voice: VoiceDetector::new(format, vox_params(&live.config.vox)),
            pre_roll: PreRoll::new(format, live.config.pre_roll_ms),
            open: None,
            backlog: Millis::ZERO,
            told: DeviceState::Opening,
            lost_before: 0,
            format,
            live,
        };
        Self { inputs, core }
    }

    pub(crate) fn live(&self) -> &LineLive {
        &self.core.live
    }

    /// What everyone else sees of this line.
    pub(crate) fn shared(&self) -> Arc<LineLive> {
        self.core.live.clone()
    }

    /// The recording in progress.
    pub(crate) fn recording(&self) -> Option<RecordingId> {
        self.core.open.as_ref().map(|open| open.id)
    }

    /// Takes everything the devices brought since the last call.
    pub(crate) fn drain(&mut self, to: &mut Surroundings<'_>) {
        let core = &mut self.core;
        match &mut self.inputs {
            Inputs::One(stream) => loop {
                core.backlog = core.period_of(stream.blocks.len());
                if stream
                    .blocks
                    .pop_with(|block| core.block(block, to))
                    .is_none()
                {
                    break;
                }
            },
            Inputs::Two(two) => {
                let (caller, agent, pairing) = &mut **two;
                while caller
                    .blocks
                    .pop_with(|block| pairing.push(Side::Caller, block))
                    .is_some()
                {}
                while agent
                    .blocks
                    .pop_with(|block| pairing.push(Side::Agent, block))
                    .is_some()
                {}
                core.backlog = Millis::ZERO;
                pairing.take(|piece| core.piece(&piece, to));
                core.live.set_slipped(pairing.slipped());
            }
        }
        core.show();
        core.tell_device();
    }

    /// Begins a recording with the look-back.
    pub(crate) fn begin(
        &mut self,
        to: &mut Surroundings<'_>,
        parties: Parties,
    ) -> Result<RecordingFacts, BeginError> {
        self.core.begin(to, parties)
    }

    /// Ends the recording in progress, if there is one.
    pub(crate) fn end(&mut self, to: &mut Surroundings<'_>, cause: EndCause) {
        self.core.end(to, cause);
    }

    /// Storage has ended the recording by itself.
    pub(crate) fn forget_recording(&mut self) {
        self.core.open = None;
        self.core.live.set_open(None);
    }
}

struct Open {
    id: RecordingId,
    progress: Progress,
}

/// Everything of a line but its inputs.
struct Core {
    live: Arc<LineLive>,
    format: StreamFormat,
    rules: Rules,
    meter: LevelMeter,
    voice: VoiceDetector,
    pre_roll: PreRoll,
    open: Option<Open>,
    /// Sound that still waits in the ring: how long ago the block at hand was captured.
    backlog: Millis,
    /// The state of the devices that the journal was last told.
    told: DeviceState,
    /// Frames that were lost when the journal was last told.
    lost_before: u64,
}

impl Core {
    /// Roughly how long a number of blocks sounds; a block holds one period at most.
    fn period_of(&self, blocks: usize) -> Millis {
        Millis((blocks as u64).saturating_mul(self.live.config.period_ms.0.min(20)))
    }

    fn block(&mut self, block: &Block, to: &mut Surroundings<'_>) {
        match block.kind {
            BlockKind::Audio => self.sound(block.sound(), None, to),
            BlockKind::Gap(frames, cause) => self.gap(frames, cause, to),
        }
    }

    fn piece(&mut self, piece: &Piece<'_>, to: &mut Surroundings<'_>) {
        match piece {
            Piece::Sound(sound) => self.sound(sound, None, to),
            Piece::Gap(frames, cause) => self.gap(*frames, *cause, to),
            Piece::HalfGap(sound, frames, cause) => {
                self.sound(sound, Some((*frames, *cause)), to);
            }
        }
    }

    /// Sound arrived. `lost` says that one of its legs is silence in place of lost frames.
    fn sound(&mut self, sound: &[u8], lost: Option<(Frames, GapCause)>, to: &mut Surroundings<'_>) {
        let voice = self.listen(sound);
        if self.open.is_none() {
            if !self.rules.begins(voice) {
                return self.pre_roll.push_sound(sound);
            }
            if self.begin(to, Parties::default()).is_err() {
                self.live
                    .add_unrecorded(self.format.frames_in(sound.len() as u64));
                return self.pre_roll.push_sound(sound);
            }
        }
        if let (Some((frames, cause)), Some(open)) = (lost, self.open.as_ref()) {
            to.totals.count_gap();
            to.recorder.mark_gap(open.id, frames, cause);
        }
        self.record(sound, voice, to);
    }

    /// Records sound, cut where the longest length is reached; the rest begins the next one.
    fn record(&mut self, sound: &[u8], voice: bool, to: &mut Surroundings<'_>) {
        let mut rest = sound;
        while let (Some(open), false) = (self.open.as_mut(), rest.is_empty()) {
            let room = self.format.bytes_of(open.progress.room(&self.rules));
            let here = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(here);
            let frames = self.format.frames_in(now.len() as u64);
            if to.recorder.append(open.id, now).is_err() {
                to.totals.count_gap();
                to.recorder.gap(open.id, frames, GapCause::StorageBehind);
            }
            let step = open.progress.sound(&self.rules, frames, voice);
            self.live.set_recorded(open.progress.frames());
            rest = later;
            if let Step::End(cause) = step {
                self.end(to, cause);
                if cause != EndCause::Silence && self.rules.begins(voice) {
                    // A refusal is counted when the next sound asks again.
                    let _ = self.begin(to, Parties::default());
                }
            }
        }
        if self.open.is_none() && !rest.is_empty() {
            self.pre_roll.push_sound(rest);
        }
    }

    fn gap(&mut self, frames: Frames, cause: GapCause, to: &mut Surroundings<'_>) {
        self.voice.push_silence(frames, |_| {});
        let Some(open) = self.open.as_mut() else {
            return self.pre_roll.push_gap(frames, cause);
        };
        to.totals.count_gap();
        to.recorder.gap(open.id, frames, cause);
        let step = open.progress.gap(&self.rules, frames);
        self.live.set_recorded(open.progress.frames());
        if let Step::End(cause) = step {
            self.end(to, cause);
        }
    }

    /// Levels and voice of some sound. The voice detector keeps no log of its own: its state after
    /// the block is what the trigger goes by.
    fn listen(&mut self, sound: &[u8]) -> bool {
        self.meter.push(sound);
        self.voice.push(sound, |_| {});
        self.voice.is_speaking()
    }

    /// Shows levels and voice to everyone else, once enough has been heard.
    fn show(&mut self) {
        let heard = self
            .meter
            .energies()
            .first()
            .map_or(0, |energy| energy.frames);
        if heard < self.format.rate.frames_in(METER_WINDOW).0 {
            return;
        }
        for (leg, energy) in self.meter.energies().iter().enumerate() {
            let level = energy.level();
            self.live.set_level(leg, level.rms, level.peak);
        }
        self.live.set_voice(self.voice.is_speaking());
        self.meter.reset();
    }

    /// The real-time threads never log; what their counters show is told here.
    fn tell_device(&mut self) {
        let state = self.live.state();
        if state == self.told {
            return;
        }
        let name = self.live.config.name.as_str();
        let lost = self.live.lost_frames();
        match state {
            DeviceState::Running => {
                let lost = Frames(lost.saturating_sub(self.lost_before));
                let gap = self.format.rate.duration_of(lost);
                log::info!(line = name, lost_ms = gap.0; "line {name} has its device; lost {gap}");
            }
            DeviceState::Lost => {
                let reason = self
                    .live
                    .error()
                    .unwrap_or_else(|| "no reason given".into());
                log::warn!(line = name; "line {name} has no device: {reason}");
                self.lost_before = lost;
            }
            DeviceState::Opening => {}
        }
        self.told = state;
    }

    fn begin(
        &mut self,
        to: &mut Surroundings<'_>,
        parties: Parties,
    ) -> Result<RecordingFacts, BeginError> {
        let config = &self.live.config;
        let (id, names) = to.storage.new_names(self.live.tenant);
        let ago = self.backlog.0 + self.format.rate.duration_of(self.pre_roll.held()).0;
        let facts = RecordingFacts {
            tenant: self.live.tenant,
            id,
            names,
            line: Some(config.name.clone()),
            from: parties.from.or_else(|| config.from.clone()),
            to: parties.to.or_else(|| config.to.clone()),
            started_at: WallMillis(to.wall.0.saturating_sub(ago)),
            format: self.format,
            container: Container::Wav,
        };
        to.recorder.begin(facts.clone())?;
        to.totals.count_start();
        let progress = Progress::begun(self.pre_roll.held());
        self.pre_roll.take(|kept| match kept {
            Kept::Sound(sound) => {
                if to.recorder.append(id, sound).is_err() {
                    let frames = facts.format.frames_in(sound.len() as u64);
                    to.recorder.gap(id, frames, GapCause::StorageBehind);
                }
            }
            Kept::Gap(frames, cause) => to.recorder.gap(id, frames, cause),
        });
        self.live.set_recorded(progress.frames());
        self.live.set_open(Some(facts.clone()));
        self.open = Some(Open { id, progress });
        log::info!(
            recording = id.0, line = config.name.as_str();
            "recording {id} has begun on line {}", config.name
        );
        Ok(facts)
    }

    fn end(&mut self, to: &mut Surroundings<'_>, cause: EndCause) {
        let Some(open) = self.open.take() else { return };
        self.live.set_open(None);
        to.recorder
            .end(open.id, cause, open.progress.is_worth_keeping(&self.rules));
    }
}

fn vox_params(vox: &schema::Vox) -> VoxParams {
    VoxParams {
        start_dbfs: vox.start_dbfs,
        stop_dbfs: vox.stop_dbfs,
        attack: vox.attack_ms,
        hang: vox.hang_ms,
    }
}
