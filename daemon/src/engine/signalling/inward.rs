//! What signals of each kind of channel mean, and calls that begin by themselves.
//!
//! | kind | begins | answered | over |
//! |---|---|---|---|
//! | FXO | a ring; told with the number, or once that was waited for | we go off hook | see below |
//! | FXS | the telephone is lifted | at once | it is put down |
//! | E&M | the far end goes off hook | we go off hook | it goes on hook |
//! | socket | a connection: the PBX has answered | at once | the protocol's hang-up, or it broke |
//! | tap | off-hook of the channel that is listened to | at once | its on-hook |
//!
//! Of an FXO port a disconnect (on-hook), a second reversal of the battery, a tone, and before an
//! answer no ring mean that it is over.
//!
//! A reversal of the battery before an answer is taken to mean nothing: some exchanges announce
//! the caller's number with it. During a call it means that the other end hung up only if there
//! was a first one when the call was answered: on lines where exchanges do so, both are told.

use std::time::Duration;

use audio_io::channel::{ChannelEvent, HookKind};

use super::outward::Stage;
use super::{Began, Cause, Signalling, State, Talking, Tell, Way};
use crate::engine::limits::REVERSAL_WITHIN;
use crate::engine::line::Parties;

/// A line that rings.
#[derive(Clone, Debug)]
pub(super) struct Ringing {
    /// Rings that are over.
    pub(super) rings: u32,
    /// When it last rang.
    pub(super) last: Duration,
    /// Until when the caller's number is waited for; unknown before the first ring is over.
    pub(super) waits_until: Option<Duration>,
    /// Whether the call was told.
    pub(super) is_told: bool,
}

impl Signalling {
    /// A signal of the line itself.
    pub(super) fn signal(&mut self, event: ChannelEvent) {
        match (self.options.is_tap, self.kind) {
            (true, _) => self.signal_of_tap(event),
            (_, HookKind::Fxo) => self.signal_of_fxo(event),
            (_, HookKind::Fxs) => self.signal_of_fxs(event),
            (_, HookKind::Em) => self.signal_of_em(event),
            (_, HookKind::Socket) => self.signal_of_socket(event),
            // Bits that nobody interprets, and no signals at all.
            (_, HookKind::Cas | HookKind::Clear) => {}
        }
    }

    /// What a caller's number was heard to be.
    #[must_use]
    pub(crate) fn caller_id(&mut self, now: Duration, parties: Parties) -> Vec<super::Step> {
        let mut steps = self.pass(now);
        if self.awaits_caller_id() {
            self.caller = Some((self.now, parties));
            if matches!(self.state, State::Ringing(_)) {
                self.tell_ringing();
            }
        }
        steps.append(&mut self.steps);
        steps
    }

