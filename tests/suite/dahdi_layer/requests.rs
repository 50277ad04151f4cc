//! Every request of the layer, once over the real system call.

use audio_io::channel::HookKind;
use audio_io::dahdi::{
    Channel, Control, Hook, HookState, HookWatch, Law, SignalKind, abi, alarm_words, gain_table,
};
use harness::dahdi::{Asked, DahdiDouble, SpanSpec, Spec};

fn double() -> DahdiDouble {
    let e1 = SpanSpec {
        law: Law::ALaw,
        ..SpanSpec::new("E1", 3, abi::SIG_CLEAR)
    };
    let fxo = SpanSpec::new("FXO", 2, abi::SIG_FXSKS);
    DahdiDouble::start(&Spec::new(vec![fxo, e1]).stepped())
}

#[test]
fn sizes_and_policies_are_set_and_read_back() {
    let double = double();
    let channel = Channel::open(double.folder(), 1).unwrap();
    assert_eq!(channel.number(), Ok(1));
    assert_eq!(channel.block_size(), Ok(1_024));
    channel.set_block_size(80).unwrap();
    assert_eq!(channel.block_size(), Ok(80));
    channel.set_buffers(12, 160).unwrap();
    assert_eq!(channel.buffers(), Ok((12, 160)));
    assert_eq!(
        channel.set_block_size(15),
        Err(nix::errno::Errno::EINVAL as i32)
    );
    channel.set_buffer_events(true).unwrap();
    let params = channel.params().unwrap();
    channel.set_params(&params).unwrap();
    assert_eq!(channel.tone_zone(), Ok(0));
    channel.set_tone_zone(4).unwrap();
    assert_eq!(channel.tone_zone(), Ok(4));
}

#[test]
fn laws_gains_and_echo_cancellers_are_set() {
    let double = double();
    let channel = Channel::open(double.folder(), 1).unwrap();
    assert_eq!(channel.status().unwrap().law, Law::MuLaw);
    channel.set_law(Law::ALaw).unwrap();
    assert_eq!(channel.status().unwrap().law, Law::ALaw);
    channel.set_law(Law::Auto).unwrap();
    assert_eq!(channel.status().unwrap().law, Law::MuLaw);
    channel.set_linear(true).unwrap();
    channel.set_gains(Law::MuLaw, 3.0, -3.0).unwrap();
    let (rx, tx) = channel.gains().unwrap();
    assert_eq!(rx, gain_table(Law::MuLaw, 3.0));
    assert_eq!(tx, gain_table(Law::MuLaw, -3.0));
    channel.cancel_echo(128).unwrap();
    channel.cancel_echo(0).unwrap();
    let asked = double.channel(1).asked();
    assert!(asked.ends_with(&[Asked::Linear(true), Asked::Echo(128), Asked::Echo(0)]));
    // A clear channel has sound only when it was told to.
    let clear = Channel::open(double.folder(), 3).unwrap();
    assert_eq!(clear.status().unwrap().law, Law::ALaw);
    assert_eq!(
        clear.set_linear(true),
        Err(nix::errno::Errno::EINVAL as i32)
    );
    clear.set_audio_mode(true).unwrap();
    clear.set_linear(true).unwrap();
    assert_eq!(
        channel.set_audio_mode(true),
        Err(nix::errno::Errno::EINVAL as i32)
    );
}

#[test]
fn hooks_dialling_and_tones_are_ordered() {
    let double = double();
    let channel = Channel::open(double.folder(), 1).unwrap();
    for hook in [Hook::Off, Hook::Flash, Hook::On, Hook::Wink, Hook::RingOff] {
        channel.hook(hook).unwrap();
    }
    assert_eq!(
        double.channel(1).hooks(),
        [
            abi::OFFHOOK,
            abi::FLASH,
            abi::ONHOOK,
            abi::WINK,
            abi::RINGOFF
        ]
    );
    channel.dial("T42#").unwrap();
    assert_eq!(channel.is_dialling(), Ok(true));
    channel.stop_dialling().unwrap();
    assert_eq!(channel.is_dialling(), Ok(false));
    assert_eq!(
        channel.dial(&"1".repeat(256)),
        Err(nix::errno::Errno::EINVAL as i32)
    );
    channel.send_tone(abi::TONE_BUSY).unwrap();
    channel.send_tone(abi::TONE_STOP).unwrap();
    let asked = double.channel(1).asked();
    let dialled = [
        Asked::Dial("T42#".into()),
        Asked::StopDial,
        Asked::Tone(1),
        Asked::Tone(-1),
    ];
    assert!(asked.ends_with(&dialled), "{asked:?}");
    // On a clear channel there is no hook.
    let clear = Channel::open(double.folder(), 3).unwrap();
    assert_eq!(clear.hook(Hook::Off), Err(nix::errno::Errno::EINVAL as i32));
}

