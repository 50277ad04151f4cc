//! The daemon.
fn main(){}
