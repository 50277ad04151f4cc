//! Recordings in other formats: what a worker keeps open of them, and the way through the
//! transcoder.

use std::fs::File;
use std::ops::{ControlFlow, Range};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use audio_io::codec::target::Target;
use audio_io::codec::{decode, encode};
use http::{Method, StatusCode};
use storage::ids::RecordingName;
use storage::record::{Container, Family, Recording, WallMillis};

use super::client::{Ask, Way};
use super::rig::{NOW, Rig, pattern};
use crate::engine::transcode::{ConvertError, Made, Reading};
use crate::http::limits;
use crate::http::media::Entity;
use crate::http::recordings::{Found, Opened, Recordings};

struct Nothing;

impl Made for Nothing {
    fn size_bytes(&self) -> u64 {
        1
    }
    fn etag(&self) -> &'static str {
        "x"
    }
    fn last_modified(&self) -> WallMillis {
        NOW
    }
    fn read(&self, _range: Range<u64>) -> Reading {
        Box::pin(async { Err(ConvertError::Gone) })
    }
}

fn entity() -> Rc<Entity> {
    Rc::new(Entity::made(Arc::new(Nothing)).unwrap())
}

async fn opened(recordings: &Recordings, recording: &Recording) -> Option<Rc<Opened>> {
    let facts = &recording.facts;
    let name = RecordingName::Recid(facts.id);
    match recordings.find(facts.tenant, name).await.unwrap() {
        Found::Opened(opened) => Some(opened),
        _ => None,
    }
}

#[test]
fn open_conversions_are_few_and_go_with_their_time_and_their_recording() {
    let rig = Rig::new();
    let recording = rig.import(b"sound", Container::Wav);
    let storage = rig.site.storage.clone();
    let recordings = Recordings::new(storage.clone(), Arc::clone(&rig.site.metrics));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let open = || runtime.block_on(opened(&recordings, &recording));
    let first = open().unwrap();
    let now = Duration::from_secs(1);
    let flac = entity();
    first.keep_converted(Target::Flac, Rc::clone(&flac), now);
    let second = open().unwrap();
    assert!(Rc::ptr_eq(&first, &second));
    let found = second.converted(Target::Flac, now).unwrap();
    assert!(Rc::ptr_eq(&found, &flac));
    assert!(second.converted(Target::Mp3, now).is_none());
    // The least recently used makes room.
    second.keep_converted(Target::Mp3, entity(), now);
    assert!(second.converted(Target::Flac, now).is_some());
    second.keep_converted(Target::Ogg, entity(), now);
    assert!(second.converted(Target::Mp3, now).is_none());
    assert!(second.converted(Target::Flac, now).is_some());
    // What is used all the time is asked for anew, too; what is not used is closed.
    let later = now + limits::OPEN_CONVERSION_LIFE;
    assert!(second.converted(Target::Flac, later).is_none());
    drop((found, first));
    assert_eq!(Rc::strong_count(&flac), 1);
    let other = entity();
    second.keep_converted(Target::Flac, Rc::clone(&other), later);
    recordings.sweep(later);
    assert_eq!(Rc::strong_count(&other), 2);
    recordings.sweep(later + limits::OPEN_CONVERSION_LIFE);
    assert_eq!(Rc::strong_count(&other), 1);
    // A file that is not what it was closes all of its recording.
    second.keep_converted(Target::Flac, Rc::clone(&other), later);
    recordings.forget_entity(&other);
    assert!(!Rc::ptr_eq(&open().unwrap(), &second));
    let third = open().unwrap();
    storage.delete(rig.tenant, recording.facts.id).unwrap();
    assert!(open().is_none());
    assert_eq!(Rc::strong_count(&third), 1, "nobody else holds it");
}

/// A second of sound as WAV, and the same as FLAC.
fn sound(rig: &Rig) -> (Vec<u8>, Vec<u8>) {
    let samples: Vec<u8> = pattern(16_000);
    let mut wav = b"RIFF\xa4\x3e\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\
        \x10\0data\x80\x3e\0\0"
        .to_vec();
    wav.extend_from_slice(&samples);
    let (from, to) = (
        rig.folder.path().join("a.wav"),
        rig.folder.path().join("a.flac"),
    );
    std::fs::write(&from, wav).unwrap();
    let mut source = decode::open(File::open(from).unwrap()).unwrap();
    let options = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&to);
    let mut sink = options.unwrap();
    encode::encode(&mut *source, Target::Flac, &mut sink, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    (samples, std::fs::read(to).unwrap())
}

#[test]
fn a_download_is_wav_whatever_is_stored() {
    let rig = Rig::new();
    let (samples, flac) = sound(&rig);
    let recording = rig.import(&flac, Container::Flac);
    let issued = rig
        .site
        .storage
        .issue_key(rig.tenant, Family::CallRecording, "");
    let key = issued.unwrap().secret;
    let call_sid = &recording.facts.names.call_sid;
    let ask = |what: &str| {
        Ask::get(format!("/api/calls/{call_sid}/recording/{what}")).with("x-api-key", key.clone())
    };
    for way in Way::ALL {
        let whole = ask("download").send(&rig, way);
        assert_eq!(whole.status, StatusCode::OK, "{way:?}");
        assert_eq!(whole.header("content-type"), Some("audio/wav"));
        let disposition = whole.header("content-disposition").unwrap();
        assert!(disposition.starts_with("attachment; filename=\"recording_call_"));
        assert!(disposition.ends_with(".wav\""));
        assert!(whole.body.starts_with(b"RIFF"));
        assert!(whole.body.ends_with(&samples), "the sound, to the sample");
        let size = whole.body.len();
        let range = format!("bytes={}-", size - 100);
        let part = ask("download").with("range", range).send(&rig, way);
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
        assert!(part.body[..] == samples[samples.len() - 100..]);
        assert_eq!(part.header("etag"), whole.header("etag"));
        let head = ask("download").method(Method::HEAD).send(&rig, way);
        assert_eq!(head.header("content-length"), Some(&*size.to_string()));
    }
    let figures = rig.site.transcoder.metrics();
    assert_eq!(figures.made, 1);
    assert_eq!(
        figures.cache_hits, 0,
        "an open conversion is not asked for again"
    );
    let streamed = ask("stream").ask(&rig).json();
    assert_eq!(streamed["data"]["content_type"], "audio/flac");
    rig.clock.advance(limits::OPEN_CONVERSION_LIFE);
    assert_eq!(ask("download").ask(&rig).status, StatusCode::OK);
    assert_eq!(rig.site.transcoder.metrics().cache_hits, 1);
    let metrics = Ask::get("/metrics").ask(&rig);
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.contains("callreel_conversions_total{outcome=\"made\"} 1\n"));
    assert!(text.contains("callreel_conversions_kept 1\n"), "{text}");
}

#[test]
fn what_cannot_be_converted_is_an_error_in_the_envelope() {
    let rig = Rig::new();
    let recording = rig.import(&pattern(5_000), Container::Flac);
    let issued = rig
        .site
        .storage
        .issue_key(rig.tenant, Family::CallRecording, "");
    let path = format!(
        "/api/calls/{}/recording/download",
        recording.facts.names.call_sid
    );
    let answer = Ask::get(path)
        .with("x-api-key", issued.unwrap().secret)
        .ask(&rig);
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.code(), "internal_error");
    assert_eq!(answer.json()["success"], false);
}
