//! The integration suite: the real daemon, driven over its sockets. One binary, for link time; a
//! module a subject. How to start and ask a daemon is the harness's business.

mod alsa_loop;
mod check;
mod cli;
mod conditionals;
mod config;
mod crash;
mod disk;
mod import;
mod limits;
mod live;
mod ranges;
mod shutdown;
mod support;
mod task_audio;
mod task_auth;
mod tidy;
mod truncated;
