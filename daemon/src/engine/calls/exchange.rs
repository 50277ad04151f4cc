//! The exchange: owns all sessions, feeds them what happens, carries out what they want, and tells
//! what they say. It never waits: who runs it is `run.rs`, what it is asked is `asks.rs`, what it
//! does is `actions.rs`.
//!
//! ```text
//!  input ─▶ Session ─▶ Output ─┬▶ actions, at once and in order ─▶ signals that follow at once
//!                              └▶ events ─▶ Teller, with what is owed from now on
//! ```

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use audio_io::clock::Clock;
use audio_io::player::{PlayerControl, PlayerEvent};
use storage::ids::{LineName, TenantId};
use storage::record::Recording;
use uuid::Uuid;

use super::call::Call;
use super::figures::{Counters, count};
use super::files::{FilesDone, FilesKey, Prepare};
use super::limits;
use super::link::{LineNews, LineNumber, LineOrder, News, TakeEnd, is_own};
use super::speaker::Speaker;
use super::teller::{Batch, Reply, Teller};
use crate::config::schema::Trigger;
use crate::engine::line::Parties;
use crate::engine::session::command::{CommandUid, HangupCause};
use crate::engine::session::event::SessionEvent;
use crate::engine::session::signal::{Signal, TakeOutcome};
use crate::engine::session::{CallState, Facts, Output, Session};
use crate::engine::signalling::Cause;

/// A recording's address for clients.
pub(crate) type RecordingUrl = Arc<dyn Fn(&Recording) -> String + Send + Sync>;

/// A line as the exchange knows it.
pub(crate) struct LineFacts {
    pub(crate) name: LineName,
    pub(crate) tenant: TenantId,
    pub(crate) trigger: Trigger,
    /// Whether its calls begin and end by its signals.
    pub(crate) signals: bool,
    /// Whether calls can be made outwards on such a line.
    pub(crate) calls_out: bool,
    /// Whether its device runs.
    pub(crate) has_device: Box<dyn Fn() -> bool + Send>,
    pub(crate) player: Option<PlayerControl>,
}

/// A line.
pub(super) struct Line {
    pub(super) facts: LineFacts,
    pub(super) speaker: Option<Speaker>,
    /// The call that is on.
    pub(super) call: Option<Uuid>,
}

/// See the module.
pub(super) struct Exchange {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) teller: Teller,
    pub(super) lines: Vec<Line>,
    pub(super) calls: HashMap<Uuid, Call>,
    pub(super) counters: Arc<Counters>,
    pub(super) files: Box<dyn Prepare>,
    recording_url: RecordingUrl,
    /// Calls that may still tell something.
    active: Vec<Uuid>,
    /// Calls that are over, the oldest first.
    ended: VecDeque<(Duration, Uuid)>,
    /// Orders of lines, to be handed on by whoever runs this.
    pub(super) orders: VecDeque<(LineNumber, LineOrder)>,
    /// Whether a player had no room for an order.
    pub(super) is_player_busy: bool,
    /// When what found no room is tried again.
    retry_at: Option<Duration>,
    pub(super) is_stopping: bool,
}

impl Exchange {
    pub(super) fn new(
        lines: Vec<LineFacts>,
        clock: Arc<dyn Clock>,
        teller: Teller,
        counters: Arc<Counters>,
        files: Box<dyn Prepare>,
        recording_url: RecordingUrl,
    ) -> Self {
        let lines = lines.into_iter().map(|facts| Line {
            speaker: facts.player.clone().map(Speaker::new),
            call: None,
            facts,
        });
        Self {
            clock,
            teller,
            lines: lines.collect(),
            calls: HashMap::new(),
            counters,
            files,
            recording_url,
            active: Vec::new(),
            ended: VecDeque::new(),
            orders: VecDeque::new(),
            is_player_busy: false,
            retry_at: None,
            is_stopping: false,
        }
    }

    /// When [`Exchange::pass`] is to be asked, if ever.
    pub(super) fn next_due(&mut self) -> Option<Duration> {
        let now = self.clock.monotonic();
        let again = self.teller.is_waiting() || self.is_player_busy;
        self.retry_at = again.then(|| self.retry_at.unwrap_or(now + limits::RETRY));
        let calls = self.active.iter().filter_map(|uuid| self.calls.get(uuid));
        let sessions = calls.filter_map(|call| call.session.next_due());
        let forget = self.ended.front().map(|(at, _)| *at + limits::ENDED_FOR);
        sessions.chain(self.retry_at).chain(forget).min()
    }

