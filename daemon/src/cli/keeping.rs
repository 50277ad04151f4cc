//! `hold`, `tag` and `keep`.

use storage::ids::TenantName;

use super::Context;
use super::args::{HoldCommand, KeepArgs, NameArgs, TagCommand, WhichArgs};
use super::client::query;
use super::error::CliError;
use super::output::{complain, printable, table};
use super::recordings::find;
use crate::control::wire::{Held, HoldPage, Keep, KeepChange, Keeping, Kept, KeptItem, Select};

pub(super) async fn hold(context: &Context, command: HoldCommand) -> Result<(), CliError> {
    match command {
        HoldCommand::Set {
            names,
            reason,
            which,
            dry_run,
        } => {
            let wish = Keep {
                which: select(names, which),
                change: KeepChange::Hold { reason },
                dry_run,
            };
            change(context, &wish, "held", &|item| {
                format!("held, as hold {}", item.hold.unwrap_or_default())
            })
            .await
        }
        HoldCommand::Lift {
            names_and_hold,
            reason,
            which,
            dry_run,
        } => {
            let (names, hold) = names_and_hold_of(names_and_hold)?;
            let wish = Keep {
                which: select(names, which),
                change: KeepChange::Lift { hold, reason },
                dry_run,
            };
            change(context, &wish, "lifted", &|item| {
                let left = item.keeping.holds.len();
                let left = match left {
                    0 => "it has no other".to_owned(),
                    1 => "1 hold is left".to_owned(),
                    left => format!("{left} holds are left"),
                };
                format!("hold {} lifted; {left}", item.hold.unwrap_or_default())
            })
            .await
        }
        HoldCommand::List { tenant } => list(context, tenant).await,
    }
}

/// The last word is the hold's number.
fn names_and_hold_of(mut words: Vec<String>) -> Result<(Vec<String>, u32), CliError> {
    let found = words.pop().unwrap_or_default();
    match found.parse() {
        Ok(hold) => Ok((words, hold)),
        Err(_) => Err(CliError::Answer {
            key: "HOLD-ID",
            found,
            wanted: "the number of a hold, after the recordings; 'callreel hold list' tells it",
        }),
    }
}

fn select(names: Vec<String>, which: WhichArgs) -> Select {
    Select {
        names,
        tenant: which.tenant,
        tag: which.with_tag,
        number: which.number,
        line: which.line,
        since: which.from,
        until: which.to,
    }
}

pub(super) async fn tag(context: &Context, command: TagCommand) -> Result<(), CliError> {
    let one = |name: String, tenant: Option<TenantName>| Select {
        names: vec![name],
        tenant,
        ..Select::default()
    };
    let (which, wanted) = match command {
        TagCommand::Add { name, tags, tenant } => (one(name, tenant), KeepChange::Tag { tags }),
        TagCommand::Remove {
            name,
            tags,
            tenant,
            accept_shrink,
        } => {
            let shrink = accept_shrink;
            (one(name, tenant), KeepChange::Untag { tags, shrink })
        }
        TagCommand::List(name) => return tags(context, &name).await,
    };
    let wish = Keep {
        which,
        change: wanted,
        dry_run: false,
    };
    change(context, &wish, "tagged", &|item| match item.changed {
        true => format!("tags: {}", tags_text(&item.keeping)),
        false => format!("as before; tags: {}", tags_text(&item.keeping)),
    })
    .await
}

fn tags_text(keeping: &Keeping) -> String {
    match keeping.tags.as_slice() {
        [] => "none".to_owned(),
        tags => tags.join(", "),
    }
}

async fn tags(context: &Context, name: &NameArgs) -> Result<(), CliError> {
    let recording = find(context, &name.name, name.tenant.as_ref()).await?;
    let tags = recording.retained.map(|retained| retained.keeping.tags);
    context.output.show(&tags.unwrap_or_default(), |tags| {
        tags.iter().map(|tag| format!("{tag}\n")).collect()
    })
}

pub(super) async fn keep(context: &Context, wish: KeepArgs) -> Result<(), CliError> {
    let wanted = match (wish.until, wish.term) {
        (Some(until), _) => KeepChange::Until { until },
        (None, term) => KeepChange::For {
            ms: term.map_or(0, |term| term.0),
        },
    };
    let wish = Keep {
        which: select(wish.names, wish.which),
        change: wanted,
        dry_run: wish.dry_run,
    };
    change(context, &wish, "kept", &|item| {
        let until = item.keeping.keep_until.as_deref().unwrap_or("-");
        format!("kept until {until} at least")
    })
    .await
}

