//! `record` and `recordings`, importing apart.

use std::path::{Path, PathBuf};

use super::Context;
use super::args::{ListArgs, NameArgs, RecordCommand, RecordingsCommand};
use super::client::{escaped, query};
use super::error::CliError;
use super::output::{length, or_dash, size, table, write_bytes};
use super::partial::Partial;
use super::{import, output, retained};
use crate::control::wire::{
    Deleted, Mark, Outcome, Page, Recording, StartRecording, StopRecording, TimeQuality,
};

/// What is asked for at once when many are wanted.
const PAGE: usize = 500;

pub(super) async fn record(context: &Context, command: RecordCommand) -> Result<(), CliError> {
    match command {
        RecordCommand::Start { line, from, to } => {
            let wish = StartRecording { line, from, to };
            let recording: Recording = context.client.post("/record/start", &wish).await?;
            context.output.show(&recording, |recording| {
                format!(
                    "recording {} started (task {}); 'callreel record stop {}' ends it\n",
                    recording.recid, recording.names.task_id, recording.recid
                )
            })
        }
        RecordCommand::Stop { name } => {
            let wish = StopRecording { name };
            let recording: Recording = context.client.post("/record/stop", &wish).await?;
            context.output.show(&recording, |recording| {
                let length = recording.outcome.as_ref().map(|o| length(o.duration_ms));
                format!(
                    "recording {} is {}, {} long\n",
                    recording.recid,
                    recording.state,
                    or_dash(length.as_deref())
                )
            })
        }
    }
}

pub(super) async fn run(context: &Context, command: RecordingsCommand) -> Result<(), CliError> {
    match command {
        RecordingsCommand::List(wish) => list(context, wish).await,
        RecordingsCommand::Show(name) => {
            let recording = find(context, &name.name, name.tenant.as_ref()).await?;
            context.output.show(&recording, describe)
        }
        RecordingsCommand::Export {
            name,
            output,
            force,
        } => export(context, &name, output, force).await,
        RecordingsCommand::Delete {
            names,
            tenant,
            yes,
            dry_run,
        } => {
            let mut found = Vec::new();
            for name in &names {
                found.push(find(context, name, tenant.as_ref()).await?);
            }
            delete(context, &found, yes, dry_run).await
        }
        RecordingsCommand::Import(wish) => import::import(context, wish).await,
    }
}

fn path_of(name: &str, tenant: Option<&str>, below: &str) -> String {
    let query = query(&[("tenant", tenant.map(str::to_owned))]);
    format!("/recordings/{}{below}{query}", escaped(name))
}

pub(super) async fn find(
    context: &Context,
    name: &str,
    tenant: Option<&storage::ids::TenantName>,
) -> Result<Recording, CliError> {
    context
        .client
        .get(&path_of(name, tenant.map(|tenant| tenant.as_str()), ""))
        .await
}

async fn list(context: &Context, wish: ListArgs) -> Result<(), CliError> {
    let wanted = if wish.all { usize::MAX } else { wish.limit };
    let mut whole = Page {
        items: Vec::new(),
        next: wish.cursor,
    };
    loop {
        let states = (!wish.state.is_empty()).then(|| wish.state.join(","));
        let query = query(&[
            ("tenant", wish.tenant.as_ref().map(ToString::to_string)),
            ("line", wish.line.as_ref().map(ToString::to_string)),
            ("state", states),
            ("since", wish.since.clone()),
            ("until", wish.until.clone()),
            ("tag", wish.tag.as_ref().map(ToString::to_string)),
            ("number", wish.number.as_ref().map(ToString::to_string)),
            ("cursor", whole.next.take()),
            (
                "limit",
                Some(PAGE.min(wanted - whole.items.len()).to_string()),
            ),
        ]);
        let page: Page = context.client.get(&format!("/recordings{query}")).await?;
        whole.items.extend(page.items);
        whole.next = page.next;
        if whole.next.is_none() || whole.items.len() >= wanted {
            break;
        }
    }
    context.output.show(&whole, |page| {
        if page.items.is_empty() {
            return "there are no such recordings\n".into();
        }
        let rows: Vec<_> = page.items.iter().map(row).collect();
        let heading = [
            "RECID", "TENANT", "LINE", "STATE", "STARTED", "LENGTH", "SIZE", "FROM", "TO",
        ];
        let mut text = table(heading, &rows);
        if let Some(next) = &page.next {
            text.push_str(&format!("more: --cursor {next}, or --all\n"));
        }
        text
    })
}

