//! What may be in an archive, how it is named there, and how long it may be.

use crate::record::Container;

/// The first member.
pub(crate) const HEAD: &str = "callreel-export.json";
/// What the archive is, for a person.
pub(crate) const README: &str = "README.txt";
/// The script that checks it.
pub(crate) const SCRIPT: &str = "verify.py";
/// The key that signed the manifest.
pub(crate) const KEY: &str = "public-key.pem";
/// What is in each archive before the recordings.
pub(crate) const BEFORE: [&str; 4] = [HEAD, README, SCRIPT, KEY];
/// The checkpoints that the proofs lead to.
pub(crate) const CHECKPOINTS: &str = "checkpoints.log";
/// All that is told.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Its signature, last.
pub(crate) const SIGNATURE: &str = "manifest.sig";

/// Recordings of one archive.
pub const RECORDINGS_MAX: usize = 100_000;

/// Bytes of a manifest: about 30,000 recordings.
pub const MANIFEST_MAX: usize = 64 * 1024 * 1024;

/// Bytes of a proof, and of all checkpoints.
pub(crate) const PROOF_MAX: usize = 32 * 1024 * 1024;

/// Bytes of everything else that is no recording.
pub(crate) const SMALL_MAX: usize = 1024 * 1024;

/// Bytes of the signature's member: 64 in base64, and a line's end.
pub(crate) const SIGNATURE_BYTES: usize = 89;

/// The file of a recording, the first being number 1.
pub(crate) fn audio(number: u32, container: Container) -> String {
    format!("recordings/{number:06}.{}", container.extension())
}

/// The proof of a recording.
pub(crate) fn proof(number: u32) -> String {
    format!("recordings/{number:06}.proof")
}

/// Whether a name is [`audio`] of this number.
pub(crate) fn is_audio(name: &str, number: u32) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let container = extension.and_then(Container::of_extension);
    container.is_some_and(|container| audio(number, container) == name)
}
