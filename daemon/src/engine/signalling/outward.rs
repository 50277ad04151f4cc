//! Calls that are made outwards: the line is seized and a number dialled, or a telephone is rung.
//!
//! An analogue line does not tell when the other end answers: the call counts as answered once the
//! number is dialled. E&M tells it, by the far end's off-hook. *Glare*: where both sides seize the
//! line at once, the incoming call has it and ours ends with `REQUESTED_CHAN_UNAVAIL`; if we are
//! off hook already, the incoming one is answered by that. A telephone that is lifted as it is
//! about to be rung has answered.

use std::time::Duration;

use audio_io::channel::{ChannelOrder, DialString, HookKind};

use super::{Began, Cause, Signalling, State, Step, Tell, Tone, Way, dial_string};
use crate::engine::limits::{
    ANSWER_WITHIN, DIAL_EACH, DIAL_PAUSE, DIAL_TONE_WITHIN, DIAL_WITHIN, GLARE_WITHIN,
    OUTCOME_WITHIN,
};

/// A call outwards that is not answered.
#[derive(Clone, Debug)]
pub(super) struct Placing {
    pub(super) stage: Stage,
    number: Option<DialString>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// It is announced.
    Attached,
    /// The line rests before it is seized.
    Resting,
    /// Off hook: the exchange's readiness is waited for.
    Ready { since: Duration, until: Duration },
    /// The number is being dialled.
    Dialling { since: Duration, until: Duration },
    /// The far end rings.
    Calling { until: Duration },
}

