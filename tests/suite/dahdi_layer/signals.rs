//! Signals and orders of a channel: each event of the driver, calls between an exchange and a
//! subscriber, dialling while sound is played.

use audio_io::channel::{ChannelEvent, ChannelOrder, ChannelPort, DialString, HookKind};
use audio_io::dahdi::abi;
use audio_io::dsp::dtmf::{DetectorParams, DtmfDetector, DtmfEvent};
use audio_io::port::{Captured, Played};
use audio_io::units::{Frames, SampleRate};
use harness::dahdi::{DahdiDouble, SpanSpec, Spec};

use super::rig::{BLOCK, events, open, options, sound};

#[test]
fn each_event_is_told_in_order() {
    let double = DahdiDouble::start(&Spec::looped(1).stepped());
    let mut port = open(options(double.folder(), 1));
    assert_eq!(events(port.as_mut()).len(), 1);
    let line = double.channel(1);
    line.far_end(true);
    line.event(abi::EVENT_WINKFLASH);
    line.event(abi::EVENT_POLARITY);
    line.event(abi::EVENT_DTMFDOWN | 0x37);
    line.event(abi::EVENT_DTMFUP | 0x37);
    line.event(abi::EVENT_PULSEDIGIT | 0x32);
    double.alarm(1, abi::ALARM_YELLOW);
    line.bits(0b0110);
    line.event(abi::EVENT_EC_DISABLED);
    line.far_end(false);
    let alarms = abi::ALARM_YELLOW;
    assert_eq!(
        events(port.as_mut()),
        [
            ChannelEvent::OffHook,
            ChannelEvent::WinkFlash,
            ChannelEvent::Polarity,
            ChannelEvent::Digit('7'),
            ChannelEvent::Digit('2'),
            ChannelEvent::Alarm { alarms },
            ChannelEvent::Bits(0b0110),
            ChannelEvent::Other(19),
            ChannelEvent::OnHook,
        ]
    );
    double.alarm(1, 0);
    assert_eq!(events(port.as_mut()), [ChannelEvent::AlarmOver]);
}

#[test]
fn a_port_opens_as_its_line_stands() {
    let double = DahdiDouble::start(&Spec::looped(1).stepped());
    double.channel(1).far_end(true);
    double.channel(1).alarm(abi::ALARM_RED);
    let told = events(open(options(double.folder(), 1)).as_mut());
    let opened = ChannelEvent::Opened {
        kind: HookKind::Fxs,
        off_hook: true,
        alarms: abi::ALARM_RED,
    };
    assert_eq!(told, [opened]);
    let told = events(open(options(double.folder(), 2)).as_mut());
    let opened = ChannelEvent::Opened {
        kind: HookKind::Fxo,
        off_hook: false,
        alarms: 0,
    };
    assert_eq!(told, [opened]);
}

