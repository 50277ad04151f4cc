//! Audio file formats and companding.

pub mod g711;

pub mod wav;
