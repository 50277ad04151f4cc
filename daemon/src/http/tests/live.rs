//! Recordings that go on: 422 by default, a snapshot with a true header for those who ask.

use std::sync::mpsc::sync_channel;

use audio_io::format::StreamFormat;
use http::StatusCode;
use storage::handle::IoChoice;
use storage::record::{Container, EndCause, RecordingFacts};

use super::client::{Ask, Way};
use super::rig::{NOW, Rig, pattern};

#[test]
fn a_live_recording_is_422_unless_asked_for() {
    let mut rig = Rig::new();
    let (id, names) = rig.site.storage.new_names(rig.tenant);
    let task = names.task_id;
    let facts = RecordingFacts {
        tenant: rig.tenant,
        id,
        names,
        line: None,
        from: None,
        to: None,
        started_at: NOW,
        format: StreamFormat::TELEPHONE,
        container: Container::Wav,
    };
    let sound = pattern(200_000);
    let seed = rig.seed.take().unwrap();
    let (ready, is_ready) = sync_channel::<()>(1);
    let (done, mut is_done) = tokio::sync::oneshot::channel::<()>();
    let clock = rig.clock.clone();
    let given = sound.clone();
    let recorder = std::thread::spawn(move || {
        storage::recorder::run(seed, IoChoice::Blocking, |mut recorder| async move {
            recorder.begin(facts).unwrap();
            recorder.append(id, &given).unwrap();
            let mut told = false;
            let mut turns = 0;
            loop {
                recorder.tick();
                clock.advance(std::time::Duration::from_millis(100));
                turns += 1;
                if turns == 50 && !told {
                    told = true;
                    ready.send(()).unwrap();
                }
                tokio::select! {
                    biased;
                    _ = &mut is_done => break,
                    () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
                }
            }
            recorder.end(id, EndCause::Command, true);
            recorder.finish().await.len()
        })
        .unwrap()
    });
    is_ready.recv().unwrap();
    let path = format!("/api/v1/sse/audio/{task}");
    let not_ready = Ask::get(&path).key(&rig).ask(&rig);
    assert_eq!(not_ready.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(not_ready.code(), "recording_audio_not_ready");
    assert_eq!(not_ready.header("retry-after"), Some("5"));
    let odd = Ask::get(format!("{path}?live=maybe")).key(&rig).ask(&rig);
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    for way in Way::ALL {
        let live = || Ask::get(format!("{path}?live=1")).key(&rig);
        let whole = live().send(&rig, way);
        assert_eq!(whole.status, StatusCode::OK, "{way:?}");
        assert_eq!(whole.header("cache-control"), Some("no-store"));
        assert!(whole.body.starts_with(b"RIFF"));
        let told = u32::from_le_bytes(whole.body[4..8].try_into().unwrap()) as usize;
        assert_eq!(told + 8, whole.body.len(), "a true header");
        let heard = whole.body.len() - 4_096;
        assert!(
            heard > 0 && whole.body[4_096..] == sound[..heard],
            "{way:?} {heard}"
        );
        let across = live().with("range", "bytes=4000-4199").send(&rig, way);
        assert_eq!(across.status, StatusCode::PARTIAL_CONTENT);
        assert!(across.body[..] == whole.body[4_000..4_200], "{way:?}");
    }
    let listed = Ask::get("/api/v1/tasks?status=active")
        .key(&rig)
        .ask(&rig)
        .json();
    assert_eq!(listed["tasks"][0]["status"], "active");
    done.send(()).unwrap();
    assert_eq!(recorder.join().unwrap(), 1);
    let whole = Ask::get(&path).key(&rig).ask(&rig);
    assert_eq!(whole.status, StatusCode::OK);
    assert!(whole.body[4_096..].starts_with(&sound));
}
