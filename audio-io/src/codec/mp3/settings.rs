//! Which MP3 a source becomes: its rate, its bit rate, and the sizes that follow from them.
//!
//! | source up to | coded at | MPEG | one leg | two legs |
//! |---|---|---|---|---|
//! | 8 kHz | 8 kHz | 2.5 | 32 kbit/s | 64 kbit/s |
//! | 11.025, 12 kHz | 11.025, 12 kHz | 2.5 | 32 kbit/s | 64 kbit/s (the most that 2.5 has) |
//! | 16 kHz | 16 kHz | 2 | 48 kbit/s | 96 kbit/s |
//! | 22.05, 24 kHz | 22.05, 24 kHz | 2 | 64 kbit/s | 128 kbit/s |
//! | 32 kHz | 32 kHz | 1 | 80 kbit/s | 160 kbit/s |
//! | 44.1, 48 kHz | 44.1, 48 kHz | 1 | 96 kbit/s | 192 kbit/s |
//!
//! Speech of the telephone's band needs no more than the first row. The bit rates are above what
//! speech needs elsewhere, because without bit reservoir every frame must do with its own bytes.
//! A rate between two rows is resampled to the next higher one.

use crate::codec::pcm::PcmFormat;
use crate::format::Channels;
use crate::units::SampleRate;

/// The rows of the table: rate, kilobits a second of one leg and of two.
const ROWS: [(u32, u32, u32); 9] = [
    (8_000, 32, 64),
    (11_025, 32, 64),
    (12_000, 32, 64),
    (16_000, 48, 96),
    (22_050, 64, 128),
    (24_000, 64, 128),
    (32_000, 80, 160),
    (44_100, 96, 192),
    (48_000, 96, 192),
];

/// Bit rates of layer III in kilobits a second, by their index in a frame's header, from 1 on
/// (ISO 11172-3 section 2.4.2.3, ISO 13818-3 section 2.4.2.3).
const KILOBITS_MPEG1: [u32; 11] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192];
const KILOBITS_MPEG2: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// What one MP3 is coded with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    /// Frames of sound a second.
    pub(super) rate: SampleRate,
    /// One leg or two.
    pub(super) channels: Channels,
    /// Thousands of bits a second.
    pub(super) kilobits: u32,
    /// What LAME is told to scale samples by, so that its own headroom for this bit rate (a factor
    /// of 0.95, or 0.97 at 192 kbit/s) is undone: a conversion sounds as loud as its source.
    pub(super) scale: f32,
}

impl Settings {
    /// The settings for sound of this format.
    pub(super) fn of(source: PcmFormat) -> Self {
        let wanted = source.rate.hertz();
        let (_, single, double) = row(wanted);
        let kilobits = match source.channels {
            Channels::Mono => single,
            Channels::Stereo => double,
        };
        Self {
            rate: rate_for(source.rate),
            channels: source.channels,
            kilobits,
            scale: if kilobits < 192 {
                1.0 / 0.95
            } else {
                1.0 / 0.97
            },
        }
    }

    /// Whether this is MPEG-1, whose frames have two granules; the others have one.
    pub(super) const fn is_mpeg1(&self) -> bool {
        self.rate.hertz() >= 32_000
    }

    /// How much sound one MP3 frame holds.
    pub(super) const fn frame_samples(&self) -> u64 {
        if self.is_mpeg1() { 1_152 } else { 576 }
    }

    /// Bytes of a frame without padding.
    pub(super) const fn frame_bytes(&self) -> u64 {
        self.bytes_by_rate() / self.rate.hertz() as u64
    }

    /// How many of the first `count` frames that an encoder makes have a byte of padding.
    ///
    /// LAME counts down from the remainder of the division that gives [`Self::frame_bytes`]: by
    /// the remainder for each frame, and up by the rate, with a byte of padding, whenever that
    /// falls below zero. After `count` frames it has come up as often as keeps it at or above
    /// zero: `p` is the least number with `p * rate >= (count - 1) * remainder`.
    pub(super) const fn padding_bytes(&self, count: u64) -> u64 {
        let rate = self.rate.hertz() as u64;
        let remainder = self.bytes_by_rate() % rate;
        (count.saturating_sub(1) * remainder).div_ceil(rate)
    }

    /// Bytes of the side information after a frame's header.
    pub(super) const fn side_bytes(&self) -> usize {
        match (self.is_mpeg1(), self.channels) {
            (true, Channels::Mono) | (false, Channels::Stereo) => 17,
            (true, Channels::Stereo) => 32,
            (false, Channels::Mono) => 9,
        }
    }

    /// The header of a frame without padding and without checksum.
    pub(super) fn header(&self) -> [u8; 4] {
        let hertz = self.rate.hertz();
        let version = match hertz {
            32_000.. => 0xFB,
            16_000.. => 0xF3,
            _ => 0xE3,
        };
        let rates: [&[u32]; 3] = [
            &[44_100, 22_050, 11_025],
            &[48_000, 24_000, 12_000],
            &[32_000, 16_000, 8_000],
        ];
        let rate = place(rates.iter().position(|rates| rates.contains(&hertz)));
        let table: &[u32] = if self.is_mpeg1() {
            &KILOBITS_MPEG1
        } else {
            &KILOBITS_MPEG2
        };
        let bits = 1 + place(table.iter().position(|kilobits| *kilobits == self.kilobits));
        // Two bits of channel mode, then "original", as LAME says of all it makes.
        let mode = match self.channels {
            Channels::Mono => 0xC4,
            Channels::Stereo => 0x04,
        };
        [0xFF, version, bits << 4 | rate << 2, mode]
    }

    /// Bytes of a frame times the rate.
    const fn bytes_by_rate(&self) -> u64 {
        self.frame_samples() / 8 * 1_000 * self.kilobits as u64
    }
}

/// The rate that sound of this rate is coded at: the next that MPEG audio has.
pub(super) fn rate_for(source: SampleRate) -> SampleRate {
    SampleRate::new(row(source.hertz()).0).unwrap_or(SampleRate::MAX)
}

fn row(hertz: u32) -> (u32, u32, u32) {
    let found = ROWS.into_iter().find(|(rate, _, _)| *rate >= hertz);
    found.unwrap_or(ROWS[ROWS.len() - 1])
}

fn place(found: Option<usize>) -> u8 {
    found
        .and_then(|index| u8::try_from(index).ok())
        .unwrap_or_default()
}
