//! What a line shows of itself while it runs: counters that the recorder thread writes and
//! anyone reads, without a lock on the recorder's path.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use audio_io::capture::{CaptureStats, DeviceState};
use audio_io::channel::ChannelStats;
use audio_io::format::StreamFormat;
use audio_io::player::PlayerControl;
use audio_io::playout::PlayoutStats;
use audio_io::port::OpenError;
use audio_io::units::{CentiDbfs, Frames, Millis};
use storage::ids::TenantId;
use storage::record::RecordingFacts;
use uuid::Uuid;

use super::line::Odd;
use super::listen::Stage;
use super::telephony::{ChannelFacts, RingToAnswer, alarm_words};
use super::{CallSnapshot, LineSnapshot};
use crate::config::schema::{Line, Source};

const LEGS_MAX: usize = 2;

/// One line as everyone but the recorder thread sees it.
#[derive(Debug)]
pub(crate) struct LineLive {
    pub(crate) config: Line,
    pub(crate) tenant: TenantId,
    pub(crate) format: StreamFormat,
    /// What those who listen hear.
    pub(crate) stage: Arc<Stage>,
    /// One entry a captured device.
    pub(crate) devices: Vec<Arc<CaptureStats>>,
    /// The device it plays to.
    playback: Option<Arc<PlayoutStats>>,
    rms: [AtomicI32; LEGS_MAX],
    peak: [AtomicI32; LEGS_MAX],
    voice: AtomicBool,
    recorded: AtomicU64,
    /// Frames that arrived while the disk refused to take them.
    unrecorded: AtomicU64,
    slipped: AtomicU64,
    open: Mutex<Option<RecordingFacts>>,
    session: Mutex<Option<Uuid>>,
    channel: Option<Arc<ChannelStats>>,
    /// Its span's number; 0 while that is not known.
    span: AtomicU32,
    shown: Mutex<Shown>,
    silent: AtomicBool,
    active: AtomicBool,
    odd_total: AtomicU64,
}

/// What a telephone line shows of its calls.
#[derive(Debug, Default)]
struct Shown {
    signalling: Option<&'static str>,
    phase: Option<&'static str>,
    ring_to_answer: RingToAnswer,
}

impl LineLive {
    pub(crate) fn new(
        config: Line,
        tenant: TenantId,
        format: StreamFormat,
        devices: Vec<Arc<CaptureStats>>,
        playback: Option<Arc<PlayoutStats>>,
    ) -> Self {
        let silence = || AtomicI32::new(CentiDbfs::SILENCE.0);
        Self {
            config,
            tenant,
            format,
            stage: Arc::new(Stage::new(format, None)),
            devices,
            playback,
            rms: [silence(), silence()],
            peak: [silence(), silence()],
            voice: AtomicBool::new(false),
            recorded: AtomicU64::new(0),
            unrecorded: AtomicU64::new(0),
            slipped: AtomicU64::new(0),
            open: Mutex::new(None),
            session: Mutex::new(None),
            channel: None,
            span: AtomicU32::new(0),
            shown: Mutex::default(),
            silent: AtomicBool::new(false),
            active: AtomicBool::new(false),
            odd_total: AtomicU64::new(0),
        }
    }

    /// A line whose parties are told by this player that somebody listens.
    pub(crate) fn with_notice(mut self, player: PlayerControl) -> Self {
        self.stage = Arc::new(Stage::new(self.format, Some(player)));
        self
    }

    /// The line of a telephone channel.
    pub(crate) fn with_channel(mut self, stats: Arc<ChannelStats>) -> Self {
        self.channel = Some(stats);
        self
    }

    /// The number of its DAHDI channel.
    pub(crate) fn channel_number(&self) -> Option<u32> {
        match self.config.source() {
            Source::Dahdi { channel, .. } => Some(channel),
            Source::Alsa { .. } | Source::AudioSocket { .. } => None,
        }
    }

    pub(crate) fn set_span(&self, number: u32) {
        self.span.store(number, Ordering::Relaxed);
    }

