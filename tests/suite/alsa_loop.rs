//! The whole way through a real-time sound server: tones are played into two sinks, the daemon
//! captures both as the legs of one call, and the recording that it serves is measured.
//!
//! ```text
//!  440 Hz ──aplay──▶ sink 0 ──▶ caller's leg (left)  ┐
//!                                                    ├─ callreeld ──HTTP──▶ measured here
//!  950 Hz ──aplay──▶ sink 1 ──▶ agent's leg (right)  ┘
//! ```

use std::path::PathBuf;

use harness::daemon::{Daemon, Setup};
use harness::pulse::{self, Pulse};
use harness::wav::{self, Wav};
use harness::{sound, wait};

use crate::live;
use crate::support;

const RATE: u32 = 8_000;
/// What a leg's tone may differ from what was played.
const LEVEL_TOLERANCE_DB: f64 = 0.5;
const FREQUENCY_TOLERANCE_HZ: f64 = 0.5;
/// How far below the tone the other leg's tone must be.
const SEPARATION_DB: f64 = 60.0;

struct Loop {
    daemon: Daemon,
    pulse: Pulse,
    key: String,
}

impl Loop {
    fn start(line: &str) -> Self {
        let setup = Setup::new();
        let pulse = Pulse::start(setup.folder(), 2);
        let alsa = pulse.alsa();
        let daemon = setup.alsa(alsa).line("desk", line).start();
        let key = support::key(&daemon);
        Self { daemon, pulse, key }
    }

    /// Plays a tone into a sink until it is over.
    fn play(
        &self,
        sink: usize,
        hertz: f64,
        amplitude: f64,
        seconds: f64,
    ) -> harness::process::Guarded {
        let path: PathBuf = self.daemon.folder().join(format!("tone{sink}.wav"));
        let samples = sound::tone(hertz, amplitude, RATE, seconds);
        std::fs::write(&path, wav::write(&samples, 1, RATE)).expect("a tone");
        let log = self.daemon.folder().join("aplay.log");
        pulse::play(self.daemon.alsa(), &format!("play{sink}"), &path, &log)
    }

    fn wait_for_end(&self, player: &mut harness::process::Guarded) {
        let code = wait::until("the tone's end", || player.ended());
        let log = std::fs::read_to_string(self.daemon.folder().join("aplay.log"));
        assert_eq!(code, 0, "aplay: {log:?}; pulse: {}", self.pulse.log());
    }

    /// An idle sink wakes up only every two seconds; from then on it keeps the pace that its
    /// clients ask for. Nothing played before that can be heard whole.
    fn wait_for_sound(&self, after: u64) -> u64 {
        wait::until("sound from the line's device", || {
            let lines = self.daemon.json(&["lines"]);
            let frames = support::number(&lines, "frames");
            (support::word(&lines, "state") == "running" && frames > after).then_some(frames)
        })
    }

    fn recording(&self, task: &str) -> Wav {
        let answer = self.daemon.ask(&support::get_audio(task, &self.key));
        assert_eq!(answer.status, 200, "{}", answer.text());
        Wav::parse(&answer.body)
    }
}

/// What a leg with a tone must sound like.
fn assert_tone(leg: &[i16], hertz: f64, amplitude: f64, seconds: f64, other: f64) {
    let loud = sound::loud_part(leg, amplitude / 20.0);
    let length = f64::from(u32::try_from(loud.len()).expect("short")) / f64::from(RATE);
    assert!(
        (length - seconds).abs() < 0.05,
        "{hertz} Hz lasts {length} s, not {seconds} s"
    );
    let measured = sound::frequency(loud, RATE).expect("a tone");
    assert!(
        (measured - hertz).abs() < FREQUENCY_TOLERANCE_HZ,
        "{measured} Hz, not {hertz} Hz"
    );
    // A sine's RMS lies 3.01 dB below its peak.
    let wanted = 20.0 * amplitude.log10() - 3.01;
    let level = sound::rms_dbfs(loud);
    assert!(
        (level - wanted).abs() < LEVEL_TOLERANCE_DB,
        "{level} dBFS, not {wanted} dBFS"
    );
    let (own, foreign) = (
        sound::power_at(loud, hertz, RATE),
        sound::power_at(loud, other, RATE),
    );
    assert!(
        own - foreign > SEPARATION_DB,
        "the other leg's tone is at {foreign} dBFS of {own}"
    );
}

