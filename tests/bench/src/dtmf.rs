//! CPU a channel-hour of listening for digits, and digits heard in an hour of speech that holds
//! none, beside spandsp's detector as exchanges run it and `multimon-ng`.

use std::path::Path;
use std::time::Duration;

use audio_io::dsp::dtmf::{DetectorParams, DtmfDetector, DtmfEvent};
use audio_io::units::SampleRate;
use serde_json::Value;

#[path = "../../rigs/dtmf.rs"]
mod rig;

use self::rig::Spandsp;
use crate::args::Options;
use crate::commands::{find, json};
use crate::error::Failure;
use crate::machine::{Cores, pinned};
use crate::out;
use crate::ranges::scratch;
use crate::report::{Goal, Report, Row, Series};

/// A leg, and what is played into it.
struct Material {
    what: &'static str,
    goal: Goal,
    leg: Vec<i16>,
    played: Option<Vec<i16>>,
}

pub(crate) fn run(options: &Options) -> Result<Report, Failure> {
    let cores = Cores::choose()?;
    let dir = scratch(options)?;
    let peer = Spandsp::compile(dir.path()).map_err(missing)?;
    let speech = rig::prompts().map_err(missing)?;
    let mut report = Report {
        name: "dtmf",
        ..Report::default()
    };
    report.notes.extend(cores.note());
    let minutes = if options.quick { 1 } else { 20 };
    for material in materials(&speech, minutes) {
        let file = peer
            .file_of("time", [material.leg.as_slice()])
            .map_err(missing)?;
        let mut rows: [Vec<f64>; 3] = Default::default();
        for turn in 0..options.pairs {
            out::progress(&format!(
                "{}, turn {} of {}",
                material.what,
                turn + 1,
                options.pairs
            ));
            for step in 0..3 {
                let which = (turn + step) % 3;
                let seconds = match which {
                    0 => ours(&material, cores)?,
                    1 => theirs(&peer, &file, false, cores)?,
                    _ => theirs(&peer, &file, true, cores)?,
                };
                rows[which].push(seconds / hours(material.leg.len()));
            }
        }
        let [ours, plain, filtering] = rows;
        report.rows.push(Row {
            what: material.what.into(),
            unit: "CPU s/channel-hour",
            goal: material.goal,
            ours,
            peers: vec![
                series("spandsp", plain),
                series("spandsp, dial tone stop", filtering),
            ],
        });
    }
    talk_off(&mut report, &peer, dir.path(), &speech, options.quick)?;
    out::progress_end();
    report.notes.extend([
        "spandsp runs with its defaults, which do not take dial tone away; the slower row of it \
         that does is in the JSON"
            .into(),
        "with a prompt played ours takes its echo away, which spandsp's detector cannot: it hears \
         the same leg without"
            .into(),
    ]);
    Ok(report)
}

fn materials(speech: &[i16], minutes: usize) -> Vec<Material> {
    let speech = rig::lasting(speech, minutes * 60);
    // Someone else's part of the speech, so that the leg holds more than an echo.
    let (first, second) = speech.split_at(speech.len() / 2);
    let other: Vec<i16> = second.iter().chain(first).copied().collect();
    let mut state = 1_u32;
    let idle = (0..speech.len()).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        i16::try_from(state >> 28).unwrap_or_default() - 8
    });
    let twice = Goal::AtMost {
        most: 2.0,
        aim: 1.0,
    };
    let of = |what, goal, leg: &[i16], played| Material {
        what,
        goal,
        leg: leg.to_vec(),
        played,
    };
    vec![
        of("idle line", twice, &idle.collect::<Vec<_>>(), None),
        of("speech", twice, &speech, None),
        of(
            "speech, silence played",
            twice,
            &speech,
            Some(vec![0; speech.len()]),
        ),
        of("speech, prompt played", Goal::None, &speech, Some(other)),
    ]
}

/// CPU seconds of ours.
fn ours(material: &Material, cores: Cores) -> Result<f64, Failure> {
    pinned(cores.server, || {
        let mut detector = DtmfDetector::new(SampleRate::TELEPHONE, DetectorParams::default());
        let mut digits = 0_usize;
        let before = thread_cpu()?;
        for (index, frame) in material.leg.chunks(FRAME).enumerate() {
            let played = material.played.as_ref().map_or(&[][..], |played| {
                &played[index * FRAME..index * FRAME + frame.len()]
            });
            detector.push_with_played(frame, played, |_| digits += 1);
        }
        let used = thread_cpu()?.saturating_sub(before);
        std::hint::black_box(digits);
        Ok(used.as_secs_f64())
    })
}

/// CPU seconds of spandsp.
fn theirs(peer: &Spandsp, file: &Path, filtering: bool, cores: Cores) -> Result<f64, Failure> {
    let mut command = peer.command();
    command.arg("time").arg(file).arg("1");
    if filtering {
        command.arg("dialtone");
    }
    let said = pinned(cores.server, || json("spandsp", &mut command))?;
    let used = find(&said, "cpu_s").and_then(Value::as_f64);
    used.ok_or_else(|| Failure::Program {
        what: "spandsp".into(),
        said: said.to_string(),
    })
}

/// Digits heard where there are none.
fn talk_off(
    report: &mut Report,
    peer: &Spandsp,
    dir: &Path,
    speech: &[i16],
    quick: bool,
) -> Result<(), Failure> {
    let seconds = if quick { 60 } else { 3_600 };
    let music = rig::music().map_err(missing)?;
    for (what, sound) in [("speech", speech), ("music", &music)] {
        out::progress(&format!("talk-off, {what}"));
        let sound = rig::lasting(sound, seconds);
        let theirs = peer.hear([sound.as_slice()]).map_err(missing)?;
        let theirs = theirs.iter().map(String::len).sum();
        let multimon = rig::multimon_hits(dir, &sound).map_err(missing)?;
        report.rows.push(Row {
            what: format!("digits heard in {} min of {what}", seconds / 60),
            unit: "digits",
            goal: Goal::Within {
                most: count(theirs),
                aim: 0.0,
            },
            ours: vec![count(hits(&sound))],
            peers: vec![
                series("spandsp", vec![count(theirs)]),
                series("multimon-ng", vec![count(multimon)]),
            ],
        });
    }
    Ok(())
}

fn hits(sound: &[i16]) -> usize {
    let mut detector = DtmfDetector::new(SampleRate::TELEPHONE, DetectorParams::default());
    let mut hits = 0;
    let mut found = |event| hits += usize::from(matches!(event, DtmfEvent::Began { .. }));
    detector.push(sound, &mut found);
    detector.finish(&mut found);
    hits
}

fn series(name: &str, values: Vec<f64>) -> Series {
    Series {
        name: name.into(),
        values,
    }
}

fn missing(source: std::io::Error) -> Failure {
    Failure::Io {
        what: "a peer of the DTMF detector, or the prompts ('make setup' installs them)".into(),
        source,
    }
}

fn thread_cpu() -> Result<Duration, Failure> {
    let used = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_err(Failure::errno("own CPU time"))?;
    Ok(used.into())
}

#[allow(clippy::cast_precision_loss, reason = "an hour of samples")]
fn hours(samples: usize) -> f64 {
    samples as f64 / 8_000.0 / 3_600.0
}

#[allow(clippy::cast_precision_loss, reason = "few")]
fn count(hits: usize) -> f64 {
    hits as f64
}

/// 20 ms.
const FRAME: usize = 160;
