//! The frames of the AudioSocket protocol, as Asterisk's documentation publishes it.
//!
//! ```text
//!  kind (1 byte) │ length of the payload (2 bytes, big endian) │ payload
//!
//!  0x00 hang-up     -                       0x10 sound, 8 kHz      0x15 44.1 kHz
//!  0x01 call's UUID 16 bytes                0x11 12 kHz            0x16 48 kHz
//!  0x03 DTMF digit  1 byte, ASCII           0x12 16 kHz            0x17 96 kHz
//!  0xff error       a code, or nothing      0x13 24 kHz            0x18 192 kHz
//!                                           0x14 32 kHz
//! ```
//! Sound is 16-bit, linear, mono, little endian. Other kinds are skipped: later versions may have
//! more of them.

/// Bytes before the payload.
pub const HEADER_BYTES: usize = 3;

/// Bytes of the longest frame of 20 ms.
pub const SOUND_FRAME_BYTES_MAX: usize = HEADER_BYTES + 2 * 192_000 / 50;

/// Error codes that are told to a peer that is turned away. The protocol leaves their meaning to
/// each application; Asterisk's own are below 0x10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ErrorCode {
    /// All lines have calls.
    NoLine = 0x10,
    /// A call of this UUID is going on.
    UuidInUse = 0x11,
    /// The UUID is nil.
    UuidNil = 0x12,
    /// The first frame was not a UUID, or came too late.
    NoUuid = 0x13,
}

const KIND_HANG_UP: u8 = 0x00;
const KIND_UUID: u8 = 0x01;
const KIND_DIGIT: u8 = 0x03;
const KIND_SOUND: u8 = 0x10;
const KIND_ERROR: u8 = 0xff;

/// The rates that sound may have, in the order of their kinds.
const RATES: [u32; 9] = [
    8_000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000,
];

/// A rate of the protocol, which goes beyond what lines have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlinRate(u8);

impl SlinRate {
    /// 8 kHz, which a peer speaks unless it has been told otherwise.
    pub const TELEPHONE: Self = Self(0);

    /// The rate of this many hertz, if the protocol has it.
    #[must_use]
    pub fn of_hertz(hertz: u32) -> Option<Self> {
        let place = RATES.iter().position(|rate| *rate == hertz)?;
        u8::try_from(place).ok().map(Self)
    }

    /// In hertz.
    #[must_use]
    pub const fn hertz(self) -> u32 {
        RATES[self.0 as usize]
    }

    /// The samples of a frame of 20 ms.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        self.hertz() as usize / 50
    }

    fn of_kind(kind: u8) -> Option<Self> {
        let place = kind.checked_sub(KIND_SOUND)?;
        (usize::from(place) < RATES.len()).then_some(Self(place))
    }

    const fn kind(self) -> u8 {
        KIND_SOUND + self.0
    }
}

/// What a peer said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The call's name.
    Uuid([u8; 16]),
    /// A key of the telephone.
    Digit(char),
    /// Some of a frame's sound.
    Sound {
        /// Its rate.
        rate: SlinRate,
        /// A sample whose first byte came with the bytes before; it goes first.
        split: Option<[u8; 2]>,
        /// Whole samples.
        whole: &'a [u8],
    },
    /// The call is over.
    HangUp,
    /// The peer failed, with this code if it gave one.
    Error(Option<u8>),
    /// A UUID that is none: the peer does not speak the protocol.
    Wrong,
}

/// Takes frames out of a stream of bytes, however it is cut. It holds no more than a UUID.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    header: [u8; HEADER_BYTES],
    /// Bytes of the header that are there.
    head: usize,
    /// Bytes of the payload that are still to come.
    left: usize,
    /// The beginning of a payload that is no sound.
    held: [u8; 16],
    holds: usize,
    /// The first byte of a sample that was cut.
    cut: Option<u8>,
}

