//! Callreel's daemon and command line: engine (policy), HTTP, configuration, control socket.

pub mod alarms;
pub mod app;
pub mod backup;
pub mod catalog;
pub mod cli;
pub mod clock_watch;
pub mod config;
pub mod control;
pub mod engine;
pub mod failure;
pub mod http;
pub mod keeping;
pub mod logging;
pub mod material;
pub mod notify;
pub mod passed;
mod proofs;
mod reload;
pub mod run;
pub mod shutdown;
mod spool;
