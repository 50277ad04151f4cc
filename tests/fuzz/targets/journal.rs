//! Fuzzes the journal's reader: any bytes after a valid head end the replay, never the daemon.
//! Checksums are made right, since no fuzzer guesses them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use storage::fuzzing;

fuzz_target!(|bytes: &[u8]| {
    let replayed = fuzzing::journal(bytes);
    assert!(replayed.is_ok(), "the scratch file: {replayed:?}");
});
