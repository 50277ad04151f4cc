//! Everything of a line but its inputs: the trigger, the call on it, and the recording in
//! progress.

use std::sync::Arc;
use std::time::Duration;

use audio_io::block::{Block, BlockKind, GapCause};
use audio_io::capture::DeviceState;
use audio_io::dsp::level::LevelMeter;
use audio_io::dsp::vad::{VoiceDetector, VoxParams};
use audio_io::format::StreamFormat;
use audio_io::units::{Frames, Millis};
use storage::ids::RecordingId;
use storage::record::EndCause;
use uuid::Uuid;

use super::airing::{Airing, Now};
use super::begin::Wish;
use super::hearing::{Heard, Hearing};
use super::odd::{Odd, Oddness};
use super::signalled::Signals;
use super::take::{Outlet, Take};
use super::teller::Teller;
use super::{Parties, Surroundings};
use crate::config::schema;
use crate::engine::calls::link::{LineNews, TakeEnd};
use crate::engine::legs::Piece;
use crate::engine::limits::{DEVICE_LOST_AFTER, METER_WINDOW};
use crate::engine::live::LineLive;
use crate::engine::preroll::PreRoll;
use crate::engine::session::command::HangupCause;
use crate::engine::session::plan::Digit;
use crate::engine::session::signal::TakeId;
use crate::engine::signalling::Signalling;
use crate::engine::trigger::{Rules, Step};

/// The work of one line.
pub(super) struct Core {
    pub(super) live: Arc<LineLive>,
    pub(super) format: StreamFormat,
    pub(super) rules: Rules,
    meter: LevelMeter,
    voice: VoiceDetector,
    pub(super) pre_roll: PreRoll,
    pub(super) open: Option<Take>,
    /// Sound that still waits in the ring: how long ago the block at hand was captured.
    pub(super) backlog: Millis,
    /// The state of the devices that the journal was last told.
    pub(super) told: DeviceState,
    /// Frames that were lost when the journal was last told.
    pub(super) lost_before: u64,
    /// Since when a device has been away.
    away_since: Option<Duration>,
    /// The place of the next frame: frames of the line since it began.
    pub(super) place: Frames,
    pub(super) hearing: Option<Box<Hearing>>,
    /// What was heard in the block at hand.
    heard: Vec<Heard>,
    pub(super) call: Option<Call>,
    /// A call that voice had begun was hung up: no other begins before there is silence.
    pub(super) spent: bool,
    /// Recordings of calls whose ends are to be told.
    pub(super) takes: Vec<(RecordingId, Uuid, TakeId)>,
    pub(super) teller: Teller,
    /// Whether the played leg is to be put right.
    realign: bool,
    /// Of a telephone channel.
    pub(super) signals: Option<Box<Signals>>,
    oddness: Oddness,
    odd: Odd,
    /// What listeners hear.
    pub(super) airing: Airing,
}

/// The call on a line.
pub(super) struct Call {
    pub(super) session: Uuid,
    pub(super) parties: Parties,
    /// Whether it began by itself, by voice or a signal; what began it ends it.
    pub(super) own: bool,
    /// Whether the trigger begins no recordings, because one was ended by command.
    pub(super) quiet: bool,
    /// Whether both sides can hear each other: `hook` records then.
    pub(super) is_answered: bool,
}

impl Core {
    pub(super) fn new(live: Arc<LineLive>, teller: Teller) -> Self {
        let format = live.format;
        let look_back = live.config.pre_roll_ms;
        let hears = live.tells_digits() || live.config.mask_digits;
        let plays = live.config.plays();
        let hearing = || Box::new(Hearing::new(format, Frames::ZERO, look_back, plays));
        Self {
            rules: Rules::of(&live.config),
            meter: LevelMeter::new(format),
            voice: VoiceDetector::new(format, vox_params(&live.config.vox)),
            pre_roll: PreRoll::new(format, look_back),
            open: None,
            backlog: Millis::ZERO,
            told: DeviceState::Opening,
            lost_before: 0,
            away_since: None,
            place: Frames::ZERO,
            hearing: hears.then(hearing),
            heard: Vec::new(),
            call: None,
            spent: false,
            takes: Vec::new(),
            teller,
            realign: false,
            signals: None,
            oddness: Oddness::new(live.config.watch),
            odd: Odd::default(),
            airing: Airing::new(live.stage.clone(), format),
            format,
            live,
        }
    }

