//! Lines of telephone channels: their signals, and what is recorded of their calls.

use audio_io::dsp::caller_id::{CallerId, FskParams, fsk, mdmf};
use storage::record::EndCause;

use super::*;
use crate::engine::telephony::RingToAnswer;

const FXO: &str = "dahdi = '7'\ntrigger = 'hook'\nfrom = '+1'\n";
const WITH_CALLER_ID: &str = "dahdi = '7'\ntrigger = 'hook'\n[channel]\ncaller_id = 'fsk'\n";
const STATION: &str = "dahdi = '7'\nrole = 'station'\ntrigger = 'hook'\n";
const SOCKET: &str = "audiosocket = '127.0.0.1:9092'\ntrigger = 'hook'\n";

/// What was told, in words.
fn words(told: &[(Uuid, LineNews)]) -> Vec<String> {
    let word = |news: &(Uuid, LineNews)| match &news.1 {
        LineNews::CallBegan { parties, ringing } => {
            let what = if *ringing { "rings" } else { "began" };
            let from = parties.from.as_ref().map_or("nobody", Number::as_str);
            format!("{what} from {from}")
        }
        LineNews::CallEnded { cause } => format!("ended {}", cause.as_str()),
        LineNews::Answered => "answered".into(),
        LineNews::DeviceLost => "device lost".into(),
        LineNews::Digit { digit, .. } => format!("digit {}", digit.key()),
        LineNews::RecordingBegan { .. } => "recording".into(),
        LineNews::RecordingEnded { end, .. } => match end {
            TakeEnd::Stored(recording) => {
                let outcome = recording.outcome.as_ref().expect("an outcome");
                format!("stored {:?}", outcome.end_cause)
            }
            TakeEnd::Absent => "absent".into(),
            TakeEnd::Failed(_) => "failed".into(),
        },
    };
    told.iter().map(word).collect()
}

fn rings(bench: &mut Bench) -> Uuid {
    bench.signal(ChannelEvent::RingBegin);
    let told = bench.told();
    assert_eq!(words(&told), ["rings from +1"]);
    told[0].0
}

#[test]
fn a_call_is_recorded_from_its_answer_to_its_end() {
    with_line(FXO, async |bench| {
        bench.open(HookKind::Fxo);
        bench.silence(Millis(1_000));
        let session = rings(bench);
        assert_eq!(bench.line.live().snapshot().session, Some(session));
        bench.talk(Millis(2_000));
        assert_eq!(bench.line.recording(), None, "it rings");
        bench.order(LineOrder::Answer { session });
        assert_eq!(bench.ordered(), [ChannelOrder::OffHook]);
        bench.talk(Millis(3_000));
        assert_eq!(words(&bench.told()), ["answered", "recording"]);
        let facts = bench.line.live().snapshot().channel.expect("a channel");
        assert_eq!(facts.signalling, Some("fxo"));
        assert_eq!(facts.phase, Some("talking"));
        assert_eq!(facts.ring_to_answer.total(), 1);
        let between = RingToAnswer::BOUNDS_MS.iter().position(|ms| *ms == 2_500);
        assert_eq!(facts.ring_to_answer.counts[between.unwrap()], 1);
        let orders = bench.signal(ChannelEvent::OnHook);
        assert_eq!(orders, [ChannelOrder::OnHook]);
        assert_eq!(words(&bench.told()), ["ended NORMAL_CLEARING"]);
        bench.talk(Millis(1_000));
        bench.settle().await;
        assert_eq!(words(&bench.told()), ["stored HungUp"]);
        let recording = &bench.stored[0];
        assert_eq!(recording.facts.names.session_uuid, session);
        assert_eq!(recording.duration(), Some(Millis(3_000)));
        assert_eq!(bench.line.live().snapshot().session, None);
    });
}

#[test]
fn a_signal_takes_its_place_among_the_sound() {
    with_line(FXO, async |bench| {
        bench.open(HookKind::Fxo);
        let session = rings(bench);
        bench.order(LineOrder::Answer { session });
        bench.talk(Millis(1_000));
        // The recorder comes late: the sound of a second, with the hang-up in its middle.
        let hung_up = bench.place + 4_000;
        bench.notice(hung_up, ChannelEvent::OnHook);
        let (caller, player) = (&mut bench.caller, bench.player.as_mut().unwrap());
        for _ in 0..50 {
            let place = Frames(bench.place);
            bench.place += 160;
            caller
                .push(Block::audio(place, &bytes(&[900; 160])))
                .expect("room");
            player
                .0
                .push(Block::audio(place, &bytes(&[0; 160])))
                .expect("room");
        }
        bench.clock.advance(Duration::from_secs(1));
        bench.step();
        bench.settle().await;
        let length = bench.stored[0].duration();
        assert_eq!(length, Some(Millis(1_500)));
    });
}

