//! The signals of a telephone line, made into calls: a pure state machine, one a line. It knows no
//! devices and no clocks; what it is told and when goes in, orders of the channel and what is to
//! be told of the call come out.
//!
//! ```text
//!           ┌──── rings, far end off hook ────▶ Ringing ── answer ──┐
//!  Away ─▶ Idle                                                     ├▶ Talking ─▶ Idle
//!           └──── attach ─▶ Placing: seize, dial or ring ─ answered ┘      └▶ Releasing ─▶ Idle
//! ```
//! *Releasing* is a line that we have hung up and whose far end has not noticed: it rings on, or
//! its telephone lies beside the hook. Each call that is told to have begun is told to have ended,
//! once, and nothing is told of it after that; a channel that is gone is ordered nothing; whatever
//! happened, a line without a call is on hook.
//!
//! What is taken to mean what, per kind of channel, is in `inward.rs`; how calls are made outwards,
//! and what happens when both sides seize the line at once (glare), in `outward.rs`.

mod cause;
mod inward;
mod outward;
#[cfg(test)]
mod tests;

use std::time::Duration;

use audio_io::channel::{ChannelEvent, ChannelOrder, DialString, HookKind, RefusedOrder};

pub(crate) use self::cause::Cause;

use super::limits::{CALLER_ID_KEPT, LOST_CAUSE_WITHIN, ON_HOOK_RETRY, ON_HOOK_TRIES, REST};
use super::line::Parties;

/// How a line is to behave.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Whether the caller's number is waited for, and how long after the first ring.
    pub(crate) caller_id: Option<Duration>,
    /// No ring for this long: the caller gave up.
    pub(crate) ring_timeout: Duration,
    /// Whether tones of the exchange are heard: they end calls, and dial tone is waited for.
    pub(crate) hears_tones: bool,
    /// The line answers by itself after so many rings; 0 for never.
    pub(crate) answer_after_rings: u32,
    /// It only listens: somebody else's calls pass over it, and it is ordered nothing.
    pub(crate) is_tap: bool,
}

/// Something to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Order the channel this.
    Order(ChannelOrder),
    /// Tell this of the call.
    Tell(Tell),
}

/// What is told of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// It has begun.
    Began(Began),
    /// It is answered.
    Answered,
    /// It is over on the line's side.
    Ended(Cause),
}

/// A call that has begun by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Began {
    /// Its name, if the peer gave it one.
    pub(crate) uuid: Option<[u8; 16]>,
    /// Who calls whom, as far as the line said so.
    pub(crate) parties: Parties,
    /// Whether it has still to be answered.
    pub(crate) ringing: bool,
}

/// A tone of the exchange, recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It waits for a number: nobody is at the other end.
    Dial,
    /// The other end is busy, or has hung up.
    Busy,
    /// There is no way to it, or it has hung up.
    Congestion,
}

/// The machine; see the module.
pub(crate) struct Signalling {
    options: Options,
    now: Duration,
    /// How the channel signals; unknown until it is open.
    kind: HookKind,
    state: State,
    /// Alarms that are on.
    alarms: u32,
    /// Whether the far end is off hook, where that is told.
    far_off_hook: bool,
    /// A caller's number that came before its ring, and when.
    caller: Option<(Duration, Parties)>,
    /// When the line has been on hook for long enough to be seized again.
    rested_at: Duration,
    /// An on-hook that was refused: when to try again, and how often it was.
    refused: Option<(Duration, u32)>,
    /// Whether we are off hook.
    is_off_hook: bool,
    /// When the channel went away with a call, whose end is still to be told.
    lost_at: Option<Duration>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum State {
    /// Not open yet, or gone.
    Away,
    Idle,
    Ringing(inward::Ringing),
    Talking(Talking),
    Placing(outward::Placing),
    Releasing(Duration),
}

/// A call that is answered.
#[derive(Clone, Copy, Debug)]
struct Talking {
    since: Duration,
    /// Whether we made it, and dialled a number.
    way: Way,
    /// Whether the battery was reversed when it was answered.
    is_reversed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    In,
    Dialled,
    Seized,
}

impl Signalling {
    pub(crate) const fn new(options: Options) -> Self {
        Self {
            options,
            now: Duration::ZERO,
            kind: HookKind::Clear,
            state: State::Away,
            alarms: 0,
            far_off_hook: false,
            caller: None,
            rested_at: Duration::ZERO,
            refused: None,
            is_off_hook: false,
            lost_at: None,
            steps: Vec::new(),
        }
    }

    /// What it is doing, in a word.
    pub(crate) const fn phase(&self) -> &'static str {
        match &self.state {
            State::Away => "away",
            State::Idle => "idle",
            State::Ringing(_) => "ringing",
            State::Placing(_) => "dialling",
            State::Talking(_) => "talking",
            State::Releasing(_) => "releasing",
        }
    }

