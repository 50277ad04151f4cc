//! Import of what other recorders left behind: each format is probed, keeps its bytes, and is
//! served under the names it brought.

use std::path::{Path, PathBuf};

use harness::daemon::{Daemon, Setup, TENANT};
use harness::process::run;
use harness::{sound, wav};

use crate::support::{self, get_audio};

/// Container, how ffmpeg makes it, its media type.
const FORMATS: &[(&str, &[&str], &str)] = &[
    ("wav", &["-c:a", "pcm_s16le"], "audio/wav"),
    ("mp3", &["-c:a", "libmp3lame", "-b:a", "32k"], "audio/mpeg"),
    ("m4a", &["-c:a", "aac", "-b:a", "48k"], "audio/mp4"),
    ("webm", &["-c:a", "libopus", "-b:a", "24k"], "audio/webm"),
    ("ogg", &["-c:a", "libvorbis"], "audio/ogg"),
    ("flac", &["-c:a", "flac"], "audio/flac"),
];

fn tone_file(folder: &Path) -> PathBuf {
    let path = folder.join("tone.wav");
    let samples = sound::tone(440.0, 0.5, 16_000, 4.0);
    std::fs::write(&path, wav::write(&samples, 1, 16_000)).expect("a tone");
    path
}

fn convert(source: &Path, target: &Path, codec: &[&str]) {
    let (source, target) = (source.to_string_lossy(), target.to_string_lossy());
    let mut arguments = vec!["-v", "error", "-y", "-i", &*source];
    arguments.extend_from_slice(codec);
    arguments.push(&target);
    let _ = run("ffmpeg", &arguments);
}

/// Every format: type and length found, bytes kept, ranges right.
#[test]
fn every_format_is_probed_and_served_unchanged() {
    let daemon = Setup::new().start();
    let key = support::key(&daemon);
    let source = tone_file(daemon.folder());
    for (index, (extension, codec, media_type)) in FORMATS.iter().enumerate() {
        let file = daemon.folder().join(format!("other.{extension}"));
        convert(&source, &file, codec);
        let bytes = std::fs::read(&file).expect("a converted file");
        let task = format!("11111111-2222-4333-8444-{index:012}");
        let row = support::import(&daemon, &file, &["--task-id", &task]);
        let length = support::number(&row, "duration_ms");
        assert!(
            length.abs_diff(4_000) <= 150,
            "{extension} is told to last {length} ms"
        );
        assert_eq!(support::word(&row, "end_cause"), "imported");

        let answer = daemon.ask(&get_audio(&task, &key));
        assert_eq!(answer.status, 200, "{extension}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some(*media_type),
            "{extension}"
        );
        assert!(answer.body == bytes, "{extension}: the bytes changed");
        let part = daemon.ask(&get_audio(&task, &key).with("Range", "bytes=100-199"));
        assert_eq!(part.status, 206);
        assert!(part.body == bytes[100..200], "{extension}");
    }
}

/// The name of the file says nothing: what is inside counts.
#[test]
fn the_content_decides_not_the_extension() {
    let daemon = Setup::new().start();
    let key = support::key(&daemon);
    let file = daemon.folder().join("liar.wav");
    let source = tone_file(daemon.folder());
    convert(&source, &file, &["-c:a", "flac", "-f", "flac"]);
    let _ = support::import(&daemon, &file, &["--task-id", support::TASK]);
    let answer = daemon.ask(&get_audio(support::TASK, &key));
    assert_eq!(answer.header("content-type"), Some("audio/flac"));
}

