//! The endpoints, a family a folder. What goes over the wire is described in `wire/`.

pub(super) mod call_recording;
pub(super) mod play_audio_file;
pub(super) mod session_commands;
pub(super) mod supervisor;
pub(super) mod task_audio;
pub(super) mod voice_log;
