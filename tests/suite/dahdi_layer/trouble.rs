//! Faults: storms of events, short blocks, errors, channels that go away and come back, and what
//! poll(2) says of all that.

use std::os::fd::AsFd;

use audio_io::channel::{ChannelEvent, ChannelPort};
use audio_io::dahdi::{Channel, ChannelOptions, abi};
use audio_io::format::Encoding;
use audio_io::port::{Captured, PlaybackPort, Played};
use audio_io::units::Frames;
use harness::dahdi::{DahdiDouble, Fault, SpanSpec, Spec};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::rig::{BLOCK, codes, events, format, open, options, refused, same, sound};

const ENODEV: i32 = nix::errno::Errno::ENODEV as i32;

fn spec() -> Spec {
    Spec::new(vec![SpanSpec::new("FXO", 1, abi::SIG_FXSKS)])
}

fn mulaw(double: &DahdiDouble) -> Box<dyn ChannelPort> {
    open(ChannelOptions {
        format: format(Encoding::MuLaw),
        ..options(double.folder(), 1)
    })
}

#[test]
fn a_storm_of_events_holds_sound_up_and_loses_none() {
    let double = DahdiDouble::start(&spec().stepped());
    let mut port = mulaw(&double);
    assert_eq!(events(port.as_mut()).len(), 1);
    let fed = codes(6 * BLOCK);
    let line = double.channel(1);
    line.feed(&fed);
    let mut buffer = [0; 4_096];
    let mut heard = Vec::new();
    for _ in 0..3 {
        // As many as the driver keeps.
        for _ in 0..63 {
            line.event(abi::EVENT_POLARITY);
        }
        double.step(2 * BLOCK);
        assert_eq!(port.capture().read(&mut buffer), Captured::Idle);
        // Without POLLPRI: the read has seen that events wait.
        let told = std::iter::from_fn(|| port.event()).collect::<Vec<_>>();
        assert_eq!(told, [ChannelEvent::Polarity; 63]);
        heard.extend(sound(port.as_mut()));
    }
    same(&heard, &fed, "all of it");
}

#[test]
fn events_between_writes_keep_what_was_taken() {
    let double = DahdiDouble::start(&spec().stepped());
    let mut port = mulaw(&double);
    events(port.as_mut());
    let played = codes(4 * BLOCK);
    let mut rest = &played[..];
    let mut buffer = [0; 4_096];
    while !rest.is_empty() {
        double.step(BLOCK);
        port.capture().read(&mut buffer);
        double.channel(1).event(abi::EVENT_POLARITY);
        let give = |player: &mut dyn PlaybackPort, rest: &mut &[u8]| {
            while player.queued() < Frames(320) && !rest.is_empty() {
                match player.write(&rest[..rest.len().min(BLOCK)]) {
                    Played::Frames(frames) => {
                        *rest = &rest[usize::try_from(frames.0).unwrap()..];
                    }
                    Played::Full => break,
                    other => panic!("{other:?}"),
                }
            }
        };
        give(port.playback().unwrap(), &mut rest);
        let told = std::iter::from_fn(|| port.event()).collect::<Vec<_>>();
        assert_eq!(told, [ChannelEvent::Polarity]);
        give(port.playback().unwrap(), &mut rest);
        port.playback().unwrap().delay();
    }
    double.step(3 * BLOCK);
    let heard = double.channel(1).heard();
    same(
        &heard[BLOCK..BLOCK + played.len()],
        &played,
        "what is heard",
    );
}

#[test]
fn short_blocks_are_whole_sound() {
    let double = DahdiDouble::start(&spec().stepped());
    let mut port = mulaw(&double);
    let fed = codes(3 * BLOCK);
    double.channel(1).feed(&fed);
    double.channel(1).fault(Fault::Short(4, 40));
    double.step(3 * BLOCK);
    events(port.as_mut());
    same(&sound(port.as_mut()), &fed, "what comes");
}

#[test]
fn an_error_of_the_driver_is_a_device_that_is_gone() {
    let double = DahdiDouble::start(&spec().stepped());
    let mut port = mulaw(&double);
    events(port.as_mut());
    let eio = nix::errno::Errno::EIO as i32;
    double.channel(1).fault(Fault::Errno(eio));
    double.step(BLOCK);
    let mut buffer = [0; 1_024];
    assert_eq!(port.capture().read(&mut buffer), Captured::Gone(eio));
    assert_eq!(
        events(port.as_mut()),
        [ChannelEvent::Gone { errno: eio }],
        "once"
    );
    assert_eq!(port.playback().unwrap().write(&buffer), Played::Gone(eio));
    drop(port);
    drop(mulaw(&double));
}

