//! Conversions of real recordings through a real store.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use audio_io::codec::decode;
use audio_io::codec::target::Target;
use audio_io::format::Channels;
use storage::record::{Container, Recording, RecordingState};

use super::keep::Keeper;
use super::queue::{Level, Workers};
use super::testing::{Rig, file, file_bytes, made, read, read_from, settled};
use super::{ConvertError, Converted, Shared, Transcoder, container_of};
use crate::engine::limits::{CONVERSIONS_WAITING_MAX, KEEP_RETRY_MIN};

const LONG_S: u64 = 90;

fn shared(transcoder: &Transcoder) -> &Arc<Shared> {
    &transcoder.inner.held.0
}

#[tokio::test]
async fn what_has_the_format_is_not_converted() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    let row = rig.imported(1, Channels::Mono);
    let converted = transcoder.convert(&row, Target::Wav).await.unwrap();
    assert!(matches!(converted, Converted::Stored));
    assert_eq!(transcoder.metrics().made, 0);
}

#[tokio::test]
async fn what_has_no_finished_sound_is_refused() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    let row = rig.imported(1, Channels::Mono);
    let live = Recording {
        state: RecordingState::Live,
        outcome: None,
        ..row.clone()
    };
    let absent = Recording {
        state: RecordingState::Absent,
        ..row.clone()
    };
    for row in [live, absent] {
        for target in [Target::Wav, Target::Mp3, Target::Flac] {
            let refused = transcoder.convert(&row, target).await;
            assert!(matches!(refused, Err(ConvertError::NoSound)), "{target}");
        }
    }
    let failed = Recording {
        state: RecordingState::Failed,
        ..row
    };
    rig.storage.load_rows([failed.clone()]).unwrap();
    file(transcoder.convert(&failed, Target::Flac).await.unwrap());
    file(transcoder.convert(&failed, Target::Flac).await.unwrap());
    let metrics = transcoder.metrics();
    assert_eq!((metrics.made, metrics.cache_hits), (1, 1));
}