    pub(crate) fn span(&self) -> Option<u32> {
        Some(self.span.load(Ordering::Relaxed)).filter(|span| *span > 0)
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_signalling(&self, word: &'static str) {
        self.shown().signalling = Some(word);
    }

    pub(crate) fn set_phase(&self, phase: &'static str) {
        self.shown().phase = Some(phase);
    }

    pub(crate) fn add_ring_to_answer(&self, length: Millis) {
        self.shown().ring_to_answer.add(length.0);
    }

    /// Shows what is odd about the line, and counts what was not odd before.
    pub(crate) fn set_odd(&self, odd: Odd, before: Odd) {
        let raised = |is: bool, was: bool| u64::from(is && !was);
        let raised = raised(odd.silent, before.silent) + raised(odd.active, before.active);
        self.odd_total.fetch_add(raised, Ordering::Relaxed);
        self.silent.store(odd.silent, Ordering::Relaxed);
        self.active.store(odd.active, Ordering::Relaxed);
    }

    fn alarms(&self) -> Vec<&'static str> {
        let flags = [(&self.silent, "silent"), (&self.active, "active")];
        let raised = flags
            .into_iter()
            .filter(|(flag, _)| flag.load(Ordering::Relaxed));
        raised.map(|(_, word)| word).collect()
    }

