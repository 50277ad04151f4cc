//! Recordings that go on: 422 by default, a snapshot with a true header for those who ask.

use std::thread::JoinHandle;
use std::time::Duration;

use audio_io::format::StreamFormat;
use http::StatusCode;
use storage::handle::IoChoice;
use storage::record::{Container, EndCause, Family, RecordingFacts};
use tokio::sync::oneshot;

use super::client::{Ask, Way};
use super::rig::{NOW, Rig, pattern};

/// Records `sound` until `done`, on a thread of its own; answers how many events there were.
pub(super) fn record(
    rig: &mut Rig,
    facts: RecordingFacts,
    sound: Vec<u8>,
    mut done: oneshot::Receiver<()>,
) -> JoinHandle<usize> {
    let (id, clock) = (facts.id, rig.clock.clone());
    let seed = rig.seed.take().unwrap();
    std::thread::spawn(move || {
        storage::recorder::run(seed, IoChoice::Blocking, |mut recorder| async move {
            recorder.begin(facts).unwrap();
            recorder.append(id, &sound).unwrap();
            let mut turn = tokio::time::interval(Duration::from_millis(2));
            loop {
                recorder.tick();
                clock.advance(Duration::from_millis(100));
                tokio::select! {
                    biased;
                    _ = &mut done => break,
                    _ = turn.tick() => {}
                }
            }
            recorder.end(id, EndCause::Command, true);
            recorder.finish().await.len()
        })
        .unwrap()
    })
}

fn facts(rig: &Rig) -> RecordingFacts {
    let (id, names) = rig.site.storage.new_names(rig.tenant);
    RecordingFacts {
        tenant: rig.tenant,
        id,
        names,
        line: None,
        from: None,
        to: None,
        started_at: NOW,
        format: StreamFormat::TELEPHONE,
        container: Container::Wav,
        time: None,
        agent: None,
        direction: None,
    }
}

#[test]
fn a_live_recording_is_422_unless_asked_for() {
    let mut rig = Rig::new();
    let facts = facts(&rig);
    let path = format!("/api/v1/sse/audio/{}", facts.names.task_id);
    let sound = pattern(200_000);
    let (done, is_done) = oneshot::channel();
    let recorder = record(&mut rig, facts, sound.clone(), is_done);
    let live = || Ask::get(format!("{path}?live=1")).key(&rig);
    // Sound is served once it is committed: ask until some is.
    let arrived = (0..10_000).any(|_| live().ask(&rig).body.len() > 4_096);
    assert!(arrived, "no sound was ever committed");
    let not_ready = Ask::get(&path).key(&rig).ask(&rig);
    assert_eq!(not_ready.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(not_ready.code(), "recording_audio_not_ready");
    assert_eq!(not_ready.header("retry-after"), Some("5"));
    let odd = Ask::get(format!("{path}?live=maybe")).key(&rig).ask(&rig);
    assert_eq!(odd.status, StatusCode::BAD_REQUEST);
    for way in Way::ALL {
        let whole = live().send(&rig, way);
        assert_eq!(whole.status, StatusCode::OK, "{way:?}");
        assert_eq!(whole.header("cache-control"), Some("no-store"));
        assert!(whole.body.starts_with(b"RIFF"));
        let told = u32::from_le_bytes(whole.body[4..8].try_into().unwrap()) as usize;
        assert_eq!(told + 8, whole.body.len(), "a true header");
        let heard = whole.body.len() - 4_096;
        assert!(
            heard > 0 && whole.body[4_096..] == sound[..heard],
            "{way:?}"
        );
        let across = live().with("range", "bytes=4000-4199").send(&rig, way);
        assert_eq!(across.status, StatusCode::PARTIAL_CONTENT);
        assert!(across.body[..] == whole.body[4_000..4_200], "{way:?}");
    }
    let listed = Ask::get("/api/v1/tasks?status=active").key(&rig);
    assert_eq!(listed.ask(&rig).json()["tasks"][0]["status"], "active");
    done.send(()).unwrap();
    assert_eq!(recorder.join().unwrap(), 1);
    let whole = Ask::get(&path).key(&rig).ask(&rig);
    assert_eq!(whole.status, StatusCode::OK);
    assert!(whole.body[4_096..].starts_with(&sound));
}

#[test]
fn a_live_call_is_409_unless_asked_for() {
    let mut rig = Rig::new();
    let issued = rig
        .site
        .storage
        .issue_key(rig.tenant, Family::CallRecording, "");
    let key = issued.unwrap().secret;
    let facts = facts(&rig);
    let path = format!("/api/calls/{}/recording", facts.names.call_sid);
    let sound = pattern(200_000);
    let (done, is_done) = oneshot::channel();
    let recorder = record(&mut rig, facts, sound.clone(), is_done);
    let ask = |what: &str| Ask::get(format!("{path}/{what}")).with("x-api-key", key.clone());
    let arrived = (0..10_000).any(|_| ask("download?live=1").ask(&rig).body.len() > 4_096);
    assert!(arrived, "no sound was ever committed");
    for what in ["stream", "download", "stream?live=0"] {
        let answer = ask(what).ask(&rig);
        assert_eq!(answer.status, StatusCode::CONFLICT, "{what}");
        assert_eq!(answer.code(), "recording_in_progress");
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    let streamed = ask("stream?live=1").ask(&rig).json();
    assert_eq!(streamed["data"]["content_type"], "audio/wav");
    let link = streamed["data"]["url"].as_str().unwrap();
    let link = link.strip_prefix("http://localhost").unwrap();
    let snapshot = Ask::get(link).ask(&rig);
    assert_eq!(snapshot.header("cache-control"), Some("no-store"));
    assert!(snapshot.body.starts_with(b"RIFF"));
    let saved = ask("download?live=1")
        .with("range", "bytes=4096-4099")
        .ask(&rig);
    assert_eq!(saved.status, StatusCode::PARTIAL_CONTENT);
    assert!(saved.body[..] == sound[..4]);
    let disposition = saved.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename=\"recording_call_"));
    done.send(()).unwrap();
    assert_eq!(recorder.join().unwrap(), 1);
    let whole = Ask::get(link).ask(&rig);
    assert_eq!(whole.header("cache-control"), Some("private, no-cache"));
    assert!(whole.body[4_096..].starts_with(&sound));
}