#[test]
fn an_exchange_rings_a_subscriber_answers_and_hangs_up() {
    let double = DahdiDouble::start(&Spec::looped(1).stepped());
    let mut exchange = open(options(double.folder(), 1));
    let mut subscriber = open(options(double.folder(), 2));
    events(exchange.as_mut());
    events(subscriber.as_mut());
    let pass = |milliseconds: usize, ports: [&mut dyn ChannelPort; 2]| {
        let [exchange, subscriber] = ports;
        let mut told = (Vec::new(), Vec::new());
        for _ in 0..milliseconds / 20 {
            double.step(BLOCK);
            told.0.extend(events(exchange));
            told.1.extend(events(subscriber));
            sound(exchange);
            sound(subscriber);
        }
        told
    };
    // The driver says EINPROGRESS, which is success.
    exchange.order(&ChannelOrder::Ring).unwrap();
    let (ringer, heard) = pass(1_500, [exchange.as_mut(), subscriber.as_mut()]);
    assert_eq!(
        ringer,
        [
            ChannelEvent::RingerOff,
            ChannelEvent::RingerOn,
            ChannelEvent::RingerOff
        ]
    );
    assert_eq!(
        heard,
        [
            ChannelEvent::RingBegin,
            ChannelEvent::Ring,
            ChannelEvent::RingBegin,
            ChannelEvent::Ring
        ]
    );
    subscriber.order(&ChannelOrder::OffHook).unwrap();
    exchange.order(&ChannelOrder::OffHook).unwrap();
    let told = pass(100, [exchange.as_mut(), subscriber.as_mut()]);
    assert_eq!(told, (vec![ChannelEvent::OffHook], vec![]));
    subscriber.order(&ChannelOrder::Flash).unwrap();
    let told = pass(100, [exchange.as_mut(), subscriber.as_mut()]);
    assert_eq!(
        told,
        (
            vec![ChannelEvent::WinkFlash],
            vec![ChannelEvent::HookComplete]
        )
    );
    exchange.order(&ChannelOrder::OnHook).unwrap();
    subscriber.order(&ChannelOrder::OnHook).unwrap();
    let told = pass(100, [exchange.as_mut(), subscriber.as_mut()]);
    assert_eq!(
        told,
        (vec![ChannelEvent::OnHook], vec![ChannelEvent::OnHook])
    );
}

/// A player never stops: silence goes on while the driver dials. It must not end the dialling.
#[test]
fn a_number_is_dialled_while_a_player_goes_on() {
    let double = DahdiDouble::start(&Spec::looped(1).stepped());
    let mut subscriber = open(options(double.folder(), 2));
    events(subscriber.as_mut());
    subscriber.order(&ChannelOrder::OffHook).unwrap();
    let silence = [0; 2 * BLOCK];
    let mut told = Vec::new();
    let mut buffer = [0; 4_096];
    let mut turn = |port: &mut dyn ChannelPort| {
        double.step(BLOCK);
        told.extend(events(port));
        assert_eq!(
            port.capture().read(&mut buffer),
            Captured::Frames(Frames(160))
        );
        let player = port.playback().expect("it plays");
        while player.queued() < Frames(320) {
            assert!(matches!(player.write(&silence), Played::Frames(_)));
        }
        player.delay();
    };
    for _ in 0..10 {
        turn(subscriber.as_mut());
    }
    let number = DialString::try_from("T159#").unwrap();
    subscriber.order(&ChannelOrder::Dial(number)).unwrap();
    for _ in 0..80 {
        turn(subscriber.as_mut());
    }
    assert_eq!(told, [ChannelEvent::DialComplete]);
    let heard = double.channel(2).heard_samples();
    assert_eq!(digits(&heard), "159#");
}

fn digits(samples: &[i16]) -> String {
    let mut detector = DtmfDetector::new(SampleRate::TELEPHONE, DetectorParams::default());
    let mut found = String::new();
    detector.push(samples, |event| {
        if let DtmfEvent::Ended(heard) = event {
            found.push(heard.digit.as_char());
        }
    });
    found
}

#[test]
fn orders_that_cannot_be_carried_out_say_why() {
    let spans = vec![SpanSpec::new("FXS", 1, abi::SIG_FXOKS)];
    let spec = Spec {
        tone_zone: false,
        ..Spec::new(spans).stepped()
    };
    let double = DahdiDouble::start(&spec);
    let mut port = open(options(double.folder(), 1));
    let no_zone = Err(nix::errno::Errno::ENODATA as i32);
    assert_eq!(port.order(&ChannelOrder::Ring), no_zone);
    let number = DialString::try_from("T1").unwrap();
    assert_eq!(port.order(&ChannelOrder::Dial(number)), no_zone);
    assert_eq!(port.order(&ChannelOrder::Tone(abi::TONE_BUSY)), no_zone);
    let busy = Err(nix::errno::Errno::EBUSY as i32);
    assert_eq!(port.order(&ChannelOrder::Flash), busy, "it is on hook");
}
