//! The state machine that makes what the device hears: the cursor in the sound, the fades around
//! each cut, and the events that are due when a frame is heard. Pure: it is given orders and
//! sound, and asked for frames; it reads no clock, waits for nothing and allocates nothing.
//!
//! ```text
//!            order            level 0                   first sample there
//!  sounding ───────▶ falling ────────▶ pause, jump, end ──────────────────▶ rising ──▶ sounding
//!      │                      sound missing
//!      └──────────────────────────────────────▶ the last sample dies away (`tail`)
//! ```
//! The last frames of a sound fall too, and its first rise: no playback begins or ends with a
//! click, whatever its file does. From file to file nothing is faded.

use heapless::Deque;

use super::PlaybackId;
use super::event::{EndReason, Happened, PlayerEvent, Stopped};
use super::fade::Fade;
use super::order::{Broken, Feed, Move, Order, Piece, Program, Sounding};
use super::place::{Place, Take};
use super::trail::Trail;
use crate::units::{Frames, SampleRate};

/// Events that may be due at once; from half of it on no order is taken until some are told.
const EVENTS_MAX: usize = 8;

/// The playback that has the device.
#[derive(Debug)]
struct Active {
    program: Program,
    take: Take,
    /// The next frame of the sound.
    at: Frames,
    /// Steps of the fade between silence and sound.
    level: usize,
    paused: bool,
    /// Where to go on once it is silent.
    jump: Option<Frames>,
    /// Why to end once it is silent.
    ending: Option<EndReason>,
    broken: Option<Broken>,
    played: Frames,
    underruns: u64,
}

/// What dies away where sound is missing: it goes on as steeply as it went, ever less, and fades.
#[derive(Debug, Default)]
struct Tail {
    value: i32,
    slope: i32,
    step: usize,
}

/// Orders and sound in, frames and events out.
#[derive(Debug)]
pub struct Mixer {
    line: u32,
    rate: SampleRate,
    fade: Fade,
    active: Option<Active>,
    next: Option<Program>,
    /// Playbacks below this number are over, for this reason.
    cancelled: (PlaybackId, EndReason),
    piece: Piece,
    jumps: u64,
    wanted: Place,
    /// Frames made so far.
    made: Frames,
    /// The last two samples made, the newer first.
    last: [i32; 2],
    tail: Tail,
    events: Deque<(Frames, PlayerEvent), EVENTS_MAX>,
    trail: Trail,
    underruns: u64,
    waited: Frames,
}

impl Mixer {
    /// A mixer that makes silence. `line` goes into its events.
    #[must_use]
    pub fn new(line: u32, rate: SampleRate) -> Self {
        Self {
            line,
            rate,
            fade: Fade::new(rate),
            active: None,
            next: None,
            cancelled: (PlaybackId(0), EndReason::Stopped),
            piece: Piece::EMPTY,
            jumps: 0,
            wanted: Place::default(),
            made: Frames::ZERO,
            last: [0; 2],
            tail: Tail::default(),
            events: Deque::new(),
            trail: Trail::default(),
            underruns: 0,
            waited: Frames::ZERO,
        }
    }

    /// Whether it can be given an order: not while too many events wait to be told.
    #[must_use]
    pub fn takes_orders(&self) -> bool {
        self.events.len() <= EVENTS_MAX / 2
    }

    /// Does what it is told, from the next frame on.
    pub fn order(&mut self, order: Order) {
        match order {
            Order::Begin(program) => self.begin(program),
            Order::Cancel(below, reason) => self.cancel(below, reason),
            Order::Pause(id) => self.with(id, |active| active.paused = true),
            Order::Resume(id) => self.with(id, |active| active.paused = false),
            Order::Seek(id, to) => self.seek(id, to),
            Order::Broken(broken) => {
                if let Some(active) = &mut self.active
                    && self.wanted.take == broken.place.take
                {
                    active.broken = Some(broken);
                }
            }
        }
    }

