//! Sound both ways, to the sample: encodings, gains, the distance between what is written and what
//! is heard.

use audio_io::block::GapCause;
use audio_io::channel::{ChannelEvent, ChannelPort};
use audio_io::codec::g711::convert;
use audio_io::dahdi::{ChannelOptions, Law, abi, gain_table};
use audio_io::format::Encoding;
use audio_io::port::{Captured, Played};
use audio_io::units::Frames;
use harness::dahdi::{Asked, DahdiDouble, SpanSpec, Spec};

use super::rig::{BLOCK, codes, events, format, open, options, same, sound};

fn double(law: Law) -> DahdiDouble {
    let span = SpanSpec {
        law,
        ..SpanSpec::new("FXO", 1, abi::SIG_FXSKS)
    };
    DahdiDouble::start(&Spec::new(vec![span]).stepped())
}

/// Writes all of a sound, a block's worth a turn, as a player does; reads in between.
fn play(double: &DahdiDouble, port: &mut dyn ChannelPort, sound_bytes: &[u8]) -> Vec<Frames> {
    let width = port.params().format.frame_bytes();
    let mut buffer = [0; 4_096];
    let mut rest = sound_bytes;
    let mut delays = Vec::new();
    while !rest.is_empty() {
        double.step(BLOCK);
        assert_eq!(
            port.capture().read(&mut buffer),
            Captured::Frames(Frames(160))
        );
        let player = port.playback().expect("it plays");
        loop {
            let room = Frames(320).saturating_sub(player.queued());
            let room = usize::try_from(room.0).unwrap_or_default() * width;
            let piece = &rest[..room.min(rest.len())];
            if piece.is_empty() {
                break;
            }
            match player.write(piece) {
                Played::Frames(frames) => {
                    rest = &rest[usize::try_from(frames.0).unwrap_or_default() * width..];
                }
                other => panic!("{other:?}"),
            }
        }
        delays.push(player.delay());
    }
    delays
}

#[test]
fn what_comes_is_read_to_the_sample_in_every_encoding() {
    for (law, own) in [(Law::MuLaw, Encoding::MuLaw), (Law::ALaw, Encoding::ALaw)] {
        for wanted in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
            let double = double(law);
            let wish = ChannelOptions {
                format: format(wanted),
                ..options(double.folder(), 1)
            };
            let mut port = open(wish);
            let fed = codes(5 * BLOCK);
            double.channel(1).feed(&fed);
            double.step(5 * BLOCK);
            let mut expected = vec![0; fed.len() * wanted.sample_bytes()];
            convert(&fed, own, &mut expected, wanted);
            same(
                &sound(port.as_mut()),
                &expected,
                &format!("{law:?} as {wanted}"),
            );
            // Codes of the same law are never taken apart.
            let linear = Asked::Linear(wanted != own);
            assert!(
                double.channel(1).asked().contains(&linear),
                "{law:?} as {wanted}"
            );
        }
    }
}

#[test]
fn what_is_played_is_sent_to_the_sample_in_every_encoding() {
    for (law, own) in [(Law::MuLaw, Encoding::MuLaw), (Law::ALaw, Encoding::ALaw)] {
        for given in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
            let double = double(law);
            let wish = ChannelOptions {
                format: format(given),
                ..options(double.folder(), 1)
            };
            let mut port = open(wish);
            let played = codes(6 * BLOCK);
            let mut bytes = vec![0; played.len() * given.sample_bytes()];
            convert(&played, own, &mut bytes, given);
            // Between the laws some codes have no twin: what is expected is what is given.
            let mut expected = vec![0; played.len()];
            convert(&bytes, given, &mut expected, own);
            play(&double, port.as_mut(), &bytes);
            double.step(2 * BLOCK);
            let heard = double.channel(1).heard();
            same(
                &heard[BLOCK..BLOCK + expected.len()],
                &expected,
                &format!("{given} on {law:?}"),
            );
        }
    }
}

#[test]
fn the_distance_between_written_and_heard_stays_the_same() {
    let double = double(Law::MuLaw);
    let wish = ChannelOptions {
        format: format(Encoding::MuLaw),
        ..options(double.folder(), 1)
    };
    let mut port = open(wish);
    let played = codes(200 * BLOCK);
    let delays = play(&double, port.as_mut(), &played);
    assert!(delays.len() > 190);
    let whole = &delays[..delays.len() - 1];
    assert!(
        whole.iter().all(|delay| *delay == Frames(320)),
        "{delays:?}"
    );
    double.step(3 * BLOCK);
    // Nothing is missing, doubled or shifted.
    same(
        &double.channel(1).heard()[BLOCK..BLOCK + played.len()],
        &played,
        "what is heard",
    );
    let told = events(port.as_mut());
    assert_eq!(told.len(), 2, "opened, and dry at the end: {told:?}");
}