/// The rig without the daemon: what `aplay` plays, `arecord` hears. When this fails, the machine
/// is at fault and not the product.
#[test]
fn the_rig_itself_carries_a_tone() {
    let folder = tempfile::tempdir().expect("a folder");
    let pulse = Pulse::start(folder.path(), 1);
    let alsa = pulse.alsa().write(folder.path());
    let heard = folder.path().join("heard.wav");
    let mut command = std::process::Command::new("arecord");
    command
        .args([
            "--quiet", "-D", "hear0", "-f", "S16_LE", "-r", "8000", "-c", "1", "-d", "4",
        ])
        .args(["--period-time=50000", "--buffer-time=600000"])
        .arg(&heard)
        .env("ALSA_CONFIG_PATH", &alsa);
    let log = folder.path().join("log");
    let mut recorder = harness::process::Guarded::spawn(command, &log);
    wait::until("the recorder's first samples", || {
        std::fs::metadata(&heard)
            .ok()
            .filter(|found| found.len() > 4_000)
            .map(|_| ())
    });
    let tone = folder.path().join("tone.wav");
    let samples = sound::tone(440.0, 0.5, RATE, 2.0);
    std::fs::write(&tone, wav::write(&samples, 1, RATE)).expect("a tone");
    let mut player = pulse::play(&alsa, "play0", &tone, &log);
    assert_eq!(
        wait::until("the tone's end", || player.ended()),
        0,
        "{}",
        pulse.log()
    );
    assert_eq!(
        wait::until("the recorder's end", || recorder.ended()),
        0,
        "{}",
        pulse.log()
    );
    let bytes = std::fs::read(&heard).expect("what was heard");
    assert_tone(&Wav::parse(&bytes).samples(), 440.0, 0.5, 2.0, 950.0);
}

const TWO_LEGS: &str = "capture = \"hear0\"\ncapture_agent = \"hear1\"\npre_roll_ms = 0\n\
     period_ms = 20\nbuffer_ms = 600\n";

/// Two tones at once: each is in its own leg, at its frequency, length and level, and the levels
/// that the daemon reports are the ones measured.
#[test]
fn each_tone_is_found_in_its_own_leg() {
    let rig = Loop::start(&format!("{TWO_LEGS}trigger = \"api\""));
    let (task, recid) = live::start(&rig.daemon);
    let (_, _) = live::snapshot(&rig.daemon, &task, &rig.key, 2_000);
    let mut caller = rig.play(0, 440.0, 0.5, 3.0);
    let mut agent = rig.play(1, 950.0, 0.25, 2.0);
    rig.wait_for_end(&mut caller);
    rig.wait_for_end(&mut agent);
    // The tail of the tone is still on its way through the server's buffers.
    let now = live::snapshot(&rig.daemon, &task, &rig.key, 0).1.frames();
    let (_, _) = live::snapshot(&rig.daemon, &task, &rig.key, now + 8_000);
    let _ = rig.daemon.json(&["record", "stop", &recid]);
    let row = live::stored(&rig.daemon, &recid);

    let wav = rig.recording(&task);
    assert_eq!(
        (wav.tag, wav.channels, wav.rate, wav.bits),
        (1, 2, RATE, 16)
    );
    let samples = wav.samples();
    assert_tone(&sound::leg(&samples, 0), 440.0, 0.5, 3.0, 950.0);
    assert_tone(&sound::leg(&samples, 1), 950.0, 0.25, 2.0, 440.0);

    let levels = support::field(&row, "levels")
        .and_then(|levels| levels.as_array())
        .expect("levels");
    for (leg, level) in levels.iter().enumerate() {
        let told = level["rms_dbfs"].as_f64().expect("a level");
        let measured = sound::rms_dbfs(&sound::leg(&samples, leg));
        assert!(
            (told - measured).abs() < 0.2,
            "leg {leg}: {told} told, {measured} measured"
        );
    }
    let gaps = support::field(&row, "gaps")
        .and_then(|gaps| gaps.as_array())
        .expect("gaps");
    assert!(gaps.is_empty(), "a quiet machine loses nothing: {gaps:?}");
}