    fn signal_of_fxo(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::RingBegin => self.rang(false),
            ChannelEvent::Ring => self.rang(true),
            ChannelEvent::OnHook if self.is_off_hook => self.end(Cause::NormalClearing),
            ChannelEvent::DialComplete => self.dialled(),
            ChannelEvent::Polarity => self.reversed(),
            _ => {}
        }
    }

    /// A ring has begun, or is over.
    fn rang(&mut self, is_over: bool) {
        if self.alarms != 0 {
            return;
        }
        let now = self.now;
        match &mut self.state {
            State::Idle => {
                self.state = State::Ringing(Ringing {
                    rings: 0,
                    last: now,
                    waits_until: None,
                    is_told: false,
                });
                self.count_ring(is_over);
            }
            State::Ringing(ringing) => {
                ringing.last = now;
                self.count_ring(is_over);
            }
            State::Releasing(last) => *last = now,
            State::Placing(_) => self.rang_while_placing(is_over),
            State::Away | State::Talking(_) => {}
        }
    }

    fn count_ring(&mut self, is_over: bool) {
        let (now, wait) = (self.now, self.options.caller_id);
        let is_known = self.caller.is_some();
        let State::Ringing(ringing) = &mut self.state else {
            return;
        };
        if is_over {
            ringing.rings += 1;
            let wait = wait.unwrap_or_default();
            ringing.waits_until.get_or_insert(now + wait);
        }
        let rings = ringing.rings;
        if wait.is_none() || is_known {
            self.tell_ringing();
        }
        let after = self.options.answer_after_rings;
        if after > 0 && rings >= after {
            self.take_call();
        }
    }

    pub(super) fn pass_ringing(&mut self) {
        let State::Ringing(ringing) = &self.state else {
            return;
        };
        let is_over = ringing.last + self.options.ring_timeout <= self.now;
        let is_due = ringing.waits_until.is_some_and(|until| until <= self.now);
        // A ring that began and was never over was none.
        let was_call = ringing.is_told || ringing.rings > 0;
        if is_due || (is_over && was_call) {
            self.tell_ringing();
        }
        // E&M tells its on-hook; rings just stop.
        if is_over && self.kind == HookKind::Fxo {
            if was_call {
                self.tell(Tell::Ended(Cause::OriginatorCancel));
            }
            self.state = State::Idle;
        }
    }

    /// Tells that it rings, once.
    fn tell_ringing(&mut self) {
        let State::Ringing(ringing) = &mut self.state else {
            return;
        };
        if std::mem::replace(&mut ringing.is_told, true) {
            return;
        }
        let (_, parties) = self.caller.take().unwrap_or_default();
        self.tell(Tell::Began(Began {
            uuid: None,
            parties,
            ringing: true,
        }));
    }

    /// Answers what rings.
    pub(super) fn take_call(&mut self) {
        self.tell_ringing();
        self.lift();
        self.tell(Tell::Answered);
        self.talk(Way::In);
    }

    fn reversed(&mut self) {
        let now = self.now;
        let State::Talking(talking) = &mut self.state else {
            return;
        };
        let Talking {
            since,
            way,
            is_reversed,
        } = talking;
        if *is_reversed {
            self.end(Cause::NormalClearing);
        } else if *way != Way::In || *since + REVERSAL_WITHIN > now {
            *is_reversed = true;
        }
    }

    fn signal_of_fxs(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::OffHook => {
                self.far_off_hook = true;
                if self.alarms != 0 {
                    return;
                }
                match &self.state {
                    // After a hang-up of ours, the telephone's on-hook was overlooked.
                    State::Idle | State::Releasing(_) => {
                        self.lift();
                        self.tell(Tell::Began(Began::default()));
                        self.talk(Way::In);
                    }
                    State::Placing(_) => self.answered_outward(),
                    _ => {}
                }
            }
            ChannelEvent::OnHook => self.far_on_hook(),
            _ => {}
        }
    }

    fn signal_of_em(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::OffHook => {
                self.far_off_hook = true;
                if self.alarms != 0 {
                    return;
                }
                match &self.state {
                    State::Idle | State::Releasing(_) => self.seized(),
                    State::Placing(placing) => match placing.stage {
                        Stage::Dialling { .. } | Stage::Calling { .. } => self.answered_outward(),
                        // Both sides seized the line: the far end has it.
                        _ => {
                            self.tell(Tell::Ended(Cause::RequestedChanUnavail));
                            self.put_down();
                            self.seized();
                        }
                    },
                    _ => {}
                }
            }
            ChannelEvent::OnHook => self.far_on_hook(),
            ChannelEvent::WinkFlash => self.winked(),
            ChannelEvent::DialComplete => self.dialled(),
            _ => {}
        }
    }

    /// The far end has gone off hook: it rings, as it were.
    fn seized(&mut self) {
        self.state = State::Ringing(Ringing {
            rings: 1,
            last: self.now,
            waits_until: Some(self.now),
            is_told: false,
        });
        self.tell_ringing();
        if self.options.answer_after_rings > 0 {
            self.take_call();
        }
    }

    fn far_on_hook(&mut self) {
        self.far_off_hook = false;
        match self.state {
            State::Talking(_) => self.end(Cause::NormalClearing),
            State::Ringing(_) => self.end(Cause::OriginatorCancel),
            State::Releasing(_) => self.state = State::Idle,
            _ => {}
        }
    }

    fn signal_of_socket(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::Connected { uuid } => {
                if self.is_call_told() {
                    self.tell(Tell::Ended(Cause::NormalClearing));
                }
                self.tell(Tell::Began(Began {
                    uuid: Some(uuid),
                    ..Began::default()
                }));
                // To end it is the same order as to go on hook.
                self.is_off_hook = true;
                self.talk(Way::In);
            }
            ChannelEvent::Disconnected { orderly } => {
                self.is_off_hook = false;
                if matches!(self.state, State::Talking(_)) {
                    self.end(match orderly {
                        true => Cause::NormalClearing,
                        false => Cause::NormalTemporaryFailure,
                    });
                }
            }
            _ => {}
        }
    }

    fn signal_of_tap(&mut self, event: ChannelEvent) {
        match event {
            ChannelEvent::OffHook => {
                self.far_off_hook = true;
                if matches!(self.state, State::Idle | State::Releasing(_)) && self.alarms == 0 {
                    let (_, parties) = self.caller.take().unwrap_or_default();
                    self.tell(Tell::Began(Began {
                        parties,
                        ..Began::default()
                    }));
                    self.talk(Way::In);
                }
            }
            ChannelEvent::OnHook => self.far_on_hook(),
            // The number is the call's for as long as it rings.
            ChannelEvent::RingBegin | ChannelEvent::Ring => {
                if let Some((at, _)) = &mut self.caller {
                    *at = self.now;
                }
            }
            _ => {}
        }
    }
}