impl Decoder {
    /// The next thing that the bytes say; they are moved past it. `None` when all are used up.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Option<Heard<'a>> {
        loop {
            if self.head < HEADER_BYTES {
                let (byte, rest) = bytes.split_first()?;
                *bytes = rest;
                self.header[self.head] = *byte;
                self.head += 1;
                if self.head < HEADER_BYTES {
                    continue;
                }
                self.left = usize::from(u16::from_be_bytes([self.header[1], self.header[2]]));
                (self.holds, self.cut) = (0, None);
            }
            if self.left > 0 && bytes.is_empty() {
                return None;
            }
            let count = self.left.min(bytes.len());
            let (payload, rest) = bytes.split_at(count);
            *bytes = rest;
            self.left -= count;
            let ends = self.left == 0;
            if ends {
                self.head = 0;
            }
            let heard = match SlinRate::of_kind(self.header[0]) {
                Some(rate) => self.sound(rate, payload),
                None => self.word(payload, ends),
            };
            if heard.is_some() {
                return heard;
            }
        }
    }

    /// Whether the bytes so far end in the middle of a frame.
    #[must_use]
    pub const fn is_amid(&self) -> bool {
        self.head > 0
    }

    /// Whether what has come so far may become a UUID.
    #[must_use]
    pub fn awaits_uuid(&self) -> bool {
        let uuid = [KIND_UUID, 0, 16];
        self.header[..self.head] == uuid[..self.head]
    }

    fn sound<'a>(&mut self, rate: SlinRate, mut payload: &'a [u8]) -> Option<Heard<'a>> {
        let mut split = None;
        if let Some(first) = self.cut
            && let Some((second, rest)) = payload.split_first()
        {
            split = Some([first, *second]);
            payload = rest;
            self.cut = None;
        }
        if let (1, Some((last, rest))) = (payload.len() % 2, payload.split_last()) {
            // The half sample at the end of an odd frame is forgotten with the next header.
            self.cut = Some(*last);
            payload = rest;
        }
        let whole = payload;
        let any = split.is_some() || !whole.is_empty();
        any.then_some(Heard::Sound { rate, split, whole })
    }

    /// Gathers a short payload, and says what it means when it is complete.
    fn word(&mut self, payload: &[u8], ends: bool) -> Option<Heard<'static>> {
        for byte in payload {
            if let Some(place) = self.held.get_mut(self.holds) {
                *place = *byte;
            }
            self.holds = self.holds.saturating_add(1);
        }
        if !ends {
            return None;
        }
        match self.header[0] {
            KIND_HANG_UP => Some(Heard::HangUp),
            KIND_UUID if self.holds == self.held.len() => Some(Heard::Uuid(self.held)),
            KIND_UUID => Some(Heard::Wrong),
            KIND_DIGIT if self.holds > 0 => digit(self.held[0]).map(Heard::Digit),
            KIND_ERROR => Some(Heard::Error((self.holds > 0).then_some(self.held[0]))),
            _ => None,
        }
    }
}

/// The digit of an ASCII character; what is on no keypad is no digit.
fn digit(byte: u8) -> Option<char> {
    let digit = char::from(byte).to_ascii_uppercase();
    matches!(digit, '0'..='9' | 'A'..='D' | '*' | '#').then_some(digit)
}

/// The frame that ends a call.
#[must_use]
pub const fn hang_up() -> [u8; HEADER_BYTES] {
    [KIND_HANG_UP, 0, 0]
}

/// The frame that tells of an error.
#[must_use]
pub const fn error(code: ErrorCode) -> [u8; HEADER_BYTES + 1] {
    [KIND_ERROR, 0, 1, code as u8]
}

/// Writes a frame of sound; says how many bytes it has. Samples beyond what a frame can hold, or
/// `out` has room for, are a bug of the caller and are cut off.
pub fn sound(rate: SlinRate, samples: impl ExactSizeIterator<Item = i16>, out: &mut [u8]) -> usize {
    let room = out
        .len()
        .saturating_sub(HEADER_BYTES)
        .min(usize::from(u16::MAX));
    debug_assert!(samples.len() * 2 <= room, "a frame of 20 ms has room");
    let Some((header, payload)) = out.split_first_chunk_mut::<HEADER_BYTES>() else {
        return 0;
    };
    let count = samples.len().min(room / 2);
    for (place, sample) in payload.chunks_exact_mut(2).zip(samples) {
        place.copy_from_slice(&sample.to_le_bytes());
    }
    let length = u16::try_from(count * 2).unwrap_or_default().to_be_bytes();
    *header = [rate.kind(), length[0], length[1]];
    HEADER_BYTES + count * 2
}
