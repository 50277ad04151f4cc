//! Peaks in the formats of BBC's audiowaveform: `.dat` and JSON, versions 1 and 2, 8 and 16 bit.
//! Its documentation of them is `doc/DataFormat.md` there. Values of 8 bits are 256ths, cut
//! towards zero, and the mix of two legs is half their sum, as that program has it.

use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;

use super::{Peaks, PeaksBits, PeaksFormat, PeaksVersion};
use crate::limits::PEAKS_CHUNK;

/// An answer's body, piece by piece.
#[derive(Clone, Debug)]
pub struct PeaksBody {
    peaks: Arc<Peaks>,
    format: PeaksFormat,
    /// The next pair; beyond the last one there is only the end to come.
    next: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Pairs,
    Done,
}

impl PeaksBody {
    pub(super) fn new(peaks: Arc<Peaks>, format: PeaksFormat) -> Self {
        Self {
            peaks,
            format,
            next: 0,
            state: State::Head,
        }
    }

    /// Bytes of all pieces together.
    #[must_use]
    pub fn length(&self) -> u64 {
        let pairs = self.peaks.pairs();
        match self.format {
            PeaksFormat::Dat => {
                let width = match self.peaks.wish().bits {
                    PeaksBits::Eight => 2,
                    PeaksBits::Sixteen => 4,
                };
                (dat_head(&self.peaks).len() + pairs.len() * width) as u64
            }
            PeaksFormat::Json => {
                let digits = |at| {
                    let (low, high) = self.values(at);
                    (text_length(low) + text_length(high)) as u64
                };
                let values: u64 = (0..pairs.len()).map(digits).sum();
                let commas = (2 * pairs.len() as u64).saturating_sub(1);
                (json_head(&self.peaks).len() + JSON_END.len()) as u64 + values + commas
            }
        }
    }

    /// A pair as it is told.
    fn values(&self, at: usize) -> (i16, i16) {
        let peak = self.peaks.pairs()[at];
        match self.peaks.wish().bits {
            PeaksBits::Sixteen => (peak.low, peak.high),
            PeaksBits::Eight => (peak.low / 256, peak.high / 256),
        }
    }

    fn pairs(&mut self) -> Vec<u8> {
        let end = (self.next + PEAKS_CHUNK).min(self.peaks.pairs().len());
        let mut out = Vec::with_capacity((end - self.next) * 8);
        for at in self.next..end {
            let (low, high) = self.values(at);
            match (self.format, self.peaks.wish().bits) {
                (PeaksFormat::Dat, PeaksBits::Sixteen) => {
                    out.extend_from_slice(&low.to_le_bytes());
                    out.extend_from_slice(&high.to_le_bytes());
                }
                (PeaksFormat::Dat, PeaksBits::Eight) => {
                    // 256ths of 16 bits are their lower byte.
                    out.extend_from_slice(&[low.to_le_bytes()[0], high.to_le_bytes()[0]]);
                }
                (PeaksFormat::Json, _) => {
                    let comma = if at == 0 { "" } else { "," };
                    // A vector takes all there is.
                    let _written = write!(out, "{comma}{low},{high}");
                }
            }
        }
        self.next = end;
        out
    }
}

impl Iterator for PeaksBody {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let piece = match self.state {
            State::Head => {
                self.state = State::Pairs;
                match self.format {
                    PeaksFormat::Dat => dat_head(&self.peaks),
                    PeaksFormat::Json => json_head(&self.peaks).into_bytes(),
                }
            }
            State::Pairs if self.next < self.peaks.pairs().len() => self.pairs(),
            State::Pairs if self.format == PeaksFormat::Json => {
                self.state = State::Done;
                JSON_END.as_bytes().to_vec()
            }
            State::Pairs | State::Done => {
                self.state = State::Done;
                return None;
            }
        };
        Some(piece.into())
    }
}

const JSON_END: &str = "]}";

fn dat_head(peaks: &Peaks) -> Vec<u8> {
    let wish = peaks.wish();
    let flags: u32 = match wish.bits {
        PeaksBits::Sixteen => 0,
        PeaksBits::Eight => 1,
    };
    let mut head = Vec::with_capacity(24);
    let numbers = [
        wish.version.number(),
        flags,
        peaks.rate().hertz(),
        peaks.zoom(),
        peaks.length(),
    ];
    for number in numbers {
        head.extend_from_slice(&number.to_le_bytes());
    }
    if wish.version == PeaksVersion::Two {
        head.extend_from_slice(&peaks.channels().to_le_bytes());
    }
    head
}

