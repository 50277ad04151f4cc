//! One line on the recorder thread: its rings in, its trigger, its open recording out.
//!
//! ```text
//!  caller's ring ─┐                ┌─▶ hearing: digits ─▶ teller: news of the call
//!  agent's ring   ├─▶ both legs ─▶ ┤
//!  played (tap) ──┘                └─▶ voice, levels ─▶ trigger ─▶ take: pause, mask ─▶ storage
//! ```

mod airing;
mod begin;
mod core;
mod ears;
mod hearing;
mod mask;
mod names;
mod odd;
mod orders;
mod pace;
mod played;
mod presses;
mod signalled;
mod take;
mod teller;
#[cfg(test)]
mod tests;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use audio_io::block::{Block, BlockKind};
use audio_io::capture::CaptureStream;
use audio_io::codec::g711::put_sample;
use audio_io::units::{Frames, WallMillis};
use storage::handle::StorageHandle;
use storage::ids::{Number, RecordingId};
use storage::record::{EndCause, RecordingFacts};
use storage::recorder::{BeginError, Recorder};

pub(crate) use self::names::PeerNames;
pub(crate) use self::odd::Odd;
pub(crate) use self::played::Played;
pub(crate) use self::signalled::{TapHook, Wires};
pub(crate) use self::teller::Teller;

use super::calls::link::{LineOrder, TakeEnd};
use super::legs::{Pairing, Side};
use super::limits::PLAYED_LEAD;
use super::live::LineLive;
use super::recorder::Totals;

use self::begin::Wish;
use self::core::Core;
use self::pace::Pace;
use self::signalled::Signals;

/// What a line needs of its surroundings while it works.
pub(crate) struct Surroundings<'a> {
    pub(crate) recorder: &'a mut Recorder,
    pub(crate) storage: &'a StorageHandle,
    pub(crate) totals: &'a Totals,
    /// The wall clock at this tick.
    pub(crate) wall: WallMillis,
    /// The monotonic clock at this tick.
    pub(crate) now: Duration,
    /// Who tells how well the wall clock is kept.
    pub(crate) clock: &'a dyn audio_io::clock::Clock,
}

/// Who talks to whom, as far as it is known when a recording begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parties {
    pub(crate) from: Option<Number>,
    pub(crate) to: Option<Number>,
}

/// Where a line's sound comes from.
pub(crate) enum Inputs {
    /// One device with one leg or two.
    One(CaptureStream),
    /// Two mono devices; the caller's first.
    Two(Box<(CaptureStream, CaptureStream, Pairing)>),
    /// A mono device, and what is played.
    Duplex(Box<Duplex>),
}

/// A line that plays: its recordings have the caller left and what was played right.
pub(crate) struct Duplex {
    caller: CaptureStream,
    played: Played,
    pace: Pace,
    /// The place after the caller's last frame.
    at: Frames,
    /// What was played beside the block at hand, and both legs.
    leg: Vec<i16>,
    both: Vec<u8>,
    /// What is played a little later, for the detector of digits.
    ahead: Vec<i16>,
}

/// One line.
pub(crate) struct Line {
    inputs: Inputs,
    core: Core,
}

impl Line {
    pub(crate) fn new(live: Arc<LineLive>, inputs: Inputs, teller: Teller) -> Self {
        let core = Core::new(live, teller);
        Self { inputs, core }
    }

    /// The line of a channel with signals.
    pub(crate) fn with_signals(mut self, wires: Wires) -> Self {
        let live = self.core.live.clone();
        let signals = Signals::new(&live.config, &live, wires);
        self.core.signals = Some(Box::new(signals));
        self
    }

    pub(crate) fn live(&self) -> &LineLive {
        &self.core.live
    }

    /// What everyone else sees of this line.
    pub(crate) fn shared(&self) -> Arc<LineLive> {
        self.core.live.clone()
    }

    /// The recording in progress.
    pub(crate) fn recording(&self) -> Option<RecordingId> {
        self.core.recording()
    }

    /// Whether there is a call on it.
    pub(crate) const fn has_call(&self) -> bool {
        self.core.has_call()
    }

    /// Whether it should be drained between ticks: there is a call on it, somebody listens to it,
    /// or its channel has signalled something.
    pub(crate) fn is_urgent(&mut self) -> bool {
        let signals = self.core.signals.as_mut();
        let often = self.core.call.is_some() || self.core.airing.is_heard();
        often || signals.is_some_and(|signals| signals.is_waiting())
    }

    /// Whether somebody listens to it.
    pub(crate) fn is_heard(&self) -> bool {
        self.core.airing.is_heard()
    }

    /// Whether its channel may signal something.
    pub(crate) const fn has_signals(&self) -> bool {
        self.core.signals.is_some()
    }

