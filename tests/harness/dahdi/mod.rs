//! A double of DAHDI: files that behave as the driver's do, for tests without a telephony card.
//! Real system calls reach it through FUSE, from this process or any other.
//!
//! ```text
//!  DahdiDouble::start(Spec) ── folder() ──▶ the layer under test, or a daemon's `[dahdi] folder`
//!       │ line(n): ring, far_end, feed, event, fault, remove ──▶ Model ◀── steps of 8 samples
//!       │ line(n): heard, asked                                    (a timer, or step())
//! ```
//! Two lines may be looped: what one sends the other receives, and their hooks meet as those of an
//! exchange and a telephone.

mod files;
mod line;
mod model;
mod requests;

use std::ffi::c_int;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use audio_io::dahdi::{Law, abi};
use fuser::{BackgroundSession, Config, MountOption, Session};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use files::{Driver, Shared};
use line::CHUNK;
pub use line::{Asked, Fault, decode, encode};
use model::Model;

/// What the double is made of.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its spans; channels are numbered through, from 1.
    pub spans: Vec<SpanSpec>,
    /// Pairs of channels that are looped.
    pub loops: Vec<(u32, u32)>,
    /// Whether it was built with mirrors.
    pub mirrors: bool,
    /// Whether time passes by itself; otherwise [`DahdiDouble::step`] lets it.
    pub real_time: bool,
    /// Whether a tone zone is loaded.
    pub tone_zone: bool,
    /// Whether it has an echo canceller.
    pub echo_canceller: bool,
    /// Milliseconds a ring lasts, and of the pause behind it.
    pub ring_ms: (u64, u64),
}

/// A span.
#[derive(Clone, Debug)]
pub struct SpanSpec {
    /// What kind it says it is, in five letters at most.
    pub kind: String,
    /// The signalling of each channel (`abi::SIG_*`).
    pub signalling: Vec<c_int>,
    /// Its law.
    pub law: Law,
}

impl SpanSpec {
    /// A span of so many channels of one signalling, with µ-law.
    #[must_use]
    pub fn new(kind: &str, channels: usize, signalling: c_int) -> Self {
        Self {
            kind: kind.to_owned(),
            signalling: vec![signalling; channels],
            law: Law::MuLaw,
        }
    }
}

impl Spec {
    /// Some spans, nothing looped, in real time.
    #[must_use]
    pub fn new(spans: Vec<SpanSpec>) -> Self {
        Self {
            spans,
            loops: Vec::new(),
            mirrors: false,
            real_time: true,
            tone_zone: true,
            echo_canceller: true,
            ring_ms: (400, 600),
        }
    }

    /// An exchange and its subscribers: channels 1 to n (FXS ports, the exchange) are looped with
    /// channels n + 1 to 2 n (FXO ports).
    #[must_use]
    pub fn looped(pairs: usize) -> Self {
        let count = u32::try_from(pairs).expect("few channels");
        Self {
            loops: (1..=count).map(|number| (number, number + count)).collect(),
            ..Self::new(vec![
                SpanSpec::new("FXS", pairs, abi::SIG_FXOKS),
                SpanSpec::new("FXO", pairs, abi::SIG_FXSKS),
            ])
        }
    }

    /// The same, where time passes only in steps.
    #[must_use]
    pub fn stepped(self) -> Self {
        Self {
            real_time: false,
            ..self
        }
    }
}

/// A running double. Dropping it unmounts its files.
pub struct DahdiDouble {
    shared: Shared,
    session: Option<BackgroundSession>,
    stop: Arc<AtomicBool>,
    timer: Option<JoinHandle<()>>,
    folder: tempfile::TempDir,
}

