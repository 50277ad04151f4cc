//! Callreel's daemon and command line: engine (policy), HTTP, configuration, control socket.

pub mod app;
pub mod config;
pub mod engine;
pub mod http;
