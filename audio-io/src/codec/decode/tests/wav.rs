//! WAV files of every width, whole and cut.
#![allow(
    clippy::cast_possible_truncation,
    reason = "computed samples and small places"
)]

use super::super::*;
use super::{all, stored};
use crate::units::Frames;

/// A WAV file with this format, and its sound.
pub(super) fn wav(tag: u16, channels: u16, bytes: u16, sound: &[u8]) -> File {
    let mut file = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0".to_vec();
    file.extend_from_slice(&tag.to_le_bytes());
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&8_000_u32.to_le_bytes());
    let align = channels * bytes;
    file.extend_from_slice(&(8_000 * u32::from(align)).to_le_bytes());
    file.extend_from_slice(&align.to_le_bytes());
    file.extend_from_slice(&(8 * bytes).to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&u32::try_from(sound.len()).unwrap_or(0).to_le_bytes());
    file.extend_from_slice(sound);
    stored(&file)
}

#[test]
fn every_width_gives_the_samples_it_holds() {
    let wanted: [i16; 4] = [0, 0x1200, -0x1200, -0x8000];
    let wide = |shift: u32| wanted.map(|sample| i32::from(sample) << shift);
    let eight: Vec<u8> = wanted.map(|s| ((s >> 8) + 128) as u8).to_vec();
    let sixteen: Vec<u8> = wanted.iter().flat_map(|s| s.to_le_bytes()).collect();
    let triple: Vec<u8> = wide(8)
        .iter()
        .flat_map(|s| s.to_le_bytes()[..3].to_vec())
        .collect();
    let quad: Vec<u8> = wide(16).iter().flat_map(|s| s.to_le_bytes()).collect();
    let float: Vec<u8> = wanted
        .iter()
        .flat_map(|s| (f32::from(*s) / 32_768.0).to_le_bytes())
        .collect();
    let double: Vec<u8> = wanted
        .iter()
        .flat_map(|s| (f64::from(*s) / 32_768.0).to_le_bytes())
        .collect();
    for (tag, bytes, sound) in [
        (1, 1, eight),
        (1, 2, sixteen),
        (1, 3, triple),
        (1, 4, quad),
        (3, 4, float),
        (3, 8, double),
    ] {
        for channels in [1, 2] {
            let mut source = open(wav(tag, channels, bytes, &sound)).expect("a WAV file");
            assert_eq!(source.frames().0, 4 / u64::from(channels));
            assert_eq!(all(source.as_mut()), wanted, "tag {tag}, {bytes} bytes");
        }
    }
}

#[test]
fn companded_samples_are_expanded() {
    for (tag, expand) in [
        (7, crate::codec::g711::mulaw_to_linear as fn(u8) -> i16),
        (6, crate::codec::g711::alaw_to_linear),
    ] {
        let codes: Vec<u8> = (0..=255).collect();
        let wanted: Vec<i16> = codes.iter().map(|code| expand(*code)).collect();
        let mut source = open(wav(tag, 1, 1, &codes)).expect("a WAV file");
        assert_eq!(all(source.as_mut()), wanted);
    }
}

#[test]
fn wide_samples_round_and_never_wrap() {
    let sound = [0x7FFF_FFFF_i32, 0x0000_8000, 0x0000_7FFF, i32::MIN];
    let sound: Vec<u8> = sound.iter().flat_map(|s| s.to_le_bytes()).collect();
    let mut source = open(wav(1, 1, 4, &sound)).expect("a WAV file");
    assert_eq!(all(source.as_mut()), [i16::MAX, 1, 0, i16::MIN]);
    let sound = [f32::NAN, f32::INFINITY, -1e30, 1.0];
    let sound: Vec<u8> = sound.iter().flat_map(|s| s.to_le_bytes()).collect();
    let mut source = open(wav(3, 1, 4, &sound)).expect("a WAV file");
    assert_eq!(all(source.as_mut()), [0, i16::MAX, i16::MIN, i16::MAX]);
}

#[test]
fn a_seek_goes_to_the_sample() {
    let wanted: Vec<i16> = (0..20_000).collect();
    let sound: Vec<u8> = wanted.iter().flat_map(|s| s.to_le_bytes()).collect();
    let mut source = open(wav(1, 2, 2, &sound)).expect("a WAV file");
    for to in [0, 1, 4_095, 4_096, 9_999, 10_000, 10_001, u64::MAX, 77] {
        source.seek(Frames(to)).expect("a place");
        let from = usize::try_from(2 * to.min(10_000)).expect("small");
        assert_eq!(all(source.as_mut()), wanted[from..]);
    }
}

#[test]
fn a_file_cut_while_it_is_read_is_an_error() {
    let file = wav(1, 1, 2, &[1; 40_000]);
    let cutter = file.try_clone().expect("a second handle");
    let mut source = open(file).expect("a WAV file");
    cutter.set_len(20_000).expect("a cut");
    let mut part = vec![0; 9_000];
    assert!(matches!(source.read(&mut part), Ok(8_192)));
    let refused = source.read(&mut part);
    assert!(
        matches!(refused, Err(DecodeError::Damaged(_))),
        "{refused:?}"
    );
}

#[test]
fn impossible_wav_files_are_refused() {
    for (tag, channels, bytes) in [(1, 1, 5), (3, 1, 2), (7, 1, 2), (1, 3, 2), (0x11, 1, 1)] {
        assert!(
            open(wav(tag, channels, bytes, &[0; 64])).is_err(),
            "{tag} {bytes}"
        );
    }
    assert!(open(wav(1, 1, 2, &[])).is_err());
    assert!(open(stored(b"RIFF")).is_err());
    assert!(open(stored(b"")).is_err());
}