#[test]
fn a_callers_number_is_heard_between_the_rings() {
    with_line(WITH_CALLER_ID, async |bench| {
        bench.open(HookKind::Fxo);
        bench.silence(Millis(500));
        bench.signal(ChannelEvent::RingBegin);
        bench.silence(Millis(2_000));
        bench.signal(ChannelEvent::Ring);
        bench.silence(Millis(600));
        assert_eq!(words(&bench.told()), [""; 0]);
        let mut caller = CallerId::default();
        caller.number.push_str("5550001").unwrap();
        let message = mdmf("11301210", &caller);
        bench.hear(&fsk(RATE, &FskParams::default(), &message));
        bench.silence(Millis(300));
        let told = bench.told();
        assert_eq!(words(&told), ["rings from 5550001"]);
        let session = told[0].0;
        bench.order(LineOrder::Answer { session });
        bench.talk(Millis(1_000));
        bench.order(LineOrder::Detach { session });
        assert_eq!(
            bench.ordered(),
            [ChannelOrder::OffHook, ChannelOrder::OnHook]
        );
        bench.settle().await;
        let facts = &bench.stored[0].facts;
        assert_eq!(facts.from, Some(Number::new("5550001").unwrap()));
        assert_eq!(
            words(&bench.told()),
            ["answered", "recording", "stored HungUp"]
        );
    });
}

#[test]
fn busy_tone_ends_a_call_where_nothing_else_does() {
    with_line(FXO, async |bench| {
        bench.open(HookKind::Fxo);
        let session = rings(bench);
        bench.order(LineOrder::Answer { session });
        bench.talk(Millis(2_000));
        bench.ordered();
        bench.told();
        let (mut low, mut high) = (Tone::new(RATE, 480.0, 0.1), Tone::new(RATE, 620.0, 0.1));
        let mut on = || -> Vec<i16> {
            let both = || low.next_sample() + high.next_sample();
            std::iter::repeat_with(both).take(4_000).collect()
        };
        for _ in 0..6 {
            let sound = on();
            bench.hear(&sound);
            bench.silence(Millis(500));
        }
        assert_eq!(words(&bench.told()), ["ended NORMAL_CLEARING"]);
        assert_eq!(bench.ordered(), [ChannelOrder::OnHook]);
    });
}

#[test]
fn a_digit_that_is_told_and_heard_is_told_once() {
    with_line(STATION, async |bench| {
        bench.open(HookKind::Fxs);
        let orders = bench.signal(ChannelEvent::OffHook);
        assert_eq!(orders, [ChannelOrder::OffHook]);
        bench.silence(Millis(500));
        assert_eq!(words(&bench.told()), ["began from nobody", "recording"]);
        bench.hear(&key('5')[..1_000]);
        bench.signal(ChannelEvent::Digit('5'));
        bench.silence(Millis(500));
        bench.signal(ChannelEvent::Digit('6'));
        bench.hear(&key('6'));
        bench.silence(Millis(500));
        bench.signal(ChannelEvent::Digit('7'));
        bench.hear(&key('8'));
        bench.silence(Millis(500));
        let told = words(&bench.told());
        assert_eq!(told, ["digit 5", "digit 6", "digit 7", "digit 8"]);
    });
}

#[test]
fn a_telephone_is_called_and_recorded_once_it_is_lifted() {
    with_line(STATION, async |bench| {
        bench.open(HookKind::Fxs);
        let session = bench.attach();
        let number = None;
        bench.order(LineOrder::Place { session, number });
        assert_eq!(bench.ordered(), [ChannelOrder::Ring]);
        bench.talk(Millis(1_000));
        assert_eq!(bench.line.recording(), None);
        let orders = bench.signal(ChannelEvent::OffHook);
        assert_eq!(orders, [ChannelOrder::RingOff, ChannelOrder::OffHook]);
        bench.talk(Millis(1_000));
        bench.signal(ChannelEvent::OnHook);
        bench.settle().await;
        assert_eq!(
            words(&bench.told()),
            [
                "answered",
                "recording",
                "ended NORMAL_CLEARING",
                "stored HungUp"
            ]
        );
        let facts = &bench.stored[0].facts;
        assert_eq!(facts.from, Some(Number::new("+15550001").unwrap()));
        assert_eq!(bench.stored[0].duration(), Some(Millis(1_000)));
    });
}

