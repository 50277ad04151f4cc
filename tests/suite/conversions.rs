//! Conversions measured against their source by tools that are not ours: length, likeness, order
//! of the legs, well-formedness; bytes that do not depend on who asked first; a cache that
//! outlives the daemon and never its source.

use std::path::{Path, PathBuf};

use harness::alsa::AlsaConfig;
use harness::daemon::{Daemon, Setup, TENANT};
use harness::http::Request;
use harness::{process, sound};

use crate::families::{self, Families, RECID};
use crate::support;

/// Formats of seed 003's `targetFormat`, but WAV.
const FORMATS: [&str; 5] = ["mp3", "m4a", "flac", "ogg", "webm"];

/// A recording of speech at telephone quality, or of two tones, and what it was made of.
struct Source {
    samples: Vec<i16>,
    rate: u32,
    channels: usize,
}

fn speech(daemon: &Daemon) -> (PathBuf, Source) {
    let folder = daemon.folder();
    let (spoken, phone) = (folder.join("spoken.wav"), folder.join("phone.wav"));
    let text = "The quick brown fox jumps over the lazy dog. Please hold the line, \
                your call is important to us, and it is recorded for training purposes.";
    process::run("espeak-ng", &["-w", &spoken.to_string_lossy(), text]);
    let (from, to) = (spoken.to_string_lossy(), phone.to_string_lossy());
    process::run("sox", &[&from, "-r", "8000", "-c", "1", "-b", "16", &to]);
    let samples = decode(&phone, 8_000, 1);
    (
        phone,
        Source {
            samples,
            rate: 8_000,
            channels: 1,
        },
    )
}

fn tones(daemon: &Daemon) -> (PathBuf, Source) {
    let path = families::stereo_file(daemon, "wav");
    let samples = decode(&path, 16_000, 2);
    (
        path,
        Source {
            samples,
            rate: 16_000,
            channels: 2,
        },
    )
}

/// What ffmpeg hears in a file.
fn decode(path: &Path, rate: u32, channels: usize) -> Vec<i16> {
    let (path, rate, channels) = (
        path.to_string_lossy(),
        rate.to_string(),
        channels.to_string(),
    );
    let raw = process::run(
        "ffmpeg",
        &[
            "-v", "error", "-i", &path, "-f", "s16le", "-ar", &rate, "-ac", &channels, "-",
        ],
    );
    let (pairs, _) = raw.as_chunks::<2>();
    pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// One leg of interleaved samples.
fn leg(samples: &[i16], channels: usize, which: usize) -> Vec<f64> {
    samples
        .iter()
        .skip(which)
        .step_by(channels)
        .map(|sample| f64::from(*sample))
        .collect()
}

/// Normalised correlation of what both have.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let pairs = a.iter().zip(b);
    let (ab, aa, bb) = pairs.fold((0.0, 1e-9, 1e-9), |(ab, aa, bb), (x, y)| {
        (ab + x * y, aa + x * x, bb + y * y)
    });
    ab / f64::sqrt(aa * bb)
}

/// The best correlation within 5 ms: resamplers differ by fractions of a sample.
fn likeness(source: &[f64], made: &[f64], rate: u32) -> f64 {
    let reach = rate as usize / 200;
    (0..=reach)
        .flat_map(|lag| {
            let later = made.get(lag..).unwrap_or_default();
            let earlier = source.get(lag..).unwrap_or_default();
            [correlation(source, later), correlation(earlier, made)]
        })
        .fold(f64::MIN, f64::max)
}