    /// Time has passed.
    pub(super) fn pass(&mut self) {
        let now = self.clock.monotonic();
        self.retry_at.take_if(|at| *at <= now);
        self.teller.offer();
        if std::mem::take(&mut self.is_player_busy) {
            let speakers = self
                .lines
                .iter_mut()
                .filter_map(|line| line.speaker.as_mut());
            self.is_player_busy = speakers.fold(false, |busy, one| one.go_on() | busy);
        }
        for uuid in self.active.clone() {
            let call = self.calls.get(&uuid);
            let due = call.and_then(|call| call.session.next_due());
            if due.is_some_and(|due| due <= now) {
                self.signal(uuid, Signal::TimerDue);
            }
        }
        while self
            .ended
            .front()
            .is_some_and(|(at, _)| *at + limits::ENDED_FOR <= now)
        {
            self.forget_oldest();
        }
    }

    /// Something happened on a line.
    pub(super) fn news(&mut self, news: News) {
        let News {
            line,
            session: uuid,
            what,
        } = news;
        match what {
            LineNews::CallBegan { parties, ringing } => {
                self.call_began(line, uuid, &parties, ringing);
            }
            LineNews::Answered => self.signal(uuid, Signal::Answered),
            LineNews::CallEnded { cause } => self.signal(uuid, Signal::HungUp { cause }),
            LineNews::DeviceLost => self.signal(uuid, Signal::DeviceLost),
            LineNews::Digit { digit, duration_ms } => {
                count(&self.counters.digits, 1);
                self.signal(uuid, Signal::Digit { digit, duration_ms });
            }
            LineNews::RecordingBegan { take, id } => {
                let now = self.clock.monotonic();
                let Some(call) = self.calls.get_mut(&uuid) else {
                    return;
                };
                let output = if is_own(take) {
                    let uid = CommandUid::new(&format!("trigger-{id}"));
                    uid.map(|uid| call.session.adopt_take(now, take, uid))
                } else {
                    call.note_take(take, Some(id));
                    Some(call.session.signal(now, Signal::RecordingStarted { take }))
                };
                call.note_take(take, Some(id));
                self.follow(uuid, output.unwrap_or_default(), None);
            }
            LineNews::RecordingEnded { take, end } => {
                let outcome = self.outcome(end);
                self.signal(uuid, Signal::RecordingEnded { take, outcome });
            }
        }
    }

    fn outcome(&self, end: TakeEnd) -> TakeOutcome {
        match end {
            TakeEnd::Stored(recording) => TakeOutcome::Completed {
                recording_url: (self.recording_url)(&recording),
                duration_ms: recording.duration().unwrap_or_default(),
            },
            TakeEnd::Absent => TakeOutcome::Absent,
            TakeEnd::Failed(error) => TakeOutcome::Failed { error },
        }
    }

    /// A player has told something.
    pub(super) fn player(&mut self, event: PlayerEvent) {
        let place = event.line as usize;
        let speaker = self
            .lines
            .get_mut(place)
            .and_then(|line| line.speaker.as_mut());
        let Some(heard) = speaker.and_then(|one| one.hear(event.playback, event.what)) else {
            return;
        };
        match heard.signal {
            Signal::SoundStarted { .. } => count(&self.counters.playbacks, 1),
            _ => count(&self.counters.underruns, heard.underruns),
        }
        self.signal(heard.session, heard.signal);
    }

    /// Files are there, or cannot be had.
    pub(super) fn files(&mut self, done: FilesDone) {
        let FilesKey { session, job, part } = done.key;
        let Some(held) = self
            .calls
            .get_mut(&session)
            .and_then(|call| call.jobs.get_mut(&job))
        else {
            return;
        };
        let signal = match done.result {
            Ok(prepared) => {
                held.files.insert(part, prepared.files);
                Signal::Prepared {
                    job,
                    part,
                    file_path: prepared.file_path,
                }
            }
            Err(missing) => {
                count(&self.counters.files_not_found, 1);
                Signal::NotFound {
                    job,
                    url: missing.url,
                    error: missing.error,
                }
            }
        };
        self.signal(session, signal);
    }

    /// Ends every call: the daemon is being stopped.
    pub(super) fn hang_up(&mut self) {
        self.is_stopping = true;
        for uuid in self.active.clone() {
            let cause = HangupCause::shutdown();
            self.signal(uuid, Signal::HungUp { cause });
        }
    }

    /// Whether every call has told that it ended.
    pub(super) fn is_hung_up(&self) -> bool {
        let mut calls = self.active.iter().filter_map(|uuid| self.calls.get(uuid));
        calls.all(|call| call.session.is_hung_up())
    }

