//! The measured process of the recorder benchmarks: simulated channels through the real rings, the
//! real recorder, journal, index and files, in real time. It runs by itself so that its CPU time is
//! that of recording and nothing else.
//!
//! ```text
//!  producer thread, every 20 ms ──rings──▶ recorder, every 100 ms: append, tick ──▶ journal, files
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use audio_io::block::{BLOCK_BYTES, Block, BlockKind, GapCause};
use audio_io::clock::{Clock, SystemClock};
use audio_io::dsp::level::LevelMeter;
use audio_io::format::StreamFormat;
use audio_io::ring::{BlockConsumer, BlockProducer, ring};
use audio_io::units::Frames;
use serde_json::{Value, json};
use storage::handle::{IoChoice, StorageHandle, StoreOptions};
use storage::ids::{LineName, RecordingId, TenantName};
use storage::record::{Container, EndCause, RecordingFacts};
use storage::recorder::{Recorder, RecorderEvent};

use crate::error::Failure;
use crate::machine::{self, now, wait_until};
use crate::out;
use crate::stats::Random;

/// What to simulate.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// An empty folder for the store.
    pub(crate) dir: PathBuf,
    pub(crate) channels: u64,
    pub(crate) seconds: u64,
    /// Whether each block's level is measured too, as lines do for their display.
    pub(crate) metered: bool,
}

impl Job {
    /// The command line of the child that does this.
    pub(crate) fn words(&self) -> [String; 5] {
        let metered = if self.metered { "metered" } else { "plain" };
        [
            "--simulate".to_owned(),
            self.dir.display().to_string(),
            self.channels.to_string(),
            self.seconds.to_string(),
            metered.to_owned(),
        ]
    }

    /// Reads what [`Job::words`] wrote, after its first word.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let dir = words
            .next()
            .ok_or_else(|| Failure::Usage("--simulate needs a folder".into()))?;
        Ok(Self {
            dir: dir.into(),
            channels: crate::args::number("CHANNELS", words.next(), 1..=100_000)?,
            seconds: crate::args::number("SECONDS", words.next(), 1..=86_400)?,
            metered: words.next().as_deref() == Some("metered"),
        })
    }
}