fn row(recording: &Recording) -> [String; 9] {
    let outcome = recording.outcome.as_ref();
    [
        recording.recid.clone(),
        recording.tenant.clone(),
        or_dash(recording.line.as_deref()),
        recording.state.clone(),
        recording.started_at.clone(),
        or_dash(
            outcome
                .map(|outcome| length(outcome.duration_ms))
                .as_deref(),
        ),
        or_dash(outcome.map(|outcome| size(outcome.size_bytes)).as_deref()),
        or_dash(recording.from.as_deref()),
        or_dash(recording.to.as_deref()),
    ]
}

fn describe(recording: &Recording) -> String {
    let names = &recording.names;
    let channels = if recording.format.channels == 2 {
        "stereo"
    } else {
        "mono"
    };
    let format = &recording.format;
    let mut rows = vec![
        ("recid", recording.recid.clone()),
        ("tenant", recording.tenant.clone()),
        ("state", recording.state.clone()),
        ("line", or_dash(recording.line.as_deref())),
        ("from", or_dash(recording.from.as_deref())),
        ("to", or_dash(recording.to.as_deref())),
        ("started", recording.started_at.clone()),
        ("clock", clock(recording.time_quality)),
        (
            "format",
            format!("{} {channels} {} Hz", format.encoding, format.rate_hz),
        ),
        ("container", recording.container.clone()),
        ("taskId", names.task_id.to_string()),
        ("call_sid", names.call_sid.clone()),
        ("crtObjectId", names.crt_object_id.clone()),
        ("campaignId", names.campaign_id.to_string()),
        ("callId", names.call_id.clone()),
        ("session", names.session_uuid.to_string()),
    ];
    rows.extend(recording.outcome.iter().flat_map(ended));
    if let Some(retained) = &recording.retained {
        rows.extend(retained::rows(retained));
    }
    let line =
        |(name, value): &(&str, String)| format!("{name:<12} {}\n", output::printable(value));
    rows.iter().map(line).collect()
}

/// What is known when it has ended.
fn ended(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let mut rows = vec![("ended by", outcome.end_cause.clone())];
    rows.push((
        "length",
        format!(
            "{} ({} ms)",
            length(outcome.duration_ms),
            outcome.duration_ms
        ),
    ));
    rows.push((
        "size",
        format!(
            "{} ({} bytes)",
            size(outcome.size_bytes),
            outcome.size_bytes
        ),
    ));
    rows.push(("sealed", outcome.sealed_at.clone()));
    rows.push(("blake3", outcome.blake3.clone()));
    for (leg, level) in outcome.levels.iter().enumerate() {
        let name = ["level", "level, agent"][leg.min(1)];
        rows.push((
            name,
            format!("{:.1} dBFS, peak {:.1}", level.rms_dbfs, level.peak_dbfs),
        ));
    }
    for gap in &outcome.gaps {
        let text = format!(
            "{} ms at {}, {}",
            gap.duration_ms,
            length(gap.at_ms),
            gap.cause
        );
        rows.push(("gap", text));
    }
    rows.extend(marks(&outcome.marks));
    rows
}

/// How far the start can be trusted, in words.
fn clock(quality: Option<TimeQuality>) -> String {
    let Some(quality) = quality else {
        return or_dash(None);
    };
    let mut words = vec![match (quality.synchronised, quality.max_error_ms) {
        (Some(true), Some(most)) => format!("kept right, to {most} ms at most"),
        (Some(true), None) => "kept right".to_owned(),
        (Some(false), _) => "kept right by nobody".to_owned(),
        (None, _) => "not known who keeps it".to_owned(),
    }];
    if quality.stepped {
        words.push("set since the daemon's start".to_owned());
    }
    if quality.implausible {
        words.push("IMPLAUSIBLE: earlier than it can have been".to_owned());
    }
    words.join("; ")
}

/// Marks in rows: digits many to a row, spans one each.
fn marks(marks: &[Mark]) -> Vec<(&'static str, String)> {
    let at = |mark: &Mark| format!("{}.{:03}", length(mark.at_ms), mark.at_ms % 1_000);
    let digit = |mark: &&Mark| format!("{} at {}", mark.digit.unwrap_or('?'), at(mark));
    let (digits, spans): (Vec<_>, Vec<_>) = marks.iter().partition(|mark| mark.kind == "digit");
    let rows = digits.chunks(DIGITS_A_ROW).map(|some| {
        let texts: Vec<_> = some.iter().map(digit).collect();
        ("digits", texts.join(", "))
    });
    let spans = spans.into_iter().map(|mark| match mark.kind.as_str() {
        "masked" => ("masked", format!("{} ms at {}", mark.duration_ms, at(mark))),
        "paused" => ("paused", format!("{} ms at {}", mark.duration_ms, at(mark))),
        "skipped" => (
            "skipped",
            format!(
                "{} ms, at {} but not in the recording",
                mark.duration_ms,
                at(mark)
            ),
        ),
        other => (
            "mark",
            format!("{other}, {} ms at {}", mark.duration_ms, at(mark)),
        ),
    });
    rows.chain(spans).collect()
}

