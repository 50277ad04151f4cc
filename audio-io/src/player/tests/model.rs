//! The mixer against a naive model of it: any orders at any frames, made in pieces of any size,
//! give the samples, the ends and the offsets that the model says.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers"
)]

use std::f64::consts::PI;

use proptest::prelude::*;

use super::*;

/// Sound of any place at once, in pieces whose size depends on the place.
struct Perfect;

fn sound(playback: u64, at: u64) -> i16 {
    let phase = (at as f64) * 0.31 + playback as f64;
    (phase.sin() * 9_000.0 + 4_000.0) as i16
}

impl Feed for Perfect {
    fn piece(&mut self, place: Place, out: &mut Piece) -> bool {
        let playback = (0..16).find(|id| place.take.is_of(PlaybackId(*id)));
        let playback = playback.expect("one of the test's");
        let back = place.at.0 % 3;
        out.place = Place {
            at: Frames(place.at.0 - back.min(place.at.0)),
            ..place
        };
        out.len = 4 + (place.at.0 % (PIECE_FRAMES as u64 - 4)) as usize;
        for n in 0..out.len {
            out.samples[n] = sound(playback, out.place.at.0 + n as u64);
        }
        true
    }
}

#[derive(Clone, Debug)]
enum Act {
    Begin {
        from: u64,
        length: u64,
        silent: bool,
    },
    Cancel,
    Pause,
    Resume,
    To(u64),
    By(i64),
}

fn acts() -> impl Strategy<Value = Vec<(u64, Act)>> {
    let act = prop_oneof![
        2 => (0..300_u64, 0..900_u64, proptest::bool::weighted(0.2))
            .prop_map(|(from, length, silent)| Act::Begin { from, length, silent }),
        1 => Just(Act::Cancel),
        2 => Just(Act::Pause),
        2 => Just(Act::Resume),
        2 => (0..1_000_u64).prop_map(Act::To),
        3 => (-600..600_i64).prop_map(Act::By),
    ];
    proptest::collection::vec((0..200_u64, act), 1..12)
}

#[derive(Clone, Debug, PartialEq)]
struct End {
    playback: u64,
    at_frame: u64,
    offset: u64,
    reason: EndReason,
}

#[derive(Default)]
struct Model {
    frame: u64,
    made: Vec<f64>,
    ends: Vec<End>,
    now: Option<Now>,
    next: Option<(u64, u64, u64, bool)>,
}

#[derive(Clone)]
struct Now {
    playback: u64,
    length: u64,
    silent: bool,
    at: u64,
    level: u64,
    paused: bool,
    jump: Option<u64>,
    ending: Option<EndReason>,
}

const STEPS: u64 = 64;

impl Model {
    fn end(&mut self, reason: EndReason) {
        let now = self.now.take().expect("something ends");
        let past = reason == EndReason::SeekPastEnd;
        self.ends.push(End {
            playback: now.playback,
            at_frame: self.frame,
            offset: if past { now.length } else { now.at },
            reason,
        });
    }

    fn settle(&mut self) {
        loop {
            match self.now.clone() {
                None => match self.next.take() {
                    None => return,
                    Some((playback, from, length, silent)) => {
                        self.now = Some(Now {
                            playback,
                            length,
                            silent,
                            at: from.min(length),
                            level: 0,
                            paused: false,
                            jump: None,
                            ending: None,
                        });
                    }
                },
                Some(now) if now.level > 0 && now.at < now.length => return,
                Some(now) => match (now.ending, now.jump) {
                    (Some(reason), _) => self.end(reason),
                    (None, Some(to)) => {
                        self.now = Some(Now {
                            at: to,
                            jump: None,
                            level: 0,
                            ..now
                        });
                    }
                    (None, None) if now.at >= now.length => self.end(EndReason::Finished),
                    (None, None) => return,
                },
            }
        }
    }

    fn act(&mut self, id: u64, act: &Act) {
        if let Act::Begin {
            from,
            length,
            silent,
        } = *act
        {
            if let Some((unheard, ..)) = self.next.replace((id, from, length, silent)) {
                self.ends.push(End {
                    playback: unheard,
                    at_frame: self.frame,
                    offset: 0,
                    reason: EndReason::Replaced,
                });
            }
            if let Some(now) = &mut self.now {
                now.ending.get_or_insert(EndReason::Replaced);
            }
            return;
        }
        let Some(now) = &mut self.now else { return };
        if matches!(act, Act::Cancel) {
            if now.playback <= id {
                now.ending.get_or_insert(EndReason::Stopped);
            }
            return;
        }
        if now.playback != id || now.ending.is_some() {
            return;
        }
        let to = match *act {
            Act::To(to) => to,
            Act::By(by) => {
                let from = now.jump.unwrap_or(now.at);
                (i128::from(from) + i128::from(by)).max(0) as u64
            }
            _ => {
                now.paused = matches!(act, Act::Pause);
                return;
            }
        };
        if to >= now.length {
            now.ending = Some(EndReason::SeekPastEnd);
        } else {
            now.jump = Some(to);
        }
    }