/// Voice starts the recording, silence ends it, and the look-back holds the beginning.
#[test]
fn voice_starts_and_silence_ends() {
    let rig = Loop::start(
        "capture = \"hear0\"\ntrigger = \"vox\"\npre_roll_ms = 500\n\
         vox = { start_dbfs = -30.0, stop_dbfs = -40.0, attack_ms = 60, hang_ms = 1000 }\n",
    );
    // More silence than the look-back holds.
    let _ = rig.wait_for_sound(6_000);
    let mut player = rig.play(0, 600.0, 0.5, 2.0);
    rig.wait_for_end(&mut player);
    let row = wait::until("a stored recording", || {
        let page = rig.daemon.json(&["recordings", "list"]);
        page["items"]
            .as_array()?
            .iter()
            .find(|row| row["state"] == "stored")
            .cloned()
    });
    assert_eq!(support::word(&row, "end_cause"), "silence");
    let wav = rig.recording(&support::word(&row, "task_id"));
    let samples = wav.samples();
    let loud = sound::loud_part(&samples, 0.05);
    let length = loud.len();
    assert!(
        length.abs_diff(16_000) < 400,
        "the tone lasts {length} frames"
    );
    let quiet = samples
        .iter()
        .position(|sample| *sample == loud[0])
        .unwrap_or(0);
    assert!(
        (3_000..4_200).contains(&quiet),
        "the look-back holds only {quiet} frames of before"
    );
    assert!(
        samples.len() < 16_000 + 8_000 + 8_000,
        "it ended {} frames long",
        samples.len()
    );
}

/// The sound card is pulled out and put back: the line says so, goes on by itself, and the
/// recording has a gap of the right length where there was nothing to record.
#[test]
fn an_unplugged_card_leaves_a_gap_and_comes_back() {
    let mut rig = Loop::start(&format!("{TWO_LEGS}trigger = \"api\""));
    let (task, recid) = live::start(&rig.daemon);
    let (_, _) = live::snapshot(&rig.daemon, &task, &rig.key, 8_000);
    rig.pulse.unplug();
    wait::until("the line's loss", || {
        (support::word(&rig.daemon.json(&["lines"]), "state") == "lost").then_some(())
    });
    let heard = support::number(&rig.daemon.json(&["lines"]), "frames");
    let lost_at = live::snapshot(&rig.daemon, &task, &rig.key, 0).1.frames();
    let (_, _) = live::snapshot(&rig.daemon, &task, &rig.key, lost_at + 8_000);
    let folder = rig.daemon.folder().to_path_buf();
    rig.pulse = Pulse::start(&folder, 2);
    let _ = rig.wait_for_sound(heard);
    let mut caller = rig.play(0, 440.0, 0.5, 1.0);
    rig.wait_for_end(&mut caller);
    let now = live::snapshot(&rig.daemon, &task, &rig.key, 0).1.frames();
    let (_, _) = live::snapshot(&rig.daemon, &task, &rig.key, now + 8_000);
    let _ = rig.daemon.json(&["record", "stop", &recid]);
    let row = live::stored(&rig.daemon, &recid);
    let gaps = support::field(&row, "gaps")
        .and_then(|gaps| gaps.as_array())
        .expect("gaps");
    let missing: u64 = gaps.iter().map(|gap| support::number(gap, "frames")).sum();
    assert!(missing >= 8_000, "at least a second is missing: {gaps:?}");
    let wav = rig.recording(&task);
    let leg = sound::leg(&wav.samples(), 0);
    let loud = sound::loud_part(&leg, 0.05);
    assert!(
        loud.len().abs_diff(8_000) < 400,
        "the tone after the return: {} frames",
        loud.len()
    );
}