/// Sends a change and tells what became of each recording.
async fn change(
    context: &Context,
    wish: &Keep,
    word: &str,
    line: &dyn Fn(&KeptItem) -> String,
) -> Result<(), CliError> {
    let mut meter = context.output.meter();
    let kept = context
        .client
        .job("/keeping", wish, |now| meter.show(now))
        .await;
    meter.finish();
    let kept: Kept = kept?;
    let failed = kept
        .items
        .iter()
        .filter(|item| item.error.is_some())
        .count();
    // One alone is told as any other command's failure.
    if let [item] = kept.items.as_slice()
        && let Some(error) = &item.error
    {
        return Err(CliError::Refused(error.clone()));
    }
    context.output.show(&kept, |kept| told(kept, word, line))?;
    if failed > 0 {
        return Err(CliError::Some {
            failed,
            all: kept.items.len(),
        });
    }
    Ok(())
}

fn told(kept: &Kept, word: &str, line: &dyn Fn(&KeptItem) -> String) -> String {
    if kept.items.is_empty() {
        return "there are no such recordings\n".to_owned();
    }
    if kept.dry_run {
        let row = |item: &KeptItem| {
            let holds = item.keeping.holds.iter();
            let holds: Vec<_> = holds.map(|hold| hold.id.to_string()).collect();
            [
                item.recid.clone(),
                item.tenant.clone(),
                item.started_at.clone(),
                holds.join(", "),
                item.keeping.tags.join(", "),
                item.keeping.keep_until.clone().unwrap_or_default(),
            ]
        };
        let rows: Vec<_> = kept.items.iter().map(row).collect();
        let heading = ["RECID", "TENANT", "STARTED", "HOLDS", "TAGS", "KEPT UNTIL"];
        let count = kept.items.len();
        return format!(
            "{}{count} recordings would be {word}; nothing was changed\n",
            table(heading, &rows)
        );
    }
    let one = |item: &KeptItem| match &item.error {
        // In the place of the others, and to those who look for failures.
        Some(error) => {
            let text = format!("recording {}: {}", item.recid, error.message);
            complain(&format!("callreel: {}", printable(&text)));
            String::new()
        }
        None => format!("recording {}: {}\n", item.recid, printable(&line(item))),
    };
    kept.items.iter().map(one).collect()
}

async fn list(context: &Context, tenant: Option<TenantName>) -> Result<(), CliError> {
    let mut whole = HoldPage {
        items: Vec::new(),
        next: None,
    };
    loop {
        let query = query(&[
            ("tenant", tenant.as_ref().map(ToString::to_string)),
            ("cursor", whole.next.take()),
            ("limit", Some(PAGE.to_string())),
        ]);
        let page: HoldPage = context.client.get(&format!("/holds{query}")).await?;
        whole.items.extend(page.items);
        whole.next = page.next;
        if whole.next.is_none() {
            break;
        }
    }
    context.output.show(&whole, |page| {
        if page.items.is_empty() {
            return "nothing is held\n".to_owned();
        }
        let rows: Vec<_> = page.items.iter().flat_map(rows).collect();
        table(["RECID", "TENANT", "HOLD", "SET", "BY", "REASON"], &rows)
    })
}

/// What is asked for at once.
const PAGE: usize = 500;

fn rows(held: &Held) -> Vec<[String; 6]> {
    if held.unreadable {
        let [recid, tenant] = [&held.recid, &held.tenant].map(Clone::clone);
        let why = "unreadable, which counts as a hold; 'callreel check'".to_owned();
        let dash = || "-".to_owned();
        return vec![[recid, tenant, dash(), dash(), dash(), why]];
    }
    let row = |hold: &crate::control::wire::Hold| {
        [
            held.recid.clone(),
            held.tenant.clone(),
            hold.id.to_string(),
            hold.at.clone(),
            hold.by.clone(),
            hold.reason.clone(),
        ]
    };
    held.holds.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_the_holds_number() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        let (names, hold) = names_and_hold_of(words("65537 call_ab 3")).unwrap();
        assert_eq!((names.len(), hold), (2, 3));
        let (names, hold) = names_and_hold_of(words("3")).unwrap();
        assert_eq!((names.len(), hold), (0, 3));
        assert!(names_and_hold_of(words("65537 call_ab")).is_err());
    }
}
