//! Files as others write them (half a second of 440 Hz, made with sox, LAME and ffmpeg), and files
//! that are not sound.

use std::io::Write;
use std::path::Path;

use audio_io::codec::probe::{Kind, ProbeError, Probed, probe, probe_file};
use audio_io::codec::wav::{Bext, WavHeader};
use audio_io::format::{Channels, Encoding, StreamFormat};

fn fixture(name: &str) -> Result<Probed, ProbeError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    probe(&path)
}

fn content(bytes: &[u8]) -> Result<Probed, ProbeError> {
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    probe_file(file)
}

#[test]
fn compressed_files_are_known_by_their_content() -> Result<(), ProbeError> {
    use Channels::{Mono, Stereo};
    let table = [
        ("tone.mp3", Kind::Mp3, 8_000, Mono, 4_000),
        // Without an encoder's tag nobody says how much of it is padding: whole frames are counted.
        ("bare.mp3", Kind::Mp3, 8_000, Mono, 5_184),
        ("tone.m4a", Kind::M4a, 48_000, Stereo, 24_000),
        ("tone.webm", Kind::WebM, 48_000, Stereo, 24_000),
        ("tone.ogg", Kind::Ogg, 48_000, Stereo, 24_000),
        ("vorbis.ogg", Kind::Ogg, 48_000, Stereo, 24_000),
        ("tone.flac", Kind::Flac, 8_000, Mono, 4_000),
    ];
    for (name, kind, hertz, channels, frames) in table {
        let facts = fixture(name)?;
        assert_eq!(facts.kind, kind, "{name}");
        assert_eq!(facts.format.rate.hertz(), hertz, "{name}");
        assert_eq!(facts.format.channels, channels, "{name}");
        assert_eq!(facts.frames.0, frames, "{name}");
        assert!(facts.wav.is_none(), "{name}");
    }
    Ok(())
}

#[test]
fn a_webm_file_that_does_not_say_its_length_is_counted() -> Result<(), ProbeError> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tone.webm");
    let mut bytes = std::fs::read(path)?;
    // The Duration element (0x4489, 8 bytes) becomes a Void (0xEC) of the same size.
    let at = bytes
        .windows(3)
        .position(|window| window == b"\x44\x89\x88")
        .expect("a duration in the fixture");
    bytes[at..at + 2].copy_from_slice(&[0xEC, 0x89]);
    let facts = content(&bytes)?;
    assert_eq!(facts.kind, Kind::WebM);
    // 26 packets of 20 ms, less 312 frames of run-up and 648 of padding.
    assert_eq!(facts.frames.0, 26 * 960 - 312 - 648);
    Ok(())
}

#[test]
fn our_own_files_are_read_exactly() -> Result<(), ProbeError> {
    let format = StreamFormat {
        encoding: Encoding::MuLaw,
        ..StreamFormat::TELEPHONE
    };
    let mut file = WavHeader::sealed(format, 801, 0, &Bext::default()).to_vec();
    file.resize(file.len() + 802, 0xFF);
    let facts = content(&file)?;
    assert_eq!(
        (facts.kind, facts.format, facts.frames.0),
        (Kind::Wav, format, 801)
    );
    assert_eq!(facts.wav.map(|info| info.data_offset), Some(4_096));
    Ok(())
}

#[test]
fn what_is_not_sound_is_refused_with_its_reason() {
    let refused = |bytes: &[u8]| content(bytes).map(|facts| facts.kind);
    assert!(matches!(refused(b""), Err(ProbeError::Unknown)));
    assert!(matches!(refused(b"hello"), Err(ProbeError::Unknown)));
    assert!(matches!(refused(&[0; 100_000]), Err(ProbeError::Unknown)));
    assert!(matches!(
        refused(b"RIFF\x04\0\0\0WAVE"),
        Err(ProbeError::Wav(_))
    ));
    assert!(matches!(
        refused(b"%PDF-1.7\n1 0 obj"),
        Err(ProbeError::Unknown)
    ));
    let matroska = fixture("plain.mkv").map(|facts| facts.kind);
    assert!(
        matches!(matroska, Err(ProbeError::Unsupported(_))),
        "{matroska:?}"
    );
    let mut adpcm = b"RIFF\x34\0\0\0WAVEfmt \x10\0\0\0\x11\0\x01\0\x40\x1F\0\0".to_vec();
    adpcm.extend_from_slice(b"\xD7\x0F\0\0\0\x01\x04\0data\x04\0\0\0\0\0\0\0");
    assert!(matches!(refused(&adpcm), Err(ProbeError::WavCodec(0x11))));
    let mut fast = WavHeader::open_ended(StreamFormat::TELEPHONE, &Bext::default());
    fast[60..64].copy_from_slice(&96_000_u32.to_le_bytes());
    let fast = refused(&fast);
    assert!(matches!(fast, Err(ProbeError::Rate(_))), "{fast:?}");
}

#[test]
fn damaged_files_never_panic() {
    for name in ["tone.mp3", "tone.m4a", "tone.webm", "tone.ogg", "tone.flac"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        let good = std::fs::read(path).expect("a fixture");
        for at in (0..good.len()).step_by(good.len() / 60 + 1) {
            let _refused_or_shorter = content(&good[..at]);
            let mut bad = good.clone();
            bad[at] ^= 0xFF;
            let _refused_or_not = content(&bad);
        }
    }
}
