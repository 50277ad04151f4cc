//! The doubles, and the rig that holds them together.

use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audio_io::clock::{Clock, ManualClock};
use audio_io::codec::pcm::{DecodeError, PcmFormat, PcmSource};
use audio_io::fake::FakeSpeaker;
use audio_io::format::Channels;
use audio_io::player::{
    BUFFER, PERIOD, Player, PlayerEvent, PlayerPump, PlayerWorker, SoundFile, decoded,
};
use audio_io::port::PlaybackPort;
use audio_io::units::{Frames, SampleRate, WallMillis};
use serde_json::Value;
use storage::ids::{LineName, Number, TenantId};
use storage::outbox::NewEvent;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::exchange::{Exchange, LineFacts};
use super::super::figures::Counters;
use super::super::files::{CallOff, FilesDone, FilesKey, Missing, Prepare, Prepared};
use super::super::hub::Hub;
use super::super::link::{LineNews, LineNumber, LineOrder, News};
use super::super::recover::recover;
use super::super::store::Store;
use super::super::teller::Teller;
use super::super::{Ask, CallView, CommandError, NewCall, OpenCallError, Told};
pub(super) use super::disk::Disk;
use crate::config::schema::Trigger;
use crate::engine::line::Parties;
use crate::engine::session::Accepted;
use crate::engine::session::command::{Command, CommandUid, Request, Urls};

pub(super) const TENANT: TenantId = TenantId(1);
pub(super) const STRANGER: TenantId = TenantId(2);
/// The line with a player.
pub(super) const API: LineNumber = LineNumber(0);
/// The line whose calls begin by themselves; it has none.
pub(super) const VOX: LineNumber = LineNumber(1);
/// The telephone line, on which calls can be made too.
pub(super) const PHONE: LineNumber = LineNumber(3);
const RATE: SampleRate = SampleRate::TELEPHONE;

/// Jobs that were begun.
#[derive(Clone, Default)]
struct FakeFiles(Arc<Mutex<Vec<(FilesKey, Urls)>>>);

impl Prepare for FakeFiles {
    fn begin(&self, key: FilesKey, owner: TenantId, urls: Urls) -> CallOff {
        assert_eq!(owner, TENANT);
        self.0.lock().unwrap().push((key, urls));
        CallOff::none()
    }
}

/// A sound of so many milliseconds.
struct Tone(u64);

struct ToneSource(Frames, Frames);

impl SoundFile for Tone {
    fn open(&self) -> Result<Box<dyn PcmSource>, DecodeError> {
        Ok(Box::new(ToneSource(Frames(self.0 * 8), Frames::ZERO)))
    }
}

impl PcmSource for ToneSource {
    fn format(&self) -> PcmFormat {
        PcmFormat {
            rate: RATE,
            channels: Channels::Mono,
        }
    }

    fn frames(&self) -> Frames {
        self.0
    }

    fn read(&mut self, out: &mut [i16]) -> Result<usize, DecodeError> {
        let left = usize::try_from((self.0 - self.1).0).unwrap();
        let count = left.min(out.len());
        out[..count].fill(1_000);
        self.1 += Frames(count as u64);
        Ok(count)
    }

    fn seek(&mut self, to: Frames) -> Result<(), DecodeError> {
        self.1 = to.min(self.0);
        Ok(())
    }
}

/// The loudspeaker's side.
struct Sounding {
    pump: PlayerPump,
    worker: PlayerWorker,
    port: Box<dyn PlaybackPort>,
    told: Receiver<PlayerEvent>,
}

