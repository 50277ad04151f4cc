//! A line with signals: what its channel tells goes into its state machine, and what that makes of
//! it becomes orders of the channel, news of the call, and the call's recording.
//!
//! ```text
//!  notices ─┐                        ┌─▶ orders of the channel
//!  hook of a tapped channel ─▶ Signalling ─┼─▶ news: began, answered, ended
//!  number, tones (ears) ─┘           └─▶ the call: `hook` records while it is answered
//! ```
//! Signals take their place among the sound: what came before one is heard before it. Lines that
//! record without heeding calls (`always`, `vox`) take their notices and drop them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use audio_io::capture::DeviceState;
use audio_io::channel::{
    ChannelControl, ChannelEvent, ChannelNotice, ChannelOrder, ChannelStats, HookKind, OrderError,
};
use audio_io::units::{Frames, Millis};
use nix::errno::Errno;
use storage::record::EndCause;
use uuid::Uuid;

use super::core::{Call, Core};
use super::ears::{Awaited, Ears};
use super::names::PeerNames;
use super::presses::{Presses, Way};
use super::{Parties, Surroundings, trouble};
use crate::config::schema::{CallerIdKind, Line, Role, Source};
use crate::engine::calls::link::LineNews;
use crate::engine::limits::CHANNEL_ORDERS_WAITING;
use crate::engine::live::LineLive;
use crate::engine::session::plan::Digit;
use crate::engine::signalling::{Began, Cause, Options, Signalling, Step, Tell};

/// What a line needs of its channel.
pub(crate) struct Wires {
    /// The channel's signals and orders; none of a tap by mirror or monitor.
    pub(crate) channel: Option<(Receiver<ChannelNotice>, ChannelControl)>,
    /// How the hook of a tapped channel stands, whenever that changes.
    pub(crate) hook: Option<Receiver<TapHook>>,
    /// Counters.
    pub(crate) stats: Arc<ChannelStats>,
    /// Names that peers gave to calls.
    pub(crate) names: PeerNames,
}

/// How a channel that is listened to stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TapHook {
    pub(crate) off_hook: bool,
    pub(crate) ringing: bool,
}

/// The signals of one line.
pub(super) struct Signals {
    wires: Wires,
    /// None on a line that does not heed calls.
    machine: Option<Signalling>,
    /// A notice whose place in the sound has not come.
    next: Option<ChannelNotice>,
    /// What is new of the tapped channel.
    next_hook: Option<TapHook>,
    /// Orders that found no room.
    orders: VecDeque<ChannelOrder>,
    ears: Ears,
    presses: Presses,
    /// How a tapped channel stood last.
    tapped: Option<TapHook>,
    /// Whether the machine was told that there is a device to listen with.
    has_tap: bool,
    /// Since when the call rings.
    rings_since: Option<Duration>,
    /// Alarms that were told.
    pub(super) alarms: u32,
}

impl Signals {
    pub(super) fn new(config: &Line, live: &LineLive, wires: Wires) -> Self {
        let ears = Ears::new(&config.channel, live.format);
        let is_tap = matches!(
            config.source(),
            Source::Dahdi {
                role: Role::Tap,
                ..
            }
        );
        let channel = &config.channel;
        let options = Options {
            caller_id: (channel.caller_id != CallerIdKind::Off)
                .then(|| channel.caller_id_wait_ms.into()),
            ring_timeout: channel.ring_timeout_ms.into(),
            hears_tones: ears.hear_tones(),
            answer_after_rings: channel.answer_after_rings,
            is_tap,
        };
        Self {
            machine: config.signals().then(|| Signalling::new(options)),
            presses: Presses::new(live.format.rate),
            wires,
            next: None,
            next_hook: None,
            orders: VecDeque::new(),
            ears,
            tapped: None,
            has_tap: false,
            rings_since: None,
            alarms: 0,
        }
    }

