//! From the engine's and the store's words to those of the wire.

use audio_io::format::StreamFormat;
use audio_io::units::{SampleRate, WallMillis};
use serde::Serialize;
use storage::account::{Lock, LockSubject, SessionRow, SigningKey, UserRow};
use storage::ids::Names;
use storage::prompt::{PromptOrigin, PromptRow};
use storage::record::{
    KeyRow, Mark, MarkKind, Recording, RecordingFacts, RecordingOutcome, RecordingState, Tenant,
    TimeQuality,
};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{telephony, wire};
use crate::engine::{CallSnapshot, EngineTotals, LineSnapshot};
use crate::logging::rfc3339;

/// The word that serde writes for a unit variant.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => {
            log::error!("a word cannot be written: {error}");
            String::new()
        }
    }
}

pub(super) fn line(line: LineSnapshot) -> wire::Line {
    wire::Line {
        name: line.name.to_string(),
        tenant: line.tenant,
        trigger: word(&line.trigger),
        format: format(line.format),
        state: line.state.into(),
        error: line.error,
        capture: line.capture,
        frames: line.frames,
        lost_frames: line.lost_frames,
        overruns: line.overruns,
        stalls: line.stalls,
        opens: line.opens,
        ring_full_frames: line.ring_full_frames,
        ring_depth_max: line.ring_depth_max,
        unrecorded_frames: line.unrecorded_frames,
        slipped_frames: line.slipped_frames,
        rms_dbfs: line.rms_dbfs.iter().map(|level| level.decibels()).collect(),
        peak_dbfs: line
            .peak_dbfs
            .iter()
            .map(|level| level.decibels())
            .collect(),
        voice: line.voice,
        recid: line.recording.map(|id| id.to_string()),
        playback: line.playback,
        session_uuid: line.session,
        channel: line.channel.map(telephony::channel),
        alarms: telephony::owned(&line.alarms),
    }
}

pub(super) fn call(call: CallSnapshot, tenant: &str) -> wire::Call {
    wire::Call {
        line: call.line.to_string(),
        started_at: rfc3339(call.started_at),
        duration_ms: call.duration_ms.0,
        recording: live(&call.recording, tenant),
    }
}

pub(super) fn totals(totals: EngineTotals) -> wire::Totals {
    wire::Totals {
        started: totals.started,
        stored: totals.stored,
        absent: totals.absent,
        failed: totals.failed,
        gaps: totals.gaps,
    }
}

/// A recording that has just begun.
pub(super) fn live(facts: &RecordingFacts, tenant: &str) -> wire::Recording {
    with_state(facts, RecordingState::Live, None, tenant)
}

pub(super) fn recording(recording: &Recording, tenant: &str) -> wire::Recording {
    with_state(
        &recording.facts,
        recording.state,
        recording.outcome.as_ref(),
        tenant,
    )
}

fn with_state(
    facts: &RecordingFacts,
    state: RecordingState,
    outcome: Option<&RecordingOutcome>,
    tenant: &str,
) -> wire::Recording {
    wire::Recording {
        recid: facts.id.to_string(),
        tenant: tenant.to_owned(),
        state: word(&state),
        names: names(&facts.names),
        line: facts.line.as_ref().map(ToString::to_string),
        from: facts.from.as_ref().map(ToString::to_string),
        to: facts.to.as_ref().map(ToString::to_string),
        started_at: rfc3339(facts.started_at),
        time_quality: facts.time.map(time_quality),
        format: format(facts.format),
        container: facts.container.extension().into(),
        outcome: outcome.map(|outcome| self::outcome(facts, outcome)),
        retained: None,
    }
}

fn time_quality(time: TimeQuality) -> wire::TimeQuality {
    wire::TimeQuality {
        synchronised: time.synchronised,
        max_error_ms: time.max_error.map(|error| error.0),
        stepped: time.stepped,
        implausible: time.implausible,
    }
}

fn outcome(facts: &RecordingFacts, outcome: &RecordingOutcome) -> wire::Outcome {
    let rate = facts.format.rate;
    let gap = |gap: &storage::record::Gap| wire::Gap {
        at_ms: rate.duration_of(gap.at).0,
        duration_ms: rate.duration_of(gap.frames).0,
        frames: gap.frames.0,
        cause: word(&gap.cause),
    };
    let level = |level: &storage::record::LegLevel| wire::Level {
        rms_dbfs: level.rms.decibels(),
        peak_dbfs: level.peak.decibels(),
    };
    wire::Outcome {
        end_cause: word(&outcome.end_cause),
        duration_ms: rate.duration_of(outcome.frames).0,
        size_bytes: outcome.size_bytes,
        blake3: outcome
            .content_hash
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        sealed_at: rfc3339(outcome.sealed_at),
        gaps: outcome.gaps.iter().map(gap).collect(),
        marks: marks(&outcome.marks, rate),
        levels: outcome.levels.iter().map(level).collect(),
    }
}

