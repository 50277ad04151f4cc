//! What the tests of this layer have in common: opened ports, and sound that shows what is missing.

use std::path::Path;

use audio_io::channel::{ChannelEvent, ChannelPort};
use audio_io::dahdi::{ChannelOptions, DahdiChannel, Law};
use audio_io::format::{Encoding, StreamFormat};
use audio_io::port::{Captured, OpenError};
use audio_io::units::Millis;

/// Samples of a block of the ports that are opened here.
pub(super) const BLOCK: usize = 160;

/// A line of 16-bit samples, 20 ms blocks, ten of them, with a hook.
pub(super) fn options(folder: &Path, number: u32) -> ChannelOptions {
    ChannelOptions {
        folder: folder.to_path_buf(),
        number,
        law: Law::Auto,
        rx_gain_db: 0.0,
        tx_gain_db: 0.0,
        echo_taps: 0,
        format: StreamFormat::TELEPHONE,
        period: Millis(20),
        buffer: Millis(200),
        wants_signalling: true,
    }
}

pub(super) fn format(encoding: Encoding) -> StreamFormat {
    StreamFormat {
        encoding,
        ..StreamFormat::TELEPHONE
    }
}

pub(super) fn open(options: ChannelOptions) -> Box<dyn ChannelPort> {
    let opened = DahdiChannel::opener(options).open();
    opened.unwrap_or_else(|error| panic!("{error}"))
}

/// Why it cannot be opened.
pub(super) fn refused(options: ChannelOptions) -> OpenError {
    match DahdiChannel::opener(options).open() {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

/// All signals that wait.
pub(super) fn events(port: &mut dyn ChannelPort) -> Vec<ChannelEvent> {
    port.ready(&[libc_pri()]);
    std::iter::from_fn(|| port.event()).collect()
}

/// All sound that waits.
pub(super) fn sound(port: &mut dyn ChannelPort) -> Vec<u8> {
    let width = port.params().format.frame_bytes();
    let mut all = Vec::new();
    let mut buffer = [0; 16 * 1_024];
    while let Captured::Frames(frames) = port.capture().read(&mut buffer) {
        let frames = usize::try_from(frames.0).expect("few frames");
        all.extend_from_slice(&buffer[..frames * width]);
    }
    all
}

/// Codes in no order that would hide a loss: none of them a silence of µ-law or A-law twice.
pub(super) fn codes(count: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // 0x7F is µ-law's other zero, which becomes 0xFF on its way through linear samples.
        match state.to_le_bytes()[1] {
            0x7F => 0x3C,
            code => code,
        }
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Says where two sounds part, instead of printing them.
#[track_caller]
pub(super) fn same(got: &[u8], wanted: &[u8], what: &str) {
    let parted = got
        .iter()
        .zip(wanted)
        .position(|(got, wanted)| got != wanted);
    assert_eq!(parted, None, "{what}: they part there");
    assert_eq!(got.len(), wanted.len(), "{what}: of different length");
}

/// `POLLPRI`
const fn libc_pri() -> i16 {
    2
}
