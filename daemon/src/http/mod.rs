//! HTTP: from an accepted connection to a recording's bytes. Only this folder knows status codes.
//!
//! ```text
//!  listeners (SO_REUSEPORT, one set a worker thread)                       serve.rs listen.rs
//!      │ accept, limits
//!      ▼
//!  conn.rs ── TLS (tls.rs) ── HTTP/1.1 or HTTP/2 (hyper) ── timeouts (activity.rs)
//!      │ request
//!      ▼
//!  service.rs ── route.rs ── ratelimit.rs ── auth/ ── api/<family> ── sound.rs (which format)
//!      │                                      │           │   └── recordings.rs (opened files)
//!      │ answer (error.rs, cors.rs)           ▼           ├────── engine/transcode
//!      │                                                  └────── engine/calls, event_body.rs
//!      │                          media.rs (range, conditional, multipart)
//!      ▼                                      │ body.rs (windows, prefault.rs), made_body.rs
//!  socket.rs ◀── mapped slices ───────────────┘
//!     writev, or sendfile from the file behind the slice (mappings.rs)
//! ```

mod activity;
mod address;
mod api;
mod auth;
mod base_url;
mod body;
mod buckets;
mod buffers;
mod conditional;
mod conn;
mod cors;
mod edge;
mod error;
mod event_body;
mod event_streams;
mod failures;
mod health;
mod incoming;
pub mod limits;
mod listen;
mod log_line;
mod made_body;
mod mappings;
mod media;
pub mod metrics;
mod metrics_calls;
mod metrics_clock;
mod metrics_telephony;
mod metrics_text;
mod multipart;
mod page;
mod prefault;
mod quotes;
pub mod range;
mod ratelimit;
mod recordings;
mod request;
mod route;
pub mod serve;
mod service;
mod site;
mod socket;
mod sound;
#[cfg(test)]
mod tests;
mod tickets;
pub mod tls;
mod trail;
mod upgrade;
pub mod wire;
mod worker;

pub(crate) use api::call_recording::recording_link;
