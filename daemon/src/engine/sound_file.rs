//! What sound a finished file is, in the store's words. Blocking work is done off the event loop.

use std::path::Path;

use audio_io::codec::probe::{self, Kind, ProbeError, Probed};
use storage::prompt::SoundFacts;
use storage::record::Container;

/// Probes a file.
///
/// # Errors
/// [`ProbeError`] if it is no sound that is known.
pub(crate) async fn facts(path: &Path) -> Result<SoundFacts, ProbeError> {
    let path = path.to_owned();
    let probed = crate::spool::off_loop(move || Ok(probe::probe(&path))).await;
    probed.map_err(ProbeError::Io)?.map(|probed| of(&probed))
}

fn of(probed: &Probed) -> SoundFacts {
    SoundFacts {
        container: container(probed.kind),
        format: probed.format,
        frames: probed.frames,
    }
}

/// The store's word for a file's kind.
pub(crate) const fn container(kind: Kind) -> Container {
    match kind {
        Kind::Wav => Container::Wav,
        Kind::Mp3 => Container::Mp3,
        Kind::M4a => Container::M4a,
        Kind::WebM => Container::WebM,
        Kind::Ogg => Container::Ogg,
        Kind::Flac => Container::Flac,
    }
}