#[test]
fn the_first_block_waits_for_the_edge_of_one_that_is_read() {
    let double = double(Law::MuLaw);
    let wish = ChannelOptions {
        format: format(Encoding::MuLaw),
        ..options(double.folder(), 1)
    };
    let mut port = open(wish);
    events(port.as_mut());
    let played = codes(2 * BLOCK);
    let mut buffer = [0; 1_024];
    // In the middle of a block nobody knows how much of it is gone.
    double.step(BLOCK / 2);
    assert_eq!(port.capture().read(&mut buffer), Captured::Idle);
    assert_eq!(port.playback().unwrap().write(&played), Played::Full);
    double.step(BLOCK / 2);
    assert_eq!(port.playback().unwrap().write(&played), Played::Full);
    assert_eq!(
        port.capture().read(&mut buffer),
        Captured::Frames(Frames(160))
    );
    assert_eq!(
        port.playback().unwrap().write(&played),
        Played::Frames(Frames(320))
    );
    assert_eq!(port.playback().unwrap().delay(), Frames(320));
    double.step(2 * BLOCK);
    same(
        &double.channel(1).heard()[BLOCK..3 * BLOCK],
        &played,
        "right behind the block",
    );
}

#[test]
fn gains_work_on_both_ways() {
    let double = double(Law::ALaw);
    let wish = ChannelOptions {
        format: format(Encoding::ALaw),
        rx_gain_db: 6.0,
        tx_gain_db: -9.5,
        ..options(double.folder(), 1)
    };
    let mut port = open(wish);
    let fed = codes(2 * BLOCK);
    double.channel(1).feed(&fed);
    double.step(2 * BLOCK);
    let louder = gain_table(Law::ALaw, 6.0);
    let expected: Vec<u8> = fed.iter().map(|code| louder[usize::from(*code)]).collect();
    same(&sound(port.as_mut()), &expected, "what comes");
    let before = double.channel(1).heard().len() + BLOCK;
    play(&double, port.as_mut(), &fed);
    double.step(2 * BLOCK);
    let softer = gain_table(Law::ALaw, -9.5);
    let expected: Vec<u8> = fed.iter().map(|code| softer[usize::from(*code)]).collect();
    same(
        &double.channel(1).heard()[before..before + fed.len()],
        &expected,
        "what goes",
    );
}

#[test]
fn small_buffers_lose_nothing() {
    for encoding in [Encoding::S16Le, Encoding::MuLaw, Encoding::ALaw] {
        let double = double(Law::MuLaw);
        let wish = ChannelOptions {
            format: format(encoding),
            ..options(double.folder(), 1)
        };
        let mut port = open(wish);
        let fed = codes(4 * BLOCK);
        double.channel(1).feed(&fed);
        double.step(4 * BLOCK);
        let width = encoding.sample_bytes();
        let mut all = Vec::new();
        let mut buffer = [0; 71];
        while let Captured::Frames(frames) = port.capture().read(&mut buffer) {
            all.extend_from_slice(&buffer[..usize::try_from(frames.0).unwrap() * width]);
        }
        let mut expected = vec![0; fed.len() * width];
        convert(&fed, Encoding::MuLaw, &mut expected, encoding);
        same(&all, &expected, &encoding.to_string());
    }
}

#[test]
fn a_late_reader_hears_what_is_left_and_then_of_the_loss() {
    let double = double(Law::MuLaw);
    let wish = ChannelOptions {
        format: format(Encoding::MuLaw),
        ..options(double.folder(), 1)
    };
    let mut port = open(wish);
    assert_eq!(events(port.as_mut()).len(), 1);
    let fed = codes(16 * BLOCK);
    double.channel(1).feed(&fed);
    // Ten blocks fit; three are lost.
    double.step(13 * BLOCK);
    let mut buffer = [0; 16_384];
    assert_eq!(
        port.capture().read(&mut buffer),
        Captured::Idle,
        "an event stands in the way"
    );
    assert_eq!(events(port.as_mut()), [ChannelEvent::ReadOverrun]);
    assert_eq!(
        port.capture().read(&mut buffer),
        Captured::Frames(Frames(1_600))
    );
    same(&buffer[..1_600], &fed[..1_600], "what was kept");
    double.step(3 * BLOCK);
    assert_eq!(
        port.capture().read(&mut buffer),
        Captured::Lost(GapCause::Overrun)
    );
    same(&sound(port.as_mut()), &fed[13 * BLOCK..], "what came later");
}

#[test]
fn a_late_player_is_told_and_starts_anew_at_the_same_distance() {
    let double = double(Law::MuLaw);
    let wish = ChannelOptions {
        format: format(Encoding::MuLaw),
        ..options(double.folder(), 1)
    };
    let mut port = open(wish);
    assert_eq!(events(port.as_mut()).len(), 1);
    let first = codes(4 * BLOCK);
    play(&double, port.as_mut(), &first);
    double.step(5 * BLOCK);
    let told = events(port.as_mut());
    assert_eq!(told, [ChannelEvent::WriteUnderrun]);
    sound(port.as_mut());
    let before = double.channel(1).heard().len() + BLOCK;
    let second = codes(8 * BLOCK);
    let delays = play(&double, port.as_mut(), &second);
    assert!(
        delays
            .iter()
            .rev()
            .skip(1)
            .all(|delay| *delay == Frames(320)),
        "{delays:?}"
    );
    double.step(3 * BLOCK);
    same(
        &double.channel(1).heard()[before..before + second.len()],
        &second,
        "what goes",
    );
}
