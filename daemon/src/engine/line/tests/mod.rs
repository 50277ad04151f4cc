//! Lines with scripted sound and a real store, driven as the recorder thread drives them.

mod airing;
mod calls;
mod channel;
mod digits;
mod takes;
mod tap;

use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use audio_io::block::GapCause;
use audio_io::capture::{CaptureStats, DeviceState};
use audio_io::channel::{
    ChannelControl, ChannelEvent, ChannelNotice, ChannelOrder, ChannelStats, HookKind,
};
use audio_io::clock::{Clock, Kept, ManualClock};
use audio_io::dsp::dtmf::{Digit as Key, DigitPlayer, PlayParams};
use audio_io::dsp::tone::{Tone, leg_samples};
use audio_io::format::{Channels, StreamFormat};
use audio_io::player::{Player, PlayerControl, decoded};
use audio_io::ring::{BlockProducer, ring};
use audio_io::units::{Millis, SampleRate};
use storage::handle::{IoChoice, StoreOptions};
use storage::ids::{TenantId, TenantName};
use storage::record::{Mark, Recording};
use storage::recorder::RecorderEvent;
use tokio::sync::mpsc::{Receiver, channel};
use uuid::Uuid;

use super::*;
use crate::config::schema;
use crate::engine::calls::link::{LineNews, LineNumber, News, own_take};
use crate::engine::session::command::PauseMode;
use crate::engine::session::signal::TakeId;

const RATE: SampleRate = SampleRate::TELEPHONE;
const STEP: usize = 160;

/// A line, what its devices bring, and what it tells.
struct Bench {
    recorder: Option<Recorder>,
    storage: StorageHandle,
    totals: Totals,
    clock: Arc<ManualClock>,
    line: Line,
    caller: BlockProducer,
    capture: Arc<CaptureStats>,
    /// Of a line that plays.
    player: Option<(BlockProducer, PlayerControl)>,
    /// Of a telephone line.
    channel: Option<Far>,
    news: Receiver<News>,
    place: u64,
    stored: Vec<Recording>,
}

/// The far end of a channel.
struct Far {
    notices: SyncSender<ChannelNotice>,
    orders: std::sync::mpsc::Receiver<ChannelOrder>,
    hook: SyncSender<TapHook>,
}

/// Runs a test with a line of this configuration.
fn with_line(more: &str, test: impl AsyncFnOnce(&mut Bench)) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
    let options = StoreOptions {
        data_dir: folder.path().join("data"),
        index_cache_bytes: 8 << 20,
        io: IoChoice::Blocking,
    };
    let (storage, seed, _) = StorageHandle::open(options, clock.clone()).unwrap();
    let tenant = storage
        .add_tenant(TenantName::new("acme").unwrap())
        .unwrap();
    storage::recorder::run(seed, IoChoice::Blocking, async |recorder| {
        let mut bench = Bench::new(recorder, storage, clock, tenant.id, more);
        test(&mut bench).await;
        bench.finish().await;
    })
    .unwrap();
}

impl Bench {
    fn new(
        recorder: Recorder,
        storage: StorageHandle,
        clock: Arc<ManualClock>,
        tenant: TenantId,
        more: &str,
    ) -> Self {
        let is_card = !more.contains("dahdi") && !more.contains("audiosocket");
        let capture = if is_card { "capture = 'hw:0'" } else { "" };
        let text = format!("name = 'front'\ntenant = 'acme'\n{capture}\n{more}");
        let source = config::File::from_str(&text, config::FileFormat::Toml);
        let config = config::Config::builder().add_source(source).build();
        let config: schema::Line = config.unwrap().try_deserialize().unwrap();
        let mono = StreamFormat {
            rate: RATE,
            encoding: config.encoding,
            channels: Channels::Mono,
        };
        let (caller, blocks) = ring(2_000);
        let capture = Arc::new(CaptureStats::default());
        capture.period_frames.store(160, Ordering::Relaxed);
        let stream = CaptureStream {
            blocks,
            format: mono,
            stats: capture.clone(),
        };
        let plays = config.plays();
        let channels = if plays {
            Channels::Stereo
        } else {
            Channels::Mono
        };
        let format = StreamFormat { channels, ..mono };
        let devices = vec![capture.clone()];
        let (wires, far) = far_end(&config);
        let mut live = LineLive::new(config, tenant, format, devices, None);
        if let Some(wires) = &wires {
            live = live.with_channel(wires.stats.clone());
        }
        let live = Arc::new(live);
        let (inputs, player) = if plays {
            let (tap, consumer) = ring(2_000);
            let (events, _told) = std::sync::mpsc::sync_channel(1);
            let player = Player::new(0, decoded(RATE), &events, None, Duration::ZERO);
            let control = player.control;
            let played = Played::new(RATE, consumer, control.clone(), capture.clone());
            let duplex = Duplex::new(stream, played);
            (Inputs::Duplex(Box::new(duplex)), Some((tap, control)))
        } else {
            (Inputs::One(stream), None)
        };
        let (sender, news) = channel(512);
        let teller = Teller::new(LineNumber(5), sender);
        let mut line = Line::new(live, inputs, teller);
        if let Some(wires) = wires {
            line = line.with_signals(wires);
        }
        let bench = Self {
            recorder: Some(recorder),
            storage,
            totals: Totals::default(),
            clock,
            line,
            caller,
            capture,
            player,
            channel: far,
            news,
            place: 0,
            stored: Vec::new(),
        };
        bench.device(DeviceState::Running);
        bench
    }

