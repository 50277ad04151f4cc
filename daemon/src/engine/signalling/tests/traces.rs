//! Traces of channels, replayed. Each line of a trace is a time in seconds, `<` and what the
//! channel or the application did, or `>` and what the machine made of it; the whole file is what
//! is expected.

use std::fmt::Write as _;
use std::path::Path;

use super::*;

/// How often a line is looked at.
const TICK: Duration = Duration::from_millis(20);

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine/signalling/tests/traces")
}

#[test]
fn traces_lead_to_what_is_expected_of_them() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let expected = std::fs::read_to_string(&path).unwrap();
        let replayed = replay(&expected);
        assert_eq!(replayed, expected, "{}", path.display());
        count += 1;
    }
    assert!(count >= 6, "{count} traces");
}

fn replay(trace: &str) -> String {
    let mut out = String::new();
    let mut options = options();
    let mut machine: Option<Signalling> = None;
    let mut now = Duration::ZERO;
    for line in trace.lines() {
        if let Some(words) = line.strip_prefix("options ") {
            words.split(' ').for_each(|word| option(&mut options, word));
        }
        let Some((time, input)) = line.split_once(" < ") else {
            if !line.contains(" > ") {
                writeln!(out, "{line}").unwrap();
            }
            continue;
        };
        let machine = machine.get_or_insert_with(|| Signalling::new(options.clone()));
        let at = Duration::from_secs_f64(time.parse().unwrap());
        while now + TICK <= at {
            now += TICK;
            put(&mut out, now, &machine.pass(now));
        }
        now = at;
        writeln!(out, "{line}").unwrap();
        let steps = apply(machine, now, input);
        put(&mut out, now, &steps);
    }
    out
}

fn put(out: &mut String, now: Duration, steps: &[Step]) {
    for word in in_words(steps) {
        writeln!(out, "{:.3} > {word}", now.as_secs_f64()).unwrap();
    }
}

fn option(options: &mut Options, word: &str) {
    match word.split_once('=') {
        Some(("caller_id", ms)) => {
            options.caller_id = Some(Duration::from_millis(ms.parse().unwrap()));
        }
        Some(("answer_after_rings", rings)) => options.answer_after_rings = rings.parse().unwrap(),
        None if word == "deaf" => options.hears_tones = false,
        None if word == "tap" => options.is_tap = true,
        _ => panic!("no option {word}"),
    }
}

fn apply(machine: &mut Signalling, now: Duration, input: &str) -> Vec<Step> {
    let (what, rest) = input.split_once(' ').unwrap_or((input, ""));
    let event = match what {
        "opened" => ChannelEvent::Opened {
            kind: match rest {
                "fxo" => HookKind::Fxo,
                "fxs" => HookKind::Fxs,
                "em" => HookKind::Em,
                _ => panic!("no kind {rest}"),
            },
            off_hook: false,
            alarms: 0,
        },
        "gone" => ChannelEvent::Gone { errno: 19 },
        "silent" => ChannelEvent::Gone { errno: 110 },
        "ring-begin" => ChannelEvent::RingBegin,
        "ring" => ChannelEvent::Ring,
        "off-hook" => ChannelEvent::OffHook,
        "on-hook" => ChannelEvent::OnHook,
        "ringer-on" => ChannelEvent::RingerOn,
        "ringer-off" => ChannelEvent::RingerOff,
        "wink-flash" => ChannelEvent::WinkFlash,
        "polarity" => ChannelEvent::Polarity,
        "dial-complete" => ChannelEvent::DialComplete,
        "hook-complete" => ChannelEvent::HookComplete,
        "alarm" => ChannelEvent::Alarm { alarms: 8 },
        "no-alarm" => ChannelEvent::AlarmOver,
        "answer" => return machine.answer(now),
        "hang-up" => return machine.hang_up(now),
        "attach" => {
            machine.attach().unwrap();
            return Vec::new();
        }
        "place" => return machine.place(now, (!rest.is_empty()).then_some(rest)),
        "caller-id" => return machine.caller_id(now, from(rest)),
        "dial-tone" => return machine.heard(now, Tone::Dial),
        "busy-tone" => return machine.heard(now, Tone::Busy),
        "end" => return machine.pass(now),
        _ => panic!("no input {input}"),
    };
    machine.event(now, event)
}