    /// Takes everything the devices brought since the last call.
    pub(crate) fn drain(&mut self, to: &mut Surroundings<'_>) {
        let core = &mut self.core;
        match &mut self.inputs {
            Inputs::One(stream) => loop {
                core.set_backlog(stream.blocks.len());
                if let Some(at) = stream.blocks.peek().map(|block| block.position) {
                    core.heed_until(at, to);
                }
                if stream
                    .blocks
                    .pop_with(|block| core.block(block, to))
                    .is_none()
                {
                    break;
                }
            },
            Inputs::Two(two) => {
                let (caller, agent, pairing) = &mut **two;
                while caller
                    .blocks
                    .pop_with(|block| pairing.push(Side::Caller, block))
                    .is_some()
                {}
                while agent
                    .blocks
                    .pop_with(|block| pairing.push(Side::Agent, block))
                    .is_some()
                {}
                core.set_backlog(0);
                pairing.take(|piece| core.piece(&piece, to));
                core.live.set_slipped(pairing.slipped());
            }
            Inputs::Duplex(duplex) => {
                duplex.drain(core, to);
                core.live.set_slipped(duplex.played.slipped());
            }
        }
        core.after_drain(to);
    }

    /// Begins a recording with the look-back.
    pub(crate) fn begin(
        &mut self,
        to: &mut Surroundings<'_>,
        parties: Parties,
    ) -> Result<RecordingFacts, BeginError> {
        let wish = Wish {
            parties,
            ..Wish::of_the_trigger()
        };
        self.core.begin(to, wish)
    }

    /// Ends the recording in progress, if there is one.
    pub(crate) fn end(&mut self, to: &mut Surroundings<'_>, cause: EndCause) {
        self.core.end(to, cause);
    }

    /// Carries out an order of the exchange. What arrived before it was to be drained.
    pub(crate) fn obey(&mut self, order: LineOrder, to: &mut Surroundings<'_>) {
        self.core.obey(order, to);
        if let Inputs::Duplex(duplex) = &mut self.inputs
            && self.core.take_realign()
        {
            duplex.played.realign();
        }
    }

    /// Storage has ended the recording by itself.
    pub(crate) fn forget_recording(&mut self) {
        self.core.forget_recording();
    }

    /// Tells the call whose recording it is what became of it.
    pub(crate) fn tell_end(&mut self, id: RecordingId, end: impl FnOnce() -> TakeEnd) {
        self.core.tell_end(id, end);
    }
}

impl Duplex {
    pub(crate) fn new(caller: CaptureStream, played: Played) -> Self {
        Self {
            pace: Pace::new(caller.format.rate),
            caller,
            played,
            at: Frames::ZERO,
            leg: Vec::new(),
            both: Vec::new(),
            ahead: Vec::new(),
        }
    }

    fn drain(&mut self, core: &mut Core, to: &mut Surroundings<'_>) {
        let Self {
            caller,
            played,
            pace,
            at,
            leg,
            both,
            ahead,
        } = self;
        let lead = caller.format.rate.frames_in(PLAYED_LEAD);
        let width = caller.format.encoding.sample_bytes();
        let length = |block: &Block| match block.kind {
            BlockKind::Gap(..) => Frames::ZERO,
            BlockKind::Audio => Frames((block.sound().len() / width) as u64),
        };
        played.absorb();
        pace.pass(to.now);
        let next = |block: &Block| (block.position, length(block));
        while let Some((place, frames)) = caller.blocks.peek().map(next) {
            if frames > pace.due() {
                break;
            }
            core.heed_until(place, to);
            let waiting = pace.due().0 / frames.0.max(1);
            let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
            core.set_backlog(caller.blocks.len().min(waiting));
            pace.take(frames);
            let taken = caller.blocks.pop_with(|block| match block.kind {
                BlockKind::Gap(frames, cause) => {
                    *at = block.position + frames;
                    core.gap(frames, cause, to);
                }
                BlockKind::Audio => {
                    let frames = block.sound().len() / width;
                    *at = block.position + Frames(frames as u64);
                    played.take(block.position + lead, ahead, frames);
                    played.take(block.position, leg, frames);
                    interleave(block, leg, caller.format.encoding, both);
                    core.sound(both, None, Some(ahead), to);
                }
            });
            if taken.is_none() {
                break;
            }
            if core.take_realign() {
                played.realign();
            }
        }
        played.observe(*at);
    }
}

/// Both legs of a block in the caller's encoding.
fn interleave(
    caller: &Block,
    played: &[i16],
    encoding: audio_io::format::Encoding,
    both: &mut Vec<u8>,
) {
    both.clear();
    let samples = caller.sound().chunks_exact(encoding.sample_bytes());
    for (caller, played) in samples.zip(played) {
        both.extend_from_slice(caller);
        put_sample(both, *played, encoding);
    }
}
