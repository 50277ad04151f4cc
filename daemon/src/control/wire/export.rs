//! Exports with proof. The answer is the archive in frames, so that a failure in the middle can be
//! told: a byte of kind, the length in four bytes (big endian), and so many bytes.

use serde::{Deserialize, Serialize};
use storage::ids::{LineName, TenantName};

/// `POST /export`: the recordings of these names, or else those that fit the rest.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Names of recordings.
    pub names: Vec<String>,
    /// Only this tenant's.
    pub tenant: Option<TenantName>,
    /// Only those of this line.
    pub line: Option<LineName>,
    /// Only those that started at or after this, RFC 3339 or a date.
    pub since: Option<String>,
    /// Only those that started at or before this.
    pub until: Option<String>,
    /// What the manifest tells about the export: a case, a reason.
    pub note: Option<String>,
    /// Whether recordings may be in it that the ledger tells nothing of.
    pub unproved: bool,
}

/// The first frame of the answer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ExportHead {
    /// Recordings that are in it.
    pub recordings: u64,
    /// Bytes of them.
    pub sound_bytes: u64,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// [`ExportHead`], first.
    Head,
    /// Some of the archive.
    Data,
    /// Nothing: the archive is whole.
    Done,
    /// An [`ErrorBody`](super::ErrorBody): there is no archive.
    Failed,
}

impl FrameKind {
    const ALL: [Self; 4] = [Self::Head, Self::Data, Self::Done, Self::Failed];

    const fn number(self) -> u8 {
        match self {
            Self::Head => 0,
            Self::Data => 1,
            Self::Done => 2,
            Self::Failed => 3,
        }
    }
}

/// The longest frame, in bytes.
pub const FRAME_MAX: usize = 16 * 1024 * 1024;

/// Bytes before a frame's content.
const BEFORE: usize = 5;

/// A frame of this content, which is not longer than [`FRAME_MAX`].
#[must_use]
pub fn frame(kind: FrameKind, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(BEFORE + content.len());
    bytes.push(kind.number());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// Frames from pieces of an answer.
#[derive(Debug, Default)]
pub struct Frames {
    waiting: Vec<u8>,
}

/// A piece that is no part of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer is not in frames; are both of the same version?")]
pub struct NoFrame;

impl Frames {
    /// Takes a piece; tells each frame that is whole then.
    ///
    /// # Errors
    /// [`NoFrame`], or what `take` says.
    pub fn push<E: From<NoFrame>>(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(FrameKind, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.waiting.extend_from_slice(piece);
        let mut at = 0;
        while let Some((head, rest)) = self.waiting[at..].split_at_checked(BEFORE) {
            let kind = FrameKind::ALL
                .into_iter()
                .find(|kind| kind.number() == head[0]);
            let kind = kind.ok_or(NoFrame)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > FRAME_MAX {
                return Err(NoFrame.into());
            }
            let Some(content) = rest.get(..length) else {
                break;
            };
            take(kind, content)?;
            at += BEFORE + length;
        }
        self.waiting.drain(..at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_however_they_are_cut() {
        let sent = [
            frame(FrameKind::Head, b"{}"),
            frame(FrameKind::Data, &[7; 300]),
            frame(FrameKind::Data, b""),
            frame(FrameKind::Done, b""),
        ]
        .concat();
        for step in 1..sent.len() {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            for piece in sent.chunks(step) {
                let taken = frames.push(piece, |kind, content| {
                    seen.push((kind, content.len()));
                    Ok::<_, NoFrame>(())
                });
                taken.unwrap();
            }
            let (head, data) = (FrameKind::Head, FrameKind::Data);
            assert_eq!(
                seen,
                [(head, 2), (data, 300), (data, 0), (FrameKind::Done, 0)]
            );
        }
        let told = Frames::default().push(b"HTTP/1.1", |_, _| Ok::<_, NoFrame>(()));
        assert_eq!(told, Err(NoFrame));
    }
}
