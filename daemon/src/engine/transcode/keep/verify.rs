//! Whether a converted file may take its original's place, which is gone afterwards: a lossless
//! one must hold the very same samples; a lossy one must decode to its end, be as long, and hold
//! sound where the original does.

use std::fs::File;

use audio_io::codec::decode;
use audio_io::codec::pcm::{DecodeError, PcmFormat, PcmSource};
use audio_io::codec::target::Target;
use audio_io::units::{Frames, Millis};

use crate::engine::limits::KEEP_LENGTH_SLACK;
use crate::engine::transcode::queue::Turn;

/// How a converted file is not what it should be.
#[derive(Debug, thiserror::Error)]
pub(super) enum Differs {
    /// One of the two cannot be decoded.
    #[error("reading the converted sound again: {0}")]
    Decode(#[from] DecodeError),
    /// Lossless, and yet not the same.
    #[error("the converted sound differs from the recording at frame {}", .0.0)]
    Sample(Frames),
    /// Rate or channels are not those of the recording.
    #[error("the converted sound has another rate or other channels than the recording")]
    Format,
    /// The lengths differ.
    #[error("the converted sound lasts {made}, the recording {recorded}")]
    Length { made: Millis, recorded: Millis },
    /// Silence where there was sound.
    #[error("the converted sound is silent, the recording is not")]
    Silent,
    /// Not compared to the end.
    #[error("the daemon is stopping")]
    Stopping,
}

/// Compares a converted file with its original.
pub(super) fn same_sound(
    original: File,
    made: File,
    target: Target,
    turn: &Turn<'_>,
) -> Result<(), Differs> {
    let (original, made) = (decode::open(original)?, decode::open(made)?);
    match target {
        Target::Wav | Target::Flac => same_samples(original, made, turn),
        Target::Mp3 | Target::M4a | Target::Ogg | Target::WebM => alike(original, made, turn),
    }
}

fn same_samples(
    mut original: Box<dyn PcmSource>,
    mut made: Box<dyn PcmSource>,
    turn: &Turn<'_>,
) -> Result<(), Differs> {
    let format = original.format();
    if made.format() != format {
        return Err(Differs::Format);
    }
    let (mut theirs, mut ours) = (buffer(format), buffer(format));
    let mut at = Frames::ZERO;
    loop {
        let wanted = fill(&mut *original, &mut theirs)?;
        let got = fill(&mut *made, &mut ours)?;
        let differing = theirs[..wanted]
            .iter()
            .zip(&ours[..got])
            .position(|(a, b)| a != b);
        let channels = format.channels.count();
        if let Some(sample) = differing {
            return Err(Differs::Sample(at + Frames((sample / channels) as u64)));
        }
        if wanted != got {
            let shorter = (wanted.min(got) / channels) as u64;
            return Err(Differs::Sample(at + Frames(shorter)));
        }
        if wanted == 0 {
            return Ok(());
        }
        at += Frames((wanted / channels) as u64);
        go_on(turn)?;
    }
}

fn alike(
    original: Box<dyn PcmSource>,
    made: Box<dyn PcmSource>,
    turn: &Turn<'_>,
) -> Result<(), Differs> {
    if original.format().channels != made.format().channels {
        return Err(Differs::Format);
    }
    let (recorded, made) = (Heard::all(original, turn)?, Heard::all(made, turn)?);
    if recorded.length.0.abs_diff(made.length.0) > KEEP_LENGTH_SLACK.0 {
        return Err(Differs::Length {
            made: made.length,
            recorded: recorded.length,
        });
    }
    if recorded.peak >= LOUD && made.peak < AUDIBLE {
        return Err(Differs::Silent);
    }
    Ok(())
}

/// What one pass over a sound gives.
struct Heard {
    length: Millis,
    peak: u16,
}

impl Heard {
    fn all(mut sound: Box<dyn PcmSource>, turn: &Turn<'_>) -> Result<Self, Differs> {
        let format = sound.format();
        let mut samples = buffer(format);
        let (mut frames, mut peak) = (Frames::ZERO, 0);
        loop {
            let read = fill(&mut *sound, &mut samples)?;
            if read == 0 {
                break;
            }
            frames += Frames((read / format.channels.count()) as u64);
            let loudest = samples[..read].iter().map(|sample| sample.unsigned_abs());
            peak = loudest.fold(peak, u16::max);
            go_on(turn)?;
        }
        Ok(Self {
            length: format.rate.duration_of(frames),
            peak,
        })
    }
}

/// Reads until the buffer is full or the sound ends; gives samples, not frames.
fn fill(sound: &mut dyn PcmSource, into: &mut [i16]) -> Result<usize, DecodeError> {
    let channels = sound.format().channels.count();
    let mut filled = 0;
    while filled < into.len() {
        let read = sound.read(&mut into[filled..])?;
        if read == 0 {
            break;
        }
        filled += read * channels;
    }
    Ok(filled)
}

fn buffer(format: PcmFormat) -> Vec<i16> {
    vec![0; FRAMES_AT_ONCE * format.channels.count()]
}

fn go_on(turn: &Turn<'_>) -> Result<(), Differs> {
    if turn.give_way().is_break() {
        return Err(Differs::Stopping);
    }
    Ok(())
}

/// Half a second at 8 kHz: what is more urgent never waits longer than decoding this takes.
const FRAMES_AT_ONCE: usize = 4_096;
/// Peak from which a recording is not silent whatever a codec leaves out: -40 dBFS.
const LOUD: u16 = 328;
/// Peak below which a converted one is: -66 dBFS.
const AUDIBLE: u16 = 16;
