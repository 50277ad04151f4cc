//! A second opinion on WAV: reads what the daemon serves (RIFF and RF64) and writes files to
//! import. Shares no code with the product.

use crate::sound;

/// What a WAV file says and holds.
#[derive(Clone, Debug)]
pub struct Wav {
    /// The format tag: 1 PCM, 6 A-law, 7 µ-law.
    pub tag: u16,
    /// Channels.
    pub channels: u16,
    /// Frames a second.
    pub rate: u32,
    /// Bits a sample.
    pub bits: u16,
    /// Where the sound begins, in bytes.
    pub data_at: usize,
    /// The sound.
    pub data: Vec<u8>,
    /// What the RIFF header says the whole file's length is.
    pub stated_length: u64,
}

impl Wav {
    /// Reads a file.
    ///
    /// # Panics
    /// When it is not a well-formed WAV file or its sizes are not the true ones.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let is_rf64 = &bytes[..4] == b"RF64";
        assert!(
            is_rf64 || &bytes[..4] == b"RIFF",
            "not RIFF: {:?}",
            &bytes[..4]
        );
        assert_eq!(&bytes[8..12], b"WAVE");
        let mut wide = None;
        let mut format = None;
        let mut at = 12;
        while at + 8 <= bytes.len() {
            let name = &bytes[at..at + 4];
            let mut size = u64::from(u32_at(bytes, at + 4));
            let body = at + 8;
            match name {
                b"ds64" => wide = Some((u64_at(bytes, body), u64_at(bytes, body + 8))),
                b"fmt " => format = Some(body),
                b"data" => {
                    if let (0xFFFF_FFFF, Some((_, data))) = (size, wide) {
                        size = data;
                    }
                    let end = body + usize::try_from(size).expect("a size that fits memory");
                    let data = bytes
                        .get(body..end)
                        .expect("as much sound as the header says");
                    let fmt = format.expect("'fmt ' before 'data'");
                    let stated = wide.map_or(u64::from(u32_at(bytes, 4)), |(riff, _)| riff) + 8;
                    return Self {
                        tag: u16_at(bytes, fmt),
                        channels: u16_at(bytes, fmt + 2),
                        rate: u32_at(bytes, fmt + 4),
                        bits: u16_at(bytes, fmt + 14),
                        data_at: body,
                        data: data.to_vec(),
                        stated_length: stated,
                    };
                }
                _ => {}
            }
            at = body + usize::try_from(size + size % 2).expect("a size that fits memory");
        }
        panic!("no 'data' chunk");
    }

    /// The samples of 16-bit PCM, interleaved.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    pub fn samples(&self) -> Vec<i16> {
        assert_eq!((self.tag, self.bits), (1, 16), "16-bit PCM");
        sound::from_bytes(&self.data)
    }

    /// Frames in it.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.data.len() as u64 / (u64::from(self.channels) * u64::from(self.bits) / 8)
    }
}

/// A canonical 16-bit WAV file.
#[must_use]
pub fn write(samples: &[i16], channels: u16, rate: u32) -> Vec<u8> {
    let data = sound::to_bytes(samples);
    let size = u32::try_from(data.len()).expect("test files are small");
    let mut file = Vec::with_capacity(data.len() + 44);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(size + 36).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&channels.to_le_bytes());
    file.extend_from_slice(&rate.to_le_bytes());
    file.extend_from_slice(&(rate * u32::from(channels) * 2).to_le_bytes());
    file.extend_from_slice(&(channels * 2).to_le_bytes());
    file.extend_from_slice(&16_u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&size.to_le_bytes());
    file.extend_from_slice(&data);
    file
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let file = write(&[1, -2, 3, -4], 2, 8_000);
        let wav = Wav::parse(&file);
        assert_eq!(
            (wav.tag, wav.channels, wav.rate, wav.bits),
            (1, 2, 8_000, 16)
        );
        assert_eq!(wav.samples(), [1, -2, 3, -4]);
        assert_eq!(wav.stated_length, file.len() as u64);
        assert_eq!(wav.frames(), 2);
    }
}