fn well_formed(path: &Path, format: &str, seconds: f64) {
    let text = path.to_string_lossy();
    let faults = process::run("ffprobe", &["-v", "error", "-show_format", &text]);
    let shown = String::from_utf8_lossy(&faults);
    let duration = shown
        .lines()
        .find_map(|line| line.strip_prefix("duration="));
    let duration: f64 = duration
        .and_then(|text| text.parse().ok())
        .expect("a duration");
    // MP3 states whole frames of 72 ms, what encoder and decoder delay included.
    let slack = if format == "mp3" { 0.25 } else { 0.1 };
    assert!(
        (duration - seconds).abs() < slack,
        "{format}: ffprobe says {duration} s of {seconds}"
    );
    let complaints = std::process::Command::new("ffmpeg")
        .args(["-v", "warning", "-i", &text, "-f", "null", "-"])
        .output()
        .expect("ffmpeg");
    let complaints = String::from_utf8_lossy(&complaints.stderr).into_owned();
    assert!(complaints.trim().is_empty(), "{format}: {complaints}");
    let told = process::run("mediainfo", &["--Inform=Audio;%Duration%", &text]);
    let told: f64 = String::from_utf8_lossy(&told)
        .trim()
        .parse()
        .expect("milliseconds");
    assert!(
        (told / 1_000.0 - seconds).abs() < slack,
        "{format}: mediainfo says {told} ms"
    );
    if format == "mp3" {
        let told = process::run("mp3val", &[&text]);
        let told = String::from_utf8_lossy(&told);
        assert!(
            !told.contains("WARNING") && !told.contains("ERROR"),
            "{told}"
        );
    }
    if format == "m4a" {
        let bytes = std::fs::read(path).expect("the file");
        let at = |name: &[u8]| bytes.windows(4).position(|window| window == name);
        assert!(at(b"moov") < at(b"mdat"), "moov comes first");
    }
}

#[test]
fn every_format_sounds_like_its_source() {
    for make in [speech, tones] {
        let daemon = Setup::new().start();
        let (path, source) = make(&daemon);
        let _ = support::import(
            &daemon,
            &path,
            &[
                "--recid",
                RECID,
                "--crt-object-id",
                families::CRT_OBJECT,
                "--campaign-id",
                families::CAMPAIGN,
                "--call-id",
                families::CALL_ID,
            ],
        );
        let user = daemon.json(&[
            "user",
            "add",
            families::USER,
            "--tenant",
            TENANT,
            "--role",
            "supervisor",
            "--generate",
        ]);
        let answer = families::login(&daemon, families::USER, &support::word(&user, "password"));
        let session = support::word(&answer.json(), "sessionId");
        let frames = source.samples.len() / source.channels;
        let seconds = frames as f64 / f64::from(source.rate);
        for format in FORMATS {
            let request = Request::get(&families::voice_log_path(format));
            let made = daemon.ask(&request.with("Sessionid", &session));
            assert_eq!(made.status, 200, "{format}: {}", made.text());
            let path = daemon.folder().join(format!("made.{format}"));
            std::fs::write(&path, &made.body).expect("a file");
            well_formed(&path, format, seconds);
            let heard = decode(&path, source.rate, source.channels);
            let length = heard.len() / source.channels;
            let millis = |count: usize| count * source.rate as usize / 1_000;
            // ffmpeg 5.1 plays what pads the last AAC frame, and an Ogg's run-up.
            let longer = match format {
                "m4a" => 1_024,
                "ogg" => millis(7),
                _ => millis(1),
            };
            let lengths = frames.saturating_sub(millis(1))..=frames + longer;
            assert!(
                lengths.contains(&length),
                "{format}: {length} of {frames} frames"
            );
            for which in 0..source.channels {
                let wanted = leg(&source.samples, source.channels, which);
                let found = leg(&heard, source.channels, which);
                let likeness = likeness(&wanted, &found, source.rate);
                assert!(
                    likeness > 0.95,
                    "{format}: leg {which} is like its source by {likeness}"
                );
                let other = leg(
                    &source.samples,
                    source.channels,
                    source.channels - 1 - which,
                );
                let crosstalk = correlation(&other, &found);
                assert!(
                    source.channels == 1 || crosstalk.abs() < 0.05,
                    "{format}: {crosstalk}"
                );
            }
            if format == "flac" {
                assert_eq!(heard, source.samples, "FLAC loses nothing");
            }
        }
    }
}

