//! Taps on a channel that somebody else owns: mirrors where there are, monitors elsewhere, and the
//! voltage of a line beside which a port was wired.

use audio_io::codec::g711::convert;
use audio_io::dahdi::{
    Channel, ChannelOptions, DahdiChannel, Direction, Hook, Law, Tap, TapKind, TapOptions, abi,
};
use audio_io::format::{Encoding, StreamFormat};
use audio_io::port::{CapturePort, Captured, OpenError};
use audio_io::units::{Frames, Millis};
use harness::dahdi::{DahdiDouble, SpanSpec, Spec};

use super::rig::{BLOCK, codes, format, options, same};

fn double(mirrors: bool) -> DahdiDouble {
    let span = SpanSpec {
        law: Law::ALaw,
        ..SpanSpec::new("FXO", 1, abi::SIG_FXSKS)
    };
    let spec = Spec {
        mirrors,
        ..Spec::new(vec![span]).stepped()
    };
    DahdiDouble::start(&spec)
}

fn tap(
    double: &DahdiDouble,
    direction: Direction,
    kind: TapKind,
    format: StreamFormat,
) -> Result<Box<dyn CapturePort>, OpenError> {
    let options = TapOptions {
        folder: double.folder().to_path_buf(),
        number: 1,
        direction,
        kind,
        format,
        period: Millis(20),
        buffer: Millis(200),
    };
    Tap::opener(options).open()
}

#[test]
fn both_ways_of_a_busy_channel_are_heard_to_the_sample() {
    for mirrors in [true, false] {
        for encoding in [Encoding::S16Le, Encoding::ALaw, Encoding::MuLaw] {
            let double = double(mirrors);
            let owner = Channel::open(double.folder(), 1).unwrap();
            owner.hook(Hook::Off).unwrap();
            owner.set_buffers(8, 160).unwrap();
            let hear = |direction| {
                tap(&double, direction, TapKind::Auto, format(encoding))
                    .unwrap_or_else(|error| panic!("{error}"))
            };
            let (mut rx, mut tx) = (hear(Direction::Rx), hear(Direction::Tx));
            let (comes, goes) = (codes(BLOCK), codes(2 * BLOCK)[BLOCK..].to_vec());
            double.channel(1).feed(&comes);
            assert_eq!(owner.write(&goes), Ok(BLOCK));
            double.step(BLOCK);
            for (port, sound) in [(&mut rx, &comes), (&mut tx, &goes)] {
                let mut buffer = [0; 4_096];
                assert_eq!(port.read(&mut buffer), Captured::Frames(Frames(160)));
                let mut expected = vec![0; BLOCK * encoding.sample_bytes()];
                convert(sound, Encoding::ALaw, &mut expected, encoding);
                same(
                    &buffer[..expected.len()],
                    &expected,
                    &format!("{encoding}, mirrors {mirrors}"),
                );
            }
            // The owner misses nothing.
            let mut heard = [0; 320];
            assert_eq!(owner.read(&mut heard), Ok(BLOCK));
            same(&heard[..BLOCK], &comes, "what the owner hears");
        }
    }
}

#[test]
fn a_driver_without_mirrors_says_so_and_what_else_there_is() {
    let double = double(false);
    let refused = tap(
        &double,
        Direction::Rx,
        TapKind::Mirror,
        StreamFormat::TELEPHONE,
    );
    let error = refused.err().expect("no mirrors").to_string();
    assert!(
        error.starts_with("cannot mirror DAHDI channel 1 (span 1): ENOTTY"),
        "{error}"
    );
    for word in [
        "CONFIG_DAHDI_MIRROR",
        "tap = \"monitor\"",
        "tap = \"parallel\"",
    ] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_channel_can_be_mirrored_once() {
    let double = double(true);
    let mirror = || {
        tap(
            &double,
            Direction::Tx,
            TapKind::Mirror,
            StreamFormat::TELEPHONE,
        )
    };
    let first = mirror().unwrap_or_else(|error| panic!("{error}"));
    let error = mirror().err().expect("one is there").to_string();
    assert!(error.contains("another mirror is on it already"), "{error}");
    drop(first);
    assert!(mirror().is_ok());
}

#[test]
fn a_tap_ends_with_the_channel_it_listens_to() {
    let double = double(false);
    let opened = tap(
        &double,
        Direction::Rx,
        TapKind::Auto,
        StreamFormat::TELEPHONE,
    );
    let mut port = opened.unwrap_or_else(|error| panic!("{error}"));
    double.channel(1).remove();
    let mut buffer = [0; 16_384];
    let mut gone = None;
    for _ in 0..60 {
        double.step(BLOCK);
        if let Captured::Gone(errno) = port.read(&mut buffer) {
            gone = Some(errno);
            break;
        }
    }
    assert_eq!(
        gone,
        Some(nix::errno::Errno::ENODEV as i32),
        "within 1.2 s of silence"
    );
    let again = tap(
        &double,
        Direction::Rx,
        TapKind::Auto,
        StreamFormat::TELEPHONE,
    );
    let error = again.err().expect("it is gone").to_string();
    assert!(
        error.starts_with("cannot find DAHDI channel 1: EINVAL"),
        "{error}"
    );
    double.channel(1).restore();
    assert!(
        tap(
            &double,
            Direction::Rx,
            TapKind::Auto,
            StreamFormat::TELEPHONE
        )
        .is_ok()
    );
}

#[test]
fn the_voltage_of_a_parallel_line_is_seen_while_it_is_open() {
    let double = double(false);
    let wish = ChannelOptions {
        wants_signalling: false,
        ..options(double.folder(), 1)
    };
    let (mut opener, probe) = DahdiChannel::opener_with_probe(wish);
    assert_eq!(probe.millivolts(), Ok(None));
    let port = opener.open().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(probe.millivolts(), Err(nix::errno::Errno::ENOTTY as i32));
    double.channel(1).voltage(48_000);
    assert_eq!(probe.millivolts(), Ok(Some(48_000)));
    double.channel(1).voltage(7_000);
    assert_eq!(probe.millivolts(), Ok(Some(7_000)));
    drop(port);
    assert_eq!(probe.millivolts(), Ok(None));
    assert!(!double.channel(1).is_open());
}