#[test]
fn a_channel_that_is_taken_away_says_so_and_comes_back() {
    let double = DahdiDouble::start(&spec().stepped());
    let mut port = mulaw(&double);
    events(port.as_mut());
    double.step(BLOCK);
    double.remove_span(1);
    assert_eq!(
        events(port.as_mut()),
        [ChannelEvent::Gone { errno: ENODEV }]
    );
    let mut buffer = [0; 1_024];
    assert_eq!(port.capture().read(&mut buffer), Captured::Gone(ENODEV));
    assert_eq!(
        port.order(&audio_io::channel::ChannelOrder::OffHook),
        Err(ENODEV)
    );
    drop(port);
    let error = refused(options(double.folder(), 1));
    assert_eq!(error.errno(), nix::errno::Errno::EINVAL as i32);
    double.restore_span(1);
    let mut port = mulaw(&double);
    assert!(matches!(
        events(port.as_mut())[..],
        [ChannelEvent::Opened { .. }]
    ));
    let fed = codes(BLOCK);
    double.channel(1).feed(&fed);
    double.step(BLOCK);
    same(&sound(port.as_mut()), &fed, "what comes");
}

#[test]
fn a_stalled_channel_is_restarted() {
    let double = DahdiDouble::start(&spec().stepped());
    let mut port = mulaw(&double);
    events(port.as_mut());
    double.channel(1).stall(true);
    double.step(20 * BLOCK);
    let mut buffer = [0; 1_024];
    assert_eq!(port.capture().read(&mut buffer), Captured::Idle);
    assert_eq!(port.capture().restart(), Ok(()));
    double.channel(1).stall(false);
    let fed = codes(BLOCK);
    double.channel(1).feed(&fed);
    double.step(BLOCK);
    same(&sound(port.as_mut()), &fed, "what comes");
}

/// What poll(2) says of a channel.
fn polled(channel: &Channel, timeout: PollTimeout) -> PollFlags {
    let wanted = PollFlags::POLLIN | PollFlags::POLLPRI;
    let mut polled = [PollFd::new(channel.as_fd(), wanted)];
    poll(&mut polled, timeout).expect("a poll");
    polled[0].revents().unwrap_or(PollFlags::empty())
}

#[test]
fn sound_events_and_removal_wake_who_waits() {
    let double = DahdiDouble::start(&spec());
    let channel = Channel::open(double.folder(), 1).unwrap();
    channel.set_buffers(8, 160).unwrap();
    let long = PollTimeout::from(10_000_u16);
    assert_eq!(polled(&channel, long), PollFlags::POLLIN);
    // Sound stops, so that only the event wakes.
    double.channel(1).stall(true);
    while channel.read(&mut [0; 160]).is_ok() {}
    assert_eq!(polled(&channel, PollTimeout::ZERO), PollFlags::empty());
    std::thread::scope(|scope| {
        scope.spawn(|| double.channel(1).event(abi::EVENT_POLARITY));
        assert_eq!(polled(&channel, long), PollFlags::POLLPRI);
    });
    assert_eq!(channel.event(), Ok(abi::EVENT_POLARITY));
    std::thread::scope(|scope| {
        scope.spawn(|| double.channel(1).remove());
        let woken = polled(&channel, long);
        assert!(
            woken.contains(PollFlags::POLLHUP | PollFlags::POLLERR),
            "{woken:?}"
        );
    });
    assert_eq!(channel.event(), Err(ENODEV));
}

#[test]
fn a_port_is_polled_for_sound_and_events_and_hears_of_a_hang_up() {
    let double = DahdiDouble::start(&spec().stepped());
    let mut port = mulaw(&double);
    events(port.as_mut());
    let mut entries = Vec::new();
    port.poll_entries(&mut entries);
    let wanted = PollFlags::POLLIN | PollFlags::POLLPRI;
    assert_eq!(
        entries.iter().map(|one| one.events).collect::<Vec<_>>(),
        [wanted.bits()]
    );
    double.channel(1).remove();
    assert_eq!(port.event(), None, "not asked while poll(2) is silent");
    assert_eq!(
        port.ready(&[PollFlags::POLLHUP.bits()]),
        PollFlags::POLLHUP.bits()
    );
    assert_eq!(port.event(), Some(ChannelEvent::Gone { errno: ENODEV }));
}
