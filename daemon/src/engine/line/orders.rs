//! What the exchange orders, carried out on a line. What names another call than the line's, or
//! another recording than the one in progress, comes too late and is ignored.

use storage::record::EndCause;
use storage::recorder::BeginError;
use uuid::Uuid;

use super::begin::Wish;
use super::core::{Call, Core, outlet};
use super::take::Take;
use super::{Parties, Surroundings};
use crate::engine::calls::link::{LineNews, LineOrder, TakeEnd};
use crate::engine::session::signal::TakeId;
use crate::engine::signalling::Signalling;

impl Core {
    pub(super) fn obey(&mut self, order: LineOrder, to: &mut Surroundings<'_>) {
        match order {
            LineOrder::Attach { session, parties } if self.heeds_calls() => {
                self.attach_outward(session, parties);
            }
            LineOrder::Attach { session, parties } => self.attach(session, parties),
            LineOrder::Detach { session } => self.detach(session, to),
            LineOrder::Answer { session } => {
                if self.is_on(session) {
                    self.drive(to, Signalling::answer);
                }
            }
            LineOrder::Place { session, number } => {
                if self.is_on(session) {
                    self.drive(to, |machine, now| machine.place(now, number.as_deref()));
                }
            }
            LineOrder::Record {
                session,
                take,
                mask_digits,
            } => self.record_by_order(session, take, mask_digits, to),
            LineOrder::EndRecording { session, take } => {
                if self.is_open(session, take) {
                    self.end(to, EndCause::Command);
                    if let Some(call) = self.call.as_mut() {
                        call.quiet = true;
                    }
                }
            }
            LineOrder::PauseRecording {
                session,
                take,
                mode,
            } => {
                if self.is_open(session, take)
                    && let Some(open) = self.open.as_mut()
                {
                    let hearing = self.hearing.as_deref();
                    open.pause(mode, hearing, self.place, &mut outlet(to));
                }
            }
            LineOrder::ResumeRecording { session, take } => {
                if self.is_open(session, take)
                    && let Some(open) = self.open.as_mut()
                {
                    open.resume(self.place, &mut outlet(to));
                }
            }
        }
    }

    fn attach(&mut self, session: Uuid, parties: Parties) {
        if let Some(call) = self.call.as_mut() {
            if call.session == session {
                call.parties = parties;
                return;
            }
            if call.own {
                return;
            }
        }
        self.put_call(Some(Call {
            session,
            parties,
            own: false,
            quiet: false,
            is_answered: false,
        }));
        self.wants_realign();
    }

    fn detach(&mut self, session: Uuid, to: &mut Surroundings<'_>) {
        let own = match &self.call {
            Some(call) if call.session == session => call.own,
            _ => return,
        };
        let cause = match self.heeds_calls() {
            true => EndCause::HungUp,
            false => EndCause::Command,
        };
        self.end_of_call(session, cause, to);
        self.is_spent_by(own);
        self.put_call(None);
        self.leave_name(session, to.now);
        self.drive(to, Signalling::hang_up);
    }

    fn record_by_order(
        &mut self,
        session: Uuid,
        take: TakeId,
        mask_digits: Option<bool>,
        to: &mut Surroundings<'_>,
    ) {
        if self
            .call
            .as_ref()
            .is_none_or(|call| call.session != session)
        {
            return;
        }
        let refused = if let Some(id) = self.recording() {
            format!("the line is already recorded as recording {id}")
        } else {
            let wish = Wish {
                parties: Parties::default(),
                take: Some(take),
                look_back: false,
                mask_digits,
            };
            match self.begin(to, wish) {
                Ok(_) => {
                    if let Some(call) = self.call.as_mut() {
                        call.quiet = false;
                    }
                    return;
                }
                Err(BeginError::DiskRefuses) => {
                    "the disk refuses writes; 'callreel status' says why".to_owned()
                }
                Err(error @ BeginError::TooMany(_)) => error.to_string(),
            }
        };
        let end = TakeEnd::Failed(refused);
        self.teller
            .tell(session, LineNews::RecordingEnded { take, end });
    }

    fn is_on(&self, session: Uuid) -> bool {
        let call = self.call.as_ref();
        call.is_some_and(|call| call.session == session)
    }

    fn is_open(&self, session: Uuid, take: TakeId) -> bool {
        let of = |open: &Take| open.call == Some((session, take));
        self.open.as_ref().is_some_and(of)
    }
}