    /// The channel signals something, where its sound is now; what it is ordered then.
    fn signal(&mut self, event: ChannelEvent) -> Vec<ChannelOrder> {
        self.notice(self.place, event);
        self.step();
        self.ordered()
    }

    fn notice(&self, at: u64, event: ChannelEvent) {
        let at = Frames(at);
        let far = self.channel.as_ref().expect("a channel");
        far.notices.send(ChannelNotice { at, event }).expect("room");
    }

    /// The channel is there.
    fn open(&mut self, kind: HookKind) {
        let (off_hook, alarms) = (false, 0);
        let orders = self.signal(ChannelEvent::Opened {
            kind,
            off_hook,
            alarms,
        });
        assert_eq!(orders, []);
    }

    /// What the channel was ordered since the last look.
    fn ordered(&self) -> Vec<ChannelOrder> {
        let far = self.channel.as_ref().expect("a channel");
        far.orders.try_iter().collect()
    }

    fn device(&self, state: DeviceState) {
        self.capture.state.store(state as u32, Ordering::Relaxed);
    }

    /// The caller's sound, 20 ms at a time, while silence is played.
    fn hear(&mut self, samples: &[i16]) {
        self.hear_both(samples, &vec![0; samples.len()]);
    }

    fn hear_both(&mut self, caller: &[i16], played: &[i16]) {
        for (caller, played) in caller.chunks(STEP).zip(played.chunks(STEP)) {
            let place = Frames(self.place);
            self.place += caller.len() as u64;
            if let Some((tap, control)) = &mut self.player {
                let block = Block::audio(place, &bytes(played));
                tap.push(block).expect("room in the tap");
                let heard = &control.stats().heard;
                heard.store(self.place, Ordering::Release);
            }
            let encoding = self.line.core.format.encoding;
            let mut sound = Vec::new();
            for sample in caller {
                put_sample(&mut sound, *sample, encoding);
            }
            self.caller.push(Block::audio(place, &sound)).expect("room");
            self.step();
        }
    }

    /// Frames that the caller's device lost.
    fn lose(&mut self, frames: Frames) {
        let gap = Block::gap(Frames(self.place), frames, GapCause::Overrun);
        self.place += frames.0;
        self.caller.push(gap).expect("room");
        self.step();
    }

    fn silence(&mut self, length: Millis) {
        self.hear(&vec![0; frames(length)]);
    }

    fn talk(&mut self, length: Millis) {
        self.hear(&voice(length));
    }

    /// Time passes, and the line is drained.
    fn step(&mut self) {
        self.clock.advance(Duration::from_millis(20));
        self.on_line(|line, to| line.drain(to));
    }

    /// Time passes without sound.
    fn stand_still(&mut self, length: Millis) {
        for _ in 0..length.0 / 20 {
            self.step();
        }
    }

