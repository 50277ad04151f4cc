//! The formats that sound is converted to, and their names. How each is made lies in `encode`.

use std::fmt;

/// What a conversion makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// RIFF WAVE, 16-bit PCM; RF64 past 4 GiB.
    Wav,
    /// MPEG-1/2/2.5 layer III, constant bit rate.
    Mp3,
    /// AAC-LC in MP4, `moov` first.
    M4a,
    /// FLAC.
    Flac,
    /// Opus in Ogg (RFC 7845).
    Ogg,
    /// Opus in WebM.
    WebM,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Wav,
        Self::Mp3,
        Self::M4a,
        Self::Flac,
        Self::Ogg,
        Self::WebM,
    ];

    /// The format of a name as seed 003 takes it: `mp3`, `wav`, `m4a`, `flac`, `ogg` or `opus`,
    /// `webm`; upper and lower case alike.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        Self::ALL
            .into_iter()
            .find(|target| is(target.extension()))
            .or_else(|| is("opus").then_some(Self::Ogg))
    }

    /// Its file name's extension, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Mp3 => "mp3",
            Self::M4a => "m4a",
            Self::Flac => "flac",
            Self::Ogg => "ogg",
            Self::WebM => "webm",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_in_any_case() {
        for target in Target::ALL {
            let name = target.to_string();
            assert_eq!(Target::parse(&name), Some(target));
            assert_eq!(Target::parse(&name.to_uppercase()), Some(target));
        }
        assert_eq!(Target::parse("Opus"), Some(Target::Ogg));
        for bad in ["", "mp", "mp33", ".mp3", "mp3 ", "aac", "ｍｐ３"] {
            assert_eq!(Target::parse(bad), None, "{bad}");
        }
    }
}