    fn call_began(&mut self, number: LineNumber, uuid: Uuid, parties: &Parties, ringing: bool) {
        let is_known = self.calls.contains_key(&uuid);
        let Some(line) = self.lines.get(number.0 as usize) else {
            return;
        };
        if is_known {
            log::error!(
                call = uuid.to_string().as_str();
                "a call began twice under the name {uuid}; the line drops the second one"
            );
            let order = LineOrder::Detach { session: uuid };
            return self.orders.push_back((number, order));
        }
        // The line says that it is over by saying that another one has begun: a call outwards gives
        // way to one that comes in.
        if let Some(before) = line.call {
            let cause = match line.facts.signals {
                true => Cause::RequestedChanUnavail.into(),
                false => HangupCause::default(),
            };
            self.signal(before, Signal::HungUp { cause });
        }
        let caller_id = parties
            .from
            .as_ref()
            .map(|number| number.as_str().to_owned());
        let did = parties.to.as_ref().map(|number| number.as_str().to_owned());
        let mut opened = self.open_session(number, uuid, caller_id, did);
        let now = self.clock.monotonic();
        if let Some(call) = self.calls.get_mut(&uuid) {
            let signal = if ringing {
                Signal::Ring
            } else {
                Signal::Answered
            };
            let more = call.session.signal(now, signal);
            opened.events.extend(more.events);
            opened.actions.extend(more.actions);
        }
        self.follow(uuid, opened, None);
        if self.is_stopping {
            let cause = HangupCause::shutdown();
            self.signal(uuid, Signal::HungUp { cause });
        }
    }

    /// Makes a session on a line that is free; its output is still to be followed.
    pub(super) fn open_session(
        &mut self,
        number: LineNumber,
        uuid: Uuid,
        caller_id: Option<String>,
        did: Option<String>,
    ) -> Output {
        let Some(line) = self.lines.get_mut(number.0 as usize) else {
            return Output::default();
        };
        let (name, owner) = (line.facts.name.clone(), line.facts.tenant);
        let facts = Facts {
            uuid,
            owner,
            line: name.as_str().to_owned(),
            caller_id,
            did,
            plays: line.speaker.is_some(),
        };
        line.call = Some(uuid);
        let (session, output) = Session::open(facts, self.clock.monotonic());
        let app = self.teller.store().application(owner);
        let began = (self.clock.wall(), self.clock.monotonic());
        let call = Call::new(session, (number, name), app, began);
        self.calls.insert(uuid, call);
        self.active.push(uuid);
        count(&self.counters.started, 1);
        self.counters.active.fetch_add(1, Ordering::Relaxed);
        output
    }

    pub(super) fn signal(&mut self, uuid: Uuid, signal: Signal) {
        let now = self.clock.monotonic();
        if let Some(call) = self.calls.get_mut(&uuid) {
            let output = call.session.signal(now, signal);
            self.follow(uuid, output, None);
        }
    }

    /// Does what a session wants, and tells what it says.
    pub(super) fn follow(&mut self, uuid: Uuid, output: Output, reply: Option<Reply>) {
        let mut events: Vec<SessionEvent> = Vec::new();
        let mut outputs = VecDeque::from([output]);
        while let Some(output) = outputs.pop_front() {
            events.extend(output.events);
            let signals: Vec<Signal> = output
                .actions
                .into_iter()
                .filter_map(|action| self.act(uuid, action))
                .collect();
            let now = self.clock.monotonic();
            if let Some(call) = self.calls.get_mut(&uuid) {
                let more = signals
                    .into_iter()
                    .map(|signal| call.session.signal(now, signal));
                outputs.extend(more);
            }
        }
        let now = (self.clock.wall(), self.clock.monotonic());
        let Some(call) = self.calls.get_mut(&uuid) else {
            return;
        };
        for told in &events {
            call.note_event(&told.event, now);
        }
        let is_over = call.session.snapshot().state == CallState::HungUp;
        let ends = is_over && !std::mem::replace(&mut call.is_detached, is_over);
        // The end of a call is worth a note before it can be told.
        if !events.is_empty() || reply.is_some() || ends {
            let batch = Batch {
                owner: call.owner,
                app: call.app,
                session: uuid,
                events,
                ledger: call.ledger(),
                reply,
            };
            self.teller.tell(batch);
        }
        self.settle(uuid, ends);
    }

    /// Frees the line of a call that ends, and keeps a call that is over for a while.
    fn settle(&mut self, uuid: Uuid, ends: bool) {
        let Some(call) = self.calls.get_mut(&uuid) else {
            return;
        };
        if ends {
            self.counters.active.fetch_sub(1, Ordering::Relaxed);
            let number = call.line;
            if let Some(line) = self.lines.get_mut(number.0 as usize) {
                line.call.take_if(|on| *on == uuid);
            }
            let order = LineOrder::Detach { session: uuid };
            self.orders.push_back((number, order));
        }
        if call.session.is_over() && !call.is_kept {
            call.is_kept = true;
            call.jobs = HashMap::new();
            self.active.retain(|one| *one != uuid);
            self.ended.push_back((self.clock.monotonic(), uuid));
            if self.ended.len() > limits::ENDED {
                self.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, uuid)) = self.ended.pop_front() {
            self.calls.remove(&uuid);
        }
    }
}