/// Everything an import may bring along is kept, and found again by it.
#[test]
fn names_and_numbers_are_kept() {
    let daemon = Setup::new().start();
    let source = tone_file(daemon.folder());
    let row = support::import(
        &daemon,
        &source,
        &[
            "--recid",
            "12345",
            "--call-sid",
            "call_abc123def456",
            "--crt-object-id",
            "d741-6904fad1-vce-daf-638729",
            "--campaign-id",
            "77",
            "--call-id",
            "d741-call-1",
            "--task-id",
            support::TASK,
            "--from",
            "+15551234567",
            "--to",
            "+15559876543",
            "--start",
            "2024-03-01T12:30:00Z",
        ],
    );
    for (key, value) in [
        ("recid", "12345"),
        ("call_sid", "call_abc123def456"),
        ("crt_object_id", "d741-6904fad1-vce-daf-638729"),
        ("campaign_id", "77"),
        ("call_id", "d741-call-1"),
        ("task_id", support::TASK),
        ("from", "+15551234567"),
        ("to", "+15559876543"),
    ] {
        assert_eq!(support::word(&row, key), value, "{key}");
    }
    assert!(
        support::word(&row, "started_at").starts_with("2024-03-01T12:30:00"),
        "{row}"
    );
    for name in ["12345", "call_abc123def456", support::TASK] {
        let shown = daemon.json(&["recordings", "show", name]);
        assert_eq!(support::word(&shown, "recid"), "12345", "{name}");
    }
}

/// A name that is taken: refused, named, and nothing is stored.
#[test]
fn a_taken_name_is_refused() {
    let daemon = Setup::new().start();
    let source = tone_file(daemon.folder());
    let path = source.to_string_lossy();
    let _ = support::import(
        &daemon,
        &source,
        &["--recid", "7", "--task-id", support::TASK],
    );
    for (option, name) in [("--recid", "7"), ("--task-id", support::TASK)] {
        let arguments = [
            "recordings",
            "import",
            &*path,
            "--tenant",
            TENANT,
            option,
            name,
        ];
        let output = daemon.cli(&arguments).failure();
        assert_eq!(output.code, 6, "{}", output.stderr);
        assert!(output.stderr.contains(name), "{}", output.stderr);
    }
    assert_eq!(support::stored_files(&daemon.data(), "wav").len(), 1);
}

fn refuse(daemon: &Daemon, name: &str, bytes: &[u8]) {
    let file = daemon.folder().join(name);
    std::fs::write(&file, bytes).expect("a bad file");
    let path = file.to_string_lossy();
    let output = daemon
        .cli(&["recordings", "import", &path, "--tenant", TENANT])
        .failure();
    assert!(output.stderr.contains(name), "{name}: {}", output.stderr);
}

/// Files that are no sound, or only pretend to be: refused by name, nothing stored, daemon alive.
#[test]
fn bad_files_are_refused() {
    let mut daemon = Setup::new().start();
    support::tenant(&daemon, TENANT);
    let good = wav::write(&sound::noise(1_000), 1, 8_000);
    refuse(&daemon, "empty.wav", b"");
    refuse(
        &daemon,
        "text.wav",
        b"this is not a recording, whatever its name says\n",
    );
    refuse(&daemon, "head.wav", &good[..40]);
    refuse(&daemon, "nothing.wav", &wav::write(&[], 1, 8_000));
    refuse(
        &daemon,
        "random.mp3",
        &sound::to_bytes(&sound::noise(4_000)),
    );
    let mut channels = good.clone();
    channels[22..24].copy_from_slice(&99_u16.to_le_bytes());
    refuse(&daemon, "channels.wav", &channels);
    let mut rate = good;
    rate[24..28].copy_from_slice(&0_u32.to_le_bytes());
    refuse(&daemon, "rate.wav", &rate);
    let missing = daemon.cli(&[
        "recordings",
        "import",
        "/nonexistent.wav",
        "--tenant",
        TENANT,
    ]);
    assert!(missing.failure().stderr.contains("/nonexistent.wav"));
    let folder = daemon.cli(&["recordings", "import", "/tmp", "--tenant", TENANT]);
    let _ = folder.failure();
    assert!(support::stored_files(&daemon.data(), "wav").is_empty());
    assert_eq!(
        daemon.json(&["recordings", "list"])["items"],
        serde_json::Value::Array(vec![])
    );
    daemon.insist_alive();
}