    fn frame(&mut self) {
        self.settle();
        let mut value = 0.0;
        if let Some(now) = &mut self.now {
            let open = !now.paused && now.jump.is_none() && now.ending.is_none();
            if open || now.level > 0 {
                now.level = if open {
                    STEPS.min(now.level + 1)
                } else {
                    now.level - 1
                };
                let step = now.level.min(now.length - now.at);
                let gain = 0.5 - 0.5 * (PI * step as f64 / STEPS as f64).cos();
                if !now.silent {
                    value = gain * f64::from(sound(now.playback, now.at));
                }
                now.at += 1;
            }
        }
        self.made.push(value);
        self.frame += 1;
        self.settle();
    }
}

struct Run {
    made: Vec<i16>,
    ends: Vec<End>,
    starts: usize,
}

fn mix(script: &[(u64, Act)], pieces: &[usize]) -> Run {
    let mut mixer = Mixer::new(0, RATE);
    let mut run = Run {
        made: Vec::new(),
        ends: Vec::new(),
        starts: 0,
    };
    let mut sizes = pieces.iter().cycle();
    let mut id = 0;
    let tail = (2_500, None);
    let acts = script.iter().map(|(wait, act)| (*wait, Some(act)));
    for (wait, act) in acts.chain([tail]) {
        let mut left = wait as usize;
        while left > 0 {
            let size = (*sizes.next().expect("cycles")).min(left);
            let mut out = vec![0; size];
            mixer.render(&mut Perfect, &mut out);
            run.made.extend(out);
            left -= size;
            assert!(mixer.takes_orders());
            // Ends are due with the frame that they are at, and not before.
            for heard in run.made.len() - size..=run.made.len() {
                while let Some(event) = mixer.event(Frames(heard as u64)) {
                    run.note(heard as u64, &event);
                }
            }
        }
        let playing = PlaybackId(id);
        match act {
            None => {}
            Some(Act::Begin {
                from,
                length,
                silent,
            }) => {
                id += 1;
                mixer.order(Order::Begin(Program {
                    id: PlaybackId(id),
                    sound: if *silent {
                        Sounding::Silence
                    } else {
                        Sounding::Files
                    },
                    from: Frames(*from),
                    length: Frames(*length),
                }));
            }
            Some(Act::Cancel) => {
                let below = PlaybackId(id + 1);
                // Only what sounds: those that wait are the model's simplest part.
                mixer.order(Order::Cancel(below, EndReason::Stopped));
            }
            Some(Act::Pause) => mixer.order(Order::Pause(playing)),
            Some(Act::Resume) => mixer.order(Order::Resume(playing)),
            Some(Act::To(to)) => mixer.order(Order::Seek(playing, Move::To(Frames(*to)))),
            Some(Act::By(by)) => mixer.order(Order::Seek(playing, Move::By(*by))),
        }
    }
    run
}

impl Run {
    fn note(&mut self, frame: u64, event: &PlayerEvent) {
        let Happened::Stopped(stopped) = &event.what else {
            self.starts += 1;
            return;
        };
        self.ends.push(End {
            playback: event.playback.0,
            at_frame: frame,
            offset: stopped.offset.0,
            reason: stopped.reason,
        });
    }
}

fn model(script: &[(u64, Act)]) -> Model {
    let mut model = Model::default();
    let mut id = 0;
    for (wait, act) in script {
        for _ in 0..*wait {
            model.frame();
        }
        if matches!(act, Act::Begin { .. }) {
            id += 1;
        }
        if matches!(act, Act::Cancel)
            && let Some((unheard, ..)) = model.next.take()
        {
            model.ends.push(End {
                playback: unheard,
                at_frame: model.frame,
                offset: 0,
                reason: EndReason::Stopped,
            });
        }
        model.act(id, act);
    }
    for _ in 0..2_500 {
        model.frame();
    }
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_orders_give_what_the_model_says(
        script in acts(),
        pieces in proptest::collection::vec(1..200_usize, 1..5),
    ) {
        let run = mix(&script, &pieces);
        let model = model(&script);
        prop_assert_eq!(run.made.len(), model.made.len());
        for (frame, (made, wanted)) in run.made.iter().zip(&model.made).enumerate() {
            let off = (f64::from(*made) - wanted).abs();
            prop_assert!(off <= 1.1, "frame {}: {} {}", frame, made, wanted);
        }
        let mut wanted = model.ends;
        for end in &mut wanted {
            end.offset = RATE.duration_of(Frames(end.offset)).0;
        }
        let mut ends = run.ends;
        ends.sort_by_key(|end| end.playback);
        wanted.sort_by_key(|end| end.playback);
        prop_assert_eq!(ends, wanted);
    }

    #[test]
    fn the_size_of_pieces_changes_nothing(
        script in acts(),
        pieces in proptest::collection::vec(1..200_usize, 1..5),
    ) {
        prop_assert_eq!(mix(&script, &pieces).made, mix(&script, &[1]).made);
    }
}
