//! Fuzzes caller ids: whatever bytes come by FSK, and whatever sound, no number is told that was
//! not sent whole.

#![no_main]

use audio_io::dsp::caller_id::{CallerIdMode, CallerIdReceiver, FskParams, FskStandard};
use audio_io::dsp::caller_id::{fsk, parse, seal};
use audio_io::units::SampleRate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for standard in [FskStandard::Bell202, FskStandard::V23] {
        let told = parse(bytes, standard);
        assert!(told.is_none_or(|told| !told.is_empty()));
        // Most bytes have a wrong checksum: with the right one, the form is what counts.
        for kind in [0x04, 0x80] {
            let _ = parse(&seal(kind, bytes), standard);
        }
    }
    let rate = SampleRate::TELEPHONE;
    let short = FskParams {
        seizure_bits: 0,
        mark_bits: 20,
        ..FskParams::default()
    };
    let sent = fsk(rate, &short, &bytes[..bytes.len().min(300)]);
    let sound: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    for mode in [CallerIdMode::Fsk, CallerIdMode::Dtmf] {
        let mut receiver = CallerIdReceiver::new(mode, rate);
        let _ = receiver.push(&sound);
        let _ = receiver.push(&sent);
    }
});