impl DahdiDouble {
    /// Mounts it.
    ///
    /// # Panics
    /// With the reason, when this machine does not let it.
    #[must_use]
    pub fn start(spec: &Spec) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let shared = Shared::new(Driver::new(Model::new(spec)));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("callreel-dahdi".into())];
        let session = Session::new(shared.clone(), folder.path(), &config);
        let session = session.and_then(Session::spawn).unwrap_or_else(|error| {
            panic!(
                "cannot mount the double of DAHDI: {error}; it needs /dev/fuse, and root or \
                 fusermount3 (package fuse3)"
            )
        });
        let stop = Arc::new(AtomicBool::new(false));
        let timer = spec.real_time.then(|| {
            let (shared, stop) = (shared.clone(), Arc::clone(&stop));
            std::thread::spawn(move || keep_time(&shared, &stop))
        });
        Self {
            shared,
            session: Some(session),
            stop,
            timer,
            folder,
        }
    }

    /// The folder with its nodes: what `/dev/dahdi` is of the driver.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A channel, by its number.
    #[must_use]
    pub fn channel(&self, number: u32) -> LineOfDouble<'_> {
        LineOfDouble {
            shared: &self.shared,
            number,
        }
    }

    /// Lets so many samples pass, 8 at a time.
    pub fn step(&self, samples: usize) {
        self.shared.change(|model| {
            for _ in 0..samples.div_ceil(CHUNK) {
                model.step();
            }
        });
    }

    /// Samples that have passed.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.shared.lock().model.samples
    }

    /// Raises an alarm of a span (`abi::ALARM_*`), or ends it with 0.
    pub fn alarm(&self, span: u32, bits: u32) {
        self.shared.change(|model| model.alarm(span, bits));
    }

    /// Takes all channels of a span away, as unplugging its card does.
    pub fn remove_span(&self, span: u32) {
        for number in self.channels_of(span) {
            self.channel(number).remove();
        }
    }

    /// Brings a span back, its channels as new.
    pub fn restore_span(&self, span: u32) {
        for number in self.channels_of(span) {
            self.channel(number).restore();
        }
    }

    fn channels_of(&self, span: u32) -> Vec<u32> {
        let driver = self.shared.lock();
        let lines = driver.model.lines.values();
        let own = lines.filter(|line| line.span == span && !line.pseudo);
        own.map(|line| line.number).collect()
    }
}

impl Drop for DahdiDouble {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(timer) = self.timer.take() {
            // It only counts; if it died, a test has failed already.
            let _ended = timer.join();
        }
        if let Some(session) = self.session.take() {
            // While a daemon still has files open, the mount stays until it ends.
            let _unmounted = session.umount_and_join();
        }
    }
}

/// A channel of the double, as a test sees it: the far end, and what was done to it.
#[derive(Clone, Copy)]
pub struct LineOfDouble<'a> {
    shared: &'a Shared,
    number: u32,
}