    /// Whether calls begin and end by signals.
    pub(super) const fn heeds_calls(&self) -> bool {
        self.machine.is_some()
    }

    /// Whether something waits to be heeded, or may become due.
    pub(super) fn is_waiting(&mut self) -> bool {
        let is_idle = self.machine.as_ref().is_none_or(Signalling::is_idle);
        !is_idle || !self.orders.is_empty() || self.peek().is_some() || self.peek_hook()
    }

    fn peek(&mut self) -> Option<ChannelNotice> {
        if self.next.is_none()
            && let Some((notices, _)) = &self.wires.channel
        {
            self.next = notices.try_recv().ok();
        }
        self.next
    }

    /// The next notice whose place is not behind this one.
    fn next_until(&mut self, place: Frames) -> Option<ChannelNotice> {
        self.peek().filter(|notice| notice.at <= place)?;
        self.next.take()
    }

    /// Whether there is something new of the tapped channel.
    fn peek_hook(&mut self) -> bool {
        if self.next_hook.is_none()
            && let Some(hook) = &self.wires.hook
        {
            self.next_hook = hook.try_recv().ok();
        }
        self.next_hook.is_some()
    }

    /// Takes in how the tapped channel stands; whether that is news.
    fn look_at_hook(&mut self) -> bool {
        let is_new = self.peek_hook();
        self.tapped = self.next_hook.take().or(self.tapped);
        is_new
    }

    fn order(&mut self, order: ChannelOrder) {
        if self.orders.len() >= CHANNEL_ORDERS_WAITING {
            self.orders.pop_front();
            log::error!("a channel takes no orders; one was dropped");
        }
        self.orders.push_back(order);
    }

    /// Hands on orders as far as there is room.
    fn send_orders(&mut self) {
        let Some((_, control)) = &self.wires.channel else {
            return self.orders.clear();
        };
        while let Some(order) = self.orders.front() {
            match control.order(order.clone()) {
                Ok(()) => drop(self.orders.pop_front()),
                Err(OrderError::Busy) => return,
                // The daemon is being stopped; closing the channel hangs up.
                Err(OrderError::Closed) => self.orders.clear(),
            }
        }
    }
}

impl Core {
    /// Heeds what the channel signalled up to a place of its sound.
    pub(super) fn heed_until(&mut self, place: Frames, to: &mut Surroundings<'_>) {
        while let Some(notice) = self
            .signals
            .as_mut()
            .and_then(|signals| signals.next_until(place))
        {
            self.heed(notice, to);
        }
    }

    fn heed(&mut self, notice: ChannelNotice, to: &mut Surroundings<'_>) {
        let ChannelNotice { at, event } = notice;
        self.tell_trouble(event);
        if let ChannelEvent::Opened { kind, .. } = event {
            self.live.set_signalling(trouble::word(kind));
        }
        if let ChannelEvent::Digit(key) = event {
            return self.digit_told(key, at, to);
        }
        let is_tap = self.is_tap();
        let of_hook = matches!(event, ChannelEvent::OffHook | ChannelEvent::OnHook);
        // A port in parallel to a telephone has no hook of its own that means anything.
        if is_tap && of_hook {
            return;
        }
        self.drive(to, |machine, now| machine.event(now, event));
        if is_tap && matches!(event, ChannelEvent::Opened { .. }) {
            self.tapped(to);
        }
    }

