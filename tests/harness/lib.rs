//! The harness of the integration suite: it starts the real `callreeld`, speaks to it over its
//! sockets, and makes and measures sound. What is checked is the suite's business.
//!
//! ```text
//!  Setup ──start──▶ Daemon ──┬── Client (plain/TLS × HTTP/1.1/h2)   http/
//!  (config, ALSA, TLS)       ├── cli(), json()                      cli.rs
//!                            └── kill(), interrupt(), log()         daemon.rs
//!  sound.rs: tones, known PCM, measures     pulse.rs: a real-time sound card made of processes
//! ```
//!
//! A test that cannot go on panics with what it wanted and what it got.

pub mod alsa;
pub mod chromium;
pub mod cli;
pub mod daemon;
pub mod golden;
pub mod http;
pub mod multipart;
pub mod ports;
pub mod process;
pub mod pulse;
pub mod sandbox;
pub mod sound;
pub mod tls;
pub mod wait;
pub mod wav;
