//! Tests of lines that are telephone channels or connections of a PBX.

use super::super::schema::{ChannelList, Line, Source};
use super::{load_all, load_text};

/// A table of telephone channels; its keys stand in lines 1 to 5.
const TRUNK: &str = "[[line]]\nname = 'e1'\ntenant = 't'\ndahdi = '1-15,17-31'\ntrigger = 'hook'\n";
/// A table of connections.
const PBX: &str =
    "[[line]]\nname = 'p'\ntenant = 't'\naudiosocket = '127.0.0.1:9092'\ntrigger = 'api'\n";
/// A sound card.
const CARD: &str = "[[line]]\nname = 'a'\ntenant = 't'\ncapture = 'hw:0'\ntrigger = 'api'\n";

/// A table, what is added to it, and what the refusal must hold.
type Bad = (&'static str, &'static str, &'static [&'static str]);

fn each_is_refused(cases: &[Bad]) {
    for (table, more, parts) in cases {
        let text = format!("{table}{more}\n");
        let message = load_text(&text).expect_err(&text);
        for part in *parts {
            assert!(
                message.contains(part),
                "{text:?} gave {message:?}, without {part:?}"
            );
        }
        assert_eq!(message.lines().count(), 1, "one word about it: {message}");
    }
}

#[test]
fn a_line_has_exactly_one_source() {
    each_is_refused(&[
        (
            "[[line]]\nname='a'\ntenant='t'\ntrigger='api'",
            "",
            &[":1: line.capture", "(capture)", "(dahdi)", "(audiosocket)"],
        ),
        (
            CARD,
            "dahdi = '1'",
            &[":6: line.dahdi", "contradicts capture"],
        ),
        (
            TRUNK,
            "audiosocket = '127.0.0.1:1'",
            &[":6: line.audiosocket", "contradicts dahdi"],
        ),
    ]);
}

#[test]
fn keys_of_another_kind_of_line_are_refused() {
    each_is_refused(&[
        (
            TRUNK,
            "playback = 'hw:0'",
            &[":6: line.playback", "(capture)"],
        ),
        (PBX, "capture_agent = 'hw:0'", &[":6: line.capture_agent"]),
        (CARD, "role = 'tap'", &[":6: line.role", "(dahdi)"]),
        (PBX, "role = 'station'", &[":6: line.role", "(dahdi)"]),
        (TRUNK, "lines = 3", &[":6: line.lines", "(audiosocket)"]),
        (
            CARD,
            "[line.channel]\nlaw = 'alaw'",
            &[":7: line.channel.law", "(dahdi)"],
        ),
        (
            PBX,
            "[line.channel]\nhangup_tones = false",
            &[":7: line.channel.hangup_tones", "\"terminate\""],
        ),
        (
            TRUNK,
            "role = 'tap'\n[line.channel]\ntx_gain_db = 3",
            &[":8: line.channel.tx_gain_db", "\"station\""],
        ),
        (
            TRUNK,
            "role = 'station'\n[line.channel]\ncaller_id = 'fsk'",
            &[":8: line.channel.caller_id", "\"terminate\""],
        ),
        (
            TRUNK,
            "[line.channel]\ncaller_id_wait_ms = 1",
            &[":7: line.channel.caller_id_wait_ms", "\"fsk\""],
        ),
        (
            TRUNK,
            "[line.channel]\ntap = 'mirror'",
            &[":7: line.channel.tap", "\"tap\""],
        ),
        (
            TRUNK,
            "role = 'tap'\n[line.channel]\noff_hook_volts = 9",
            &[":8: line.channel.off_hook_volts", "\"parallel\""],
        ),
    ]);
}

#[test]
fn channels_keep_to_what_the_driver_can() {
    each_is_refused(&[
        (PBX, "rate = 11025", &[":6: line.rate", "11025", "44100"]),
        (TRUNK, "rate = 16000", &[":6: line.rate", "16000", "8000"]),
        (
            TRUNK,
            "channels = 'stereo'",
            &[":6: line.channels", "both legs"],
        ),
        (
            PBX,
            "channels = 'stereo'",
            &[":6: line.channels", "both legs"],
        ),
        (
            TRUNK,
            "[line.channel]\necho_taps = 100",
            &[":7: line.channel.echo_taps", "power of two"],
        ),
        (
            TRUNK,
            "[line.channel]\ntone_zone = 'xx'",
            &[":7: line.channel.tone_zone", "'xx'", "us", "de"],
        ),
        (
            TRUNK,
            "[line.channel]\necho_taps = 16",
            &[":7: line.channel.echo_taps", "32 to 1024"],
        ),
        (
            TRUNK,
            "period_ms = 4\nbuffer_ms = 132",
            &[":7: line.buffer_ms", "above 128", "32 blocks"],
        ),
        (
            "[realtime]\nring_ms=9000\n[[line]]\nname='a'\ntenant='t'\ndahdi='1'\ntrigger='vox'\n",
            "period_ms = 1000\nbuffer_ms = 4097",
            &[":9: line.buffer_ms", "above 4096"],
        ),
        (
            "[[line]]\nname='a'\ntenant='t'\ntrigger='api'\n",
            "dahdi = '0-3'",
            &[":5: line.dahdi", "1 to 1023"],
        ),
        (
            "[[line]]\nname='a'\ntenant='t'\ntrigger='api'\n",
            "dahdi = '1-3,2'",
            &[":5: line.dahdi", "1-15,17-31"],
        ),
    ]);
}