    /// Lets time pass, and looks at a tapped channel.
    pub(super) fn pass_signals(&mut self, state: DeviceState, to: &mut Surroundings<'_>) {
        let Some(signals) = &mut self.signals else {
            return;
        };
        // A tap that is no channel has no signals of its own: its device says whether it is there.
        let mut opened = None;
        if signals.wires.channel.is_none() {
            let has_tap = state == DeviceState::Running;
            if std::mem::replace(&mut signals.has_tap, has_tap) != has_tap {
                opened = Some(has_tap);
            }
        }
        match opened {
            Some(true) => {
                let (kind, off_hook, alarms) = (HookKind::Clear, false, 0);
                self.drive(to, |machine, now| {
                    machine.event(
                        now,
                        ChannelEvent::Opened {
                            kind,
                            off_hook,
                            alarms,
                        },
                    )
                });
                self.tapped(to);
            }
            Some(false) => {
                let errno = Errno::ENODEV as i32;
                self.drive(to, |machine, now| {
                    machine.event(now, ChannelEvent::Gone { errno })
                });
            }
            None => {}
        }
        while self.signals.as_mut().is_some_and(|of| of.look_at_hook()) {
            self.tapped(to);
        }
        self.drive(to, Signalling::pass);
    }

    /// The tapped channel stands as it does.
    fn tapped(&mut self, to: &mut Surroundings<'_>) {
        let Some(signals) = &self.signals else { return };
        let Some(TapHook { off_hook, ringing }) = signals.tapped else {
            return;
        };
        let shown = &signals.wires.stats.off_hook;
        shown.store(u32::from(off_hook), Ordering::Relaxed);
        if ringing {
            self.drive(to, |machine, now| machine.event(now, ChannelEvent::Ring));
        }
        let event = match off_hook {
            true => ChannelEvent::OffHook,
            false => ChannelEvent::OnHook,
        };
        self.drive(to, |machine, now| machine.event(now, event));
    }

    /// Hears what only lines with signals listen for.
    pub(super) fn listen_for_signals(&mut self, sound: &[u8], to: &mut Surroundings<'_>) {
        let Some(signals) = &mut self.signals else {
            return;
        };
        let Some(machine) = &signals.machine else {
            return;
        };
        let awaited = Awaited {
            caller_id: machine.awaits_caller_id(),
            tones: machine.awaits_tones(),
        };
        let came = signals.ears.hear(sound, awaited);
        if let Some(caller) = came.caller {
            self.drive(to, |machine, now| machine.caller_id(now, caller));
        }
        if let Some(tone) = came.tone {
            self.drive(to, |machine, now| machine.heard(now, tone));
        }
    }

    /// Gives the machine something, and does what it wants.
    pub(super) fn drive(
        &mut self,
        to: &mut Surroundings<'_>,
        input: impl FnOnce(&mut Signalling, Duration) -> Vec<Step>,
    ) {
        let Some(signals) = &mut self.signals else {
            return;
        };
        let Some(machine) = &mut signals.machine else {
            return;
        };
        let steps = input(machine, to.now);
        self.live.set_phase(machine.phase());
        for step in steps {
            match step {
                Step::Order(order) => {
                    if let Some(signals) = &mut self.signals {
                        signals.order(order);
                    }
                }
                Step::Tell(Tell::Began(began)) => self.call_began(began, to),
                Step::Tell(Tell::Answered) => self.call_answered(to.now),
                Step::Tell(Tell::Ended(cause)) => self.call_ended(cause, to),
            }
        }
        if let Some(signals) = &mut self.signals {
            signals.send_orders();
        }
    }

    fn call_began(&mut self, began: Began, to: &mut Surroundings<'_>) {
        let Began {
            uuid,
            parties,
            ringing,
        } = began;
        let session = self.name_of(uuid.map(Uuid::from_bytes), to.now);
        let config = &self.live.config;
        let parties = Parties {
            from: parties.from.or_else(|| config.from.clone()),
            to: parties.to.or_else(|| config.to.clone()),
        };
        self.put_call(Some(Call {
            session,
            parties: parties.clone(),
            own: true,
            quiet: false,
            is_answered: !ringing,
        }));
        self.wants_realign();
        if let Some(signals) = &mut self.signals {
            signals.rings_since = ringing.then_some(to.now);
        }
        self.teller
            .tell(session, LineNews::CallBegan { parties, ringing });
    }