    /// Whether a caller's number may come now.
    pub(crate) const fn awaits_caller_id(&self) -> bool {
        let may_come = matches!(self.kind, HookKind::Fxo) || self.options.is_tap;
        let is_before = match &self.state {
            State::Idle => true,
            State::Ringing(ringing) => !ringing.is_told,
            _ => false,
        };
        self.options.caller_id.is_some() && may_come && is_before
    }

    /// Whether tones of the exchange mean something now.
    pub(crate) const fn awaits_tones(&self) -> bool {
        let may_come = self.options.hears_tones && matches!(self.kind, HookKind::Fxo);
        may_come && self.is_off_hook
    }

    /// Whether there is anything that is not over.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Away | State::Idle) && self.lost_at.is_none()
    }

    /// Time has passed.
    #[must_use]
    pub(crate) fn pass(&mut self, now: Duration) -> Vec<Step> {
        self.now = self.now.max(now);
        self.caller
            .take_if(|(at, _)| *at + CALLER_ID_KEPT <= self.now);
        self.retry_on_hook();
        if self
            .lost_at
            .is_some_and(|at| at + LOST_CAUSE_WITHIN <= self.now)
        {
            self.end_lost(Cause::DeviceLost);
        }
        match &self.state {
            State::Ringing(_) => self.pass_ringing(),
            State::Placing(_) => self.pass_placing(),
            State::Releasing(last)
                if self.kind == HookKind::Fxo
                    && !self.options.is_tap
                    && *last + self.options.ring_timeout <= self.now =>
            {
                self.state = State::Idle;
            }
            _ => {}
        }
        std::mem::take(&mut self.steps)
    }

    /// The channel signals something.
    #[must_use]
    pub(crate) fn event(&mut self, now: Duration, event: ChannelEvent) -> Vec<Step> {
        let mut steps = self.pass(now);
        match event {
            ChannelEvent::Opened {
                kind,
                off_hook,
                alarms,
            } => self.opened(kind, off_hook, alarms),
            ChannelEvent::Gone { errno } => {
                self.gone();
                // The driver says itself that it took the channel away.
                if matches!(errno, libc::ENODEV | libc::ENXIO) {
                    self.end_lost(Cause::DeviceLost);
                }
            }
            _ if matches!(self.state, State::Away) => {}
            ChannelEvent::Alarm { alarms: 0 } | ChannelEvent::AlarmOver => self.alarm_over(),
            ChannelEvent::Alarm { alarms } => self.alarm(alarms),
            ChannelEvent::Refused { order, .. } => self.order_refused(order),
            _ => self.signal(event),
        }
        steps.append(&mut self.steps);
        steps
    }

    /// A tone of the exchange was recognised.
    #[must_use]
    pub(crate) fn heard(&mut self, now: Duration, tone: Tone) -> Vec<Step> {
        let mut steps = self.pass(now);
        match &self.state {
            State::Placing(_) => self.heard_placing(tone),
            State::Talking(talking) if self.awaits_tones() => {
                let cause = match (talking.way, tone) {
                    // Nothing was dialled yet, as far as we know.
                    (Way::Seized, Tone::Dial) => None,
                    (Way::Dialled, _) => Some(outward::outcome(tone, talking.since, self.now)),
                    _ => Some(Cause::NormalClearing),
                };
                if let Some(cause) = cause {
                    self.end(cause);
                }
            }
            _ => {}
        }
        steps.append(&mut self.steps);
        steps
    }

    /// The application takes the call.
    #[must_use]
    pub(crate) fn answer(&mut self, now: Duration) -> Vec<Step> {
        let mut steps = self.pass(now);
        if matches!(self.state, State::Ringing(_)) {
            self.take_call();
        }
        steps.append(&mut self.steps);
        steps
    }

    /// The application ends the call; nothing is told of it any more.
    #[must_use]
    pub(crate) fn hang_up(&mut self, now: Duration) -> Vec<Step> {
        let mut steps = self.pass(now);
        self.lost_at = None;
        self.release();
        steps.append(&mut self.steps);
        steps
    }

    fn opened(&mut self, kind: HookKind, off_hook: bool, alarms: u32) {
        // That it was gone may have been overlooked.
        self.gone();
        self.kind = kind;
        self.state = State::Idle;
        self.alarms = alarms;
        self.rested_at = self.now;
        if alarms != 0 {
            self.end_lost(Cause::NetworkOutOfOrder);
        }
        let tells_hook = !self.options.is_tap && matches!(kind, HookKind::Fxs | HookKind::Em);
        if off_hook && tells_hook {
            self.signal(ChannelEvent::OffHook);
        }
    }

    fn gone(&mut self) {
        if self.is_call_told() {
            self.lost_at = Some(self.now);
        }
        self.state = State::Away;
        self.alarms = 0;
        self.far_off_hook = false;
        self.caller = None;
        self.refused = None;
        self.is_off_hook = false;
    }

    /// Ends the call that the channel took along when it went.
    fn end_lost(&mut self, cause: Cause) {
        if self.lost_at.take().is_some() {
            self.tell(Tell::Ended(cause));
        }
    }

    fn alarm(&mut self, alarms: u32) {
        self.end_lost(Cause::NetworkOutOfOrder);
        self.alarms = alarms;
        self.caller = None;
        match self.state {
            State::Talking(_) | State::Placing(_) | State::Ringing(_) => {
                self.end(Cause::NetworkOutOfOrder);
            }
            _ => {}
        }
    }

    fn alarm_over(&mut self) {
        self.alarms = 0;
        if self.far_off_hook && matches!(self.state, State::Idle) {
            self.signal(ChannelEvent::OffHook);
        }
    }

    fn order_refused(&mut self, order: RefusedOrder) {
        match (order, &self.state) {
            (RefusedOrder::OnHook, _) if self.has_hook() => {
                let tries = self.refused.map_or(0, |(_, tries)| tries) + 1;
                self.refused = Some((self.now + ON_HOOK_RETRY, tries));
            }
            // The telephone is off hook: there is sound all the same.
            (RefusedOrder::OffHook, _) if self.kind == HookKind::Fxs => {}
            (RefusedOrder::OffHook, State::Talking(_) | State::Placing(_))
            | (RefusedOrder::Ring | RefusedOrder::Dial, State::Placing(_)) => {
                self.end(Cause::NormalTemporaryFailure);
            }
            _ => {}
        }
    }

    fn retry_on_hook(&mut self) {
        let Some((at, tries)) = self.refused else {
            return;
        };
        if self.is_off_hook || tries > ON_HOOK_TRIES {
            self.refused = None;
        } else if at <= self.now {
            self.refused = Some((Duration::MAX, tries));
            self.order(ChannelOrder::OnHook);
        }
    }

    /// The call is over on the line's side: that is told, and we go on hook.
    fn end(&mut self, cause: Cause) {
        if self.is_call_told() {
            self.tell(Tell::Ended(cause));
        }
        self.release();
    }

    /// Whether there is a call that somebody knows of.
    const fn is_call_told(&self) -> bool {
        match &self.state {
            State::Away | State::Idle | State::Releasing(_) => false,
            State::Ringing(ringing) => ringing.is_told,
            State::Talking(_) | State::Placing(_) => true,
        }
    }

    /// Goes on hook, whatever there is.
    fn release(&mut self) {
        let before = std::mem::replace(&mut self.state, State::Idle);
        match &before {
            State::Away => {
                self.state = State::Away;
                return;
            }
            State::Releasing(_) => {
                self.state = before;
                return;
            }
            State::Placing(placing) => self.stop_placing(placing),
            State::Idle | State::Ringing(_) | State::Talking(_) => {}
        }
        self.put_down();
        let rings_on = matches!(&before, State::Ringing(_)) && self.kind == HookKind::Fxo;
        if self.far_off_hook || (rings_on && self.alarms == 0) {
            let last = match &before {
                State::Ringing(ringing) => ringing.last,
                _ => self.now,
            };
            self.state = State::Releasing(last);
        }
    }

    /// On hook, if we are off hook.
    fn put_down(&mut self) {
        if std::mem::replace(&mut self.is_off_hook, false) {
            self.order(ChannelOrder::OnHook);
            self.rested_at = self.now + REST;
        }
    }

    /// Off hook.
    fn lift(&mut self) {
        if self.has_hook() {
            self.is_off_hook = true;
            self.refused = None;
            self.order(ChannelOrder::OffHook);
        }
    }

    /// Whether there is a hook that is ours.
    const fn has_hook(&self) -> bool {
        let has = matches!(self.kind, HookKind::Fxo | HookKind::Fxs | HookKind::Em);
        has && !self.options.is_tap
    }

    fn talk(&mut self, way: Way) {
        self.state = State::Talking(Talking {
            since: self.now,
            way,
            is_reversed: false,
        });
    }

    fn order(&mut self, order: ChannelOrder) {
        self.steps.push(Step::Order(order));
    }

    fn tell(&mut self, tell: Tell) {
        if matches!(tell, Tell::Began(_)) {
            self.end_lost(Cause::DeviceLost);
        }
        self.steps.push(Step::Tell(tell));
    }
}

/// A number as DAHDI dials it: digits, `*`, `#`, `A` to `D`, and `w` or `,` for a pause of half a
/// second; a `+` at its start is left out. `None` if it has anything else, or too much.
fn dial_string(number: &str) -> Option<DialString> {
    let mut dial = DialString::new();
    dial.push('T').ok()?;
    for key in number.strip_prefix('+').unwrap_or(number).chars() {
        let key = match key.to_ascii_uppercase() {
            ',' => 'W',
            key @ ('0'..='9' | '*' | '#' | 'A'..='D' | 'W') => key,
            _ => return None,
        };
        dial.push(key).ok()?;
    }
    (dial.len() > 1).then_some(dial)
}
