//! How lines stand, as the page shows them. All who watch share one look at the engine.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audio_io::clock::Clock;
use serde::Serialize;
use storage::ids::{LineName, TenantId};

use super::scope::{Scope, agent_of};
use crate::engine::{CallSnapshot, LineSnapshot};
use crate::http::site::Engine;

/// A line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct LineState {
    #[serde(skip)]
    tenant: TenantId,
    /// Its name.
    pub(super) name: LineName,
    /// `idle`, `ringing`, `dialling`, `talking`, `recording`, `opening` or `fault`.
    state: &'static str,
    from: Option<String>,
    to: Option<String>,
    recording_id: Option<String>,
    started_at: Option<u64>,
    duration_ms: Option<u64>,
    levels: Vec<Level>,
    agent: Option<String>,
    fault: Option<String>,
}

/// The level of a leg, the caller's first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Level {
    rms_db: f64,
    peak_db: f64,
}

/// What changes of a line all the time.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Levels<'a> {
    name: &'a LineName,
    levels: &'a [Level],
    duration_ms: Option<u64>,
}

impl LineState {
    fn new(line: LineSnapshot, call: Option<&CallSnapshot>) -> Self {
        let (state, fault) = standing(&line);
        let facts = call.map(|call| &call.recording);
        let levels = line.rms_dbfs.iter().zip(&line.peak_dbfs);
        let levels = levels.map(|(rms, peak)| Level {
            rms_db: rms.decibels(),
            peak_db: peak.decibels(),
        });
        Self {
            tenant: line.tenant_id,
            state,
            from: facts.and_then(|facts| facts.from.as_ref().map(ToString::to_string)),
            to: facts.and_then(|facts| facts.to.as_ref().map(ToString::to_string)),
            recording_id: facts.map(|facts| facts.id.to_string()),
            started_at: facts.map(|facts| facts.started_at.0),
            duration_ms: call.map(|call| call.duration_ms.0),
            levels: levels.collect(),
            agent: facts.and_then(agent_of).map(str::to_owned),
            fault,
            name: line.name,
        }
    }

    /// Whether somebody sees it.
    pub(super) fn is_within(&self, scope: &Scope) -> bool {
        self.tenant == scope.tenant && scope.has_call(Some(&self.name), self.agent.as_deref())
    }

    /// Its state in a word.
    pub(super) const fn state(&self) -> &'static str {
        self.state
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> &str {
        self.fault.as_deref().unwrap_or_default()
    }

    /// What changes all the time.
    pub(super) fn levels(&self) -> Levels<'_> {
        Levels {
            name: &self.name,
            levels: &self.levels,
            duration_ms: self.duration_ms,
        }
    }

    /// Whether it stands as it did, levels and length aside.
    pub(super) fn stands_as(&self, before: &Self) -> bool {
        let still = Self {
            levels: before.levels.clone(),
            duration_ms: before.duration_ms,
            ..self.clone()
        };
        still == *before
    }
}

/// A line's state in a word, and what is wrong with it.
fn standing(line: &LineSnapshot) -> (&'static str, Option<String>) {
    let channel = line.channel.as_ref();
    let alarms = channel.map(|channel| channel.alarms.join(", "));
    let alarms = alarms.filter(|alarms| !alarms.is_empty());
    let error = line.error.clone().or_else(|| line.playback_error.clone());
    match (line.state, alarms) {
        ("lost", alarms) => ("fault", Some(error.or(alarms).unwrap_or_default())),
        (_, Some(alarms)) => ("fault", Some(alarms)),
        ("opening", None) if error.is_some() => ("fault", error),
        ("opening", None) => ("opening", None),
        _ if line.recording.is_some() => ("recording", None),
        _ => {
            let phase = channel.and_then(|channel| channel.phase);
            let off_hook = channel.is_some_and(|channel| channel.off_hook);
            let state = match phase {
                Some("ringing") => "ringing",
                Some("dialling") => "dialling",
                Some("talking") => "talking",
                _ if off_hook => "talking",
                _ => "idle",
            };
            (state, None)
        }
    }
}

/// The last look at the engine.
pub(super) struct LinesWatch {
    last: Mutex<Option<Look>>,
}

struct Look {
    at: Duration,
    lines: Arc<Vec<LineState>>,
}

impl LinesWatch {
    pub(super) const fn new() -> Self {
        Self {
            last: Mutex::new(None),
        }
    }

    /// How all lines stand, at most [`LOOK_EVERY`] ago.
    pub(super) fn look(&self, engine: &dyn Engine, clock: &dyn Clock) -> Arc<Vec<LineState>> {
        let now = clock.monotonic();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(look) if now.saturating_sub(look.at) < LOOK_EVERY && now > look.at => {
                Arc::clone(&look.lines)
            }
            _ => {
                let calls = engine.calls();
                let state = |line: LineSnapshot| {
                    let call = calls.iter().find(|call| call.line == line.name);
                    LineState::new(line, call)
                };
                let lines = engine.lines().into_iter().map(state).collect();
                let lines = Arc::new(lines);
                *last = Some(Look {
                    at: now,
                    lines: Arc::clone(&lines),
                });
                lines
            }
        }
    }
}

/// A little less than the streams' own beat, so that each beat has something new.
const LOOK_EVERY: Duration = Duration::from_millis(150);