    pub(super) fn recording(&self) -> Option<RecordingId> {
        self.open.as_ref().map(|take| take.id)
    }

    pub(super) const fn has_call(&self) -> bool {
        self.call.is_some()
    }

    /// Whether the played leg should be put right, once.
    pub(super) const fn take_realign(&mut self) -> bool {
        std::mem::replace(&mut self.realign, false)
    }

    pub(super) const fn wants_realign(&mut self) {
        self.realign = true;
    }

    /// Roughly how long the blocks that wait sound; a block holds one period at most.
    pub(super) fn set_backlog(&mut self, blocks: usize) {
        let period = self.live.config.period_ms.0.min(20);
        self.backlog = Millis((blocks as u64).saturating_mul(period));
    }

    pub(super) fn block(&mut self, block: &Block, to: &mut Surroundings<'_>) {
        match block.kind {
            BlockKind::Audio => self.sound(block.sound(), None, None, to),
            BlockKind::Gap(frames, cause) => self.gap(frames, cause, to),
        }
    }

    pub(super) fn piece(&mut self, piece: &Piece<'_>, to: &mut Surroundings<'_>) {
        match piece {
            Piece::Sound(sound) => self.sound(sound, None, None, to),
            Piece::Gap(frames, cause) => self.gap(*frames, *cause, to),
            Piece::HalfGap(sound, frames, cause) => {
                self.sound(sound, Some((*frames, *cause)), None, to);
            }
        }
    }

    /// Sound arrived. `lost` says that one of its legs is silence in place of lost frames;
    /// `played` is what was played [`crate::engine::limits::PLAYED_LEAD`] later, for the detector.
    pub(super) fn sound(
        &mut self,
        sound: &[u8],
        lost: Option<(Frames, GapCause)>,
        played: Option<&[i16]>,
        to: &mut Surroundings<'_>,
    ) {
        let end = self.place + self.format.frames_in(sound.len() as u64);
        if let Some(hearing) = &mut self.hearing {
            let heard = &mut self.heard;
            hearing.sound(sound, played, |what| heard.push(what));
            self.tell_heard(to);
        }
        self.listen_for_signals(sound, to);
        let voice = self.listen(sound);
        let own_call_over = self.follow_voice(voice);
        self.take_sound(sound, lost, voice, to);
        self.place = end;
        if own_call_over {
            let cause = HangupCause::default();
            self.call_over(EndCause::Silence, LineNews::CallEnded { cause }, to);
        }
    }

    fn take_sound(
        &mut self,
        sound: &[u8],
        lost: Option<(Frames, GapCause)>,
        voice: bool,
        to: &mut Surroundings<'_>,
    ) {
        if self.open.is_none() {
            if !self.begins(voice) {
                return self.pre_roll.push_sound(sound);
            }
            if self.begin(to, self.wish_of_the_trigger()).is_err() {
                self.live
                    .add_unrecorded(self.format.frames_in(sound.len() as u64));
                return self.pre_roll.push_sound(sound);
            }
        }
        if let (Some((frames, cause)), Some(take)) = (lost, self.open.as_mut()) {
            take.half_gap(frames, cause, &mut outlet(to));
        }
        self.record(sound, voice, to);
    }

    /// Records sound, cut where the longest length is reached; the rest begins the next one.
    fn record(&mut self, sound: &[u8], voice: bool, to: &mut Surroundings<'_>) {
        let mut rest = sound;
        while let (Some(take), false) = (self.open.as_mut(), rest.is_empty()) {
            let (here, step) = take.sound(rest, voice, &self.rules, &mut outlet(to));
            self.live.set_recorded(take.progress.frames());
            let now = airs(take, self.hearing.as_deref(), self.place);
            self.airing.sound(&rest[..here], now);
            self.place += self.format.frames_in(here as u64);
            rest = &rest[here..];
            if let Step::End(cause) = step {
                self.end(to, cause);
                if cause != EndCause::Silence && self.begins(voice) {
                    // A refusal is counted when the next sound asks again.
                    let _ = self.begin(to, self.wish_of_the_trigger());
                }
            }
        }
    }