fn marks(marks: &[Mark], rate: SampleRate) -> Vec<wire::Mark> {
    let mark = |mark: &Mark| {
        let (kind, digit) = match mark.kind {
            MarkKind::Digit(digit) => ("digit", digit),
            MarkKind::Masked => ("masked", None),
            MarkKind::Paused => ("paused", None),
            MarkKind::Skipped => ("skipped", None),
        };
        wire::Mark {
            at_ms: rate.duration_of(mark.at).0,
            duration_ms: rate.duration_of(mark.frames).0,
            kind: kind.into(),
            digit,
        }
    };
    marks.iter().map(mark).collect()
}

fn names(names: &Names) -> wire::Names {
    wire::Names {
        call_sid: names.call_sid.to_string(),
        crt_object_id: names.crt_object_id.to_string(),
        campaign_id: names.campaign_id,
        call_id: names.call_id.to_string(),
        task_id: names.task_id,
        session_uuid: names.session_uuid,
    }
}

fn format(format: StreamFormat) -> wire::Format {
    wire::Format {
        rate_hz: format.rate.hertz(),
        encoding: format.encoding.to_string(),
        channels: format.channels.count(),
    }
}

pub(crate) fn tenant(tenant: &Tenant, recordings: u64) -> wire::Tenant {
    wire::Tenant {
        id: tenant.id.0,
        name: tenant.name.to_string(),
        created_at: rfc3339(tenant.created_at),
        recordings,
        keep_as: tenant.keep_as.extension().into(),
        disabled_at: tenant.disabled_at.map(rfc3339),
    }
}

/// A key; `users` are looked up for the name of the one it was issued for.
pub(crate) fn key(row: &KeyRow, tenants: &[Tenant], users: &[UserRow]) -> wire::Key {
    let name = |id: u64| {
        let user = users.iter().find(|user| user.user_id == id);
        user.map_or_else(|| format!("#{id}"), |user| user.name.to_string())
    };
    wire::Key {
        key_id: row.key_id.to_string(),
        tenant: tenant_name(row.tenant, tenants),
        family: row.family,
        label: row.label.clone(),
        created_at: rfc3339(row.created_at),
        revoked_at: row.revoked_at.map(rfc3339),
        expires_at: row.expires_at.map(rfc3339),
        allow: row.allow.clone(),
        user: row.user_id.map(name),
    }
}

pub(crate) fn user(row: &UserRow, tenants: &[Tenant]) -> wire::User {
    wire::User {
        user_id: row.user_id.to_string(),
        name: row.name.to_string(),
        tenant: tenant_name(row.tenant, tenants),
        role: row.role,
        allow: row.allow.clone(),
        created_at: rfc3339(row.created_at),
        disabled_at: row.disabled_at.map(rfc3339),
        groups: row.groups.iter().map(ToString::to_string).collect(),
        line: row.line.as_ref().map(ToString::to_string),
    }
}

pub(super) fn session(row: &SessionRow, tenants: &[Tenant]) -> wire::Session {
    wire::Session {
        session_id: row.session_id.to_string(),
        user: row.user.to_string(),
        tenant: tenant_name(row.tenant, tenants),
        role: row.role,
        from: row.from.to_string(),
        created_at: rfc3339(row.created_at),
        used_at: rfc3339(row.used_at),
    }
}

pub(super) fn lock(lock: &Lock) -> wire::Lock {
    let kind = match lock.subject {
        LockSubject::Address(_) => "address",
        LockSubject::User(_) => "user",
    };
    wire::Lock {
        kind: kind.into(),
        subject: lock.subject.to_string(),
        cause: lock.cause,
        until: rfc3339(lock.until),
    }
}

/// All signing keys: the newest that is not retired signs.
pub(super) fn signing_keys(keys: &[SigningKey]) -> Vec<wire::SigningKey> {
    let active = keys.iter().filter(|key| key.retired_at.is_none());
    let signing = active.map(|key| key.id).max();
    let key = |key: &SigningKey| wire::SigningKey {
        id: key.id,
        signs: signing == Some(key.id),
        created_at: rfc3339(key.created_at),
        retired_at: key.retired_at.map(rfc3339),
    };
    keys.iter().map(key).collect()
}

