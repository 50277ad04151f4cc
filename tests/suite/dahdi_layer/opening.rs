//! What stands in the way of opening a channel, in words that say what to do; and what opening
//! makes of a channel that was left as it should not be.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use audio_io::channel::{ChannelEvent, HookKind, RefusedOrder};
use audio_io::dahdi::{Channel, ChannelOptions, Hook, abi};
use audio_io::format::{Channels, StreamFormat};
use harness::dahdi::{Asked, DahdiDouble, SpanSpec, Spec};

use super::rig::{events, open, options, refused};

fn fxo(channels: usize) -> DahdiDouble {
    let span = SpanSpec::new("FXO", channels, abi::SIG_FXSKS);
    DahdiDouble::start(&Spec::new(vec![span]).stepped())
}

#[test]
fn a_channel_that_does_not_exist_is_named() {
    let double = fxo(2);
    let error = refused(options(double.folder(), 7)).to_string();
    assert_eq!(
        error,
        "cannot open DAHDI channel 7: EINVAL (Invalid argument); no card has a channel of that \
         number; `lsdahdi` lists those there are"
    );
    let error = refused(options(Path::new("/nonexistent"), 7)).to_string();
    assert!(
        error.contains("ENOENT") && error.contains("`modprobe dahdi`"),
        "{error}"
    );
}

#[test]
fn a_channel_without_signalling_is_to_be_configured() {
    let double = fxo(2);
    double.channel(2).signalling(abi::SIG_NONE);
    let error = refused(options(double.folder(), 2)).to_string();
    assert!(
        error.starts_with("cannot open DAHDI channel 2 (span 1): ENXIO"),
        "{error}"
    );
    assert!(
        error.contains("/etc/dahdi/system.conf and run `dahdi_cfg`"),
        "{error}"
    );
}

#[test]
fn wrong_signalling_says_what_it_is_and_what_it_should_be() {
    let double = fxo(2);
    double.channel(1).signalling(abi::SIG_CLEAR);
    let error = refused(options(double.folder(), 1)).to_string();
    assert!(
        error.starts_with("cannot take calls on DAHDI channel 1 (span 1): EINVAL"),
        "{error}"
    );
    assert!(
        error.contains("its signalling is clear (bchan), which has no hook"),
        "{error}"
    );
    assert!(
        error.contains("fxsks") && error.contains("trigger = \"vox\""),
        "{error}"
    );
    // Sound alone can be had from it.
    let passive = ChannelOptions {
        wants_signalling: false,
        ..options(double.folder(), 1)
    };
    let mut port = open(passive.clone());
    let opened = ChannelEvent::Opened {
        kind: HookKind::Clear,
        off_hook: false,
        alarms: 0,
    };
    assert_eq!(events(port.as_mut()), [opened]);
    drop(port);
    double.channel(1).signalling(abi::SIG_HDLCFCS);
    let error = refused(passive).to_string();
    assert!(
        error.contains("it carries data (HDLC), not sound"),
        "{error}"
    );
}

#[test]
fn a_channel_of_another_process_names_that_process() {
    let double = fxo(1);
    let node = double.folder().join("chan/001/001");
    let mut owner = Command::new("sh")
        .args(["-c", "exec 3<>\"$1\" && echo ready && read end", "sh"])
        .arg(&node)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut said = String::new();
    let output = owner.stdout.take().expect("its output");
    BufReader::new(output)
        .read_line(&mut said)
        .expect("a line of the shell");
    assert_eq!(said, "ready\n");
    let error = refused(options(double.folder(), 1)).to_string();
    assert!(
        error.starts_with("cannot open DAHDI channel 1 (span 1): EBUSY"),
        "{error}"
    );
    let named = format!("owned by sh (process {}); stop that, or listen", owner.id());
    assert!(error.contains(&named), "{error}");
    assert!(error.contains("role = \"tap\""), "{error}");
    owner.kill().expect("the shell ends");
    owner.wait().expect("the shell ended");
    drop(open(options(double.folder(), 1)));
    // Of this process it is said, too.
    let _owner = Channel::open(double.folder(), 1).unwrap();
    let error = refused(options(double.folder(), 1)).to_string();
    assert!(
        error.contains("owned by another line of this daemon"),
        "{error}"
    );
}

#[test]
fn a_span_in_alarm_opens_and_is_told_and_an_error_beside_it_says_so() {
    let double = fxo(1);
    double.alarm(1, abi::ALARM_RED | abi::ALARM_LOS);
    let mut port = open(options(double.folder(), 1));
    let told = events(port.as_mut());
    let alarms = abi::ALARM_RED | abi::ALARM_LOS;
    let kind = HookKind::Fxo;
    assert_eq!(
        told,
        [ChannelEvent::Opened {
            kind,
            off_hook: false,
            alarms
        }]
    );
    let error = refused(options(double.folder(), 1)).to_string();
    assert!(error.ends_with("; its alarms: RED, no signal"), "{error}");
}

#[test]
fn only_telephone_formats_are_opened() {
    let double = fxo(1);
    let format = StreamFormat {
        channels: Channels::Stereo,
        ..StreamFormat::TELEPHONE
    };
    let wrong = ChannelOptions {
        format,
        ..options(double.folder(), 1)
    };
    let error = refused(wrong).to_string();
    assert!(
        error.contains("pcm16 stereo 8000 Hz") && error.contains("mono at 8000 Hz"),
        "{error}"
    );
}

#[test]
fn a_line_is_hung_up_when_it_is_closed_and_ready_when_it_is_opened() {
    let double = fxo(1);
    let line = double.channel(1);
    let channel = Channel::open(double.folder(), 1).unwrap();
    channel.hook(Hook::Off).unwrap();
    assert!(line.is_off_hook());
    drop(channel);
    assert!(!line.is_off_hook());
    let mut port = open(options(double.folder(), 1));
    let asked = line.asked();
    assert!(asked.contains(&Asked::Flush(abi::FLUSH_ALL)), "{asked:?}");
    assert_eq!(asked.last(), Some(&Asked::Echo(0)));
    port.order(&audio_io::channel::ChannelOrder::OffHook)
        .unwrap();
    assert!(line.is_off_hook());
    drop(port);
    assert!(!line.is_off_hook() && !line.is_open());
    assert_eq!(line.hooks().last(), Some(&abi::ONHOOK));
}

#[test]
fn a_missing_echo_canceller_is_told_and_no_hindrance() {
    let spans = vec![SpanSpec::new("FXO", 1, abi::SIG_FXSKS)];
    let spec = Spec {
        echo_canceller: false,
        ..Spec::new(spans).stepped()
    };
    let double = DahdiDouble::start(&spec);
    let wish = ChannelOptions {
        echo_taps: 128,
        ..options(double.folder(), 1)
    };
    let told = events(open(wish).as_mut());
    let errno = nix::errno::Errno::ENODEV as i32;
    let order = RefusedOrder::Other;
    assert_eq!(told.last(), Some(&ChannelEvent::Refused { order, errno }));
    assert_eq!(told.len(), 2);
}
