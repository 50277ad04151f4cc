//! The harness of the integration suite: it starts the real `callreeld`, speaks to it over its
//! sockets, and makes and measures sound. What is checked is the suite's business.
//!
//! ```text
//!  Setup ──start──▶ Daemon ──┬── Client (plain/TLS × HTTP/1.1/h2)   http/
//!  (config, ALSA, TLS)       ├── cli(), json()                      cli.rs
//!                            └── kill(), interrupt(), log()         daemon.rs
//!  sound.rs: tones, known PCM, measures     pulse.rs: a real-time sound card made of processes
//!
//!  receiver.rs ◀── webhooks ──┐         ┌── duplex.rs: a caller who speaks and listens
//!  prompts.rs  ◀── prompts ───┤ Daemon ─┤   dtmf.rs: keys, by sox and by spandsp
//!  events.rs   ◀── SSE ───────┘         ├── correlate.rs: where a known sound is heard
//!                                       ├── audiosocket.rs: a PBX's end of AudioSocket
//!                                       └── dahdi/: a double of the cards' driver, by FUSE
//! ```
//!
//! A test that cannot go on panics with what it wanted and what it got.

pub mod alsa;
pub mod audiosocket;
pub mod chromium;
pub mod cli;
pub mod correlate;
pub mod daemon;
pub mod dahdi;
pub mod dtmf;
pub mod duplex;
pub mod events;
pub mod golden;
pub mod http;
pub mod multipart;
pub mod ports;
pub mod process;
pub mod prompts;
pub mod pulse;
pub mod receiver;
pub mod sandbox;
pub mod server;
pub mod sound;
pub mod tls;
pub mod wait;
pub mod wav;
