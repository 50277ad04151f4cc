//! From envelopes to bytes: which of mark and space is stronger, and a UART that finds start bits.
//!
//! A line may weaken one of the two frequencies. Then edges between them seem to come early or
//! late, and so there are several slicers, each of which expects another slope.

/// A character, and what came before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Character {
    pub(super) byte: u8,
    /// Whether its stop bit was one.
    pub(super) framed: bool,
    /// Bits of mark between the character before and this one.
    pub(super) mark_bits: f32,
}

/// Decides bit by bit.
#[derive(Clone, Debug)]
pub(super) struct Slicer {
    /// By what the space envelope is multiplied.
    gain: f32,
    /// Samples a bit.
    bit: f32,
    before: f32,
    mark: f32,
    receiving: Option<Receiving>,
    /// How strong mark and space were of late where they were received.
    levels: (f32, f32),
}

#[derive(Clone, Copy, Debug)]
struct Receiving {
    /// Samples until the middle of the next bit.
    until: f32,
    bits: u32,
    byte: u8,
}

impl Slicer {
    pub(super) const fn new(gain: f32, bit: f32) -> Self {
        Self {
            gain,
            bit,
            before: 0.0,
            mark: 0.0,
            receiving: None,
            levels: (0.0, 0.0),
        }
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.gain, self.bit);
    }

    /// Whether there is mark between characters.
    pub(super) const fn is_marking(&self) -> bool {
        self.receiving.is_none() && self.before > 0.0
    }

    /// Whether the slope of what was received is one that this slicer is for. Where it is not, the
    /// slicer may mistake single bits, and two mistakes can make a checksum right.
    pub(super) fn is_fit(&self) -> bool {
        let slope = self.levels.0 / self.levels.1.max(f32::MIN_POSITIVE);
        if self.gain > 1.0 {
            slope >= SLOPE_MIN
        } else if self.gain < 1.0 {
            slope <= 1.0 / SLOPE_MIN
        } else {
            slope <= SLOPE_MAX && slope >= 1.0 / SLOPE_MAX
        }
    }

    /// Hears one sample of the envelopes.
    pub(super) fn push(&mut self, mark: f32, space: f32) -> Option<Character> {
        let now = mark - space * self.gain;
        let before = std::mem::replace(&mut self.before, now);
        let Some(mut receiving) = self.receiving else {
            self.wait(before, now);
            return None;
        };
        receiving.until -= 1.0;
        if receiving.until > 0.0 {
            self.receiving = Some(receiving);
            return None;
        }
        let one = now + (now - before) * receiving.until >= 0.0;
        receiving.until += self.bit;
        if one {
            self.levels.0 += LEARN * (mark - self.levels.0);
        } else {
            self.levels.1 += LEARN * (space - self.levels.1);
        }
        receiving.bits += 1;
        let (mut made, mut go_on) = (None, true);
        match receiving.bits {
            // A start bit that is none was a click.
            1 => go_on = !one,
            2..=9 => receiving.byte = receiving.byte >> 1 | if one { 0x80 } else { 0 },
            _ => {
                go_on = false;
                made = Some(Character {
                    byte: receiving.byte,
                    framed: one,
                    mark_bits: self.mark / self.bit,
                });
                self.mark = 0.0;
            }
        }
        self.receiving = go_on.then_some(receiving);
        made
    }

    fn wait(&mut self, before: f32, now: f32) {
        if now >= 0.0 {
            self.mark += 1.0;
        } else if before >= 0.0 {
            let late = now / (now - before);
            self.receiving = Some(Receiving {
                until: self.bit * 0.5 - late,
                bits: 0,
                byte: 0,
            });
        } else {
            self.mark = 0.0;
        }
    }
}

/// How much of a bit's level is taken over.
const LEARN: f32 = 0.05;

/// How much stronger mark is at least for the slicer that expects that (2 dB), and at most for the
/// one that expects none to be (4.5 dB).
const SLOPE_MIN: f32 = 1.26;
const SLOPE_MAX: f32 = 1.68;