    pub(super) fn gap(&mut self, frames: Frames, cause: GapCause, to: &mut Surroundings<'_>) {
        if let Some(hearing) = &mut self.hearing {
            let heard = &mut self.heard;
            hearing.gap(frames, |what| heard.push(what));
            self.tell_heard(to);
        }
        self.voice.push_silence(frames, |_| {});
        if let Some(take) = self.open.as_mut() {
            let step = take.gap(frames, cause, &self.rules, &mut outlet(to));
            self.live.set_recorded(take.progress.frames());
            let now = airs(take, self.hearing.as_deref(), self.place);
            self.airing.gap(frames, cause, now);
            self.place += frames;
            if let Step::End(cause) = step {
                self.end(to, cause);
            }
        } else {
            self.pre_roll.push_gap(frames, cause);
            self.place += frames;
        }
    }

    /// Whether sound that arrives while nothing is recorded begins a recording.
    fn begins(&self, voice: bool) -> bool {
        let quiet = self.spent || self.call.as_ref().is_some_and(|call| call.quiet);
        let answered = self.call.as_ref().is_some_and(|call| call.is_answered);
        self.rules.begins(voice, answered) && !quiet
    }

    /// A call is recorded from its answer on, not from before it.
    fn wish_of_the_trigger(&self) -> Wish {
        Wish {
            look_back: !self.rules.records_calls(),
            ..Wish::of_the_trigger()
        }
    }

    /// Begins a call with voice, and says whether one that voice had begun is over.
    fn follow_voice(&mut self, voice: bool) -> bool {
        if !self.rules.has_calls_of_voice() {
            return false;
        }
        self.spent &= voice;
        if voice && !self.spent && self.call.is_none() && self.open.is_none() {
            let config = &self.live.config;
            let parties = Parties {
                from: config.from.clone(),
                to: config.to.clone(),
            };
            let session = Uuid::new_v4();
            self.put_call(Some(Call {
                session,
                parties: parties.clone(),
                own: true,
                quiet: false,
                is_answered: true,
            }));
            let ringing = false;
            self.teller
                .tell(session, LineNews::CallBegan { parties, ringing });
        }
        !voice && self.call.as_ref().is_some_and(|call| call.own)
    }

    /// Passes on what was heard.
    fn tell_heard(&mut self, to: &mut Surroundings<'_>) {
        for heard in self.heard.drain(..) {
            let take = self.open.as_mut();
            let spoken = match heard {
                Heard::Began { start } => {
                    take.into_iter().for_each(|take| take.digit_began(start));
                    self.airing.digit_began(start);
                    continue;
                }
                Heard::Ended(spoken) => spoken,
            };
            self.airing.digit_ended(spoken.end);
            if let Some(take) = take {
                take.digit_ended(spoken, self.place, &mut outlet(to));
            }
            if !self.live.tells_digits() {
                continue;
            }
            let place = (spoken.start, spoken.end);
            if !Self::is_new_press(self.signals.as_mut(), spoken.digit.as_char(), place) {
                continue;
            }
            to.totals.count_digit();
            let length = spoken.end.saturating_sub(spoken.start);
            let duration_ms = self.format.rate.duration_of(length);
            let digit = Digit::new(spoken.digit.as_char());
            if let (Some(call), Some(digit)) = (&self.call, digit) {
                let news = LineNews::Digit { digit, duration_ms };
                self.teller.tell(call.session, news);
            }
        }
    }

    /// Levels and voice of some sound. The voice detector keeps no log of its own: its state after
    /// the block is what the trigger goes by.
    fn listen(&mut self, sound: &[u8]) -> bool {
        self.meter.push(sound);
        self.voice.push(sound, |_| {});
        self.voice.is_speaking()
    }

