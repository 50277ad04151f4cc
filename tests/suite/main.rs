//! The integration suite: the real daemon, driven over its sockets. One binary, for link time; a
//! module a subject. How to start and ask a daemon is the harness's business.

mod alsa_loop;
mod audiosocket_layer;
mod browser;
mod call_recording;
mod calls;
mod check;
mod cli;
mod conditionals;
mod config;
mod conversions;
mod crash;
mod dahdi_layer;
mod disk;
mod doctor;
mod families;
mod first_start;
mod import;
mod limits;
mod live;
mod matrix;
mod openapi;
mod play_audio_file;
mod ranges;
mod setup;
mod shutdown;
mod support;
mod task_audio;
mod task_auth;
mod telephony;
mod tidy;
mod truncated;
mod voice_log;
