//! What listeners hear of a line: its recording, soon, and nothing that is silenced in it.

use audio_io::dsp::dtmf::{DetectorParams, DtmfDetector};

use super::*;
use crate::engine::listen::{Heard, LiveListener};

/// Somebody who listens, and what they have heard.
struct Ear {
    listener: LiveListener,
    samples: Vec<i16>,
    words: Vec<String>,
}

impl Ear {
    fn at(bench: &Bench) -> Self {
        Self {
            listener: LiveListener::new(bench.line.shared()).unwrap(),
            samples: Vec::new(),
            words: Vec::new(),
        }
    }

    fn listen(&mut self) {
        while let Some(heard) = self.listener.try_next() {
            let word = match heard {
                Heard::Sound(sound) => {
                    let samples = sound.frame[4..].as_chunks::<2>().0;
                    let samples = samples.iter().map(|two| i16::from_le_bytes(*two));
                    self.samples.extend(samples);
                    continue;
                }
                Heard::Began { recording, .. } => format!("began {}", recording.0),
                Heard::Gap(length) => format!("gap {}", length.0),
                Heard::Paused(paused) => format!("paused {paused}"),
                Heard::Ended => "ended".into(),
            };
            self.words.push(word);
        }
    }

    /// Hears the line while it hears this.
    fn hear(&mut self, bench: &mut Bench, samples: &[i16]) {
        for piece in samples.chunks(STEP) {
            bench.hear(piece);
            self.listen();
        }
    }
}

fn digits_in(samples: &[i16]) -> usize {
    let mut detector = DtmfDetector::new(RATE, DetectorParams::default());
    let mut count = 0;
    detector.push(samples, |_| count += 1);
    detector.finish(|_| count += 1);
    count
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum()
}

#[test]
fn a_recording_is_heard_as_it_is_made_and_nothing_before_it() {
    for encoding in ["pcm16", "mulaw"] {
        let more = format!("trigger = 'api'\nencoding = '{encoding}'\n");
        with_line(&more, async |bench| {
            let mut ear = Ear::at(bench);
            ear.hear(bench, &voice(Millis(1_000)));
            assert!(ear.words.is_empty() && ear.samples.is_empty());
            assert!(bench.line.is_urgent(), "somebody listens");
            let session = bench.attach();
            bench.record(session, 1, None);
            ear.hear(bench, &voice(Millis(600)));
            bench.lose(Frames(1_600));
            ear.hear(bench, &voice(Millis(100)));
            bench.end().await;
            ear.listen();
            let id = bench.stored[0].facts.id.0;
            assert_eq!(
                ear.words,
                [format!("began {id}"), "gap 200".into(), "ended".into()]
            );
            let leg = &bench.legs(&bench.stored[0])[0];
            // The gap is silence in the recording, and time without sound here.
            let recorded = [&leg[..4_800], &leg[6_400..]].concat();
            assert_eq!(ear.samples, recorded);
        });
    }
}

#[test]
fn what_is_said_in_a_pause_is_not_heard() {
    for mode in [PauseMode::Silence, PauseMode::Skip] {
        for mask in [false, true] {
            with_line("trigger = 'api'\ndigits = true\n", async |bench| {
                let mut ear = Ear::at(bench);
                let session = bench.attach();
                let take = bench.record(session, 1, Some(mask));
                ear.hear(bench, &voice(Millis(1_000)));
                bench.pause(session, take, mode);
                let before = ear.samples.len();
                assert!(energy(&ear.samples) > 0.0);
                ear.hear(bench, &voice(Millis(1_000)));
                assert_eq!(energy(&ear.samples[before..]), 0.0, "{mode:?}, mask {mask}");
                assert!(ear.samples.len() >= before + 8_000, "its time passes");
                bench.order(LineOrder::ResumeRecording { session, take });
                ear.hear(bench, &voice(Millis(1_000)));
                let words = &ear.words[1..];
                assert_eq!(words, ["paused true", "paused false"]);
                assert!(energy(&ear.samples[before + 8_000..]) > 0.0);
                bench.end().await;
            });
        }
    }
}

#[test]
fn no_digit_that_is_silenced_is_heard_by_anybody_who_listens() {
    for late in [0, 40, 90, 130, 400] {
        with_line("trigger = 'api'\ndigits = true\n", async |bench| {
            let session = bench.attach();
            bench.record(session, 1, Some(true));
            bench.talk(Millis(300));
            // Somebody begins to listen before, while, or after a key is pressed.
            let first = key('1');
            let cut = frames(Millis(late)).min(first.len());
            bench.hear(&first[..cut]);
            let mut ear = Ear::at(bench);
            ear.hear(bench, &first[cut..]);
            for digit in "5938".chars() {
                ear.hear(bench, &key(digit));
            }
            ear.hear(bench, &voice(Millis(1_500)));
            assert_eq!(digits_in(&ear.samples), 0, "{late} ms");
            // Half a second after the digits, what is said is heard again, and soon.
            let tail = &ear.samples[ear.samples.len() - frames(Millis(500))..];
            assert!(energy(tail) > 0.0);
            bench.end().await;
            assert_eq!(digits_in(&bench.legs(&bench.stored[0])[0]), 0);
        });
    }
}

#[test]
fn where_digits_are_silenced_listeners_hear_a_fifth_of_a_second_later() {
    with_line("trigger = 'api'\ndigits = true\n", async |bench| {
        let session = bench.attach();
        bench.record(session, 1, Some(true));
        let mut ear = Ear::at(bench);
        ear.hear(bench, &voice(Millis(2_000)));
        let behind = frames(Millis(2_000)) - ear.samples.len();
        assert!(behind <= frames(Millis(220)), "{behind} frames");
        assert_eq!(ear.samples, voice(Millis(2_000))[..ear.samples.len()]);
        bench.end().await;
    });
}

#[test]
fn both_legs_of_a_line_that_plays_are_heard_and_the_parties_are_told() {
    with_line("trigger = 'api'\nplayback = 'hw:0'\n", async |bench| {
        let session = bench.attach();
        bench.record(session, 1, None);
        let mut ear = Ear::at(bench);
        let talk = voice(Millis(1_000));
        for piece in talk.chunks(STEP) {
            bench.hear_both(piece, &[700; STEP]);
            ear.listen();
        }
        assert_eq!(ear.listener.format().channels, Channels::Stereo);
        let frames = ear.samples.as_chunks::<2>().0;
        assert!(frames.len() > 4_000 && frames.iter().any(|[_, played]| *played == 700));
        bench.end().await;
        ear.listen();
        assert_eq!(ear.words.last().unwrap(), "ended");
    });
}
