//! The file beside a recording that keeps its waveform peaks. All numbers little endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `CRPK` |
//! | 4 | 1 | version: 2 |
//! | 5 | 1 | legs: 1 or 2 |
//! | 6 | 1 | levels: 1 to 12 |
//! | 7 | 1 | zero |
//! | 8 | 4 | rate in hertz |
//! | 12 | 4 | frames a peak of the first level covers; of each further one four times as many |
//! | 16 | 8 | frames of the whole recording |
//! | 24 | 32 | BLAKE3 of the recording's file: whose peaks these are |
//! | 56 | 4 | zero |
//! | 60 | 4 | CRC-32 of bytes 0 to 59 and of the table |
//! | 64 | 4 × levels | table: CRC-32 of each level's bytes |
//! | … | 4 × tracks × peaks | each level: for each peak, each track: lowest, highest, i16 |
//!
//! A level has as many peaks as begin within the recording. The tracks of one leg are that leg, of
//! two both and their mix. What is not exactly this is not believed: peaks can be made again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use audio_io::dsp::peaks::{LEVELS_MAX, Level, MERGED, Peak, Pyramid, tracks_of};
use audio_io::format::Channels;
use audio_io::limits::PEAKS_MAX;
use audio_io::units::{Frames, SampleRate};

use crate::limits::READ_BUFFER;

const MAGIC: &[u8; 4] = b"CRPK";
const VERSION: u8 = 2;
const HEADER_BYTES: usize = 64;
const HASH_AT: usize = 24;
const CRC_AT: usize = 60;

/// A sidecar that is not one, or not the recording's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SidecarError {
    /// There is none, or it cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin with the magic number, or is shorter than its header.
    #[error("not a peaks file")]
    NotPeaks,
    /// Another version wrote it.
    #[error("a peaks file of version {0}, known is {VERSION}")]
    Version(u8),
    /// A field of the header is impossible, or a sum is wrong.
    #[error("a damaged peaks file: {0}")]
    Damaged(&'static str),
    /// It was made of another file.
    #[error("peaks of another file")]
    Foreign,
}

/// An open sidecar whose header may be believed.
#[derive(Debug)]
pub(crate) struct Sidecar {
    file: File,
    pub(crate) rate: SampleRate,
    pub(crate) channels: Channels,
    pub(crate) frames: Frames,
    /// Frames a peak of the first level covers.
    first: u32,
    /// Each level's sum.
    sums: Vec<u32>,
}

/// The sidecar's bytes.
pub(crate) fn encode(pyramid: &Pyramid, content_hash: &[u8; 32]) -> Vec<u8> {
    let levels = &pyramid.levels[..pyramid.levels.len().min(LEVELS_MAX)];
    let first = levels.first().map_or(0, |level| level.frames_per_peak);
    let peaks: usize = levels.iter().map(|level| level.peaks.len()).sum();
    let mut out = Vec::with_capacity(HEADER_BYTES + 4 * levels.len() + 4 * peaks);
    out.extend_from_slice(MAGIC);
    let legs = match pyramid.channels {
        Channels::Mono => 1,
        Channels::Stereo => 2,
    };
    // There are twelve levels at most.
    let count = u8::try_from(levels.len()).unwrap_or_default();
    out.extend_from_slice(&[VERSION, legs, count, 0]);
    out.extend_from_slice(&pyramid.rate.hertz().to_le_bytes());
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&pyramid.frames.0.to_le_bytes());
    out.extend_from_slice(content_hash);
    out.resize(HEADER_BYTES + 4 * levels.len(), 0);
    for (number, level) in levels.iter().enumerate() {
        let from = out.len();
        for peak in &level.peaks {
            out.extend_from_slice(&peak.low.to_le_bytes());
            out.extend_from_slice(&peak.high.to_le_bytes());
        }
        let sum = crc32fast::hash(&out[from..]);
        out[HEADER_BYTES + 4 * number..][..4].copy_from_slice(&sum.to_le_bytes());
    }
    let head = HEADER_BYTES + 4 * levels.len();
    let sum = header_sum(&out[..head]);
    out[CRC_AT..][..4].copy_from_slice(&sum.to_le_bytes());
    out
}

/// Makes a sidecar that belongs to the file of one hash that of another, which has the same sound.
/// A write that is torn is noticed by the sum.
pub(crate) fn rebind(path: &Path, from: &[u8; 32], to: &[u8; 32]) -> Result<(), SidecarError> {
    let file = File::options().read(true).write(true).open(path)?;
    let (mut head, _) = read_header(&file, from)?;
    head[HASH_AT..][..32].copy_from_slice(to);
    let sum = header_sum(&head);
    head[CRC_AT..][..4].copy_from_slice(&sum.to_le_bytes());
    Ok(file.write_all_at(&head, 0)?)
}

/// Whether an earlier version's file is there, which is made anew when somebody asks for it.
pub(crate) fn is_older(path: &Path) -> bool {
    let mut head = [0; 5];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut head, 0));
    read.is_ok() && &head[..4] == MAGIC && head[4] < VERSION
}