/// An exchange with everything around it.
pub(super) struct Rig {
    pub(super) clock: Arc<ManualClock>,
    pub(super) disk: Arc<Disk>,
    pub(super) exchange: Exchange,
    pub(super) counters: Arc<Counters>,
    pub(super) hub: tokio::sync::broadcast::Receiver<Arc<Told>>,
    files: FakeFiles,
    sounding: Sounding,
    /// Orders that lines were given.
    pub(super) orders: Vec<(LineNumber, LineOrder)>,
    /// Whether devices run.
    pub(super) has_device: Arc<std::sync::atomic::AtomicBool>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::on(Arc::default())
    }

    /// A daemon that starts on a disk.
    pub(super) fn on(disk: Arc<Disk>) -> Self {
        let clock = Arc::new(ManualClock::at(WallMillis(1_763_700_000_000)));
        let url: super::super::RecordingUrl =
            Arc::new(|row| format!("http://box/{}", row.facts.id));
        recover(&disk, &url).unwrap();
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let speaker = FakeSpeaker::new(Arc::clone(&time), decoded(RATE), PERIOD, BUFFER);
        let (events, told) = sync_channel(256);
        let player = Player::new(API.0, decoded(RATE), &events, None, time.monotonic());
        let mut pump = player.pump;
        let port = speaker.opener().open().unwrap();
        pump.attach(port.params(), time.monotonic());
        let has_device = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let line = |name: &str, tenant, trigger, player| {
            let runs = Arc::clone(&has_device);
            LineFacts {
                name: LineName::new(name).unwrap(),
                tenant,
                trigger,
                signals: trigger == Trigger::Hook,
                calls_out: name == "phone",
                has_device: Box::new(move || runs.load(std::sync::atomic::Ordering::SeqCst)),
                player,
            }
        };
        let lines = vec![
            line("desk", TENANT, Trigger::Api, Some(player.control)),
            line("voice", TENANT, Trigger::Vox, None),
            line("other", STRANGER, Trigger::Api, None),
            line("phone", TENANT, Trigger::Hook, None),
            line("tap", TENANT, Trigger::Hook, None),
        ];
        let (hub, counters) = (Arc::new(Hub::default()), Arc::new(Counters::default()));
        let watched = hub.watch();
        let store: Arc<dyn Store> = Arc::new(Arc::clone(&disk));
        let files = FakeFiles::default();
        let exchange = Exchange::new(
            lines,
            time,
            Teller::new(store, hub, Arc::clone(&counters)),
            Arc::clone(&counters),
            Box::new(files.clone()),
            url,
        );
        Self {
            clock,
            disk,
            exchange,
            counters,
            hub: watched,
            files,
            sounding: Sounding {
                pump,
                worker: player.worker,
                port,
                told,
            },
            orders: Vec::new(),
            has_device,
        }
    }

    /// Takes what lines were ordered.
    pub(super) fn collect(&mut self) {
        self.orders.extend(self.exchange.orders.drain(..));
    }

    /// Lets time pass: the loudspeaker plays, and what is due happens.
    pub(super) fn run_ms(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(PERIOD.0) {
            while self.sounding.worker.step() {}
            self.clock.advance(Duration::from(PERIOD));
            let now = self.clock.monotonic();
            let sounding = &mut self.sounding;
            let _turn = sounding.pump.turn(sounding.port.as_mut(), now);
            while self.sounding.worker.step() {}
            let told: Vec<_> = self.sounding.told.try_iter().collect();
            told.into_iter()
                .for_each(|event| self.exchange.player(event));
            if self.exchange.next_due().is_some_and(|due| due <= now) {
                self.exchange.pass();
            }
        }
        self.collect();
    }

    pub(super) fn try_open(
        &mut self,
        owner: TenantId,
        line: &str,
    ) -> Reply<CallView, OpenCallError> {
        self.try_call(owner, line, None)
    }

    /// Opens a call to a number.
    pub(super) fn try_call(
        &mut self,
        owner: TenantId,
        line: &str,
        number: Option<&str>,
    ) -> Reply<CallView, OpenCallError> {
        let (reply, answer) = oneshot::channel();
        let call = NewCall {
            line: LineName::new(line).unwrap(),
            caller_id: Some("+15550100".into()),
            did: number.map(str::to_owned),
        };
        self.exchange.ask(Ask::Open { owner, call, reply });
        self.collect();
        Reply(answer)
    }

    /// A call that is answered.
    pub(super) fn answered(&mut self) -> Uuid {
        let call = self.try_open(TENANT, "desk").now().unwrap();
        self.command(call.uuid, Command::Answer, "answer")
            .now()
            .unwrap();
        call.uuid
    }

    pub(super) fn command(
        &mut self,
        session: Uuid,
        command: Command,
        uid: &str,
    ) -> Reply<Accepted, CommandError> {
        self.command_of(Some(TENANT), session, command, uid)
    }

    pub(super) fn command_of(
        &mut self,
        owner: Option<TenantId>,
        session: Uuid,
        command: Command,
        uid: &str,
    ) -> Reply<Accepted, CommandError> {
        let (reply, answer) = oneshot::channel();
        let request = Request {
            command,
            command_uid: CommandUid::new(uid),
            operation: Uuid::new_v4(),
        };
        self.exchange.ask(Ask::Command {
            owner,
            session,
            request,
            reply,
        });
        self.collect();
        Reply(answer)
    }

    pub(super) fn look(&mut self, session: Uuid) -> CallView {
        let (reply, answer) = oneshot::channel();
        let owner = Some(TENANT);
        self.exchange.ask(Ask::Look {
            owner,
            session,
            reply,
        });
        Reply(answer).now().unwrap()
    }

    pub(super) fn news(&mut self, line: LineNumber, session: Uuid, what: LineNews) {
        let news = News {
            line,
            session,
            what,
        };
        self.exchange.news(news);
        self.collect();
    }

    /// Voice begins a call.
    pub(super) fn voice(&mut self) -> Uuid {
        let session = Uuid::new_v4();
        let parties = Parties::default();
        self.news(
            VOX,
            session,
            LineNews::CallBegan {
                parties,
                ringing: false,
            },
        );
        session
    }

    /// The telephone line rings.
    pub(super) fn ring(&mut self) -> Uuid {
        let session = Uuid::new_v4();
        let parties = Parties {
            from: Some(Number::new("5550001").unwrap()),
            to: None,
        };
        let ringing = true;
        self.news(PHONE, session, LineNews::CallBegan { parties, ringing });
        session
    }

    /// Jobs of files that were begun and not yet looked at.
    pub(super) fn jobs(&mut self) -> Vec<(FilesKey, Urls)> {
        std::mem::take(&mut *self.files.0.lock().unwrap())
    }

    /// The files of the next job are there: each so many milliseconds long.
    pub(super) fn prepared(&mut self, key: FilesKey, lengths_ms: &[u64]) {
        let file = |ms: &u64| Arc::new(Tone(*ms)) as Arc<dyn SoundFile>;
        let result = Ok(Prepared {
            files: lengths_ms.iter().map(file).collect(),
            file_path: "fetched/1.wav".into(),
        });
        self.exchange.files(FilesDone { key, result });
        self.collect();
    }

    pub(super) fn missing(&mut self, key: FilesKey) {
        let result = Err(Missing {
            url: "http://a.example/1.wav".into(),
            error: "the server answered 404".into(),
        });
        self.exchange.files(FilesDone { key, result });
        self.collect();
    }

    /// Starts a sound of so many milliseconds.
    pub(super) fn start(&mut self, session: Uuid, uid: &str, ms: u64) {
        self.command(session, start(), uid).now().unwrap();
        let (key, _) = self.jobs().remove(0);
        self.prepared(key, &[ms]);
    }

    /// What a session has told so far, durably: names, with what matters.
    pub(super) fn told(&self, session: Uuid) -> Vec<String> {
        let state = self.disk.lock();
        let events = state.events.get(&session);
        events.into_iter().flatten().map(brief).collect()
    }
}

