//! What families send and take, as serde types, a family a file.

pub(super) mod call_recording;
pub(super) mod play_audio_file;
pub mod session_commands;
pub(super) mod task_audio;
pub(super) mod time;
pub(super) mod voice_log;
