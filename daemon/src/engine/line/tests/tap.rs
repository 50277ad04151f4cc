//! Taps: calls of a PBX, by the hook of its channel; and lines that behave oddly.

use storage::record::EndCause;

use super::*;

const TAP: &str = "dahdi = '7'\nrole = 'tap'\ntrigger = 'hook'\n";
const PARALLEL: &str = "dahdi = '7'\nrole = 'tap'\ntrigger = 'hook'\n[channel]\ntap = 'parallel'\n";

fn hook(bench: &mut Bench, off_hook: bool) {
    let far = bench.channel.as_ref().unwrap();
    let ringing = false;
    far.hook.send(TapHook { off_hook, ringing }).unwrap();
    assert!(bench.line.is_urgent());
    bench.step();
}

fn names(bench: &mut Bench) -> Vec<&'static str> {
    let name = |news: (Uuid, LineNews)| match news.1 {
        LineNews::CallBegan { ringing: false, .. } => "began",
        LineNews::CallEnded { .. } => "ended",
        LineNews::DeviceLost => "device lost",
        LineNews::RecordingBegan { .. } => "recording",
        LineNews::RecordingEnded { .. } => "recorded",
        other => panic!("{other:?}"),
    };
    bench.told().into_iter().map(name).collect()
}

#[test]
fn a_call_of_the_pbx_is_recorded_from_off_hook_to_on_hook() {
    with_line(TAP, async |bench| {
        bench.talk(Millis(1_000));
        hook(bench, true);
        bench.talk(Millis(2_000));
        assert_eq!(names(bench), ["began", "recording"]);
        let facts = bench.line.live().snapshot().channel.unwrap();
        assert!(facts.off_hook);
        hook(bench, false);
        bench.talk(Millis(500));
        bench.settle().await;
        assert_eq!(names(bench), ["ended", "recorded"]);
        let outcome = bench.stored[0].outcome.as_ref().unwrap();
        assert_eq!(outcome.end_cause, EndCause::HungUp);
        assert_eq!(bench.stored[0].duration(), Some(Millis(2_000)));
        assert_eq!(bench.ordered(), [], "a tap orders nothing");
    });
}

#[test]
fn a_tap_that_goes_away_ends_the_call_and_finds_it_again() {
    with_line(TAP, async |bench| {
        bench.talk(Millis(100));
        hook(bench, true);
        bench.talk(Millis(1_000));
        bench.device(DeviceState::Lost);
        bench.stand_still(Millis(1_600));
        bench.settle().await;
        assert_eq!(
            names(bench),
            ["began", "recording", "device lost", "recorded"]
        );
        bench.device(DeviceState::Running);
        bench.talk(Millis(200));
        assert_eq!(
            names(bench),
            ["began", "recording"],
            "off hook all the time"
        );
        hook(bench, false);
        hook(bench, true);
        assert_eq!(names(bench), ["ended", "began"]);
    });
}

#[test]
fn a_hook_that_was_seen_before_the_tap_was_open_counts_once_it_is() {
    with_line(TAP, async |bench| {
        bench.device(DeviceState::Opening);
        bench.step();
        hook(bench, true);
        assert_eq!(names(bench), [""; 0]);
        bench.device(DeviceState::Running);
        bench.step();
        assert_eq!(names(bench), ["began"]);
    });
}

#[test]
fn a_port_in_parallel_goes_by_voltage_alone() {
    with_line(PARALLEL, async |bench| {
        bench.open(HookKind::Fxo);
        bench.signal(ChannelEvent::OffHook);
        bench.signal(ChannelEvent::Ring);
        assert_eq!(names(bench), [""; 0]);
        hook(bench, true);
        bench.talk(Millis(500));
        assert_eq!(names(bench), ["began", "recording"]);
        bench.signal(ChannelEvent::OnHook);
        assert_eq!(names(bench), [""; 0]);
        let session = bench.line.live().snapshot().session.unwrap();
        bench.order(LineOrder::Detach { session });
        assert_eq!(bench.ordered(), [], "it never goes on or off hook");
        hook(bench, false);
        hook(bench, true);
        bench.settle().await;
        assert_eq!(names(bench), ["began", "recorded"]);
    });
}

#[test]
fn silence_for_too_long_is_an_alarm_of_the_line() {
    let more = "trigger = 'always'\n[watch]\nsilent_after_s = 3\nactive_after_s = 5\n\
                [vox]\nhang_ms = 500\n";
    with_line(more, async |bench| {
        bench.silence(Millis(2_900));
        assert_eq!(bench.line.live().snapshot().alarms, [""; 0]);
        bench.silence(Millis(200));
        assert_eq!(bench.line.live().snapshot().alarms, ["silent"]);
        bench.talk(Millis(1_000));
        assert_eq!(bench.line.live().snapshot().alarms, [""; 0]);
        bench.talk(Millis(5_000));
        let shown = bench.line.live().snapshot();
        assert_eq!(shown.alarms, ["active"]);
        assert_eq!(shown.alarms_total, 2);
        bench.silence(Millis(5_000));
        assert_eq!(bench.line.live().snapshot().alarms, ["silent"]);
    });
}