#[tokio::test]
async fn every_format_is_made_and_sounds_as_long() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    for channels in [Channels::Mono, Channels::Stereo] {
        let row = rig.imported(3, channels);
        for target in [Target::M4a, Target::Flac, Target::Ogg, Target::WebM] {
            let view = file(transcoder.convert(&row, target).await.unwrap());
            assert_eq!(view.container(), container_of(target));
            let path = rig.folder.path().join("made");
            std::fs::write(&path, file_bytes(&view)).unwrap();
            let sound = decode::open(std::fs::File::open(&path).unwrap()).unwrap();
            assert_eq!(sound.format().channels, channels);
            let length = sound.format().rate.duration_of(sound.frames());
            assert!(length.0.abs_diff(3_000) <= 1, "{target}: {length}");
        }
    }
    assert_eq!(transcoder.metrics().made, 8);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_conversion() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    let row = rig.imported(5, Channels::Stereo);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (transcoder, row) = (transcoder.clone(), row.clone());
        asking.spawn(async move { transcoder.convert(&row, Target::Flac).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asking.join_next().await {
        let view = file(answer.unwrap().unwrap());
        answers.push((view.etag().to_owned(), file_bytes(&view)));
    }
    assert_eq!(answers.len(), 16);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let metrics = transcoder.metrics();
    assert_eq!((metrics.made, metrics.cache_hits), (1, 15));
    assert_eq!((metrics.waiting, metrics.failed), (0, 0));
}

#[tokio::test]
async fn a_conversion_nobody_waits_for_is_finished_and_found_after_a_restart() {
    let rig = Rig::new();
    let row = rig.imported(2, Channels::Mono);
    let transcoder = rig.transcoder();
    {
        // Begun, and dropped at once.
        let conversion = transcoder.convert(&row, Target::Flac);
        let mut conversion = std::pin::pin!(conversion);
        while transcoder.metrics().waiting == 0 && transcoder.metrics().made == 0 {
            tokio::select! {
                biased;
                _ = &mut conversion => break,
                () = tokio::task::yield_now() => {}
            }
        }
    }
    settled(shared(&transcoder)).await;
    assert_eq!(transcoder.metrics().made, 1);
    drop(transcoder);
    let folder = Arc::clone(&rig.folder);
    drop(rig);

    let rig = Rig::at(folder);
    let transcoder = rig.transcoder();
    file(transcoder.convert(&row, Target::Flac).await.unwrap());
    let metrics = transcoder.metrics();
    assert_eq!((metrics.made, metrics.cache_hits), (0, 1));
}

#[tokio::test]
async fn an_mp3_is_the_same_whichever_part_is_asked_for_first() {
    let (rig, other) = (Rig::new(), Rig::new());
    let in_order = rig.transcoder();
    let row = rig.imported(LONG_S, Channels::Mono);
    let first = made(in_order.convert(&row, Target::Mp3).await.unwrap());
    let wanted = read_from(&first, 0).await;
    assert_eq!(wanted.len() as u64, first.size_bytes());

    let backwards = other.transcoder();
    let same = other.imported(LONG_S, Channels::Mono);
    let second = made(backwards.convert(&same, Target::Mp3).await.unwrap());
    assert_eq!(second.etag(), first.etag(), "the same bytes, the same tag");
    assert_eq!(second.size_bytes(), first.size_bytes());
    let size = second.size_bytes();
    for from in [size - 1, size / 2, size / 3 + 1, 0] {
        let got = read(&second, from, 1.max((size - from) / 7)).await;
        let at = usize::try_from(from).unwrap();
        assert_eq!(got, wanted[at..at + got.len()], "from {from}");
    }
    assert_eq!(read_from(&second, 0).await, wanted);

    // Whole now: kept, and the same for whoever comes later.
    settled(shared(&in_order)).await;
    assert_eq!(in_order.metrics().made, 1);
    let kept = file(in_order.convert(&row, Target::Mp3).await.unwrap());
    assert_eq!(kept.etag(), first.etag());
    assert_eq!(kept.last_modified(), first.last_modified());
    assert_eq!(file_bytes(&kept), wanted);
    // Who has it open reads on.
    assert_eq!(read_from(&first, 17).await, wanted[17..]);
}

#[tokio::test]
async fn a_range_makes_its_own_piece_and_each_piece_is_made_once() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    let row = rig.imported(LONG_S, Channels::Mono);
    let open = made(transcoder.convert(&row, Target::Mp3).await.unwrap());
    assert_eq!(transcoder.metrics().pieces, 0, "none before one is read");
    let middle = open.size_bytes() / 2;
    let bytes = read(&open, middle, 1).await;
    settled(shared(&transcoder)).await;
    assert_eq!((bytes.len(), transcoder.metrics().pieces), (1, 1));

    let mut asking = tokio::task::JoinSet::new();
    for reader in 0..8 {
        // Half of them through a door of their own.
        let open = match reader % 2 {
            0 => Arc::clone(&open),
            _ => made(transcoder.convert(&row, Target::Mp3).await.unwrap()),
        };
        asking.spawn(async move { read_from(&open, 0).await });
    }
    let all = asking.join_all().await;
    assert!(all.iter().all(|bytes| *bytes == all[0]));
    let pieces = transcoder.metrics().pieces;
    assert!(pieces >= 3, "{pieces} pieces");
    settled(shared(&transcoder)).await;
    assert_eq!(read_from(&open, 0).await, all[0]);
    assert_eq!(transcoder.metrics().pieces, pieces);
    assert_eq!(transcoder.metrics().made, 1);
    assert_eq!(
        open.read(open.size_bytes()..u64::MAX).await.unwrap().len(),
        0
    );
}

