//! Fuzzes decoding: whatever an uploaded file holds, it gives samples or an error, no more of them
//! than it said, in bounded time and memory.

#![no_main]

use std::io::Write;

use audio_io::codec::decode;
use audio_io::units::Frames;
use libfuzzer_sys::fuzz_target;

/// Frames read of one input: enough for every packet of the seeds, and soon over.
const FRAMES_MAX: usize = 96_000;

fuzz_target!(
    init: {
        // Panics of the codec library are caught where it is called; any other still ends the run.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |bytes: &[u8]| {
        let Ok(mut file) = tempfile::tempfile() else { return };
        if file.write_all(bytes).is_err() {
            return;
        }
        let Ok(mut source) = decode::open(file) else { return };
        let mut samples = [0; 4_096];
        let mut seen = 0;
        while seen < FRAMES_MAX {
            match source.read(&mut samples) {
                Ok(0) | Err(_) => break,
                Ok(frames) => seen += frames,
            }
        }
        assert!(seen as u64 <= source.frames().0, "more frames than the file said");
        let middle = Frames(source.frames().0 / 2);
        if source.seek(middle).is_ok() {
            let _ = source.read(&mut samples);
        }
    }
);
