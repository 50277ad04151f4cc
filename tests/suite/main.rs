//! The integration suite: the real daemon, driven over its sockets. One binary, for link time; a
//! module a subject. How to start and ask a daemon is the harness's business.

mod activation;
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
mod exits;
mod families;
mod import;
mod limits;
mod live;
mod matrix;
mod openapi;
mod play_audio_file;
mod ranges;
mod shutdown;
mod support;
mod task_audio;
mod task_auth;
mod telephony;
mod tidy;
mod truncated;
mod units;
mod voice_log;