#[test]
fn events_bits_alarms_and_voltages_are_read() {
    let double = double();
    let channel = Channel::open(double.folder(), 1).unwrap();
    let line = double.channel(1);
    assert_eq!(channel.event(), Ok(abi::EVENT_NONE));
    line.event(abi::EVENT_POLARITY);
    line.event(abi::EVENT_RINGBEGIN);
    assert_eq!(channel.event(), Ok(abi::EVENT_POLARITY));
    channel.flush(abi::FLUSH_EVENT).unwrap();
    assert_eq!(channel.event(), Ok(abi::EVENT_NONE));
    line.bits(0b1010);
    assert_eq!(channel.bits(), Ok(0b1010));
    double.alarm(1, abi::ALARM_RED);
    line.alarm(abi::ALARM_LOS);
    assert_eq!(channel.alarms(), Ok(abi::ALARM_RED | abi::ALARM_LOS));
    assert_eq!(channel.millivolts(), Err(nix::errno::Errno::ENOTTY as i32));
    line.voltage(-48_000);
    assert_eq!(channel.millivolts(), Ok(-48_000));
}

#[test]
fn the_control_file_tells_of_spans_and_of_anybodys_channels() {
    let double = double();
    let control = Control::open(double.folder()).unwrap();
    assert_eq!(control.version().unwrap().echo_cancellers, "MG2");
    double.alarm(2, abi::ALARM_RED | abi::ALARM_LOS);
    let spans = control.spans();
    let facts: Vec<_> = spans
        .iter()
        .map(|span| {
            (
                span.number,
                span.kind.as_str(),
                span.channels,
                span.configured,
            )
        })
        .collect();
    assert_eq!(facts, [(1, "FXO", 2, 2), (2, "E1", 3, 3)]);
    assert_eq!(alarm_words(spans[1].alarms), "RED, no signal");
    assert!(control.span(3).is_err() && control.span(0).is_err());
    let _owner = Channel::open(double.folder(), 2).unwrap();
    let channel = control.channel(2).unwrap();
    assert_eq!((channel.span, channel.position), (1, 2));
    assert_eq!(
        channel.signalling,
        SignalKind::Voice(HookKind::Fxo, abi::SIG_FXSKS)
    );
    assert_eq!(control.channel(5).unwrap().law, Law::ALaw);
    assert!(control.channel(6).is_err());
}

#[test]
fn the_hook_of_somebody_elses_line_is_seen() {
    let double = DahdiDouble::start(&Spec::looped(1).stepped());
    let watch = HookWatch::new(double.folder());
    let look = || watch.look(&[1, 2, 3]).unwrap();
    let state = |off_hook, ringing| Some(HookState { off_hook, ringing });
    let (exchange, subscriber) = (double.channel(1), double.channel(2));
    assert_eq!(look(), [state(false, false), state(false, false), None]);
    exchange.hook(abi::RING);
    double.step(8);
    assert_eq!(look(), [state(false, true), state(false, true), None]);
    subscriber.hook(abi::OFFHOOK);
    assert_eq!(look()[..2], [state(true, false), state(true, false)]);
    subscriber.hook(abi::ONHOOK);
    assert_eq!(look()[..2], [state(false, false), state(false, false)]);
    let nowhere = HookWatch::new(std::path::Path::new("/nonexistent"));
    assert_eq!(nowhere.look(&[1]), Err(nix::errno::Errno::ENOENT as i32));
}