impl LineOfDouble<'_> {
    fn change<T>(&self, change: impl FnOnce(&mut line::Line) -> T) -> T {
        let number = self.number;
        self.shared.change(|model| {
            let line = model.lines.get_mut(&number);
            change(line.unwrap_or_else(|| panic!("the double has no channel {number}")))
        })
    }

    /// A ring begins at an FXO port.
    pub fn ring_begins(&self) {
        self.shared.change(|model| model.ring(self.number, true));
    }

    /// A ring is over.
    pub fn ring_ends(&self) {
        self.shared.change(|model| model.ring(self.number, false));
    }

    /// The far end goes off hook, or on hook.
    pub fn far_end(&self, off_hook: bool) {
        self.shared
            .change(|model| model.far_end(self.number, off_hook));
    }

    /// What an owner of the line (a PBX) does with its hook, for taps: `abi::ONHOOK`, …
    pub fn hook(&self, hook: c_int) -> i32 {
        self.shared.change(|model| model.hook(self.number, hook))
    }

    /// An event, as the driver numbers it.
    pub fn event(&self, event: c_int) {
        self.change(|line| line.event(event));
    }

    /// The CAS bits that it receives change.
    pub fn bits(&self, bits: c_int) {
        self.change(|line| {
            line.rx_bits = bits;
            line.event(abi::EVENT_BITSCHANGED);
        });
    }

    /// Sound from the line, as codes of its law; instead of what a looped line sends.
    pub fn feed(&self, codes: &[u8]) {
        self.change(|line| line.feed(codes));
    }

    /// Sound from the line, as samples.
    pub fn feed_samples(&self, samples: &[i16]) {
        self.change(|line| {
            let law = line.own_law;
            let codes: Vec<u8> = samples.iter().map(|sample| encode(*sample, law)).collect();
            line.feed(&codes);
        });
    }

    /// Codes that were fed and have not come in yet.
    #[must_use]
    pub fn unheard(&self) -> usize {
        self.change(|line| line.unheard())
    }

    /// All that was sent while it was open, as codes.
    #[must_use]
    pub fn heard(&self) -> Vec<u8> {
        self.change(|line| line.heard.clone())
    }

    /// All that was sent while it was open, as samples.
    #[must_use]
    pub fn heard_samples(&self) -> Vec<i16> {
        self.change(|line| {
            let law = line.law;
            line.heard.iter().map(|code| decode(*code, law)).collect()
        })
    }

    /// What it was asked to do.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.change(|line| line.asked.clone())
    }

    /// Hooks it was asked for.
    #[must_use]
    pub fn hooks(&self) -> Vec<c_int> {
        let asked = self.asked().into_iter();
        let hooks = asked.filter_map(|asked| match asked {
            Asked::Hook(hook) => Some(hook),
            _ => None,
        });
        hooks.collect()
    }

    /// Whether somebody has it open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.change(|line| line.open)
    }

    /// Whether its owner is off hook.
    #[must_use]
    pub fn is_off_hook(&self) -> bool {
        self.change(|line| line.tx_signal == abi::TXSIG_OFFHOOK)
    }

    /// What goes wrong next.
    pub fn fault(&self, fault: Fault) {
        self.change(|line| line.fault(fault));
    }

    /// Whether neither sound comes nor any goes.
    pub fn stall(&self, stalled: bool) {
        self.change(|line| line.stalled = stalled);
    }

    /// The channel's own alarm.
    pub fn alarm(&self, bits: u32) {
        self.change(|line| {
            line.alarms = bits;
            line.event(if bits == 0 {
                abi::EVENT_NOALARM
            } else {
                abi::EVENT_ALARM
            });
        });
    }

    /// The voltage of the line, in millivolts.
    pub fn voltage(&self, millivolts: c_int) {
        self.change(|line| line.millivolts = Some(millivolts));
    }

    /// Another signalling, as `dahdi_cfg` would set.
    pub fn signalling(&self, signalling: c_int) {
        self.change(|line| line.sig = signalling);
    }

    /// Takes it away.
    pub fn remove(&self) {
        self.shared.change(|model| model.remove(self.number));
    }

    /// Brings it back, as new.
    pub fn restore(&self) {
        self.shared.change(|model| model.restore(self.number));
    }
}

/// How often time passes.
const TICK: Duration = Duration::from_millis(5);

/// Steps of 8 samples in a tick.
const STEPS: u64 = 5;

/// Lets time pass as it does.
fn keep_time(shared: &Shared, stop: &AtomicBool) {
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)
        .expect("a timer of the kernel");
    let every = Expiration::Interval(TimeSpec::from_duration(TICK));
    timer
        .set(every, TimerSetTimeFlags::empty())
        .expect("a running timer");
    while !stop.load(Ordering::Relaxed) {
        let mut ticks = [0; 8];
        // Interrupted: no tick was counted.
        if nix::unistd::read(timer.as_fd(), &mut ticks).is_err() {
            continue;
        }
        let steps = u64::from_ne_bytes(ticks) * STEPS;
        shared.change(|model| (0..steps).for_each(|_| model.step()));
    }
}
