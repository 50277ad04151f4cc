//! The integration suite: one binary, a module a subject.
fn main() {}
