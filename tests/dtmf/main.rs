//! The DTMF detector beside spandsp, the field's yardstick: under the conditions of Q.24, and on
//! sound that holds no digit. Both hear the very same samples, and what they heard is printed:
//!
//! ```sh
//! cargo test -p callreel-tests --test dtmf -- --nocapture
//! ```
//!
//! So are the receivers of caller ids.
//!
//! Nothing here measures time. The full hour of speech, and the cost, are `make bench ARGS=dtmf`.
#![allow(
    clippy::print_stdout,
    reason = "the tables are what these tests are read for"
)]

mod caller_id;
mod conditions;
#[path = "../rigs/dtmf.rs"]
mod rig;
mod signal;
mod table;
mod talk_off;

use audio_io::dsp::dtmf::{DetectorParams, DtmfDetector, DtmfEvent, Tolerances};
use audio_io::units::SampleRate;

/// All sixteen, no two alike in a row.
const KEYS: &str = "159D2#A0B73*468C";

/// What ours hears in a piece.
fn ours(tolerances: Tolerances, piece: &[i16]) -> String {
    let params = DetectorParams {
        tolerances,
        ..DetectorParams::default()
    };
    let mut detector = DtmfDetector::new(SampleRate::TELEPHONE, params);
    let mut heard = String::new();
    let mut found = |event| {
        if let DtmfEvent::Ended(digit) = event {
            heard.push(digit.digit.as_char());
        }
    };
    for frame in piece.chunks(160) {
        detector.push(frame, &mut found);
    }
    detector.finish(&mut found);
    heard
}