    /// Makes the next frames.
    pub fn render(&mut self, feed: &mut impl Feed, out: &mut [i16]) {
        self.tidy(feed);
        for sample in out {
            self.settle();
            let before = self.active.as_ref().map(|active| active.at);
            let value = self.sound(feed) + self.dying();
            let value = value.clamp(i32::from(i16::MIN), i32::from(i16::MAX));
            self.last = [value, self.last[0]];
            *sample = i16::try_from(value).unwrap_or_default();
            let moving = before != self.active.as_ref().map(|active| active.at);
            self.trail
                .note(self.made, before.unwrap_or_default(), moving);
            self.made += Frames(1);
        }
        self.settle();
        // Again: after a jump, the decoder needs all the room that there is.
        self.tidy(feed);
    }

    /// What the decoder should bring.
    #[must_use]
    pub const fn wanted(&self) -> Place {
        self.wanted
    }

    /// The playback that has the device, unless it is about to end.
    #[must_use]
    pub fn playing(&self) -> Option<PlaybackId> {
        let active = self.active.as_ref()?;
        active.ending.is_none().then_some(active.program.id)
    }

    /// Frames made so far.
    #[must_use]
    pub const fn made(&self) -> Frames {
        self.made
    }

    /// Times a decoder did not keep up.
    #[must_use]
    pub const fn underruns(&self) -> u64 {
        self.underruns
    }

    /// Frames of silence made because sound was not there: after an underrun, at a beginning, and
    /// after a jump.
    #[must_use]
    pub const fn waited(&self) -> Frames {
        self.waited
    }

    /// Where the sound stood in a frame that was made; frames must be asked for in order.
    pub fn offset_at(&mut self, made: Frames) -> Frames {
        self.trail.offset_at(made)
    }

    /// The next event that is due now that so many frames have been heard.
    pub fn event(&mut self, heard: Frames) -> Option<PlayerEvent> {
        if self.events.front()?.0 > heard {
            return None;
        }
        self.events.pop_front().map(|(_, event)| event)
    }

    /// Takes back an event that could not be told yet.
    pub fn put_back(&mut self, event: PlayerEvent) {
        // There is room: it was just taken out.
        let _kept = self.events.push_front((Frames::ZERO, event));
    }

    fn with(&mut self, id: PlaybackId, change: impl FnOnce(&mut Active)) {
        if let Some(active) = &mut self.active
            && active.program.id == id
            && active.ending.is_none()
        {
            change(active);
        }
    }

    fn begin(&mut self, program: Program) {
        if program.id < self.cancelled.0 {
            let reason = self.cancelled.1;
            return self.tell(program.id, Happened::Stopped(Stopped::never_began(reason)));
        }
        if let Some(unheard) = self.next.replace(program) {
            let happened = Happened::Stopped(Stopped::never_began(EndReason::Replaced));
            self.tell(unheard.id, happened);
        }
        if let Some(active) = &mut self.active {
            active.ending.get_or_insert(EndReason::Replaced);
        }
    }

    fn cancel(&mut self, below: PlaybackId, reason: EndReason) {
        self.cancelled = (below, reason);
        if let Some(active) = &mut self.active
            && active.program.id < below
        {
            active.ending.get_or_insert(reason);
        }
        if let Some(unheard) = self.next.take_if(|program| program.id < below) {
            self.tell(unheard.id, Happened::Stopped(Stopped::never_began(reason)));
        }
    }

    fn seek(&mut self, id: PlaybackId, to: Move) {
        let (mut jumps, mut wanted) = (self.jumps, self.wanted);
        self.with(id, |active| {
            let length = active.program.length;
            let to = match to {
                Move::To(at) => at,
                // A seek that has not been heard yet counts as done.
                Move::By(frames) => {
                    let from = active.jump.unwrap_or(active.at);
                    Frames(from.0.saturating_add_signed(frames))
                }
            };
            if to >= length {
                active.ending = Some(EndReason::SeekPastEnd);
                return;
            }
            jumps += 1;
            active.jump = Some(to);
            active.broken = None;
            wanted = Place {
                take: Take::new(id, jumps),
                at: to,
            };
        });
        (self.jumps, self.wanted) = (jumps, wanted);
    }

    fn tidy(&self, feed: &mut impl Feed) {
        let now = self.active.as_ref().map_or(self.wanted.take, |a| a.take);
        feed.keep(now, self.wanted.take);
    }