    /// What is due when everything that arrived is taken.
    pub(super) fn after_drain(&mut self, to: &mut Surroundings<'_>) {
        self.heed_until(Frames(u64::MAX), to);
        self.show();
        self.airing.tell_parties();
        let state = self.live.state();
        self.pass_signals(state, to);
        self.tell_device(state);
        self.tell_oddness(state == DeviceState::Running, to.now);
        if state == DeviceState::Running {
            self.away_since = None;
        } else {
            let since = *self.away_since.get_or_insert(to.now);
            let away = to.now.saturating_sub(since);
            if self.has_call() && away >= Duration::from(DEVICE_LOST_AFTER) {
                self.drive(to, Signalling::hang_up);
                self.call_over(EndCause::DeviceLost, LineNews::DeviceLost, to);
            }
        }
        self.teller.offer();
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

    /// What is odd about the line is told when it begins and when it ends.
    fn tell_oddness(&mut self, is_running: bool, now: Duration) {
        let call = self.call.is_some();
        let odd = self
            .oddness
            .look(now, is_running, self.voice.is_speaking(), call);
        let before = std::mem::replace(&mut self.odd, odd);
        if odd == before {
            return;
        }
        self.live.set_odd(odd, before);
        let name = self.live.config.name.as_str();
        let watch = &self.live.config.watch;
        match (before.silent, odd.silent) {
            (false, true) => log::warn!(
                line = name;
                "line {name} is silent: no voice for {} s", watch.silent_after_s
            ),
            (true, false) => log::info!(line = name; "line {name} is not silent any more"),
            _ => {}
        }
        match (before.active, odd.active) {
            (false, true) => log::warn!(
                line = name;
                "line {name} has voice or a call without a pause for {} s", watch.active_after_s
            ),
            (true, false) => log::info!(line = name; "line {name} has paused"),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, to: &mut Surroundings<'_>, cause: EndCause) {
        let Some(take) = self.open.take() else { return };
        self.live.set_open(None);
        self.airing.end();
        let hearing = self.hearing.as_deref();
        take.end(cause, &self.rules, hearing, self.place, &mut outlet(to));
    }

    /// The call is over on the line's side; a recording of it ends first.
    pub(super) fn call_over(&mut self, cause: EndCause, news: LineNews, to: &mut Surroundings<'_>) {
        let Some(call) = self.call.take() else { return };
        self.end_of_call(call.session, cause, to);
        self.is_spent_by(call.own);
        self.leave_name(call.session, to.now);
        self.put_call(None);
        self.teller.tell(call.session, news);
    }

    /// A call of voice is over: the voice that is there begins no other.
    pub(super) const fn is_spent_by(&mut self, own: bool) {
        let of_voice = own && self.rules.has_calls_of_voice();
        self.spent |= of_voice && self.voice.is_speaking();
    }

    /// Ends the recording if it is one of this call.
    pub(super) fn end_of_call(
        &mut self,
        session: Uuid,
        cause: EndCause,
        to: &mut Surroundings<'_>,
    ) {
        let of_call = |take: &Take| take.call.is_some_and(|(of, _)| of == session);
        if self.open.as_ref().is_some_and(of_call) {
            self.end(to, cause);
        }
    }

    pub(super) fn put_call(&mut self, call: Option<Call>) {
        self.live
            .set_session(call.as_ref().map(|call| call.session));
        self.call = call;
    }

    pub(super) fn forget_recording(&mut self) {
        self.open = None;
        self.live.set_open(None);
        self.airing.end();
    }

    pub(super) fn tell_end(&mut self, id: RecordingId, end: impl FnOnce() -> TakeEnd) {
        let Some(index) = self.takes.iter().position(|(of, ..)| *of == id) else {
            return;
        };
        let (_, session, take) = self.takes.remove(index);
        let news = LineNews::RecordingEnded { take, end: end() };
        self.teller.tell(session, news);
    }
}

/// How the recording is for those who listen.
fn airs<'a>(take: &Take, hearing: Option<&'a Hearing>, place: Frames) -> Now<'a> {
    Now {
        paused: take.is_paused(),
        masking: hearing.filter(|_| take.is_masked()),
        place,
    }
}

pub(super) const fn outlet<'a>(to: &'a mut Surroundings<'_>) -> Outlet<'a> {
    Outlet {
        recorder: to.recorder,
        totals: to.totals,
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
