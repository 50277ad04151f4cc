//! What the exchange is asked, by HTTP and the control socket, and how it answers.

use std::time::Duration;

use storage::ids::TenantId;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::call::{Call, parties};
use super::exchange::Exchange;
use super::figures::count;
use super::link::{LineNumber, LineOrder};
use super::teller::Reply;
use super::{Ask, CallError, CallView, CommandError, NewCall, OpenCallError};
use crate::config::schema::Trigger;
use crate::engine::session::command::{CommandKind, Request};
use crate::engine::session::{Accepted, Output};

type Opened = Result<CallView, OpenCallError>;
type Commanded = Result<Accepted, CommandError>;

impl Exchange {
    /// Answers; whoever has gone away meanwhile is not missed.
    pub(super) fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Open { owner, call, reply } => {
                if let Err((refused, reply)) = self.open(owner, call, reply) {
                    let _gone = reply.send(Err(refused));
                }
            }
            Ask::Look {
                owner,
                session,
                reply,
            } => {
                let call = self.find(owner, session);
                let _gone = reply.send(call.map(|call| self.view(call)));
            }
            Ask::Pause {
                owner,
                session,
                kind,
                reply,
            } => {
                let now = self.clock.monotonic();
                let wait = |call: &Call| call.session.check_cooldown(kind, now).err();
                let _gone = reply.send(self.find(owner, session).map(wait));
            }
            Ask::List { owner, reply } => {
                let _gone = reply.send(self.list(owner));
            }
            Ask::Command {
                owner,
                session,
                request,
                reply,
            } => self.command(owner, session, request, reply),
        }
    }

    fn find(&self, owner: Option<TenantId>, session: Uuid) -> Result<&Call, CallError> {
        let call = self.calls.get(&session).ok_or(CallError::NotFound)?;
        match owner {
            Some(owner) if owner != call.owner => Err(CallError::NotYours),
            _ => Ok(call),
        }
    }

    fn view(&self, call: &Call) -> CallView {
        let line = self.lines.get(call.line.0 as usize);
        let is_on = line.is_some_and(|line| line.call == Some(call.uuid()));
        let speaker = line.and_then(|line| line.speaker.as_ref());
        let heard = speaker
            .filter(|_| is_on)
            .and_then(|speaker| speaker.position());
        call.view(heard, self.clock.monotonic())
    }

    fn list(&self, owner: Option<TenantId>) -> Vec<CallView> {
        let calls = self.calls.values();
        let mut wanted: Vec<&Call> = calls
            .filter(|call| owner.is_none_or(|owner| owner == call.owner))
            .collect();
        wanted.sort_by_key(|call| std::cmp::Reverse((call.started_at(), call.uuid())));
        wanted.into_iter().map(|call| self.view(call)).collect()
    }

    /// Opens a call; its reply is sent when it is durable, or handed back with why not.
    fn open(
        &mut self,
        owner: TenantId,
        call: NewCall,
        reply: oneshot::Sender<Opened>,
    ) -> Result<(), (OpenCallError, oneshot::Sender<Opened>)> {
        let number = match self.line_for(owner, &call) {
            Ok(number) => number,
            Err(refused) => return Err((refused, reply)),
        };
        let session = Uuid::new_v4();
        let parties = parties(call.caller_id.as_deref(), call.did.as_deref());
        let dialled = call.did.clone();
        let output = self.open_session(number, session, call.caller_id, call.did);
        let attach = LineOrder::Attach { session, parties };
        self.orders.push_back((number, attach));
        let line = self.lines.get(number.0 as usize);
        if line.is_some_and(|line| line.facts.signals) {
            let place = LineOrder::Place {
                session,
                number: dialled,
            };
            self.orders.push_back((number, place));
        }
        let opened = self.calls.get(&session).map(|call| self.view(call));
        let told: Reply = Box::new(move |kept| {
            let opened = opened.ok_or(OpenCallError::Stopping);
            let _gone = reply.send(match kept {
                Ok(()) => opened,
                Err(_) => Err(OpenCallError::Index),
            });
        });
        self.follow(session, output, Some(told));
        Ok(())
    }

    fn line_for(&self, owner: TenantId, call: &NewCall) -> Result<LineNumber, OpenCallError> {
        if self.is_stopping {
            return Err(OpenCallError::Stopping);
        }
        let name = &call.line;
        let mut lines = (0..).zip(&self.lines);
        let found = lines.find(|(_, line)| line.facts.name == *name && line.facts.tenant == owner);
        let (number, line) = found.ok_or_else(|| OpenCallError::NoLine(name.clone()))?;
        let is_opened = line.facts.trigger == Trigger::Api || line.facts.signals;
        if !is_opened {
            return Err(OpenCallError::NotApi(name.clone()));
        }
        if line.facts.signals && !line.facts.calls_out {
            return Err(OpenCallError::InwardOnly(name.clone()));
        }
        if let Some(session) = line.call {
            return Err(OpenCallError::Busy {
                line: name.clone(),
                session,
            });
        }
        if !(line.facts.has_device)() {
            return Err(OpenCallError::NoDevice(name.clone()));
        }
        if self.teller.is_behind() {
            return Err(OpenCallError::Index);
        }
        Ok(LineNumber(number))
    }

    fn command(
        &mut self,
        owner: Option<TenantId>,
        session: Uuid,
        request: Request,
        reply: oneshot::Sender<Commanded>,
    ) {
        let refusal = match self.find(owner, session) {
            Err(error) => Some(error.into()),
            Ok(_) if self.is_stopping => Some(CallError::Stopping.into()),
            // A call can be ended whatever the disk does.
            Ok(_) if self.teller.is_behind() && request.command.kind() != CommandKind::Hangup => {
                Some(CommandError::Index)
            }
            Ok(_) => None,
        };
        if let Some(refusal) = refusal {
            let _gone = reply.send(Err(refusal));
            return;
        }
        let (answer, output) = self.give(session, request);
        match answer {
            Some(Ok(accepted)) => {
                count(&self.counters.commands, u64::from(!accepted.repeated));
                let told: Reply = Box::new(move |kept| {
                    let answer = kept.map(|()| accepted);
                    let _gone = reply.send(answer.map_err(|_| CommandError::Index));
                });
                self.follow(session, output, Some(told));
            }
            Some(Err(refused)) => {
                self.follow(session, output, None);
                let _gone = reply.send(Err(refused.into()));
            }
            None => {
                let _gone = reply.send(Err(CallError::NotFound.into()));
            }
        }
    }

    fn give(
        &mut self,
        session: Uuid,
        request: Request,
    ) -> (
        Option<Result<Accepted, crate::engine::session::Refused>>,
        Output,
    ) {
        let now: Duration = self.clock.monotonic();
        match self.calls.get_mut(&session) {
            Some(call) => {
                let (answer, output) = call.session.command(now, request);
                (Some(answer), output)
            }
            None => (None, Output::default()),
        }
    }
}
