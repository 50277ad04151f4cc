//! Channels that a PBX owns: calls begin and end with its hook, and both legs are recorded, by
//! mirror and by monitor; wires that a telephone is on, by their voltage.

use audio_io::dahdi::{Channel, abi};
use harness::dahdi::{SpanSpec, Spec};
use harness::{correlate, sound, wait};

use super::rig::Card;
use crate::calls::recording::fetch;

/// A PBX that has a channel open, and sends silence or what it is told to.
struct Pbx {
    channel: Channel,
}

impl Pbx {
    fn of(card: &Card, number: u32) -> Self {
        let channel = Channel::open(card.double.folder(), number).expect("the PBX's channel");
        channel.set_linear(true).expect("linear");
        Self { channel }
    }

    /// Sends something, as fast as the driver takes it, and drains what comes.
    fn say(&self, samples: &[i16]) {
        let mut heard = [0; 4_096];
        for piece in samples.chunks(160) {
            let bytes = sound::to_bytes(piece);
            let mut rest = &bytes[..];
            wait::until("room in the driver", || {
                // What it hears and is told does not matter here, only that it is taken.
                let _told = self.channel.event();
                let _heard = self.channel.read(&mut heard);
                if let Ok(count) = self.channel.write(rest) {
                    rest = &rest[count..];
                }
                rest.is_empty().then_some(())
            });
        }
    }
}

/// A tapped channel in a call: the two legs, whatever way it is listened to.
fn both_legs(spec: &Spec, table: &str) {
    let card = Card::start(spec, &[("tapped", table)]);
    card.wait_for_lines();
    let pbx = Pbx::of(&card, 1);
    let line = card.double.channel(1);
    let (comes, goes) = (sound::rustle(2.0, 8_000, 80), sound::rustle(2.0, 8_000, 81));
    line.far_end(true);
    let call = card.new_call(0);
    let _ = call.wait("call.answered");
    let own = card.own_recording(&call);
    card.wait_for_line("tapped", "its hook", |line| {
        line["channel"]["off_hook"] == true
    });
    line.feed_samples(&comes);
    pbx.say(&goes);
    wait::until("all of it", || (line.unheard() == 0).then_some(()));
    card.pass(500);
    line.far_end(false);
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "NORMAL_CLEARING", "{hangup}");
    let wav = fetch(&card, &call.wait_for("recording.completed", &own));
    assert_eq!(wav.channels, 2);
    let all = wav.samples();
    let share = correlate::share_heard(&sound::leg(&all, 0), &comes);
    assert!(share > 0.9, "{table}: only {share} of what came");
    let share = correlate::share_heard(&sound::leg(&all, 1), &goes);
    assert!(share > 0.9, "{table}: only {share} of what the PBX sent");
    call.settle();
    assert!(line.hooks().is_empty(), "a tap does nothing to its channel");
}

const TAP: &str = "dahdi = \"1\"\nrole = \"tap\"\ntrigger = \"hook\"\n[line.channel]\n";

fn telephone() -> Spec {
    Spec::new(vec![SpanSpec::new("FXS", 1, abi::SIG_FXOKS)])
}

#[test]
fn both_legs_by_monitor() {
    both_legs(&telephone(), &format!("{TAP}tap = \"monitor\""));
}

#[test]
fn both_legs_by_mirror() {
    let spec = Spec {
        mirrors: true,
        ..telephone()
    };
    both_legs(&spec, &format!("{TAP}tap = \"mirror\""));
}

/// `auto` takes the mirror where there is one, and monitors elsewhere.
#[test]
fn both_legs_without_a_choice() {
    both_legs(&telephone(), TAP);
}

/// A driver without mirrors says so, with what works instead.
#[test]
fn a_driver_without_mirrors_is_told_with_what_works() {
    let card = Card::start(
        &telephone(),
        &[("tapped", &format!("{TAP}tap = \"mirror\""))],
    );
    card.wait_for_line("tapped", "the reason", |line| {
        let error = line["error"].as_str().unwrap_or_default();
        error.contains("CONFIG_DAHDI_MIRROR") && error.contains("monitor")
    });
}

/// An FXO port beside a telephone: its voltage says that a call is on.
#[test]
fn voltage_is_the_hook_of_parallel_wires() {
    let spec = Spec::new(vec![SpanSpec::new("FXO", 1, abi::SIG_FXSKS)]);
    let table = format!("{TAP}tap = \"parallel\"\noff_hook_volts = 20");
    let card = Card::start(&spec, &[("wires", &table)]);
    let line = card.double.channel(1);
    line.voltage(48_000);
    card.wait_for_lines();
    let said = sound::rustle(2.0, 8_000, 82);
    line.voltage(8_000);
    let call = card.new_call(0);
    let own = card.own_recording(&call);
    card.say(1, &said);
    line.voltage(-48_000);
    let hangup = call.wait("call.hangup");
    assert_eq!(hangup["cause"], "NORMAL_CLEARING", "{hangup}");
    let wav = fetch(&card, &call.wait_for("recording.completed", &own));
    let left = sound::leg(&wav.samples(), 0);
    let heard = if wav.channels == 1 {
        wav.samples()
    } else {
        left
    };
    assert!(correlate::share_heard(&heard, &said) > 0.9, "what was said");
    call.settle();
    assert!(
        !line.hooks().contains(&abi::OFFHOOK),
        "it never goes off hook"
    );
}
