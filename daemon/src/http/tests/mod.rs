//! Tests over real sockets: a real store in a temporary folder, a scripted engine, the whole
//! server. What belongs to one file is tested beside it.

mod api;
mod call_recording;
mod client;
mod connections;
mod cut;
mod live;
mod made;
mod media;
mod play_audio_file;
mod rig;
mod session_commands;
mod sound;
mod supervisor;
mod trail;
mod voice_log;
