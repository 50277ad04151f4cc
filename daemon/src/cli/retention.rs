//! `retention` and `clock`.

use storage::retention::duration_text;

use super::Context;
use super::args::{ClockCommand, RetentionCommand};
use super::client::query;
use super::error::CliError;
use super::output::{or_dash, printable, size, table};
use crate::control::wire::{
    ClockPreview, ClockState, DiskState, PlannedDeletion, Resumed, Retention, RetentionPlan,
    RetentionPolicy, RetentionRun, Shrink, Survey, Who,
};

/// Rows of a plan that are shown without `--all`.
const SHOWN: usize = 50;

pub(super) async fn run(context: &Context, command: RetentionCommand) -> Result<(), CliError> {
    match command {
        RetentionCommand::Show => {
            let shown: Retention = context.client.get("/retention").await?;
            context.output.show(&shown, describe)
        }
        RetentionCommand::Plan { free_bytes, all } => {
            let query = query(&[("free_bytes", free_bytes.map(|free| free.to_string()))]);
            let path = format!("/retention/plan{query}");
            let plan: RetentionPlan = context.client.get(&path).await?;
            context.output.show(&plan, |plan| planned(plan, all))
        }
        RetentionCommand::Run { yes } => pass(context, yes).await,
        RetentionCommand::AcceptShrink { yes } => accept_shrink(context, yes).await,
        RetentionCommand::Resume { yes } => resume(context, yes).await,
    }
}

fn describe(shown: &Retention) -> String {
    let mut text = policies(&shown.policies);
    let by = shown.by.as_ref().map(who);
    match &shown.since {
        Some(since) => text.push_str(&format!(
            "in force since {since}, set {} of policies, by {}\n",
            shown.number,
            or_dash(by.as_deref())
        )),
        None => text.push_str("there never were policies: nothing is deleted by age or size\n"),
    }
    if shown.suspended {
        text.push_str(SUSPENDED);
    }
    text.push_str(&clock_text(&shown.clock));
    text.push_str(&disk_text(&shown.disk));
    text
}

const SUSPENDED: &str = "SUSPENDED: the index was rebuilt or restored, and holds may be missing; \
                         nothing is deleted until 'callreel retention resume'\n";

fn policies(policies: &[RetentionPolicy]) -> String {
    if policies.is_empty() {
        return String::new();
    }
    let row = |policy: &RetentionPolicy| {
        let least = Some(policy.keep_at_least_ms).filter(|least| *least > 0);
        [
            policy.name.clone(),
            policy.tenant.clone().unwrap_or_else(|| "all".to_owned()),
            policy.tag.clone().unwrap_or_else(|| "all".to_owned()),
            or_dash(least.map(duration_text).as_deref()),
            or_dash(policy.keep_at_most_ms.map(duration_text).as_deref()),
            or_dash(policy.max_bytes.map(size).as_deref()),
        ]
    };
    let rows: Vec<_> = policies.iter().map(row).collect();
    let heading = ["POLICY", "TENANT", "TAG", "AT LEAST", "AT MOST", "MAX SIZE"];
    table(heading, &rows)
}

/// Who did something, in words.
pub(super) fn who(who: &Who) -> String {
    match (&who.name, &who.id) {
        (Some(name), Some(id)) => format!("{name} ({}:{id})", who.kind),
        (Some(name), None) => format!("{name} ({})", who.kind),
        (None, Some(id)) => format!("{}:{id}", who.kind),
        (None, None) => who.kind.clone(),
    }
}

fn disk_text(disk: &DiskState) -> String {
    let marks = [
        ("low", disk.low_bytes),
        ("critical", disk.critical_bytes),
        ("full", disk.full_bytes),
    ];
    let marks = marks.into_iter().filter(|(_, mark)| *mark > 0);
    let marks: Vec<_> = marks
        .map(|(name, mark)| format!("{name} below {}", size(mark)))
        .collect();
    let marks = match marks.is_empty() {
        true => "no marks are set".to_owned(),
        false => marks.join(", "),
    };
    format!("disk: {} free; {marks}\n", size(disk.free_bytes))
}