impl Signalling {
    /// A call outwards is going to be made: from now on the line is taken.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(crate) fn attach(&mut self) -> Result<(), Cause> {
        match self.state {
            _ if self.options.is_tap => Err(Cause::RequestedChanUnavail),
            State::Away => Err(Cause::DeviceLost),
            _ if self.lost_at.is_some() => Err(Cause::DeviceLost),
            _ if self.alarms != 0 => Err(Cause::NetworkOutOfOrder),
            _ if self.kind == HookKind::Socket => Err(Cause::RequestedChanUnavail),
            State::Idle => {
                self.state = State::Placing(Placing {
                    stage: Stage::Attached,
                    number: None,
                });
                Ok(())
            }
            State::Releasing(_) | State::Talking(_) if self.kind == HookKind::Fxs => {
                Err(Cause::UserBusy)
            }
            _ => Err(Cause::RequestedChanUnavail),
        }
    }

    /// Makes the call that was announced.
    #[must_use]
    pub(crate) fn place(&mut self, now: Duration, number: Option<&str>) -> Vec<Step> {
        let mut steps = self.pass(now);
        let number = number.map(dial_string);
        let kind = self.kind;
        if let State::Placing(placing) = &mut self.state
            && matches!(placing.stage, Stage::Attached)
        {
            match (kind, number) {
                (HookKind::Fxo | HookKind::Em, Some(None)) => self.end(Cause::InvalidNumberFormat),
                (HookKind::Clear | HookKind::Cas | HookKind::Socket, _) => self.answered_outward(),
                (_, number) => {
                    placing.number = number.flatten();
                    placing.stage = Stage::Resting;
                    self.pass_placing();
                }
            }
        }
        steps.append(&mut self.steps);
        steps
    }

    /// What is due while a call is made.
    pub(super) fn pass_placing(&mut self) {
        let now = self.now;
        let State::Placing(placing) = &mut self.state else {
            return;
        };
        match placing.stage {
            Stage::Resting if self.rested_at <= now => match self.kind {
                HookKind::Fxs => {
                    let until = now + ANSWER_WITHIN;
                    placing.stage = Stage::Calling { until };
                    self.order(ChannelOrder::Ring);
                }
                _ => self.seize(),
            },
            Stage::Ready { until, .. } if until <= now => self.dial(),
            // That it is complete may have been overlooked.
            Stage::Dialling { until, .. } if until <= now => self.dialled(),
            Stage::Calling { until } if until <= now => self.end(Cause::NoAnswer),
            _ => {}
        }
    }

    fn seize(&mut self) {
        let (now, kind) = (self.now, self.kind);
        let wait = match kind {
            HookKind::Fxo if self.options.hears_tones => DIAL_TONE_WITHIN,
            _ => DIAL_PAUSE,
        };
        self.lift();
        let State::Placing(placing) = &mut self.state else {
            return;
        };
        if placing.number.is_some() {
            placing.stage = Stage::Ready {
                since: now,
                until: now + wait,
            };
        } else if kind == HookKind::Em {
            let until = now + ANSWER_WITHIN;
            placing.stage = Stage::Calling { until };
        } else {
            self.answered_outward();
        }
    }

    fn dial(&mut self) {
        let now = self.now;
        let State::Placing(placing) = &mut self.state else {
            return;
        };
        let Some(number) = placing.number.take() else {
            return;
        };
        let keys = u32::try_from(number.len()).unwrap_or(u32::MAX);
        placing.stage = Stage::Dialling {
            since: now,
            until: now + DIAL_WITHIN + DIAL_EACH * keys,
        };
        self.order(ChannelOrder::Dial(number));
    }

    /// The number is dialled.
    pub(super) fn dialled(&mut self) {
        let until = self.now + ANSWER_WITHIN;
        let is_em = self.kind == HookKind::Em;
        if let State::Placing(placing) = &mut self.state
            && matches!(placing.stage, Stage::Dialling { .. })
        {
            if is_em {
                placing.stage = Stage::Calling { until };
            } else {
                self.tell(Tell::Answered);
                self.talk(Way::Dialled);
            }
        }
    }

    /// The far end is there.
    pub(super) fn answered_outward(&mut self) {
        let State::Placing(placing) = &self.state else {
            return;
        };
        if self.kind == HookKind::Fxs {
            if matches!(placing.stage, Stage::Calling { .. }) {
                self.order(ChannelOrder::RingOff);
            }
            self.lift();
        }
        self.tell(Tell::Answered);
        self.talk(Way::Seized);
    }

    /// The far end is ready for digits.
    pub(super) fn winked(&mut self) {
        if let State::Placing(placing) = &self.state
            && matches!(placing.stage, Stage::Ready { .. })
        {
            self.dial();
        }
    }

    pub(super) fn heard_placing(&mut self, tone: Tone) {
        let State::Placing(placing) = &self.state else {
            return;
        };
        match (placing.stage, tone) {
            (Stage::Ready { .. }, Tone::Dial) => self.dial(),
            (Stage::Ready { .. }, Tone::Busy | Tone::Congestion) => {
                self.end(Cause::NormalCircuitCongestion);
            }
            _ => {}
        }
    }

    /// The line rang while we were about to use it.
    pub(super) fn rang_while_placing(&mut self, is_over: bool) {
        let State::Placing(placing) = &self.state else {
            return;
        };
        let signal = match is_over {
            true => audio_io::channel::ChannelEvent::Ring,
            false => audio_io::channel::ChannelEvent::RingBegin,
        };
        match placing.stage {
            Stage::Attached | Stage::Resting => {
                self.end(Cause::RequestedChanUnavail);
                self.signal(signal);
            }
            Stage::Ready { since, .. } | Stage::Dialling { since, .. }
                if since + GLARE_WITHIN > self.now =>
            {
                if matches!(placing.stage, Stage::Dialling { .. }) {
                    self.order(ChannelOrder::StopDial);
                }
                self.tell(Tell::Ended(Cause::RequestedChanUnavail));
                let (_, parties) = self.caller.take().unwrap_or_default();
                self.tell(Tell::Began(Began {
                    parties,
                    ..Began::default()
                }));
                self.talk(Way::In);
            }
            _ => {}
        }
    }

    /// What is under way is stopped, before the line goes on hook.
    pub(super) fn stop_placing(&mut self, placing: &Placing) {
        match placing.stage {
            Stage::Dialling { .. } => self.order(ChannelOrder::StopDial),
            Stage::Calling { .. } if self.kind == HookKind::Fxs => {
                self.order(ChannelOrder::RingOff);
            }
            _ => {}
        }
    }
}

/// What a tone means after a number was dialled: soon after, how the call went; later, that the
/// other end hung up.
pub(super) fn outcome(tone: Tone, since: Duration, now: Duration) -> Cause {
    match tone {
        _ if since + OUTCOME_WITHIN <= now => Cause::NormalClearing,
        Tone::Dial => Cause::NormalClearing,
        Tone::Busy => Cause::UserBusy,
        Tone::Congestion => Cause::NormalCircuitCongestion,
    }
}
