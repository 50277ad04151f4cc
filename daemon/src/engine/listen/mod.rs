//! Live listening: what is recorded on a line, heard while it is recorded.
//!
//! ```text
//!  recorder thread: line ─▶ airing: pauses and digits silenced ─▶ Ring ─▶ LiveListener, any number
//! ```
//! The recorder thread looks at one number when nobody listens, and writes into a ring that it
//! never waits for when somebody does. Whoever is too slow loses sound. Nothing is heard but what
//! is recorded, and of that nothing that is silenced in the recording.

mod listener;
mod ring;
mod stage;
#[cfg(test)]
mod tests;

pub use listener::{Heard, ListenError, LiveListener, Sound, listen_act};
pub(crate) use stage::{Feed, Stage};
