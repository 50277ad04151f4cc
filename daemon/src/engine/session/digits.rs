//! Collecting digits as seed 001's `play_and_get_digits` says. What is played and who hears it is
//! the session's business; here is only which sound comes next and when the answer is there.
//!
//! ```text
//!        ┌──────── next try ◀─────────┐ tries left
//!        ▼                            │
//!  Prompt ── its end, or a digit ──▶ Waiting (timeout of a try) ── too few ──▶ Invalid ─▶ Done
//!                                     └── max_digits, terminator or timeout with enough ──▶ Done
//! ```
//!
//! A try's time begins when its prompt ends or the first digit interrupts it, and no digit prolongs
//! it. Whatever ends a try without an answer (too few digits at the terminator or at the timeout)
//! is followed by the invalid sound, after the last try too. A digit during that sound begins the
//! next try. A key that is not among the terminators is a digit, `*` and `#` included.

use std::time::Duration;

use serde::Serialize;

use super::plan::{Digit, DigitPlan};

/// How collecting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectStatus {
    /// Enough digits.
    Success,
    /// The last try's time ran out.
    Timeout,
    /// The last try ended at a terminator with too few digits, or something else came between.
    Failure,
}

/// What was collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collected {
    /// The last try's digits, without the terminator.
    pub digits: String,
    /// The key that ended the last try, if one did.
    pub terminator: Option<Digit>,
    /// How it ended.
    pub status: CollectStatus,
}

/// A sound of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The question.
    Prompt,
    /// What follows an invalid input.
    Invalid,
}

/// What the session has to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Play this.
    Play(Part),
    /// End the sound that plays.
    Hush,
    /// Tell the result; nothing follows.
    Done(Collected),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Prompt,
    Waiting { until: Duration },
    Invalid,
}

/// One collection in progress. Times are monotonic.
#[derive(Clone, Debug)]
pub struct Collector {
    plan: DigitPlan,
    phase: Phase,
    tries_left: u32,
    digits: String,
    terminator: Option<Digit>,
    /// How the last try failed.
    failure: CollectStatus,
}

impl Collector {
    /// Begins a collection; the prompt is to be played now.
    #[must_use]
    pub fn new(plan: DigitPlan) -> Self {
        Self {
            phase: Phase::Prompt,
            tries_left: plan.max_tries() - 1,
            digits: String::new(),
            terminator: None,
            failure: CollectStatus::Failure,
            plan,
        }
    }

    /// When [`Collector::expire`] is to be asked, if at all.
    #[must_use]
    pub const fn due(&self) -> Option<Duration> {
        match self.phase {
            Phase::Waiting { until } => Some(until),
            Phase::Prompt | Phase::Invalid => None,
        }
    }

    /// The sound that was to be played has ended by itself.
    pub fn sound_ended(&mut self, now: Duration) -> Option<Step> {
        match self.phase {
            Phase::Prompt => {
                self.wait(now);
                None
            }
            Phase::Waiting { .. } => None,
            Phase::Invalid if self.tries_left == 0 => Some(self.done(self.failure)),
            Phase::Invalid => {
                self.next_try();
                self.phase = Phase::Prompt;
                Some(Step::Play(Part::Prompt))
            }
        }
    }

    /// A key was pressed. Where a sound is to be hushed, that comes first.
    pub fn digit(&mut self, digit: Digit, now: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        match self.phase {
            Phase::Waiting { .. } => {}
            Phase::Invalid if self.tries_left == 0 => return steps,
            Phase::Prompt | Phase::Invalid => {
                if self.phase == Phase::Invalid {
                    self.next_try();
                }
                self.wait(now);
                steps.push(Step::Hush);
            }
        }
        if self.plan.is_terminator(digit) {
            self.terminator = Some(digit);
            steps.push(self.judge(CollectStatus::Failure));
        } else {
            self.digits.push(digit.key());
            if self.plan.is_full(self.digits.len()) {
                steps.push(self.done(CollectStatus::Success));
            }
        }
        steps
    }

    /// Time has passed.
    pub fn expire(&mut self, now: Duration) -> Option<Step> {
        self.due()
            .is_some_and(|due| due <= now)
            .then(|| self.judge(CollectStatus::Timeout))
    }

    /// What there is when something else ends the collection.
    #[must_use]
    pub fn abandoned(self) -> Collected {
        Collected {
            digits: self.digits,
            terminator: None,
            status: CollectStatus::Failure,
        }
    }

    fn wait(&mut self, now: Duration) {
        self.phase = Phase::Waiting {
            until: now + self.plan.timeout(),
        };
    }

    fn next_try(&mut self) {
        self.tries_left = self.tries_left.saturating_sub(1);
        self.digits.clear();
        self.terminator = None;
    }

    fn judge(&mut self, otherwise: CollectStatus) -> Step {
        if self.plan.is_enough(self.digits.len()) {
            return self.done(CollectStatus::Success);
        }
        self.failure = otherwise;
        self.phase = Phase::Invalid;
        Step::Play(Part::Invalid)
    }

    fn done(&self, status: CollectStatus) -> Step {
        Step::Done(Collected {
            digits: self.digits.clone(),
            terminator: self.terminator,
            status,
        })
    }
}
