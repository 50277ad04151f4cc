//! Caller id beside spandsp: each hears what the other sends, and both hear the same spoilt
//! messages. What they heard is printed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use audio_io::dsp::caller_id::{
    CallerId, CallerIdMode, CallerIdReceiver, FskParams, FskStandard, NameText, NumberText, fsk,
    mdmf,
};
use audio_io::units::SampleRate;

use crate::signal::noisy;

/// Messages of a condition.
const TIMES: u64 = 12;

#[test]
#[cfg_attr(not(has_spandsp), ignore = "libspandsp-dev is missing ('make setup')")]
fn each_hears_what_the_other_sends() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = compile(dir.path()).expect("spandsp");
    for (standard, word) in STANDARDS {
        let sent = said(Command::new(&program).args(["send", word])).expect("spandsp");
        let sound: Vec<i16> = sent
            .chunks_exact(2)
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        let told = ours(&[sound, vec![0; 800]].concat()).expect("a caller id");
        assert_eq!(
            (told.number.as_str(), told.name.as_str()),
            ("5550123", "A NAME"),
            "{word}"
        );
        let params = FskParams {
            standard,
            ..FskParams::default()
        };
        let heard = theirs(&program, dir.path(), word, &[piece(&params, None)]).expect("spandsp");
        assert_eq!(heard, [true], "{word}");
    }
}

#[test]
#[cfg_attr(not(has_spandsp), ignore = "libspandsp-dev is missing ('make setup')")]
fn ours_hears_as_many_as_spandsp_does_whatever_the_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = compile(dir.path()).expect("spandsp");
    println!(
        "{:<34} {:>9} {:>9}",
        "of messages, heard by", "callreel", "spandsp"
    );
    let mut problems = Vec::new();
    for (standard, word) in STANDARDS {
        for (what, must, params, snr_db) in conditions() {
            let params = FskParams { standard, ..params };
            let pieces: Vec<Vec<i16>> = (0..TIMES)
                .map(|seed| piece(&params, snr_db.map(|snr| (snr, seed))))
                .collect();
            let mine = pieces
                .iter()
                .filter(|piece| ours(piece) == Some(caller()))
                .count();
            let heard = theirs(&program, dir.path(), word, &pieces).expect("spandsp");
            let theirs = heard.into_iter().filter(|heard| *heard).count();
            println!(
                "{:<34} {mine:>6}/{TIMES} {theirs:>6}/{TIMES}",
                format!("{word}, {what}")
            );
            if must && mine < pieces.len() || mine < theirs {
                problems.push(format!("{word}, {what}: {mine}, spandsp {theirs}"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What a line does, whether all have to be heard then, and the noise below the weaker tone.
fn conditions() -> Vec<(&'static str, bool, FskParams, Option<f64>)> {
    let plain = FskParams::default();
    let of = |level_dbm, twist_db| FskParams {
        level_dbm,
        twist_db,
        ..plain
    };
    vec![
        ("plain", true, plain, None),
        ("-9 dBm", true, of(-9.0, 0.0), Some(30.0)),
        ("-40 dBm", true, of(-40.0, 0.0), Some(25.0)),
        ("space 6 dB weaker", true, of(-13.5, -6.0), Some(25.0)),
        ("space 6 dB stronger", true, of(-13.5, 6.0), Some(25.0)),
        ("space 10 dB weaker", true, of(-13.5, -10.0), Some(25.0)),
        ("space 10 dB stronger", true, of(-13.5, 10.0), Some(25.0)),
        (
            "1 % fast",
            true,
            FskParams {
                speed: 0.01,
                ..plain
            },
            Some(25.0),
        ),
        (
            "1 % slow",
            true,
            FskParams {
                speed: -0.01,
                ..plain
            },
            Some(25.0),
        ),
        ("no seizure, 80 bits of mark", true, short(80), Some(25.0)),
        ("no seizure, 20 bits of mark", true, short(20), Some(25.0)),
        ("noise 20 dB below", true, plain, Some(20.0)),
        ("noise 15 dB below", false, plain, Some(15.0)),
        ("noise 12 dB below", false, plain, Some(12.0)),
        ("noise 9 dB below", false, plain, Some(9.0)),
    ]
}

fn short(mark_bits: usize) -> FskParams {
    FskParams {
        seizure_bits: 0,
        mark_bits,
        ..FskParams::default()
    }
}

fn caller() -> CallerId {
    CallerId {
        number: NumberText::try_from("02079460123").expect("a number"),
        name: NameText::try_from("J EXAMPLE").expect("a name"),
        ..CallerId::default()
    }
}

/// A message between silences, with noise.
fn piece(params: &FskParams, noise: Option<(f64, u64)>) -> Vec<i16> {
    let sent = fsk(SampleRate::TELEPHONE, params, &mdmf("11301159", &caller()));
    let sound = [vec![0; 4_000], sent, vec![0; 4_000]].concat();
    match noise {
        Some((snr_db, seed)) => {
            let weaker = params.level_dbm - params.twist_db.abs();
            noisy(&sound, weaker - snr_db, seed)
        }
        None => sound,
    }
}

fn ours(piece: &[i16]) -> Option<CallerId> {
    let mut receiver = CallerIdReceiver::new(CallerIdMode::Fsk, SampleRate::TELEPHONE);
    piece.chunks(160).find_map(|frame| receiver.push(frame))
}

/// Whether spandsp heard the message in each piece.
fn theirs(program: &Path, dir: &Path, word: &str, pieces: &[Vec<i16>]) -> io::Result<Vec<bool>> {
    let file = dir.join("messages.pieces");
    let mut bytes = Vec::new();
    for piece in pieces {
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        bytes.extend(length.to_le_bytes());
        bytes.extend(piece.iter().flat_map(|sample| sample.to_le_bytes()));
    }
    std::fs::write(&file, bytes)?;
    let message = mdmf("11301159", &caller());
    // spandsp tells a message without its checksum.
    let wanted: String = message[..message.len() - 1]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let heard = said(Command::new(program).arg(&file).arg(word))?;
    let heard = String::from_utf8_lossy(&heard).into_owned();
    Ok(heard.lines().map(|line| line.contains(&wanted)).collect())
}

fn compile(dir: &Path) -> io::Result<PathBuf> {
    let source = dir.join("spandsp_adsi.c");
    let program = dir.join("spandsp_adsi");
    std::fs::write(&source, include_str!("../bench/peer/spandsp_adsi.c"))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-o"]).arg(&program).arg(&source);
    said(compiler.args(["-lspandsp", "-lm"]))?;
    Ok(program)
}

fn said(command: &mut Command) -> io::Result<Vec<u8>> {
    let output = command.output()?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(io::Error::other(why))
    }
}

const STANDARDS: [(FskStandard, &str); 2] =
    [(FskStandard::Bell202, "bell"), (FskStandard::V23, "v23")];