    pub(crate) fn set_level(&self, leg: usize, rms: CentiDbfs, peak: CentiDbfs) {
        if let (Some(rms_of), Some(peak_of)) = (self.rms.get(leg), self.peak.get(leg)) {
            rms_of.store(rms.0, Ordering::Relaxed);
            peak_of.store(peak.0, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_voice(&self, voice: bool) {
        self.voice.store(voice, Ordering::Relaxed);
    }

    pub(crate) fn set_recorded(&self, frames: Frames) {
        self.recorded.store(frames.0, Ordering::Relaxed);
    }

    pub(crate) fn add_unrecorded(&self, frames: Frames) {
        self.unrecorded.fetch_add(frames.0, Ordering::Relaxed);
    }

    pub(crate) fn set_slipped(&self, frames: Frames) {
        self.slipped.store(frames.0, Ordering::Relaxed);
    }

    pub(crate) fn set_open(&self, facts: Option<RecordingFacts>) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = facts;
    }

    pub(crate) fn open(&self) -> Option<RecordingFacts> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_session(&self, session: Option<Uuid>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// Whether the caller's digits are told and marked.
    pub(crate) fn tells_digits(&self) -> bool {
        let plays = self.config.plays();
        self.config.digits.unwrap_or(plays)
    }

    /// The worst state of the line's devices.
    pub(crate) fn state(&self) -> DeviceState {
        let played = self.playback.iter().map(|device| device.device_state());
        worst(self.capture_states().chain(played))
    }

    fn capture_states(&self) -> impl Iterator<Item = DeviceState> {
        self.devices.iter().map(|device| device.device_state())
    }

    /// Frames that the line's devices lost so far.
    pub(crate) fn lost_frames(&self) -> u64 {
        self.devices
            .iter()
            .map(|device| device.lost_frames.load(Ordering::Relaxed))
            .sum()
    }

    /// Whether there is sound to record.
    pub(crate) fn has_device(&self) -> bool {
        worst(self.capture_states()) == DeviceState::Running
    }

    /// Why a device is not running, in words.
    pub(crate) fn error(&self) -> Option<String> {
        let away = |device: &&Arc<CaptureStats>| device.device_state() != DeviceState::Running;
        match self.devices.iter().find(away) {
            Some(device) => in_words(device.open_error(), &device.last_errno),
            None => self.playback_error(),
        }
    }

    fn playback_error(&self) -> Option<String> {
        let device = self.playback.as_ref()?;
        if device.device_state() == DeviceState::Running {
            return None;
        }
        in_words(device.open_error(), &device.last_errno)
    }

    pub(crate) fn snapshot(&self) -> LineSnapshot {
        let total = |pick: fn(&CaptureStats) -> &AtomicU64| -> u64 {
            self.devices
                .iter()
                .map(|device| pick(device).load(Ordering::Relaxed))
                .sum()
        };
        let legs = self.format.channels.count();
        let levels = |of: &[AtomicI32; LEGS_MAX]| -> Vec<CentiDbfs> {
            of.iter()
                .take(legs)
                .map(|level| CentiDbfs(level.load(Ordering::Relaxed)))
                .collect()
        };
        let pcms = [&self.config.capture, &self.config.capture_agent];
        let capture = pcms.into_iter().flatten().cloned().collect();
        LineSnapshot {
            name: self.config.name.clone(),
            tenant: self.config.tenant.to_string(),
            tenant_id: self.tenant,
            trigger: self.config.trigger,
            format: self.format,
            state: name_of(self.state()),
            error: self.error(),
            capture,
            frames: total(|device| &device.frames),
            lost_frames: total(|device| &device.lost_frames),
            overruns: total(|device| &device.overruns),
            stalls: total(|device| &device.stalls),
            opens: total(|device| &device.opens),
            ring_full_frames: total(|device| &device.ring_full_frames),
            ring_depth_max: self
                .devices
                .iter()
                .map(|device| device.ring_depth_max.load(Ordering::Relaxed))
                .max()
                .unwrap_or(0),
            unrecorded_frames: self.unrecorded.load(Ordering::Relaxed),
            slipped_frames: self.slipped.load(Ordering::Relaxed),
            rms_dbfs: levels(&self.rms),
            peak_dbfs: levels(&self.peak),
            voice: self.voice.load(Ordering::Relaxed),
            recording: self.open().map(|facts| facts.id),
            playback: self.config.playback.clone(),
            playback_state: self
                .playback
                .as_ref()
                .map(|device| name_of(device.device_state())),
            playback_error: self.playback_error(),
            playback_underruns: self
                .playback
                .as_ref()
                .map_or(0, |device| device.underruns.load(Ordering::Relaxed)),
            session: *self.session.lock().unwrap_or_else(PoisonError::into_inner),
            channel: self.channel(),
            alarms: self.alarms(),
            alarms_total: self.odd_total.load(Ordering::Relaxed),
            listening: self.stage.listeners(),
            listening_lost: self.stage.lost(),
        }
    }

    fn channel(&self) -> Option<ChannelFacts> {
        let facts = match self.config.source() {
            Source::Alsa { .. } => return None,
            Source::Dahdi { channel, role } => ChannelFacts {
                number: Some(channel),
                role: Some(role),
                ..ChannelFacts::default()
            },
            Source::AudioSocket { listen } => ChannelFacts {
                listen: Some(listen),
                ..ChannelFacts::default()
            },
        };
        let shown = self.shown();
        let facts = ChannelFacts {
            span: self.span(),
            signalling: shown.signalling,
            phase: shown.phase,
            ring_to_answer: shown.ring_to_answer,
            ..facts
        };
        let Some(stats) = &self.channel else {
            // A tap's hook is asked for, and is its call's.
            let off_hook = facts.phase == Some("talking");
            return Some(ChannelFacts { off_hook, ..facts });
        };
        Some(ChannelFacts {
            off_hook: stats.off_hook.load(Ordering::Relaxed) != 0,
            alarms: alarm_words(stats.alarm_bits.load(Ordering::Relaxed)),
            events: stats.events.load(Ordering::Relaxed),
            alarms_total: stats.alarms.load(Ordering::Relaxed),
            slips: stats.slips.load(Ordering::Relaxed),
            refused: stats.refused.load(Ordering::Relaxed),
            ..facts
        })
    }

    /// The call in progress, if there is one.
    pub(crate) fn call(&self) -> Option<CallSnapshot> {
        let facts = self.open()?;
        let recorded = Frames(self.recorded.load(Ordering::Relaxed));
        Some(CallSnapshot {
            line: self.config.name.clone(),
            started_at: facts.started_at,
            duration_ms: facts.format.rate.duration_of(recorded),
            recording: facts,
        })
    }
}

fn worst(states: impl Iterator<Item = DeviceState>) -> DeviceState {
    states.fold(DeviceState::Running, |worst, state| match (worst, state) {
        (DeviceState::Lost, _) | (_, DeviceState::Lost) => DeviceState::Lost,
        (DeviceState::Opening, _) | (_, DeviceState::Opening) => DeviceState::Opening,
        _ => DeviceState::Running,
    })
}

const fn name_of(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Opening => "opening",
        DeviceState::Running => "running",
        DeviceState::Lost => "lost",
    }
}

fn in_words(open_error: Option<OpenError>, errno: &AtomicU32) -> Option<String> {
    let errno = errno.load(Ordering::Relaxed).cast_signed();
    match (open_error, errno) {
        (Some(error), _) => Some(error.to_string()),
        (None, 0) => None,
        (None, errno) => Some(nix::errno::Errno::from_raw(errno).desc().to_owned()),
    }
}