    /// The call's name: the peer's, if no other call has it.
    fn name_of(&self, given: Option<Uuid>, now: Duration) -> Uuid {
        let fresh = Uuid::new_v4();
        let (Some(given), Some(signals)) = (given, &self.signals) else {
            return fresh;
        };
        if signals.wires.names.take(given, now) {
            return given;
        }
        let line = self.live.config.name.as_str();
        log::warn!(
            line = line;
            "line {line}: the connection names its call {given}, as an earlier one did; it is \
             session {fresh}. A dialplan should give each call a UUID of its own"
        );
        fresh
    }

    fn call_answered(&mut self, now: Duration) {
        let Some(call) = &mut self.call else { return };
        call.is_answered = true;
        let session = call.session;
        self.wants_realign();
        let since = self
            .signals
            .as_mut()
            .and_then(|signals| signals.rings_since.take());
        if let Some(since) = since {
            let rang = now.saturating_sub(since).as_millis();
            self.live
                .add_ring_to_answer(Millis(u64::try_from(rang).unwrap_or(u64::MAX)));
        }
        self.teller.tell(session, LineNews::Answered);
    }

    fn call_ended(&mut self, cause: Cause, to: &mut Surroundings<'_>) {
        let (end, news) = match cause {
            Cause::DeviceLost => (EndCause::DeviceLost, LineNews::DeviceLost),
            other => {
                let cause = other.into();
                (EndCause::HungUp, LineNews::CallEnded { cause })
            }
        };
        self.call_over(end, news, to);
    }

    /// A digit that the driver or the peer told.
    fn digit_told(&mut self, key: char, at: Frames, to: &Surroundings<'_>) {
        let is_new = |signals: &mut Box<Signals>| signals.presses.is_new(key, at, at, Way::Told);
        if !self.live.tells_digits() || !self.signals.as_mut().is_some_and(is_new) {
            return;
        }
        to.totals.count_digit();
        if let (Some(call), Some(digit)) = (&self.call, Digit::new(key)) {
            // How long it was pressed is not told.
            let duration_ms = Millis::ZERO;
            let news = LineNews::Digit { digit, duration_ms };
            self.teller.tell(call.session, news);
        }
    }

    /// Whether a digit that was heard is not one that was told already.
    pub(super) fn is_new_press(
        signals: Option<&mut Box<Signals>>,
        key: char,
        (start, end): (Frames, Frames),
    ) -> bool {
        signals.is_none_or(|signals| signals.presses.is_new(key, start, end, Way::Heard))
    }

    /// A call outwards is announced; it is told at once if it cannot be made.
    pub(super) fn attach_outward(&mut self, session: Uuid, parties: Parties) {
        let machine = self.signals.as_mut().and_then(|of| of.machine.as_mut());
        let refused = match machine {
            // A call that began by itself has the line; the exchange hears of it soon.
            _ if self.call.is_some() => Some(Cause::RequestedChanUnavail),
            None => Some(Cause::RequestedChanUnavail),
            Some(machine) => machine.attach().err(),
        };
        match refused {
            None => {
                self.put_call(Some(Call {
                    session,
                    parties,
                    own: false,
                    quiet: false,
                    is_answered: false,
                }));
            }
            Some(Cause::DeviceLost) => self.teller.tell(session, LineNews::DeviceLost),
            Some(cause) => {
                let cause = cause.into();
                self.teller.tell(session, LineNews::CallEnded { cause });
            }
        }
    }

    /// Whether calls on it begin and end by signals.
    pub(super) fn heeds_calls(&self) -> bool {
        self.signals.as_ref().is_some_and(|of| of.heeds_calls())
    }

    /// The call is over: a name that its peer gave it is kept for a while only.
    pub(super) fn leave_name(&self, session: Uuid, now: Duration) {
        if let Some(signals) = &self.signals {
            signals.wires.names.leave(session, now);
        }
    }

    fn is_tap(&self) -> bool {
        let source = self.live.config.source();
        matches!(
            source,
            Source::Dahdi {
                role: Role::Tap,
                ..
            }
        )
    }
}