/// MP3 in pieces, backwards, by several at once, and whole: the same bytes under the same tag.
#[test]
fn the_bytes_of_an_mp3_do_not_depend_on_who_asked_first() {
    let asked_whole = Families::new();
    let session = asked_whole.login();
    let whole = asked_whole
        .daemon
        .ask(&asked_whole.voice_log(&session, "mp3"));
    let asked_in_pieces = Families::new();
    let session = asked_in_pieces.login();
    let size = whole.body.len();
    let mut pieces = vec![0; size];
    let starts: Vec<usize> = (0..size).step_by(1_777).collect();
    for start in starts.into_iter().rev() {
        let end = (start + 1_777).min(size);
        let range = format!("bytes={start}-{}", end - 1);
        let request = asked_in_pieces
            .voice_log(&session, "mp3")
            .with("Range", &range);
        let part = asked_in_pieces.daemon.ask(&request);
        assert_eq!(part.status, 206, "{}", part.text());
        assert_eq!(part.header("etag"), whole.header("etag"));
        pieces[start..end].copy_from_slice(&part.body);
    }
    assert!(pieces == whole.body, "pieces and whole differ");
}

/// The cache is found again after a restart, and goes with its source.
#[test]
fn the_cache_outlives_the_daemon_and_never_its_source() {
    let mut rig = Families::new();
    let session = rig.login();
    let first = rig.daemon.ask(&rig.voice_log(&session, "m4a"));
    let kept = derived(&rig.daemon);
    assert_eq!(kept.len(), 1, "{kept:?}");
    rig.daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(rig.daemon.wait_for_end(), 0);
    rig.daemon.start();
    let again = rig.daemon.ask(&rig.voice_log(&session, "m4a"));
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(derived(&rig.daemon), kept);
    let _ = rig
        .daemon
        .json(&["recordings", "delete", RECID, "--tenant", TENANT, "--yes"]);
    assert_eq!(derived(&rig.daemon), Vec::<PathBuf>::new());
    assert_eq!(rig.daemon.ask(&rig.voice_log(&session, "m4a")).status, 404);
    let _ = rig.daemon.cli(&["check"]).success();
}

fn derived(daemon: &Daemon) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![daemon.data().join("derived")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.retain(|path| !path.to_string_lossy().contains("/derived/tmp/"));
    found.retain(|path| {
        FORMATS
            .iter()
            .any(|end| path.extension().is_some_and(|e| e == *end))
    });
    found.sort();
    found
}

/// A recording of a tenant that keeps another format is converted after it was sealed, and its
/// names, length and tag stay true.
#[test]
fn tenants_keep_what_they_want() {
    let setup = Setup::new();
    let samples = setup.folder().join("known.raw");
    std::fs::write(&samples, sound::to_bytes(&sound::noise(60 * 8_000))).expect("known.raw");
    let daemon = setup
        .alsa(AlsaConfig::default().file("known", &samples))
        .line("desk", "capture = \"known\"\ntrigger = \"api\"")
        .start();
    support::tenant(&daemon, TENANT);
    let _ = daemon.json(&["tenant", "set", TENANT, "--keep-as", "m4a"]);
    let start = ["record", "start", "--line", "desk"];
    let started = harness::wait::until("the line", || {
        let output = daemon.cli(&[&["--json"], &start[..]].concat());
        (output.code == 0).then(|| output.json())
    });
    let id = support::word(&started, "recid");
    harness::wait::until("a second of sound", || {
        let shown = daemon.json(&["recordings", "show", &id, "--tenant", TENANT]);
        (support::word(&shown, "state") == "live").then_some(())
    });
    let _ = daemon.json(&["record", "stop", &id]);
    harness::wait::until("the stored format", || {
        let shown = daemon.json(&["recordings", "show", &id, "--tenant", TENANT]);
        (support::word(&shown, "container") == "m4a").then_some(())
    });
    assert_eq!(
        support::stored_files(&daemon.data(), "wav"),
        Vec::<PathBuf>::new()
    );
    let shown = daemon.json(&["recordings", "show", &id, "--tenant", TENANT]);
    let task = support::word(&shown, "task_id");
    let key = support::key(&daemon);
    let played = daemon.ask(&support::get_audio(&task, &key));
    assert_eq!(played.status, 200, "{}", played.text());
    assert_eq!(played.header("content-type"), Some("audio/mp4"));
    let _ = daemon.cli(&["check"]).success();
}
