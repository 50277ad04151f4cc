//! Bodies of commands: from JSON to a checked command (seed 001's tables; API.md section 2).

use uuid::Uuid;

use super::fault::BodyFault;
use super::fields::Fields;
use crate::engine::session::command::{
    Collecting, Command, CommandKind, CommandUid, HangupCause, PauseMode, Request, Urls,
};
use crate::engine::session::limits;
use crate::engine::session::plan::{DigitPlan, PlanNumbers, Terminators};

/// Reads the body of a command. Fields are checked in the order of the seed's table, `command_uid`
/// first; the first fault is told.
///
/// # Errors
/// [`BodyFault`]: 400.
pub fn read(kind: CommandKind, body: &[u8], operation: Uuid) -> Result<Request, BodyFault> {
    let fields = Fields::read(body)?;
    let command_uid = match fields.text("command_uid")? {
        Some(text) => Some(CommandUid::new(text).ok_or(BodyFault::CommandUid)?),
        None => None,
    };
    Ok(Request {
        command: command(kind, &fields)?,
        command_uid,
        operation,
    })
}

fn command(kind: CommandKind, fields: &Fields) -> Result<Command, BodyFault> {
    Ok(match kind {
        CommandKind::Answer => Command::Answer,
        CommandKind::Hangup => hangup(fields)?,
        CommandKind::PlaybackStart => playback_start(fields)?,
        CommandKind::PlaybackStop => Command::PlaybackStop,
        CommandKind::PlaybackPause => Command::PlaybackPause,
        CommandKind::PlaybackResume => Command::PlaybackResume,
        CommandKind::PlaybackSeek => playback_seek(fields)?,
        CommandKind::PlaybackRestart => Command::PlaybackRestart,
        CommandKind::PlaybackSilence => Command::PlaybackSilence,
        CommandKind::PlayAndGetDigits => play_and_get_digits(fields)?,
        CommandKind::RecordStart => Command::RecordStart {
            mask_digits: fields.flag("mask_digits")?,
        },
        CommandKind::RecordStop => Command::RecordStop,
        CommandKind::RecordPause => record_pause(fields)?,
        CommandKind::RecordResume => Command::RecordResume,
    })
}

fn hangup(fields: &Fields) -> Result<Command, BodyFault> {
    let cause = match fields.text("cause")? {
        Some(text) => HangupCause::new(text).ok_or(BodyFault::Cause)?,
        None => HangupCause::default(),
    };
    Ok(Command::Hangup { cause })
}

fn playback_start(fields: &Fields) -> Result<Command, BodyFault> {
    if fields.get("offset_ms").is_some() {
        return Err(BodyFault::OffsetMs);
    }
    let urls = urls(fields, "urls")?.ok_or(BodyFault::Missing("urls"))?;
    let offset_sec = fields.number("offset_sec", 0, limits::OFFSET_SEC)?;
    if offset_sec.is_some() && urls.iter().len() > 1 {
        return Err(BodyFault::OffsetWithMany);
    }
    Ok(Command::PlaybackStart {
        urls,
        offset_sec: offset_sec.unwrap_or_default(),
    })
}

fn playback_seek(fields: &Fields) -> Result<Command, BodyFault> {
    match fields.signed("position_ms")? {
        Some(0) => Err(BodyFault::ZeroPosition),
        Some(by_ms) => Ok(Command::PlaybackSeek { by_ms }),
        None => Err(BodyFault::Missing("position_ms")),
    }
}

fn play_and_get_digits(fields: &Fields) -> Result<Command, BodyFault> {
    let prompt = urls(fields, "prompt_files")?.ok_or(BodyFault::Missing("prompt_files"))?;
    let invalid = match fields.texts("invalid_files")? {
        // As good as left out: the seed asks for a non-empty list of prompts only.
        Some(texts) if texts.is_empty() => None,
        _ => urls(fields, "invalid_files")?,
    };
    let default = PlanNumbers::default();
    let number = |field, least, most, default| {
        let read = fields.number(field, least, most);
        read.map(|number| number.unwrap_or(default))
    };
    let numbers = PlanNumbers {
        min_digits: number("min_digits", 0, limits::DIGITS, default.min_digits)?,
        max_digits: number("max_digits", 1, limits::DIGITS, default.max_digits)?,
        max_tries: number("max_tries", 1, limits::TRIES, default.max_tries)?,
        timeout_ms: number(
            "timeout",
            limits::TRY_MIN_MS,
            limits::TRY_MAX_MS,
            default.timeout_ms,
        )?,
    };
    let terminators = match fields.text("terminators")? {
        Some(text) => Terminators::new(text).ok_or(BodyFault::Terminators)?,
        None => Terminators::default(),
    };
    let plan = DigitPlan::new(numbers, terminators).map_err(BodyFault::Plan)?;
    Ok(Command::PlayAndGetDigits(Box::new(Collecting {
        prompt,
        invalid,
        plan,
    })))
}

fn record_pause(fields: &Fields) -> Result<Command, BodyFault> {
    let mode = match fields.text("mode")? {
        None => PauseMode::default(),
        Some("silence") => PauseMode::Silence,
        Some("skip") => PauseMode::Skip,
        Some(_) => return Err(BodyFault::Mode),
    };
    Ok(Command::RecordPause { mode })
}

fn urls(fields: &Fields, field: &'static str) -> Result<Option<Urls>, BodyFault> {
    let Some(texts) = fields.texts(field)? else {
        return Ok(None);
    };
    Urls::new(&texts)
        .map(Some)
        .map_err(|error| BodyFault::Urls { field, error })
}