    /// Does what waited for silence.
    fn settle(&mut self) {
        loop {
            let Some(active) = &mut self.active else {
                let Some(program) = self.next.take() else {
                    return;
                };
                self.enter(program);
                continue;
            };
            let over = active.at >= active.program.length;
            if active.level > 0 && !over {
                return;
            }
            if let Some(reason) = active.ending {
                self.finish(reason);
            } else if let Some(to) = active.jump.take() {
                active.at = to;
                active.level = 0;
                active.take = self.wanted.take;
            } else if over {
                self.finish(EndReason::Finished);
            } else {
                return;
            }
        }
    }

    fn enter(&mut self, program: Program) {
        self.jumps += 1;
        let at = program.from.min(program.length);
        self.wanted = Place {
            take: Take::new(program.id, self.jumps),
            at,
        };
        self.active = Some(Active {
            program,
            take: self.wanted.take,
            at,
            level: 0,
            paused: false,
            jump: None,
            ending: None,
            broken: None,
            played: Frames::ZERO,
            underruns: 0,
        });
        self.tell(program.id, Happened::Started);
    }

    fn finish(&mut self, reason: EndReason) {
        let Some(active) = self.active.take() else {
            return;
        };
        let offset = match reason {
            EndReason::SeekPastEnd => active.program.length,
            _ => active.at,
        };
        let stopped = Stopped {
            reason,
            offset: self.rate.duration_of(offset),
            played: self.rate.duration_of(active.played),
            underruns: active.underruns,
        };
        let happened = match active.broken {
            Some(Broken { file, error, .. }) if reason == EndReason::Failed => Happened::Failed {
                stopped,
                file,
                error,
            },
            _ => Happened::Stopped(stopped),
        };
        self.tell(active.program.id, happened);
    }

    fn tell(&mut self, playback: PlaybackId, what: Happened) {
        let event = PlayerEvent {
            line: self.line,
            playback,
            what,
        };
        let pushed = self.events.push_back((self.made, event));
        debug_assert!(pushed.is_ok(), "orders wait while events do");
    }

    /// The active playback's next sample.
    fn sound(&mut self, feed: &mut impl Feed) -> i32 {
        let Some(active) = &mut self.active else {
            return 0;
        };
        let open = !active.paused && active.jump.is_none() && active.ending.is_none();
        if !open && active.level == 0 {
            return 0;
        }
        let place = Place {
            take: active.take,
            at: active.at,
        };
        let sample = match active.program.sound {
            Sounding::Silence => Some(0),
            Sounding::Files => self.piece.sample(place).or_else(|| {
                let there = feed.piece(place, &mut self.piece);
                there.then(|| self.piece.sample(place)).flatten()
            }),
        };
        let Some(sample) = sample else {
            self.starve(open);
            return 0;
        };
        active.level = if open {
            (active.level + 1).min(self.fade.steps())
        } else {
            active.level - 1
        };
        let left = active.program.length.saturating_sub(active.at);
        let left = usize::try_from(left.0).unwrap_or(usize::MAX);
        active.at += Frames(1);
        active.played += Frames(1);
        let step = active.level.min(left);
        self.fade.apply(step, i32::from(sample))
    }

    /// There is no sound where there should be: what was heard last dies away.
    fn starve(&mut self, open: bool) {
        let Some(active) = &mut self.active else {
            return;
        };
        let broken = active
            .broken
            .as_ref()
            .is_some_and(|broken| broken.place.take == active.take && broken.place.at <= active.at);
        if active.level > 0 {
            active.level = 0;
            let [last, before] = self.last;
            self.tail = Tail {
                value: last,
                slope: last - before,
                step: self.fade.steps(),
            };
            if open && !broken {
                active.underruns += 1;
                self.underruns += 1;
            }
        }
        if broken {
            active.ending.get_or_insert(EndReason::Failed);
        }
        if open {
            self.waited += Frames(1);
        }
    }

    /// The next sample of what dies away.
    fn dying(&mut self) -> i32 {
        let Tail { value, slope, step } = &mut self.tail;
        *step = step.saturating_sub(1);
        *value += *slope;
        *slope = *slope * 2 / 3;
        self.fade.apply(*step, *value)
    }
}