/// An answer that may be there already.
pub(super) struct Reply<T, E>(oneshot::Receiver<Result<T, E>>);

impl<T, E> Reply<T, E> {
    pub(super) fn now(mut self) -> Result<T, E> {
        self.0.try_recv().expect("an answer")
    }

    pub(super) fn try_now(&mut self) -> Option<Result<T, E>> {
        self.0.try_recv().ok()
    }

    pub(super) fn is_there(&mut self) -> bool {
        !matches!(self.0.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }
}

pub(super) fn brief(event: &NewEvent) -> String {
    let data: Value = serde_json::from_str(&event.data).unwrap();
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    match event.event.as_str() {
        "command.result" if data["success"] == true => format!("{} ok", text("command_uid")),
        "command.result" => format!("{}: {}", text("command_uid"), text("error")),
        "playback.stopped" => format!("stopped {} {}", text("command_uid"), text("reason")),
        "call.hangup" => format!("call.hangup {} {}", text("cause"), text("by")),
        "digits.collected" => format!("collected {} {}", text("digits"), text("status")),
        "dtmf" => format!("dtmf {}", text("digit")),
        name if name.starts_with("recording.") => format!("{name} {}", text("command_uid")),
        name => name.to_owned(),
    }
}

pub(super) fn start() -> Command {
    let urls = Urls::new(&["http://a.example/1.wav"]).unwrap();
    Command::PlaybackStart {
        urls,
        offset_sec: 0,
    }
}
