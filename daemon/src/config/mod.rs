//! Configuration: embedded defaults, `/etc/callreel/callreel.toml`, `conf.d/*.toml`, environment.

pub mod schema;