const DIGITS_A_ROW: usize = 6;

async fn export(
    context: &Context,
    name: &NameArgs,
    target: Option<PathBuf>,
    force: bool,
) -> Result<(), CliError> {
    let tenant = name.tenant.as_ref().map(|tenant| tenant.as_str());
    let path = path_of(&name.name, tenant, "/audio");
    if target.as_deref() == Some(Path::new("-")) {
        context.client.download(&path, write_bytes).await?;
        return Ok(());
    }
    let recording = find(context, &name.name, name.tenant.as_ref()).await?;
    let target =
        target.unwrap_or_else(|| format!("{}.{}", recording.recid, recording.container).into());
    let mut file = Partial::create(target, force)?;
    let bytes = context
        .client
        .download(&path, |piece| file.write(piece))
        .await?;
    let target = file.publish(force)?;
    let exported = serde_json::json!({
        "recid": recording.recid, "file": target, "size_bytes": bytes,
    });
    context.output.show(&exported, |_| {
        format!(
            "recording {}: {} written to {}\n",
            recording.recid,
            size(bytes),
            target.display()
        )
    })
}

async fn delete(
    context: &Context,
    found: &[Recording],
    yes: bool,
    dry_run: bool,
) -> Result<(), CliError> {
    if dry_run {
        let recids: Vec<_> = found.iter().map(|recording| &recording.recid).collect();
        let would = serde_json::json!({ "would_delete": recids });
        return context.output.show(&would, |_| {
            let line = |recording: &Recording| {
                let [recid, tenant, line, state, started, ..] = row(recording);
                format!("would delete {recid} ({tenant}, {line}, {state}, {started})\n")
            };
            found.iter().map(line).collect()
        });
    }
    let question = match found {
        [one] => format!(
            "Delete recording {} of {} for good?",
            one.recid, one.started_at
        ),
        many => format!("Delete {} recordings for good?", many.len()),
    };
    if !yes && !context.output.confirm(&question)? {
        context.output.remark("nothing was deleted");
        return Ok(());
    }
    let mut deleted = Vec::new();
    for recording in found {
        let path = path_of(&recording.recid, Some(&recording.tenant), "");
        let done: Deleted = context.client.delete(&path).await?;
        deleted.push(done.recid);
    }
    let answer = serde_json::json!({ "deleted": deleted });
    context.output.show(&answer, |_| {
        deleted
            .iter()
            .map(|recid| format!("recording {recid} deleted\n"))
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_told_in_words() {
        assert_eq!(clock(None), "-");
        let right = TimeQuality {
            synchronised: Some(true),
            max_error_ms: Some(12),
            stepped: false,
            implausible: false,
        };
        assert_eq!(clock(Some(right)), "kept right, to 12 ms at most");
        let dead = clock(Some(TimeQuality {
            synchronised: Some(false),
            max_error_ms: None,
            stepped: true,
            implausible: true,
        }));
        let order = ["by nobody", "set since", "IMPLAUSIBLE"].map(|word| dead.find(word));
        assert!(order.is_sorted() && order[0].is_some(), "{dead}");
    }

    #[test]
    fn marks_are_rows() {
        let mark = |at_ms, kind: &str, digit| Mark {
            at_ms,
            duration_ms: 80,
            kind: kind.into(),
            digit,
        };
        let mut all: Vec<_> = (0..7)
            .map(|n| mark(n * 1_000, "digit", Some('5')))
            .collect();
        all.push(mark(61_250, "digit", None));
        all.push(mark(61_250, "masked", None));
        all.push(mark(70_000, "skipped", None));
        let rows = marks(&all);
        let names: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["digits", "digits", "masked", "skipped"]);
        assert!(rows[0].1.starts_with("5 at 0:00.000, 5 at 0:01.000"));
        assert_eq!(rows[1].1, "5 at 0:06.000, ? at 1:01.250");
        assert_eq!(rows[2].1, "80 ms at 1:01.250");
        assert!(marks(&[]).is_empty());
    }
}