fn clock_text(clock: &ClockState) -> String {
    let apart = duration_text(clock.apart_ms);
    let standing = match clock.standing.as_str() {
        "trusted" => "trusted".to_owned(),
        "ahead" => format!(
            "{apart} AHEAD of proven time: recordings are deleted later, until 'callreel clock \
             confirm' or NTP says that it is right"
        ),
        "behind" => format!(
            "{apart} BEHIND proven time: nothing is deleted until it is set right, or 'callreel \
             clock confirm' says that it is"
        ),
        _ => "never set: nothing is deleted".to_owned(),
    };
    let kept = match (clock.synchronised, clock.max_error_ms) {
        (Some(true), Some(most)) => format!("kept right, to {most} ms at most"),
        (Some(true), None) => "kept right".to_owned(),
        (Some(false), _) => "kept right by nobody".to_owned(),
        (None, _) => "not known who keeps it".to_owned(),
    };
    format!(
        "clock: {standing}\n  wall    {} ({kept})\n  proven  {}\n",
        clock.wall,
        or_dash(clock.proven.as_deref())
    )
}

fn planned(plan: &RetentionPlan, all: bool) -> String {
    let mut text = String::new();
    if plan.suspended {
        text.push_str(SUSPENDED);
    }
    if plan.distrusted {
        text.push_str("nothing is deleted while the clock is as it is; 'callreel clock show'\n");
    }
    let shown = if all { usize::MAX } else { SHOWN };
    let row = |one: &PlannedDeletion| {
        [
            one.recid.clone(),
            one.tenant.clone(),
            or_dash(one.started_at.as_deref()),
            size(one.bytes),
            one.reason.clone(),
        ]
    };
    let rows: Vec<_> = plan.items.iter().take(shown).map(row).collect();
    if !rows.is_empty() {
        text.push_str(&table(["RECID", "TENANT", "STARTED", "SIZE", "WHY"], &rows));
    }
    let left = plan.items.len() - rows.len();
    if left > 0 {
        text.push_str(&format!("and {left} more; --all lists them\n"));
    }
    let more = if plan.more { ", and then more" } else { "" };
    text.push_str(&format!(
        "{} recordings would be deleted{more}: {}; {} are free now\n",
        plan.items.len(),
        size(plan.bytes),
        size(plan.free_bytes)
    ));
    if plan.short_bytes > 0 {
        text.push_str(&format!(
            "{} would still be short: everything else must be kept\n",
            size(plan.short_bytes)
        ));
    }
    text.push_str(&survey(&plan.survey));
    text
}

fn survey(seen: &Survey) -> String {
    let kinds = [
        ("being recorded", seen.live),
        ("held", seen.held),
        ("too young", seen.young),
        ("with a minimum and no known start", seen.undated),
    ];
    let kinds = kinds.into_iter().filter(|(_, count)| *count > 0);
    let kinds: String = kinds
        .map(|(kind, count)| format!(", {count} {kind}"))
        .collect();
    format!("looked at {} recordings{kinds}\n", seen.seen)
}

async fn pass(context: &Context, yes: bool) -> Result<(), CliError> {
    if !yes {
        let plan: RetentionPlan = context.client.get("/retention/plan").await?;
        context.output.remark(planned(&plan, false).trim_end());
        if !context.output.confirm("Delete them for good?")? {
            context.output.remark("nothing was deleted");
            return Ok(());
        }
    }
    let mut meter = context.output.meter();
    let nothing = serde_json::json!({});
    let ran = context
        .client
        .job("/retention/run", &nothing, |now| meter.show(now))
        .await;
    meter.finish();
    let ran: RetentionRun = ran?;
    context.output.show(&ran, |ran| {
        let mut text = format!("{} recordings deleted: {}\n", ran.deleted, size(ran.bytes));
        let spared = "recordings stayed, because something keeps them now";
        let finished = "deletions of earlier were finished";
        for (count, what) in [(ran.spared, spared), (ran.finished, finished)] {
            if count > 0 {
                text.push_str(&format!("{count} {what}\n"));
            }
        }
        if ran.distrusted {
            text.push_str("nothing was deleted because of the clock; 'callreel clock show'\n");
        }
        if ran.stopped {
            text.push_str("the daemon is stopping: it goes on after its next start\n");
        }
        if ran.short_bytes > 0 {
            text.push_str(&format!("{} are still short\n", size(ran.short_bytes)));
        }
        text + &survey(&ran.survey)
    })
}