/// Runs the job and prints one line of JSON.
pub(crate) fn child(job: &Job) -> Result<(), Failure> {
    machine::raise_open_files();
    let options = StoreOptions {
        data_dir: job.dir.clone(),
        index_cache_bytes: 64 << 20,
        io: IoChoice::Auto,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (storage, seed, _) =
        StorageHandle::open(options, clock).map_err(Failure::store("opening the store"))?;
    let facts = facts(&storage, job.channels)?;

    let (producers, consumers): (Vec<_>, Vec<_>) =
        (0..job.channels).map(|_| ring(RING_BLOCKS)).unzip();
    let shared = Arc::new(Shared::default());
    // Everything from here on is recording.
    let start = cpu();
    let producer = {
        let (shared, frames) = (Arc::clone(&shared), job.seconds * 1_000 / PERIOD_MS);
        let spawned = std::thread::Builder::new().name("producer".into());
        spawned
            .spawn(move || produce(producers, frames, &shared))
            .map_err(Failure::io("a thread"))?
    };
    let metered = job.metered;
    let run = storage::recorder::run(seed, IoChoice::Auto, {
        let shared = Arc::clone(&shared);
        move |recorder| record(recorder, facts, consumers, metered, shared)
    });
    let written = run.map_err(Failure::io("the recorder's runtime"))?;
    let closed = cpu();
    if producer.join().is_err() {
        let said = "its producer panicked".to_owned();
        return Err(Failure::Program {
            what: "simulation".into(),
            said,
        });
    }
    out::result_line(&result(&storage, &shared, written? - start, closed - start));
    Ok(())
}

/// What the two threads count.
#[derive(Default)]
struct Shared {
    done: AtomicBool,
    /// Because the producer came later than a device would have waited.
    late_frames: AtomicU64,
    /// Because a ring was full: the recorder's thread was late.
    ring_full_frames: AtomicU64,
    /// Because the store did not take them: the disk was late.
    behind_frames: AtomicU64,
    late_us_max: AtomicU64,
    depth_max: AtomicU64,
    failures: AtomicU64,
    stored: AtomicU64,
}

impl Shared {
    fn ended(&self) -> u64 {
        self.stored.load(Ordering::Relaxed) + self.failures.load(Ordering::Relaxed)
    }
}

fn facts(storage: &StorageHandle, channels: u64) -> Result<Vec<RecordingFacts>, Failure> {
    let wrong = Failure::store::<storage::ids::NameError>;
    let name = TenantName::new("bench").map_err(wrong("tenant's name"))?;
    let tenant = storage
        .add_tenant(name)
        .map_err(Failure::store("adding a tenant"))?
        .id;
    let started_at = SystemClock.wall();
    let line = |number| LineName::new(format!("line-{number}")).map_err(wrong("line's name"));
    let fact = |number| {
        let (id, names) = storage.new_names(tenant);
        Ok(RecordingFacts {
            tenant,
            id,
            names,
            line: Some(line(number)?),
            from: None,
            to: None,
            started_at,
            format: StreamFormat::TELEPHONE,
            container: Container::Wav,
            time: None,
            agent: None,
            direction: None,
        })
    };
    (0..channels).map(fact).collect()
}

/// Pushes a block into each ring every 20 ms.
fn produce(mut rings: Vec<BlockProducer>, periods: u64, shared: &Shared) {
    let mut random = Random::new(1);
    let mut sound = [0; BLOCK_BYTES * 16];
    sound.fill_with(|| random.next().to_le_bytes()[0]);
    let start = now();
    for period in 0..periods {
        let due = start + Duration::from_millis(PERIOD_MS) * u32::try_from(period).unwrap_or(0);
        wait_until(due);
        let late = now().saturating_sub(due);
        let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        shared.late_us_max.fetch_max(late_us, Ordering::Relaxed);
        if late > DEVICE_BUFFER {
            // A device would have overrun on every channel.
            let lost = PERIOD_FRAMES * rings.len() as u64;
            shared.late_frames.fetch_add(lost, Ordering::Relaxed);
        }
        let position = Frames(period * PERIOD_FRAMES);
        let piece = usize::try_from(period % 16).unwrap_or(0) * BLOCK_BYTES;
        for ring in &mut rings {
            let block = Block::audio(position, &sound[piece..piece + BLOCK_BYTES]);
            if ring.push(block).is_err() {
                shared
                    .ring_full_frames
                    .fetch_add(PERIOD_FRAMES, Ordering::Relaxed);
            }
        }
    }
    shared.done.store(true, Ordering::Release);
}

struct Channel {
    id: RecordingId,
    blocks: BlockConsumer,
    meter: LevelMeter,
}

/// The recorder's side: as the engine's recorder thread, without triggers. Gives the CPU time used
/// when the last sound was taken.
async fn record(
    mut recorder: Recorder,
    facts: Vec<RecordingFacts>,
    consumers: Vec<BlockConsumer>,
    metered: bool,
    shared: Arc<Shared>,
) -> Result<Duration, Failure> {
    let mut channels = Vec::with_capacity(facts.len());
    for (facts, blocks) in facts.into_iter().zip(consumers) {
        let id = facts.id;
        let meter = LevelMeter::new(facts.format);
        recorder
            .begin(facts)
            .map_err(Failure::store("beginning a recording"))?;
        channels.push(Channel { id, blocks, meter });
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // Read before draining: what is pushed later is seen on another tick.
        let done = shared.done.load(Ordering::Acquire);
        for channel in &mut channels {
            drain(channel, &mut recorder, metered, &shared);
        }
        recorder.tick();
        count(recorder.events(), &shared);
        if done {
            break;
        }
    }
    let written = cpu();
    for channel in &channels {
        recorder.end(channel.id, EndCause::Command, true);
    }
    // Sealing runs beside the ticks; `finish` alone would leave to the next start what it cannot
    // seal in the time a daemon has for stopping.
    let patience = now() + SEAL_WITHIN;
    while shared.ended() < channels.len() as u64 && now() < patience {
        ticks.tick().await;
        recorder.tick();
        count(recorder.events(), &shared);
    }
    count(recorder.finish().await, &shared);
    Ok(written)
}

fn drain(channel: &mut Channel, recorder: &mut Recorder, metered: bool, shared: &Shared) {
    let Channel { id, blocks, meter } = channel;
    shared
        .depth_max
        .fetch_max(blocks.len() as u64, Ordering::Relaxed);
    let take = |block: &Block| match block.kind {
        BlockKind::Audio => {
            if metered {
                meter.push(block.sound());
            }
            if recorder.append(*id, block.sound()).is_err() {
                shared
                    .behind_frames
                    .fetch_add(PERIOD_FRAMES, Ordering::Relaxed);
                recorder.gap(*id, Frames(PERIOD_FRAMES), GapCause::StorageBehind);
            }
        }
        BlockKind::Gap(frames, cause) => recorder.gap(*id, frames, cause),
    };
    let mut take = take;
    while blocks.pop_with(&mut take).is_some() {}
}

fn count(events: Vec<RecorderEvent>, shared: &Shared) {
    for event in events {
        let counter = match event {
            RecorderEvent::Stored(_) => &shared.stored,
            RecorderEvent::Failed(..) | RecorderEvent::DiskRefuses(_) => &shared.failures,
            RecorderEvent::Absent(_) | RecorderEvent::DiskAccepts => continue,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn result(storage: &StorageHandle, shared: &Shared, written: Duration, closed: Duration) -> Value {
    let metrics = storage.metrics();
    let syncs = &metrics.journal_sync;
    let mean_ms = if syncs.count == 0 {
        0.0
    } else {
        #[allow(clippy::cast_precision_loss, reason = "a few thousand syncs")]
        let count = syncs.count as f64;
        syncs.sum_seconds / count * 1e3
    };
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let late = load(&shared.late_frames);
    let ring_full = load(&shared.ring_full_frames);
    let behind = load(&shared.behind_frames);
    json!({
        "cpu_written_s": written.as_secs_f64(),
        "cpu_closed_s": closed.as_secs_f64(),
        "lost_frames": late + ring_full + behind,
        "late_frames": late,
        "ring_full_frames": ring_full,
        "behind_frames": behind,
        "failures": load(&shared.failures),
        "stored": load(&shared.stored),
        "ring_depth_max": load(&shared.depth_max),
        "late_us_max": load(&shared.late_us_max),
        "journal_syncs": syncs.count,
        "journal_sync_mean_ms": mean_ms,
        "io": metrics.io_backend,
    })
}

/// CPU time of this process, all threads, ended ones included.
fn cpu() -> Duration {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID)
        .map_or(Duration::ZERO, Duration::from)
}

/// Starts the child for a job on a core, and gives what it printed.
pub(crate) fn in_child(job: &Job, core: usize) -> Result<Value, Failure> {
    let myself = std::env::current_exe().map_err(Failure::io("own path"))?;
    let mut command = std::process::Command::new(myself);
    command.args(job.words());
    machine::pinned(core, || crate::commands::json("simulation", &mut command))
}

/// Empties a folder, so that each run starts alike.
pub(crate) fn fresh(dir: &Path) -> Result<(), Failure> {
    let what = || format!("emptying {}", dir.display());
    if dir.exists() {
        std::fs::remove_dir_all(dir).map_err(Failure::io(what()))?;
    }
    std::fs::create_dir_all(dir).map_err(Failure::io(what()))
}

const PERIOD_MS: u64 = 20;
const PERIOD_FRAMES: u64 = 160;
/// Two seconds, the daemon's default.
const RING_BLOCKS: usize = 100;
/// The engine's.
const TICK: Duration = Duration::from_millis(100);
/// For sealing everything at the end.
const SEAL_WITHIN: Duration = Duration::from_secs(120);
/// What a device holds before it overruns, by default.
const DEVICE_BUFFER: Duration = Duration::from_millis(160);