#[test]
fn triggers_fit_what_the_line_is() {
    each_is_refused(&[
        (
            "[[line]]\nname='a'\ntenant='t'\ncapture='hw:0'\n",
            "trigger = 'hook'",
            &[":5: line.trigger", "a sound card has none"],
        ),
        (
            "[[line]]\nname='a'\ntenant='t'\naudiosocket='127.0.0.1:1'\n",
            "trigger = 'vox'",
            &[":5: line.trigger", "\"hook\"", "\"api\""],
        ),
        (
            "[[line]]\nname='a'\ntenant='t'\naudiosocket='127.0.0.1:1'\n",
            "trigger = 'always'",
            &[":5: line.trigger"],
        ),
    ]);
}

#[test]
fn channels_addresses_and_numbered_names_are_taken_once() {
    let second = TRUNK.replace("e1", "e2");
    let tap = second.replace("1-15,17-31", "31-40");
    let other = PBX.replace("'p'", "'q'");
    let long = "n".repeat(63);
    let cases: &[(String, &[&str])] = &[
        (
            format!("{TRUNK}{tap}"),
            &[":9: line.dahdi", "channel 31", "callreel.toml:4"],
        ),
        (
            format!("{TRUNK}{second}"),
            &[":9: line.dahdi", "channel 1 "],
        ),
        (
            format!("{PBX}{other}"),
            &[":9: line.audiosocket", "127.0.0.1:9092", "callreel.toml:4"],
        ),
        (
            format!("[http]\nlisten = ['0.0.0.0:9092']\n{PBX}"),
            &[":6: line.audiosocket", "0.0.0.0:9092", "callreel.toml:2"],
        ),
        (
            format!("{TRUNK}{}", CARD.replace("'a'", "'e1-17'")),
            &[":7: line.name", "'e1-17'", "callreel.toml:2"],
        ),
        (
            TRUNK.replace("e1", &long),
            &[":2: line.name", "-31", "64 characters"],
        ),
        (
            PBX.replace("'p'", &format!("'{long}'")) + "lines = 2\n",
            &[":2: line.name", "-2", "64 characters"],
        ),
    ];
    for (text, parts) in cases {
        let message = load_text(text).expect_err(text);
        for part in *parts {
            assert!(message.contains(part), "{message:?}, without {part:?}");
        }
    }
}

#[test]
fn lines_are_counted_after_ranges() {
    let table = |number: u32| {
        PBX.replace("'p'", &format!("'p{number}'"))
            .replace("9092", &(9_000 + number).to_string())
            + "lines = 512\n"
    };
    let most: String = (0..8).map(table).collect();
    assert_eq!(load_text(&most).expect("the most").lines.len(), 4_096);
    let message = load_text(&format!("{most}{CARD}")).expect_err("one more");
    assert!(message.contains(":49: line: with this table"), "{message}");
}

#[test]
fn ranges_become_lines_of_their_own() {
    let config = load_text(&format!("{TRUNK}{PBX}lines = 2\n")).expect("valid");
    let names: Vec<_> = config.lines.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(names.len(), 32);
    assert_eq!((names[0], names[14], names[15]), ("e1-1", "e1-15", "e1-17"));
    assert_eq!((names[30], names[31]), ("p-1", "p-2"));
    let number = |line: &Line| match line.source() {
        Source::Dahdi { channel, .. } => channel,
        other => panic!("{other:?}"),
    };
    assert_eq!(number(&config.lines[29]), 31);
    assert!(
        config
            .lines
            .iter()
            .all(|line| line.signals() && line.plays())
    );
}

#[test]
fn tables_are_described_as_they_stand() {
    let described = |text: &str| {
        let loaded = load_all(&[("callreel.toml", text)], &[]).expect("valid");
        loaded.tables[0].described()
    };
    assert_eq!(
        described(TRUNK),
        "e1-1 … e1-31 (30 lines) of tenant t: DAHDI channels 1-15,17-31, terminate, hook"
    );
    assert_eq!(
        described(&PBX.replace("'p'", "'only'")),
        "only of tenant t: AudioSocket 127.0.0.1:9092, api"
    );
    assert_eq!(
        described(&format!("{CARD}playback = 'hw:1'\n")),
        "a of tenant t: PCM hw:0, plays to hw:1, api"
    );
}

#[test]
fn lists_of_channels_read_as_they_are_written() {
    for text in ["1", "1-15,17-31", "5,4,3", "1-2,4", "1023"] {
        let list: ChannelList = text.parse().expect(text);
        assert_eq!(list.to_string(), text);
    }
    assert_eq!(
        "1,2,3".parse::<ChannelList>().expect("a list").to_string(),
        "1-3"
    );
    for bad in [
        "", "0", "1024", "3-1", "1-", "-1", "1,,2", "1,1", "a", "1-2-3",
    ] {
        assert!(bad.parse::<ChannelList>().is_err(), "{bad:?}");
    }
}