impl Sidecar {
    /// Opens the sidecar of a file with this content.
    pub(crate) fn open(path: &Path, content_hash: &[u8; 32]) -> Result<Self, SidecarError> {
        let file = File::open(path)?;
        let (_, mut sidecar) = read_header(&file, content_hash)?;
        sidecar.file = file;
        let expected = sidecar.offset_of(sidecar.sums.len());
        if sidecar.file.metadata()?.len() != expected {
            return Err(SidecarError::Damaged("its length"));
        }
        Ok(sidecar)
    }

    /// Frames that a peak of each level covers, the finest first.
    pub(crate) fn zooms(&self) -> impl Iterator<Item = u32> {
        let first = self.first;
        (0..self.sums.len()).map(move |number| covers(first, number))
    }

    /// A level's peaks; `keep` says which of a stretch's tracks are wanted.
    pub(crate) fn level(&self, number: usize, keep: &[usize]) -> Result<Level, SidecarError> {
        let damaged = SidecarError::Damaged;
        let sum = *self.sums.get(number).ok_or(damaged("its levels"))?;
        let stretch = 4 * tracks_of(self.channels);
        let stretches = self.peaks_of(number);
        let mut peaks = Vec::with_capacity(usize::try_from(stretches).unwrap_or(0) * keep.len());
        let mut at = self.offset_of(number);
        let end = self.offset_of(number + 1);
        let mut buffer = vec![0; READ_BUFFER / stretch * stretch];
        let mut hasher = crc32fast::Hasher::new();
        while at < end {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let piece = buffer.len().min(left);
            let piece = &mut buffer[..piece];
            self.file.read_exact_at(piece, at)?;
            hasher.update(piece);
            for bytes in piece.chunks_exact(stretch) {
                peaks.extend(keep.iter().filter_map(|track| peak_at(bytes, *track)));
            }
            at += piece.len() as u64;
        }
        if hasher.finalize() != sum {
            return Err(damaged("a level's sum"));
        }
        Ok(Level {
            frames_per_peak: covers(self.first, number),
            peaks,
        })
    }

    /// Reads everything.
    pub(crate) fn verify(&self) -> Result<(), SidecarError> {
        (0..self.sums.len()).try_for_each(|number| self.level(number, &[]).map(drop))
    }

    fn peaks_of(&self, number: usize) -> u64 {
        self.frames
            .0
            .div_ceil(u64::from(covers(self.first, number)))
    }

    fn offset_of(&self, number: usize) -> u64 {
        let stretch = 4 * tracks_of(self.channels) as u64;
        let head = (HEADER_BYTES + 4 * self.sums.len()) as u64;
        let before = (0..number).map(|finer| self.peaks_of(finer) * stretch);
        head + before.sum::<u64>()
    }
}

fn peak_at(stretch: &[u8], track: usize) -> Option<Peak> {
    let bytes = stretch.as_chunks::<4>().0.get(track)?;
    Some(Peak {
        low: i16::from_le_bytes([bytes[0], bytes[1]]),
        high: i16::from_le_bytes([bytes[2], bytes[3]]),
    })
}

fn covers(first: u32, number: usize) -> u32 {
    (0..number).fold(first, |covered, _| covered.saturating_mul(MERGED as u32))
}

/// The sum of header and table, where the sum itself counts as nothing.
fn header_sum(head: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head[..CRC_AT]);
    hasher.update(&head[HEADER_BYTES..]);
    hasher.finalize()
}

/// Header and table of the sidecar of a file with this content.
fn read_header(file: &File, content_hash: &[u8; 32]) -> Result<(Vec<u8>, Sidecar), SidecarError> {
    let damaged = SidecarError::Damaged;
    let mut head = vec![0; HEADER_BYTES];
    read_all(file, &mut head, 0)?;
    if &head[..4] != MAGIC {
        return Err(SidecarError::NotPeaks);
    }
    if head[4] != VERSION {
        return Err(SidecarError::Version(head[4]));
    }
    let levels = usize::from(head[6]);
    if levels == 0 || levels > LEVELS_MAX {
        return Err(damaged("its levels"));
    }
    head.resize(HEADER_BYTES + 4 * levels, 0);
    read_all(file, &mut head[HEADER_BYTES..], HEADER_BYTES as u64)?;
    let word = |at: usize| word_at(&head, at);
    if word(CRC_AT) != header_sum(&head) {
        return Err(damaged("its header's sum"));
    }
    if &head[HASH_AT..][..32] != content_hash {
        return Err(SidecarError::Foreign);
    }
    let channels = match head[5] {
        1 => Channels::Mono,
        2 => Channels::Stereo,
        _ => return Err(damaged("its legs")),
    };
    let rate = SampleRate::new(word(8)).map_err(|_| damaged("its rate"))?;
    let first = word(12);
    let frames = u64::from(word(16)) | u64::from(word(20)) << 32;
    if first == 0 || frames.div_ceil(u64::from(first)) > u64::from(PEAKS_MAX) {
        return Err(damaged("its number of peaks"));
    }
    let sums = (0..levels)
        .map(|number| word(HEADER_BYTES + 4 * number))
        .collect();
    let sidecar = Sidecar {
        file: file.try_clone()?,
        rate,
        channels,
        frames: Frames(frames),
        first,
        sums,
    };
    Ok((head, sidecar))
}

