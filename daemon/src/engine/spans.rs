//! Cards' spans and who listens for connections, looked at by an ordinary thread: alarms and
//! counters of spans once a second, the hook of tapped channels ten times as often.
//!
//! ```text
//!  ctl ──▶ `telephony` ─┬─▶ spans, listeners: for whoever asks
//!  voltage ──▶          ├─▶ how a tapped channel's hook stands: to its line
//!  listeners ──▶        └─▶ the journal
//! ```

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use audio_io::audiosocket::{ListenerEvent, ListenerNews, Refusal};
use audio_io::dahdi::{Control, HookWatch, SpanStatus, VoltageProbe, control_error};

use super::limits::{HOOK_EVERY, SPANS_EVERY};
use super::line::TapHook;
use super::live::LineLive;
use super::telephony::{ListenerFacts, SpanFacts, alarm_words};

/// Which span a channel belongs to, as the driver says now.
pub(super) struct SpanOf(Option<Control>);

impl SpanOf {
    pub(super) fn ask(folder: &Path, is_wanted: bool) -> Self {
        Self(is_wanted.then(|| Control::open(folder).ok()).flatten())
    }

    pub(super) fn channel(&self, number: u32) -> Option<u32> {
        let channel = self.0.as_ref()?.channel(number).ok()?;
        (channel.span > 0).then_some(channel.span)
    }
}

/// What was seen last, for whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    spans: Mutex<Vec<SpanFacts>>,
    listeners: Mutex<Vec<ListenerFacts>>,
}

impl Seen {
    pub(super) fn spans(&self) -> Vec<SpanFacts> {
        locked(&self.spans).clone()
    }

    pub(super) fn listeners(&self) -> Vec<ListenerFacts> {
        locked(&self.listeners).clone()
    }
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A channel whose hook is looked at.
pub(super) struct Tapped {
    pub(super) number: u32,
    pub(super) hook: SyncSender<TapHook>,
    /// By voltage, and below how many volts it is off hook; else the driver is asked.
    pub(super) by: Option<(VoltageProbe, u32)>,
}

/// What there is to look at.
pub(super) struct Views {
    pub(super) folder: PathBuf,
    pub(super) taps: Vec<Tapped>,
    /// Lines of DAHDI channels.
    pub(super) lines: Vec<Arc<LineLive>>,
    pub(super) listeners: Vec<(ListenerFacts, Receiver<ListenerEvent>)>,
}

/// The running thread; dropping it ends it.
pub(super) struct Lookout {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lookout {
    /// Starts the thread, if there is anything to look at.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(super) fn start(views: Views, seen: Arc<Seen>) -> io::Result<Self> {
        if views.lines.is_empty() && views.listeners.is_empty() {
            return Ok(Self {
                stop: None,
                thread: None,
            });
        }
        let (stop, stopped) = sync_channel(1);
        let work = Work::new(views, seen);
        let thread = std::thread::Builder::new()
            .name("telephony".into())
            .spawn(move || work.run(&stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Lookout {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread that looks at spans died");
        }
    }
}

struct Work {
    folder: PathBuf,
    hooks: HookWatch,
    taps: Vec<Tap>,
    lines: Vec<Arc<LineLive>>,
    listeners: Vec<Receiver<ListenerEvent>>,
    seen: Arc<Seen>,
    /// Whether the driver could be asked.
    trouble: Option<i32>,
}

/// A tapped channel and what was told of it.
struct Tap {
    what: Tapped,
    told: Option<TapHook>,
    /// The look before, where one does not suffice.
    before: Option<TapHook>,
    /// Whether it was said that its hook cannot be seen.
    is_blind: bool,
}

impl Work {
    fn new(views: Views, seen: Arc<Seen>) -> Self {
        let Views {
            folder,
            taps,
            lines,
            listeners,
        } = views;
        let (facts, listeners): (Vec<_>, Vec<_>) = listeners.into_iter().unzip();
        *locked(&seen.listeners) = facts;
        let taps = taps.into_iter().map(|what| Tap {
            what,
            told: None,
            before: None,
            is_blind: false,
        });
        Self {
            hooks: HookWatch::new(&folder),
            folder,
            taps: taps.collect(),
            lines,
            listeners,
            seen,
            trouble: None,
        }
    }