    fn on_line<T>(&mut self, f: impl FnOnce(&mut Line, &mut Surroundings<'_>) -> T) -> T {
        let mut surroundings = Surroundings {
            recorder: self.recorder.as_mut().expect("a recorder"),
            storage: &self.storage,
            totals: &self.totals,
            wall: self.clock.wall(),
            now: self.clock.monotonic(),
            clock: &*self.clock,
        };
        f(&mut self.line, &mut surroundings)
    }

    fn order(&mut self, order: LineOrder) {
        self.on_line(|line, to| {
            line.drain(to);
            line.obey(order, to);
        });
    }

    fn attach(&mut self) -> Uuid {
        let session = Uuid::new_v4();
        let parties = Parties {
            from: Some(Number::new("+15550001").unwrap()),
            to: None,
        };
        self.order(LineOrder::Attach { session, parties });
        session
    }

    fn pause(&mut self, session: Uuid, take: TakeId, mode: PauseMode) {
        self.order(LineOrder::PauseRecording {
            session,
            take,
            mode,
        });
    }

    fn record(&mut self, session: Uuid, take: u64, mask_digits: Option<bool>) -> TakeId {
        let take = TakeId(take);
        self.order(LineOrder::Record {
            session,
            take,
            mask_digits,
        });
        take
    }

    /// What the line has told since the last look.
    fn told(&mut self) -> Vec<(Uuid, LineNews)> {
        let mut told = Vec::new();
        while let Ok(news) = self.news.try_recv() {
            assert_eq!(news.line, LineNumber(5));
            told.push((news.session, news.what));
        }
        told
    }

    /// Waits until nothing is open or being sealed.
    async fn settle(&mut self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        while let Some(recorder) = self.recorder.as_mut() {
            recorder.tick();
            let (open, events) = (recorder.open(), recorder.events());
            self.take(events);
            if open == 0 {
                return;
            }
            ticks.tick().await;
        }
    }

    fn take(&mut self, events: Vec<RecorderEvent>) {
        for event in events {
            match event {
                RecorderEvent::Stored(recording) => {
                    let end = || TakeEnd::Stored(Box::new(recording.clone()));
                    self.line.tell_end(recording.facts.id, end);
                    self.stored.push(recording);
                }
                RecorderEvent::Absent(recording) => {
                    self.line.tell_end(recording.facts.id, || TakeEnd::Absent);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Ends what is open, and waits for it.
    async fn end(&mut self) {
        self.on_line(|line, to| line.end(to, EndCause::Shutdown));
        self.settle().await;
    }

    async fn finish(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.finish().await;
        }
    }

    /// Both legs of a stored recording; the second is empty for mono.
    fn legs(&self, recording: &Recording) -> [Vec<i16>; 2] {
        let file = std::fs::read(self.storage.path_of(recording)).unwrap();
        let at = file.windows(4).position(|four| four == b"data").unwrap() + 8;
        let format = recording.facts.format;
        let outcome = recording.outcome.as_ref().unwrap();
        let length = usize::try_from(format.bytes_of(outcome.frames)).unwrap();
        let sound = &file[at..at + length];
        let leg = |leg| leg_samples(sound, format, leg);
        match format.channels {
            Channels::Mono => [leg(0), Vec::new()],
            Channels::Stereo => [leg(0), leg(1)],
        }
    }

    /// What was noted about the only recording, by where it begins.
    fn marks(&self) -> &[Mark] {
        let outcome = self.stored.first().and_then(|of| of.outcome.as_ref());
        outcome.map_or(&[], |outcome| &outcome.marks)
    }
}

/// What a telephone line has of its channel, and the far end of that.
fn far_end(config: &schema::Line) -> (Option<Wires>, Option<Far>) {
    let role = match config.source() {
        schema::Source::Alsa { .. } => return (None, None),
        schema::Source::Dahdi { role, .. } => Some(role),
        schema::Source::AudioSocket { .. } => None,
    };
    let is_tap = role == Some(schema::Role::Tap);
    let (control, orders) = ChannelControl::pair(64);
    let (notices, told) = std::sync::mpsc::sync_channel(64);
    let (hook, hooks) = std::sync::mpsc::sync_channel(64);
    let is_parallel = config.channel.tap == schema::TapKind::Parallel;
    let wires = Wires {
        channel: (!is_tap || is_parallel).then_some((told, control)),
        hook: is_tap.then_some(hooks),
        stats: Arc::new(ChannelStats::default()),
        names: PeerNames::default(),
    };
    let far = Far {
        notices,
        orders,
        hook,
    };
    (Some(wires), Some(far))
}

fn bytes(samples: &[i16]) -> Vec<u8> {
    samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect()
}

fn frames(length: Millis) -> usize {
    usize::try_from(RATE.frames_in(length).0).expect("short")
}

/// Something loud that is no digit.
fn voice(length: Millis) -> Vec<i16> {
    let mut tone = Tone::new(RATE, 300.0, 0.2);
    (0..frames(length)).map(|_| tone.next_sample()).collect()
}

/// A key held for 100 ms, and 200 ms of silence after it.
fn key(key: char) -> Vec<i16> {
    let mut player = DigitPlayer::new(RATE, PlayParams::default());
    player.push(Key::try_from(key).unwrap()).unwrap();
    let mut samples = vec![0; frames(Millis(300))];
    player.fill(&mut samples);
    samples
}
