//! What is listened for in the caller's leg besides digits: the caller's number while a line may
//! ring, and the exchange's tones while we are off hook.

use audio_io::codec::g711;
use audio_io::dsp::caller_id::{CallerId, CallerIdMode, CallerIdReceiver};
use audio_io::dsp::supervision::{Supervision, SupervisionDetector, zone};
use audio_io::format::StreamFormat;
use storage::ids::Number;

use super::Parties;
use crate::config::schema::{CallerIdKind, Channel};
use crate::engine::signalling::Tone;

/// Listens to one line.
pub(super) struct Ears {
    format: StreamFormat,
    caller_id: Option<CallerIdReceiver>,
    tones: Option<SupervisionDetector>,
    /// What was awaited in the sound before.
    before: Awaited,
    leg: Vec<i16>,
}

/// What may come now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Awaited {
    pub(super) caller_id: bool,
    pub(super) tones: bool,
}

/// What came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) caller: Option<Parties>,
    pub(super) tone: Option<Tone>,
}

impl Ears {
    pub(super) fn new(config: &Channel, format: StreamFormat) -> Self {
        let mode = match config.caller_id {
            CallerIdKind::Off => None,
            CallerIdKind::Fsk => Some(CallerIdMode::Fsk),
            CallerIdKind::Dtmf => Some(CallerIdMode::Dtmf),
        };
        // A zone that nobody knows was refused with the configuration.
        let zone = zone(&config.tone_zone).filter(|_| config.hangup_tones);
        Self {
            format,
            caller_id: mode.map(|mode| CallerIdReceiver::new(mode, format.rate)),
            tones: zone.map(|zone| SupervisionDetector::new(zone, format.rate)),
            before: Awaited::default(),
            leg: Vec::new(),
        }
    }

    /// Whether tones of the exchange can be heard.
    pub(super) const fn hear_tones(&self) -> bool {
        self.tones.is_some()
    }

    /// Hears sound of the line, whose first leg is the caller's.
    pub(super) fn hear(&mut self, sound: &[u8], awaited: Awaited) -> Came {
        let before = std::mem::replace(&mut self.before, awaited);
        if !awaited.caller_id && !awaited.tones {
            return Came::default();
        }
        let encoding = self.format.encoding;
        let frames = sound.chunks_exact(self.format.frame_bytes());
        self.leg.clear();
        self.leg
            .extend(frames.map(|frame| g711::sample(frame, encoding)));
        let mut came = Came::default();
        if let (true, Some(receiver)) = (awaited.caller_id, &mut self.caller_id) {
            if !before.caller_id {
                receiver.reset();
            }
            came.caller = receiver.push(&self.leg).map(|heard| parties(&heard));
        }
        if let (true, Some(detector)) = (awaited.tones, &mut self.tones) {
            if !before.tones {
                detector.reset();
            }
            came.tone = detector
                .push(&self.leg)
                .and_then(|heard| tone_of(heard.what));
        }
        came
    }
}

/// A number that is withheld is none.
fn parties(heard: &CallerId) -> Parties {
    Parties {
        from: Number::new(heard.number.as_str()).ok(),
        to: heard
            .called
            .as_ref()
            .and_then(|number| Number::new(number.as_str()).ok()),
    }
}

const fn tone_of(heard: Supervision) -> Option<Tone> {
    match heard {
        Supervision::DialTone => Some(Tone::Dial),
        Supervision::Busy => Some(Tone::Busy),
        Supervision::Congestion => Some(Tone::Congestion),
        // The far end is rung: nothing has become of the call.
        Supervision::RingBack => None,
    }
}