    fn run(mut self, stopped: &Receiver<()>) {
        let turns = SPANS_EVERY.as_millis() / HOOK_EVERY.as_millis();
        for turn in 0_u128.. {
            if turn % turns == 0 && !self.lines.is_empty() {
                self.look_at_spans();
            }
            self.look_at_hooks();
            self.hear_listeners();
            if stopped.recv_timeout(HOOK_EVERY) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    fn look_at_spans(&mut self) {
        match Control::open(&self.folder) {
            Ok(control) => {
                if self.trouble.take().is_some() {
                    log::info!("{} answers again", self.folder.join("ctl").display());
                }
                let mut used: HashMap<u32, u32> = HashMap::new();
                for line in &self.lines {
                    let number = line.channel_number().unwrap_or_default();
                    let span = control.channel(number).map_or(0, |channel| channel.span);
                    line.set_span(span);
                    *used.entry(span).or_default() += 1;
                }
                let before = self.seen.spans();
                let now = control.spans();
                let facts = now.iter().map(|span| facts_of(span, &before, &used));
                *locked(&self.seen.spans) = facts.collect();
            }
            Err(errno) => {
                let reason = control_error(&self.folder, errno);
                if self.trouble.replace(errno) != Some(errno) {
                    log::error!("{reason}");
                }
                for span in locked(&self.seen.spans).iter_mut() {
                    span.error = Some(reason.clone());
                }
            }
        }
    }

    fn look_at_hooks(&mut self) {
        let asked: Vec<u32> = self
            .taps
            .iter()
            .filter(|tap| tap.what.by.is_none())
            .map(|tap| tap.what.number)
            .collect();
        if self.taps.is_empty() {
            return;
        }
        let states = match asked.is_empty() {
            true => Ok(Vec::new()),
            false => self.hooks.look(&asked),
        };
        // That the driver is away is told where spans are looked at.
        let mut states = states.unwrap_or_default().into_iter();
        for tap in &mut self.taps {
            match tap.what.by {
                None => {
                    let Some(state) = states.next() else { continue };
                    match state {
                        Some(state) => tap.tell(TapHook {
                            off_hook: state.off_hook,
                            ringing: state.ringing,
                        }),
                        None => tap.is_blind_to("it has no hook, or is not there"),
                    }
                }
                Some((ref probe, below)) => match probe.millivolts() {
                    Ok(Some(millivolts)) => {
                        let off_hook = is_off_hook(millivolts, below);
                        tap.tell_steady(TapHook {
                            off_hook,
                            ringing: false,
                        });
                    }
                    // It is not open.
                    Ok(None) => {}
                    Err(_) => tap.is_blind_to("its card does not measure voltages"),
                },
            }
        }
    }

    fn hear_listeners(&mut self) {
        let mut facts = locked(&self.seen.listeners);
        for (facts, events) in facts.iter_mut().zip(&self.listeners) {
            while let Ok(event) = events.try_recv() {
                hear(facts, event);
            }
        }
    }
}

impl Tap {
    /// Tells how it stands, if that is news; later, if the line has no room for it.
    fn tell(&mut self, now: TapHook) {
        if self.told != Some(now) && self.what.hook.try_send(now).is_ok() {
            self.told = Some(now);
        }
        self.is_blind = false;
    }

    /// The same once two looks agree: a voltage swings while it rings.
    fn tell_steady(&mut self, now: TapHook) {
        if self.before.replace(now) == Some(now) {
            self.tell(now);
        }
    }

    fn is_blind_to(&mut self, why: &str) {
        if !std::mem::replace(&mut self.is_blind, true) {
            let number = self.what.number;
            log::warn!(
                "DAHDI channel {number}: its hook cannot be seen: {why}; trigger = \"vox\" needs \
                 none"
            );
        }
        self.tell_gone();
    }

    /// A call on a channel whose hook is not seen any more is over.
    fn tell_gone(&mut self) {
        let idle = TapHook {
            off_hook: false,
            ringing: false,
        };
        if self.told.is_some() && self.told != Some(idle) && self.what.hook.try_send(idle).is_ok() {
            self.told = Some(idle);
        }
    }
}

/// Whether a telephone is off hook: the voltage is low, but there is one.
const fn is_off_hook(millivolts: i32, below_volts: u32) -> bool {
    let volts = millivolts.unsigned_abs();
    volts >= NO_BATTERY && volts < below_volts.saturating_mul(1_000)
}

/// Below so many millivolts there is no battery: the wires are cut, or the exchange is off.
const NO_BATTERY: u32 = 1_500;

fn facts_of(span: &SpanStatus, before: &[SpanFacts], used: &HashMap<u32, u32>) -> SpanFacts {
    let before = before.iter().find(|facts| facts.number == span.number);
    let alarms = alarm_words(span.alarms);
    let was = before.is_some_and(|facts| !facts.alarms.is_empty());
    let mut alarms_total = before.map_or(0, |facts| facts.alarms_total);
    match (was, alarms.is_empty()) {
        (false, false) => {
            alarms_total += 1;
            let words = alarms.join(", ");
            log::warn!(
                span = span.number;
                "span {} ({}): alarm: {words}", span.number, span.name
            );
        }
        (true, true) => log::info!(
            span = span.number; "span {} ({}): no alarm any more", span.number, span.name
        ),
        _ => {}
    }
    SpanFacts {
        number: span.number,
        name: span.name.clone(),
        description: span.description.clone(),
        manufacturer: span.manufacturer.clone(),
        device: span.device.clone(),
        kind: span.kind.clone(),
        alarms,
        alarms_total,
        channels: span.channels,
        configured: span.configured,
        used: used.get(&span.number).copied().unwrap_or_default(),
        irq_misses: span.irq_misses,
        bipolar_violations: span.bipolar_violations,
        crc4_errors: span.crc4_errors,
        ebit_errors: span.e_bit_errors,
        frame_errors: span.frame_errors,
        coding_violations: span.coding_violations,
        errored_seconds: span.errored_seconds,
        error: None,
    }
}

fn hear(facts: &mut ListenerFacts, event: ListenerEvent) {
    let ListenerEvent { peer, what } = event;
    let peer = peer.map_or_else(|| "AudioSocket".to_owned(), |peer| peer.to_string());
    let listen = facts.listen;
    match what {
        ListenerNews::Seated { .. } => facts.calls += 1,
        ListenerNews::Refused(Refusal::NoLine) => facts.busy += 1,
        ListenerNews::Refused(Refusal::Address) => facts.denied += 1,
        ListenerNews::Refused(_) => facts.unidentified += 1,
        ListenerNews::Failed { .. } => {}
    }
    match what {
        ListenerNews::Seated { uuid, .. } => {
            let uuid = uuid::Uuid::from_bytes(uuid);
            log::info!(
                call = uuid.to_string().as_str(), peer = peer.to_string().as_str();
                "{peer} connected to {listen} with call {uuid}"
            );
        }
        ListenerNews::Refused(_) | ListenerNews::Failed { .. } => {
            log::warn!(peer = peer.to_string().as_str(); "{peer} at {listen}: {what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(off_hook: bool) -> TapHook {
        TapHook {
            off_hook,
            ringing: false,
        }
    }

    fn tap(room: usize) -> (Tap, Receiver<TapHook>) {
        let (sender, told) = sync_channel(room);
        let what = Tapped {
            number: 7,
            hook: sender,
            by: None,
        };
        let tap = Tap {
            what,
            told: None,
            before: None,
            is_blind: false,
        };
        (tap, told)
    }

    #[test]
    fn a_hook_is_told_when_it_changes_and_later_if_there_is_no_room() {
        let (mut tap, told) = tap(1);
        tap.tell(hook(true));
        tap.tell(hook(true));
        tap.tell(hook(false));
        assert_eq!(told.try_recv(), Ok(hook(true)));
        tap.tell(hook(false));
        assert_eq!(told.try_recv(), Ok(hook(false)));
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn a_voltage_counts_once_two_looks_agree() {
        let (mut tap, told) = tap(8);
        for off_hook in [false, true, false, false, true, true, false] {
            tap.tell_steady(hook(off_hook));
        }
        let told: Vec<bool> = told.try_iter().map(|hook| hook.off_hook).collect();
        assert_eq!(told, [false, true]);
    }

    #[test]
    fn a_call_is_over_when_its_hook_is_not_seen_any_more() {
        let (mut tap, told) = tap(8);
        tap.is_blind_to("it is not there");
        assert!(told.try_recv().is_err());
        tap.tell(hook(true));
        tap.is_blind_to("it is not there");
        tap.is_blind_to("it is not there");
        let told: Vec<bool> = told.try_iter().map(|hook| hook.off_hook).collect();
        assert_eq!(told, [true, false]);
    }

    #[test]
    fn a_low_voltage_is_off_hook_and_none_is_a_cut_wire() {
        let off = |millivolts| is_off_hook(millivolts, 20);
        assert!(!off(-48_000) && !off(48_000) && !off(20_000));
        assert!(off(-7_500) && off(19_999));
        assert!(!off(0) && !off(-1_000));
    }
}