fn json_head(peaks: &Peaks) -> String {
    let wish = peaks.wish();
    let channels = match wish.version {
        PeaksVersion::One => String::new(),
        PeaksVersion::Two => format!(r#""channels":{},"#, peaks.channels()),
    };
    let bits = match wish.bits {
        PeaksBits::Eight => 8,
        PeaksBits::Sixteen => 16,
    };
    format!(
        r#"{{"version":{},{channels}"sample_rate":{},"samples_per_pixel":{},"bits":{bits},"length":{},"data":["#,
        wish.version.number(),
        peaks.rate().hertz(),
        peaks.zoom(),
        peaks.length(),
    )
}

/// Characters of a number.
fn text_length(value: i16) -> usize {
    let size = value.unsigned_abs();
    usize::from(value < 0) + size.checked_ilog10().map_or(1, |tens| tens as usize + 1)
}

#[cfg(test)]
mod tests {
    use audio_io::dsp::peaks::Peak;
    use audio_io::units::{Frames, SampleRate};
    use proptest::prelude::*;

    use super::super::{PeaksChannels, PeaksWish};
    use super::*;

    fn peaks(wish: PeaksWish, channels: u32, pairs: Vec<Peak>) -> Arc<Peaks> {
        let about = super::super::About {
            rate: SampleRate::TELEPHONE,
            frames: Frames(300),
            is_live: false,
            of: "ab".into(),
        };
        Arc::new(Peaks::new(wish, about, 128, channels, pairs))
    }

    fn body(peaks: &Arc<Peaks>, format: PeaksFormat) -> Vec<u8> {
        let body = PeaksBody::new(Arc::clone(peaks), format);
        let length = body.length();
        let bytes: Vec<u8> = body.flatten().collect();
        assert_eq!(bytes.len() as u64, length);
        bytes
    }

    const WISH: PeaksWish = PeaksWish {
        zoom: 128,
        version: PeaksVersion::Two,
        bits: PeaksBits::Eight,
        channels: PeaksChannels::Split,
    };

    fn pair(low: i16, high: i16) -> Peak {
        Peak { low, high }
    }

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let pairs = vec![
            pair(-32_768, 32_767),
            pair(-257, 255),
            pair(-256, 256),
            pair(-1, 0),
        ];
        let two = peaks(WISH, 2, pairs.clone());
        let head = [2_u32, 1, 8_000, 128, 2, 2];
        let head: Vec<u8> = head.iter().flat_map(|n| n.to_le_bytes()).collect();
        let data = [0x80, 0x7F, 0xFF, 0x00, 0xFF, 0x01, 0x00, 0x00];
        assert_eq!(body(&two, PeaksFormat::Dat), [&head[..], &data].concat());
        assert_eq!(
            String::from_utf8(body(&two, PeaksFormat::Json)).unwrap(),
            r#"{"version":2,"channels":2,"sample_rate":8000,"samples_per_pixel":128,"#.to_owned()
                + r#""bits":8,"length":2,"data":[-128,127,-1,0,-1,1,0,0]}"#
        );
        let wish = PeaksWish {
            version: PeaksVersion::One,
            bits: PeaksBits::Sixteen,
            channels: PeaksChannels::Mixed,
            ..WISH
        };
        let one = peaks(wish, 1, pairs[..2].to_vec());
        let head = [1_u32, 0, 8_000, 128, 2];
        let head: Vec<u8> = head.iter().flat_map(|n| n.to_le_bytes()).collect();
        let data = [0x00, 0x80, 0xFF, 0x7F, 0xFF, 0xFE, 0xFF, 0x00];
        assert_eq!(body(&one, PeaksFormat::Dat), [&head[..], &data].concat());
        assert_eq!(
            String::from_utf8(body(&one, PeaksFormat::Json)).unwrap(),
            r#"{"version":1,"sample_rate":8000,"samples_per_pixel":128,"#.to_owned()
                + r#""bits":16,"length":2,"data":[-32768,32767,-257,255]}"#
        );
    }

    #[test]
    fn nothing_is_an_empty_list() {
        let none = peaks(WISH, 2, Vec::new());
        let text = String::from_utf8(body(&none, PeaksFormat::Json)).unwrap();
        assert!(text.ends_with(r#""length":0,"data":[]}"#), "{text}");
        assert_eq!(body(&none, PeaksFormat::Dat).len(), 24);
    }

    proptest! {
        #[test]
        fn both_formats_tell_the_same(
            values in prop::collection::vec((any::<i16>(), any::<i16>()), 0..200), wide: bool,
        ) {
            let bits = if wide { PeaksBits::Sixteen } else { PeaksBits::Eight };
            let many: Vec<Peak> = values.iter().map(|(low, high)| pair(*low, *high)).collect();
            let many = many.repeat(PEAKS_CHUNK / 150);
            let all = peaks(PeaksWish { bits, ..WISH }, 1, many);
            let json: serde_json::Value = serde_json::from_slice(&body(&all, PeaksFormat::Json))?;
            let told: Vec<i64> =
                json["data"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
            let dat = body(&all, PeaksFormat::Dat);
            let data = &dat[24..];
            let read: Vec<i64> = if wide {
                data.as_chunks::<2>().0.iter().map(|two| i16::from_le_bytes(*two).into()).collect()
            } else {
                data.iter().map(|byte| byte.cast_signed().into()).collect()
            };
            prop_assert_eq!(told, read);
        }
    }
}
