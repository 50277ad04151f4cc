//! Audio file formats and companding.

pub mod g711;
pub mod probe;

pub mod wav;