#[tokio::test]
async fn a_deleted_recording_ends_what_was_made_of_it() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    let row = rig.imported(LONG_S, Channels::Mono);
    let open = made(transcoder.convert(&row, Target::Mp3).await.unwrap());
    read(&open, 0, 1).await;
    file(transcoder.convert(&row, Target::Flac).await.unwrap());
    assert!(rig.derived_files() > 0);
    // Somebody else's deletion ends nothing.
    let other = rig.imported(1, Channels::Mono);
    rig.storage.delete(rig.tenant, other.facts.id).unwrap();
    read(&open, 0, 1).await;

    rig.storage.delete(rig.tenant, row.facts.id).unwrap();
    assert!(matches!(open.read(0..1).await, Err(ConvertError::Gone)));
    assert!(matches!(open.read(0..1).await, Err(ConvertError::Gone)));
    for target in [Target::Mp3, Target::Flac, Target::Ogg] {
        let late = transcoder.convert(&row, target).await;
        assert!(matches!(late, Err(ConvertError::Gone)), "{target}");
    }
    drop(open);
    settled(shared(&transcoder)).await;
    assert_eq!(rig.derived_files(), 0);
}

#[tokio::test]
async fn a_file_that_cannot_be_decoded_fails_for_all_who_wait() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    let row = rig.imported(1, Channels::Mono);
    std::fs::write(rig.storage.path_of(&row), b"RIFF of nothing").unwrap();
    for target in [Target::Flac, Target::Mp3] {
        let failed = transcoder.convert(&row, target).await;
        assert!(matches!(failed, Err(ConvertError::Failed(_))), "{target}");
    }
    assert_eq!(transcoder.metrics().failed, 2);
    assert_eq!(rig.derived_files(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_full_queue_says_so_and_empties() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    let row = rig.imported(1, Channels::Mono);
    let (release, held) = sync_channel::<()>(0);
    let (tell, busy) = sync_channel(1);
    let queue = &shared(&transcoder).queue;
    let hold = move |_: &super::queue::Turn<'_>| {
        tell.send(()).unwrap();
        let _ = held.recv();
    };
    queue.offer(Level::Piece, hold).unwrap();
    busy.recv().unwrap();
    for _ in 0..CONVERSIONS_WAITING_MAX {
        queue.offer(Level::Whole, |_| ()).unwrap();
    }
    let refused = transcoder.convert(&row, Target::Flac).await;
    assert!(matches!(refused, Err(ConvertError::Busy)));
    drop(release);
    settled(shared(&transcoder)).await;
    file(transcoder.convert(&row, Target::Flac).await.unwrap());
}

#[tokio::test]
async fn whoever_waits_hears_that_the_daemon_stops() {
    let rig = Rig::new();
    let transcoder = rig.transcoder();
    let row = rig.imported(LONG_S, Channels::Mono);
    let open = made(transcoder.convert(&row, Target::Mp3).await.unwrap());
    drop(transcoder);
    assert!(matches!(
        open.read(0..1).await,
        Err(ConvertError::Failed(_))
    ));
    let folder = Arc::clone(&rig.folder);
    drop((open, rig));
    // Nothing holds the store any more.
    Rig::at(folder);
}

/// What keeps tenants' formats, step by step.
struct Keeping {
    keeper: Keeper,
    shared: Arc<Shared>,
    _workers: Workers,
}

fn keeping(rig: &Rig) -> Keeping {
    let shared = Shared::new(rig.storage.clone());
    let workers = Workers::start(&shared.queue, 1).unwrap();
    let keeper = Keeper::new(&shared, 1, rig.clock.clone());
    Keeping {
        keeper,
        shared,
        _workers: workers,
    }
}

impl Keeping {
    /// Until there is nothing left to do; gives how many recordings were exchanged.
    fn run(&mut self) -> u64 {
        let before = self.replaced();
        while self.keeper.step() {}
        self.replaced() - before
    }

