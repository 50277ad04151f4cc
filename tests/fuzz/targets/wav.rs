//! Fuzzes the WAV parser: whatever the file says, its chunks lie where bytes can be read.

#![no_main]

use audio_io::codec::wav;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(info) = wav::parse_bytes(bytes) {
        // Every derived figure is computed, so that none of them can overflow.
        let _ = info.stream_format();
        let _ = format!("{info:?}");
    }
});