pub(super) fn prompt(row: &PromptRow, tenants: &[Tenant]) -> wire::Prompt {
    let sound = row.sound.as_ref().map(|sound| wire::PromptSound {
        container: sound.container.extension().into(),
        duration_ms: sound.format.rate.duration_of(sound.frames).0,
        size_bytes: sound.size_bytes,
        stored_at: rfc3339(sound.stored_at),
    });
    wire::Prompt {
        prompt_id: row.id.to_string(),
        tenant: tenant_name(row.tenant, tenants),
        name: row.name.clone(),
        origin: match &row.origin {
            PromptOrigin::Upload => wire::PromptSource::Upload,
            PromptOrigin::Url(url) => wire::PromptSource::Url { url: url.clone() },
            PromptOrigin::Speech(speech) => wire::PromptSource::Speech {
                text: speech.text.clone(),
                voice: speech.voice.clone(),
            },
            PromptOrigin::Recording(recid) => wire::PromptSource::Recording {
                recid: recid.to_string(),
            },
        },
        sound,
        created_at: rfc3339(row.created_at),
        expires_at: row.expires_at.map(rfc3339),
        deleted_at: row.deleted_at.map(rfc3339),
    }
}

/// A tenant's name, or its number where the index has lost its row.
pub(super) fn tenant_name(id: storage::ids::TenantId, tenants: &[Tenant]) -> String {
    let found = tenants.iter().find(|tenant| tenant.id == id);
    found.map_or_else(|| format!("#{id}"), |tenant| tenant.name.to_string())
}

/// A point in time that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is RFC 3339 such as 2026-11-21T06:14:09Z or 2026-11-21T08:14:09+02:00, from 1970 on; \
     a day alone means its midnight in UTC"
)]
pub struct BadTime;

/// Reads a point in time: RFC 3339, or a day alone for its midnight in UTC.
///
/// # Errors
/// [`BadTime`]
pub fn parse_time(text: &str) -> Result<WallMillis, BadTime> {
    let whole = if text.len() == "2026-11-21".len() {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    let time = OffsetDateTime::parse(&whole, &Rfc3339).map_err(|_| BadTime)?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000)
        .map(WallMillis)
        .map_err(|_| BadTime)
}

#[cfg(test)]
mod tests {
    use audio_io::units::Frames;

    use super::*;

    #[test]
    fn times_are_rfc_3339_or_a_day() {
        let at = |text| parse_time(text).map(|at| at.0);
        assert_eq!(at("2026-11-21T06:14:09.123Z"), Ok(1_795_241_649_123));
        assert_eq!(at("2026-11-21T08:14:09.123+02:00"), Ok(1_795_241_649_123));
        assert_eq!(at("1970-01-02"), Ok(86_400_000));
        for bad in [
            "",
            "yesterday",
            "1969-12-31T00:00:00Z",
            "2026-11-21T06:14:09",
            "2026-13-01",
        ] {
            assert_eq!(at(bad), Err(BadTime), "{bad}");
        }
    }

    #[test]
    fn marks_are_told_in_milliseconds() {
        let mark = |at, frames, kind| Mark {
            at: Frames(at),
            frames: Frames(frames),
            kind,
        };
        let told = marks(
            &[
                mark(8_000, 800, MarkKind::Digit(Some('#'))),
                mark(8_000, 800, MarkKind::Masked),
                mark(16_000, 400, MarkKind::Digit(None)),
                mark(24_000, 80_000, MarkKind::Skipped),
            ],
            StreamFormat::TELEPHONE.rate,
        );
        let told: Vec<_> = told
            .iter()
            .map(|mark| (mark.at_ms, mark.duration_ms, mark.kind.as_str(), mark.digit))
            .collect();
        assert_eq!(
            told,
            [
                (1_000, 100, "digit", Some('#')),
                (1_000, 100, "masked", None),
                (2_000, 50, "digit", None),
                (3_000, 10_000, "skipped", None),
            ]
        );
    }

    #[test]
    fn words_are_those_of_serde() {
        assert_eq!(word(&RecordingState::Live), "live");
        assert_eq!(word(&audio_io::block::GapCause::DeviceLost), "device_lost");
    }
}
