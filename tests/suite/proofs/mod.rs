//! Keeping and proving, seen from outside: what was tampered with is named, what is killed half-way
//! is finished, and a disk that fills up loses nothing that can be read.

mod full;
mod killed;
mod tamper;
