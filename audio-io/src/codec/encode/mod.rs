//! SKELETON
//! Whole files made of samples: one entry, a file a format.
use std::io::{self, Read, Seek, Write};
use std::ops::ControlFlow;

use super::pcm::{DecodeError, PcmSource};
use super::target::Target;
use crate::units::Frames;

/// Where a made file goes; read back where a container's front is known last.
pub trait Sink: Read + Write + Seek {}
impl<T: Read + Write + Seek> Sink for T {}

/// Why no file was made. What is in the sink then is nothing to use.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The sound cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The file cannot be written.
    #[error("writing the converted sound: {0}")]
    Io(#[from] io::Error),
    /// The codec library refused.
    #[error("{codec} failed: {what}")]
    Codec {
        /// Which library.
        codec: &'static str,
        /// What it said.
        what: &'static str,
    },
    /// It was told to stop.
    #[error("the conversion was stopped")]
    Stopped,
}

/// Makes a whole file from its start to its end. `progress` is told how many frames are done, at
/// least once a second of sound, and may stop it. The same sound always gives the same bytes.
///
/// # Errors
/// [`EncodeError`].
pub fn encode(
    source: &mut dyn PcmSource,
    target: Target,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(Frames) -> ControlFlow<()>,
) -> Result<(), EncodeError> {
    let _ = (source, target, sink, progress);
    todo!()
}

/// Names the encoder of a format.
#[must_use]
pub fn encoder_id(target: Target) -> String {
    format!("{target}")
}