#[test]
fn a_call_outwards_that_comes_too_late_is_told_so() {
    with_line(FXO, async |bench| {
        bench.open(HookKind::Fxo);
        let theirs = rings(bench);
        let ours = bench.attach();
        let number = Some("1".to_owned());
        bench.order(LineOrder::Place {
            session: ours,
            number,
        });
        let told = bench.told();
        assert_eq!(words(&told), ["ended REQUESTED_CHAN_UNAVAIL"]);
        assert_eq!(told[0].0, ours);
        assert_eq!(bench.ordered(), []);
        bench.order(LineOrder::Detach { session: ours });
        assert_eq!(bench.line.live().snapshot().session, Some(theirs));
        let alarms = 8;
        bench.signal(ChannelEvent::Alarm { alarms });
        bench.attach();
        let ends = ["ended NETWORK_OUT_OF_ORDER", "ended NETWORK_OUT_OF_ORDER"];
        assert_eq!(words(&bench.told()), ends);
        bench.signal(ChannelEvent::Gone { errno: 19 });
        bench.attach();
        assert_eq!(words(&bench.told()), ["device lost"]);
    });
}

#[test]
fn a_card_that_is_unplugged_ends_its_call_and_keeps_what_was_recorded() {
    with_line(FXO, async |bench| {
        bench.open(HookKind::Fxo);
        let session = rings(bench);
        bench.order(LineOrder::Answer { session });
        bench.talk(Millis(1_000));
        bench.ordered();
        bench.device(DeviceState::Lost);
        let orders = bench.signal(ChannelEvent::Gone { errno: 19 });
        assert_eq!(orders, []);
        bench.stand_still(Millis(1_500));
        bench.settle().await;
        let told = words(&bench.told());
        let end = ["device lost", "stored DeviceLost"];
        assert_eq!(told[2..], end);
        assert_eq!(bench.stored[0].duration(), Some(Millis(1_000)));
        bench.device(DeviceState::Running);
        bench.open(HookKind::Fxo);
        rings(bench);
    });
}

#[test]
fn by_command_a_call_is_recorded_when_it_is_asked_for() {
    let more = "dahdi = '7'\ntrigger = 'api'\nfrom = '+1'\n";
    with_line(more, async |bench| {
        bench.open(HookKind::Fxo);
        let session = rings(bench);
        bench.order(LineOrder::Answer { session });
        bench.talk(Millis(1_000));
        assert_eq!(bench.line.recording(), None);
        bench.record(session, 1, None);
        bench.talk(Millis(1_000));
        bench.signal(ChannelEvent::OnHook);
        bench.settle().await;
        let outcome = bench.stored[0].outcome.as_ref().unwrap();
        assert_eq!(outcome.end_cause, EndCause::HungUp);
        assert_eq!(bench.stored[0].duration(), Some(Millis(1_000)));
    });
}

#[test]
fn a_connection_gives_its_call_a_name_once() {
    with_line(SOCKET, async |bench| {
        bench.open(HookKind::Socket);
        let name = [0x42; 16];
        bench.signal(ChannelEvent::Connected { uuid: name });
        bench.talk(Millis(500));
        let told = bench.told();
        assert_eq!(words(&told), ["began from nobody", "recording"]);
        assert_eq!(told[0].0, Uuid::from_bytes(name));
        bench.signal(ChannelEvent::Disconnected { orderly: true });
        assert_eq!(words(&bench.told()), ["ended NORMAL_CLEARING"]);
        bench.signal(ChannelEvent::Connected { uuid: name });
        let told = bench.told();
        assert_eq!(words(&told), ["began from nobody"]);
        let second = told[0].0;
        assert_ne!(second, Uuid::from_bytes(name), "one of its own");
        bench.order(LineOrder::Detach { session: second });
        assert_eq!(bench.ordered(), [ChannelOrder::OnHook]);
        bench.signal(ChannelEvent::Disconnected { orderly: true });
        assert_eq!(words(&bench.told()), [""; 0]);
    });
}

#[test]
fn a_line_that_heeds_no_calls_still_takes_its_signals() {
    let more = "dahdi = '7'\ntrigger = 'always'\n";
    with_line(more, async |bench| {
        bench.open(HookKind::Fxo);
        for _ in 0..200 {
            bench.signal(ChannelEvent::RingBegin);
            bench.signal(ChannelEvent::Ring);
        }
        bench.talk(Millis(500));
        assert_eq!(words(&bench.told()), [""; 0]);
        assert!(bench.line.recording().is_some());
        let facts = bench.line.live().snapshot().channel.unwrap();
        assert_eq!((facts.signalling, facts.phase), (Some("fxo"), None));
    });
}

#[test]
fn an_idle_line_is_urgent_only_when_it_signals() {
    with_line(FXO, async |bench| {
        bench.open(HookKind::Fxo);
        assert!(bench.line.has_signals());
        assert!(!bench.line.is_urgent());
        bench.notice(0, ChannelEvent::RingBegin);
        assert!(bench.line.is_urgent());
        bench.step();
        assert!(bench.line.is_urgent(), "it rings");
        bench.silence(Millis(9_000));
        assert!(!bench.line.is_urgent(), "the caller gave up");
    });
}