fn word_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn read_all(file: &File, buffer: &mut [u8], at: u64) -> Result<(), SidecarError> {
    match file.read_exact_at(buffer, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(SidecarError::NotPeaks),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use audio_io::dsp::peaks::{LAST_LEVEL_PEAKS, PeakMeter};
    use audio_io::format::StreamFormat;
    use proptest::prelude::*;

    use super::*;

    fn a_pyramid(frames: usize, channels: Channels) -> Pyramid {
        let format = StreamFormat {
            channels,
            ..StreamFormat::TELEPHONE
        };
        let mut meter = PeakMeter::bounded(format, 2, usize::MAX);
        meter.push(&crate::testing::sound(7, frames * format.frame_bytes()));
        meter.finish()
    }

    fn kept(folder: &tempfile::TempDir, bytes: &[u8]) -> std::path::PathBuf {
        let path = folder.path().join("1.peaks");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn what_is_kept_comes_back_level_by_level() {
        let folder = tempfile::tempdir().unwrap();
        for (frames, channels, keep) in [
            (0, Channels::Mono, vec![0]),
            (1, Channels::Stereo, vec![0, 1, 2]),
            (30_001, Channels::Mono, vec![0]),
            (30_001, Channels::Stereo, vec![0, 1, 2]),
        ] {
            let pyramid = a_pyramid(frames, channels);
            let path = kept(&folder, &encode(&pyramid, &[9; 32]));
            let sidecar = Sidecar::open(&path, &[9; 32]).unwrap();
            assert_eq!(sidecar.frames, pyramid.frames);
            sidecar.verify().unwrap();
            let zooms: Vec<u32> = sidecar.zooms().collect();
            assert_eq!(zooms.len(), pyramid.levels.len());
            for (number, level) in pyramid.levels.iter().enumerate() {
                assert_eq!(&sidecar.level(number, &keep).unwrap(), level);
                assert_eq!(zooms[number], level.frames_per_peak);
            }
        }
        let pyramid = a_pyramid(30_001, Channels::Stereo);
        assert!(pyramid.levels.len() > 2 && pyramid.levels[0].peaks.len() > LAST_LEVEL_PEAKS);
        let path = kept(&folder, &encode(&pyramid, &[9; 32]));
        let sidecar = Sidecar::open(&path, &[9; 32]).unwrap();
        let mixed = sidecar.level(1, &[2]).unwrap();
        let expected = pyramid.levels[1].peaks.iter().skip(2).step_by(3).copied();
        assert_eq!(mixed.peaks, expected.collect::<Vec<_>>());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let pyramid = a_pyramid(2_200, Channels::Stereo);
        let good = encode(&pyramid, &[9; 32]);
        let whole = |bytes: &[u8]| {
            let path = kept(&folder, bytes);
            Sidecar::open(&path, &[9; 32]).and_then(|sidecar| sidecar.verify())
        };
        whole(&good).unwrap();
        for bit in (0..8 * HEADER_BYTES + 64).chain((8 * HEADER_BYTES..8 * good.len()).step_by(97))
        {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // Bytes 56 to 59 belong to the header's sum as all others do.
            assert!(whole(&bad).is_err(), "bit {bit}");
        }
        for cut in [0, 3, 63, 64, good.len() - 1] {
            assert!(whole(&good[..cut]).is_err(), "cut at {cut}");
        }
        assert!(whole(&[&good[..], &[0]].concat()).is_err());
    }

    #[test]
    fn a_sidecar_follows_its_sound_into_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let pyramid = a_pyramid(5_000, Channels::Mono);
        let path = kept(&folder, &encode(&pyramid, &[1; 32]));
        let foreign = Sidecar::open(&path, &[2; 32]).map(drop);
        assert!(matches!(foreign, Err(SidecarError::Foreign)), "{foreign:?}");
        assert!(rebind(&path, &[3; 32], &[2; 32]).is_err());
        rebind(&path, &[1; 32], &[2; 32]).unwrap();
        let sidecar = Sidecar::open(&path, &[2; 32]).unwrap();
        assert_eq!(sidecar.level(0, &[0]).unwrap(), pyramid.levels[0]);
        assert!(Sidecar::open(&path, &[1; 32]).is_err());
    }

    #[test]
    fn an_older_version_is_told_apart_from_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = kept(&folder, b"CRPK\x01\x01\0\0");
        assert!(is_older(&path));
        assert!(Sidecar::open(&path, &[0; 32]).is_err());
        assert!(!is_older(&kept(&folder, b"CRPK\x02\x01\0\0")));
        assert!(!is_older(&kept(&folder, b"CRPK")));
    }

    proptest! {
        #[test]
        fn no_bytes_are_more_than_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir()?;
            let mut bytes = bytes;
            if let Some(head) = bytes.get_mut(..5) {
                head.copy_from_slice(b"CRPK\x02");
            }
            let path = kept(&folder, &bytes);
            prop_assert!(Sidecar::open(&path, &[0; 32]).is_err());
        }
    }
}