async fn accept_shrink(context: &Context, yes: bool) -> Result<(), CliError> {
    let path = "/retention/shrink";
    let shrink: Shrink = match yes {
        true => context.client.post(path, &serde_json::json!({})).await?,
        false => context.client.get(path).await?,
    };
    context.output.show(&shrink, |shrink| {
        if shrink.in_force {
            return "the policies of the configuration are in force already\n".to_owned();
        }
        let mut text = policies(&shrink.policies);
        if shrink.policies.is_empty() {
            text.push_str("the configuration has no policies\n");
        }
        for one in &shrink.shrinks {
            text.push_str(&format!("{}\n", printable(one)));
        }
        if shrink.shrinks.is_empty() {
            text.push_str("no minimum becomes shorter\n");
        }
        text.push_str(match yes {
            true => "these policies are in force now\n",
            false => "nothing was changed; --yes puts these policies in force\n",
        });
        text
    })
}

async fn resume(context: &Context, yes: bool) -> Result<(), CliError> {
    if !yes {
        let shown: Retention = context.client.get("/retention").await?;
        let told = Resumed {
            were_suspended: shown.suspended,
        };
        return context
            .output
            .show(&told, |told| match told.were_suspended {
                false => "deletions are not suspended\n".to_owned(),
                true => format!(
                    "{SUSPENDED}Compare 'callreel hold list' with 'callreel audit --kind \
                 hold_set,hold_lifted --all', set what is missing, then give --yes\n"
                ),
            });
    }
    let resumed: Resumed = context
        .client
        .post("/retention/resume", &serde_json::json!({}))
        .await?;
    context.output.show(&resumed, |resumed| {
        match resumed.were_suspended {
            true => "deletions go on\n",
            false => "deletions were not suspended\n",
        }
        .to_owned()
    })
}

pub(super) async fn clock(context: &Context, command: ClockCommand) -> Result<(), CliError> {
    match command {
        ClockCommand::Show => {
            let state: ClockState = context.client.get("/clock").await?;
            context.output.show(&state, clock_text)
        }
        ClockCommand::Confirm { yes, dry_run } => {
            if !yes {
                let preview: ClockPreview = context.client.get("/clock/confirm").await?;
                if dry_run {
                    return context.output.show(&preview, previewed);
                }
                context.output.remark(previewed(&preview).trim_end());
                let question = format!("Is it {} now?", preview.now.wall);
                if !context.output.confirm(&question)? {
                    context.output.remark("nothing was confirmed");
                    return Ok(());
                }
            }
            let nothing = serde_json::json!({});
            let state: ClockState = context.client.post("/clock/confirm", &nothing).await?;
            context.output.show(&state, clock_text)
        }
    }
}

fn previewed(preview: &ClockPreview) -> String {
    let mut text = clock_text(&preview.now);
    text.push_str(&format!(
        "once it is confirmed, the next pass deletes as follows (now: {})\n{}",
        preview.deletions_now,
        planned(&preview.plan, false)
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_clock(standing: &str, apart_ms: u64) -> ClockState {
        ClockState {
            standing: standing.to_owned(),
            apart_ms,
            may_delete: true,
            wall: "2026-11-30T00:00:00.000Z".to_owned(),
            proven: None,
            synchronised: Some(false),
            max_error_ms: None,
        }
    }

    #[test]
    fn a_clock_that_is_wrong_says_what_to_do() {
        assert!(clock_text(&a_clock("trusted", 0)).contains("clock: trusted\n"));
        let ahead = clock_text(&a_clock("ahead", 86_400_000));
        assert!(
            ahead.contains("1 day AHEAD") && ahead.contains("clock confirm"),
            "{ahead}"
        );
        let behind = clock_text(&a_clock("behind", 3_600_000));
        assert!(behind.contains("1 hour BEHIND"), "{behind}");
        assert!(behind.contains("kept right by nobody"), "{behind}");
    }

    #[test]
    fn a_plan_tells_what_why_and_what_is_left_out() {
        let one = |n: u64| PlannedDeletion {
            recid: n.to_string(),
            tenant: "acme".to_owned(),
            started_at: None,
            bytes: 1_024,
            reason: "policy 'calls': kept long enough".to_owned(),
        };
        let plan = RetentionPlan {
            items: (0..60).map(one).collect(),
            bytes: 60 * 1_024,
            more: true,
            short_bytes: 2_048,
            free_bytes: 5,
            survey: Survey {
                seen: 100,
                held: 3,
                ..Survey::default()
            },
            suspended: true,
            distrusted: false,
        };
        let text = planned(&plan, false);
        for words in [
            "SUSPENDED",
            "kept long enough",
            "and 10 more; --all",
            "60 recordings would be deleted, and then more: 60.0 KiB",
            "2.0 KiB would still be short",
            "looked at 100 recordings, 3 held\n",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!planned(&plan, true).contains("--all"));
    }
}
