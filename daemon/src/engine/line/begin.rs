//! How a recording of a line begins: its names and parties, its look-back, and what the call it
//! belongs to is told.

use audio_io::units::{Millis, WallMillis};
use storage::ids::RecordingId;
use storage::record::{Container, RecordingFacts, TimeQuality};
use storage::recorder::BeginError;

use super::core::{Core, outlet};
use super::hearing::Hearing;
use super::take::{Making, Take};
use super::{Parties, Surroundings};
use crate::engine::calls::link::{LineNews, own_take};
use crate::engine::preroll::Kept;
use crate::engine::session::signal::TakeId;

/// How a recording is to begin.
pub(super) struct Wish {
    pub(super) parties: Parties,
    /// Its name in the call, if the call asked for it.
    pub(super) take: Option<TakeId>,
    pub(super) look_back: bool,
    /// As the line is configured if `None`.
    pub(super) mask_digits: Option<bool>,
}

impl Wish {
    pub(super) fn of_the_trigger() -> Self {
        Self {
            parties: Parties::default(),
            take: None,
            look_back: true,
            mask_digits: None,
        }
    }
}

impl Core {
    pub(super) fn begin(
        &mut self,
        to: &mut Surroundings<'_>,
        wish: Wish,
    ) -> Result<RecordingFacts, BeginError> {
        if !wish.look_back {
            self.pre_roll.clear();
        }
        let held = self.pre_roll.held();
        let config = &self.live.config;
        let (id, mut names) = to.storage.new_names(self.live.tenant);
        let mut of_call = Parties::default();
        if let Some(call) = &self.call {
            names.session_uuid = call.session;
            of_call = call.parties.clone();
        }
        let ago = self.backlog.0 + self.format.rate.duration_of(held).0;
        let Parties { from, to: called } = wish.parties;
        let facts = RecordingFacts {
            tenant: self.live.tenant,
            id,
            names,
            line: Some(config.name.clone()),
            from: from.or(of_call.from).or_else(|| config.from.clone()),
            to: called.or(of_call.to).or_else(|| config.to.clone()),
            started_at: WallMillis(to.wall.0.saturating_sub(ago)),
            format: self.format,
            container: Container::Wav,
            time: Some(TimeQuality::judge(
                to.clock.kept(),
                to.wall,
                to.storage.time_seen(),
            )),
            agent: None,
            direction: None,
        };
        to.recorder.begin(facts.clone())?;
        to.totals.count_start();
        log::info!(
            recording = id.0, line = config.name.as_str(), tenant = config.tenant.as_str();
            "recording {id} has begun on line {}", config.name
        );
        let mask = wish.mask_digits.unwrap_or(config.mask_digits);
        self.open_take(id, wish.take, mask, to);
        self.live.set_open(Some(facts.clone()));
        Ok(facts)
    }

    /// Makes the recording that storage has begun, and puts the look-back into it.
    fn open_take(
        &mut self,
        id: RecordingId,
        asked: Option<TakeId>,
        mask: bool,
        to: &mut Surroundings<'_>,
    ) {
        let format = self.format;
        if mask && self.hearing.is_none() {
            let plays = self.live.config.plays();
            let hearing = Hearing::new(format, self.place, Millis::ZERO, plays);
            self.hearing = Some(Box::new(hearing));
        }
        let call = self.call.as_ref().map(|call| call.session);
        let call = call.map(|session| (session, asked.unwrap_or_else(|| own_take(id))));
        let held = self.pre_roll.held();
        let place = self.place.saturating_sub(held);
        let making = Making {
            id,
            format,
            call,
            asked: asked.is_some(),
            mask,
            pre_roll: held,
            place,
        };
        let hearing = self.hearing.as_deref();
        let mut take = Take::new(&making, hearing);
        let out = &mut outlet(to);
        self.pre_roll.take(|kept| match kept {
            Kept::Sound(sound) => take.write(sound, out),
            Kept::Gap(frames, cause) => take.write_gap(frames, cause, out),
        });
        for digit in hearing.iter().flat_map(|hearing| hearing.since(place)) {
            take.mark_digit(digit.digit, digit.start, digit.end, self.place, out);
        }
        self.live.set_recorded(take.progress.frames());
        self.open = Some(take);
        self.airing.begin(id);
        self.wants_realign();
        if let Some((session, take)) = call {
            self.takes.push((id, session, take));
            let news = LineNews::RecordingBegan { take, id };
            self.teller.tell(session, news);
        }
    }
}