    fn replaced(&self) -> u64 {
        let replaced = &self.shared.counters.replaced;
        replaced.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[test]
fn recordings_are_exchanged_and_stay_what_they_are() {
    let rig = Rig::new();
    let mut keeping = keeping(&rig);
    let earlier = rig.recorded(3, Channels::Stereo);
    assert_eq!(keeping.run(), 0, "WAV is kept as it is");
    for (keep_as, again) in [
        (Container::Flac, 1),
        (Container::Mp3, 0),
        (Container::Ogg, 0),
    ] {
        rig.storage.set_tenant_keep_as(rig.tenant, keep_as).unwrap();
        // What was there before the wish was, once.
        assert_eq!(keeping.run(), again, "{keep_as:?}");
        let imported = rig.imported(1, Channels::Mono);
        let row = rig.recorded(3, Channels::Mono);
        assert_eq!(keeping.run(), 1, "{keep_as:?}");
        let now = rig.now(&row).unwrap();
        assert_eq!(now.facts.container, keep_as);
        assert_eq!(now.facts.names, row.facts.names);
        assert_eq!(now.duration(), row.duration());
        assert_eq!(now.state, RecordingState::Stored);
        assert!(rig.storage.path_of(&now).is_file());
        assert!(!rig.storage.path_of(&row).exists(), "one file a recording");
        let sound = std::fs::File::open(rig.storage.path_of(&now)).unwrap();
        let sound = decode::open(sound).unwrap();
        assert!(sound.frames().0 > 0);
        assert_eq!(rig.now(&imported), Some(imported), "as it came");
        assert_eq!(keeping.run(), 0, "once");
    }
    let earlier = rig.now(&earlier).unwrap();
    assert_eq!(earlier.facts.container, Container::Flac);
}

#[test]
fn a_start_catches_up() {
    let rig = Rig::new();
    let rows: Vec<_> = (0..3).map(|_| rig.recorded(1, Channels::Mono)).collect();
    let imported = rig.imported(1, Channels::Mono);
    let tenant = rig.tenant;
    rig.storage
        .set_tenant_keep_as(tenant, Container::Flac)
        .unwrap();
    let mut keeping = keeping(&rig);
    assert_eq!(keeping.run(), 3);
    for row in rows {
        assert_eq!(rig.now(&row).unwrap().facts.container, Container::Flac);
    }
    assert_eq!(rig.now(&imported), Some(imported));
}

#[test]
fn what_cannot_be_converted_is_left_and_tried_again_later() {
    let rig = Rig::new();
    let tenant = rig.tenant;
    rig.storage
        .set_tenant_keep_as(tenant, Container::Flac)
        .unwrap();
    let row = rig.recorded(1, Channels::Mono);
    let path = rig.storage.path_of(&row);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, b"RIFF of nothing").unwrap();
    let mut keeping = keeping(&rig);
    let failed = |keeping: &Keeping| {
        let failed = &keeping.shared.counters.failed;
        failed.load(std::sync::atomic::Ordering::Relaxed)
    };
    assert_eq!((keeping.run(), failed(&keeping)), (0, 1));
    assert_eq!((keeping.run(), failed(&keeping)), (0, 1), "not at once");
    rig.clock.advance(KEEP_RETRY_MIN);
    assert_eq!((keeping.run(), failed(&keeping)), (0, 2));
    rig.clock.advance(KEEP_RETRY_MIN + Duration::from_secs(1));
    assert_eq!((keeping.run(), failed(&keeping)), (0, 2), "twice as long");
    std::fs::write(&path, whole).unwrap();
    rig.clock.advance(KEEP_RETRY_MIN);
    assert_eq!((keeping.run(), failed(&keeping)), (1, 2));
    assert_eq!(rig.now(&row).unwrap().facts.container, Container::Flac);
}

#[test]
fn who_listens_while_the_format_changes_hears_it_to_the_end() {
    let rig = Rig::new();
    let tenant = rig.tenant;
    rig.storage
        .set_tenant_keep_as(tenant, Container::Flac)
        .unwrap();
    let row = rig.recorded(LONG_S, Channels::Mono);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut keeping = keeping(&rig);
    let name = super::Name {
        id: row.facts.id,
        tag: super::tag(row.outcome.as_ref().unwrap(), Target::Mp3).into(),
    };
    let converted = runtime.block_on(super::pieces::convert(&keeping.shared, &row, name));
    let open = made(converted.unwrap());
    let front = runtime.block_on(read(&open, 0, 100));
    assert_eq!(keeping.run(), 1);
    let all = runtime.block_on(read_from(&open, 0));
    assert_eq!(all.len() as u64, open.size_bytes());
    assert_eq!(all[..100], front);
    runtime.block_on(settled(&keeping.shared));
    // Its source is not there any more, so it is not kept.
    assert_eq!(rig.storage.derived_usage().1, 0);
    keeping.shared.open.clear();
}
