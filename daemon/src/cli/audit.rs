//! `audit`: through the daemon where it runs, otherwise on the data folder itself.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use storage::ledger::key::SigningKey;

use super::Context;
use super::args::{AuditArgs, AuditCommand};
use super::client::query;
use super::error::CliError;
use super::output::{or_dash, printable, table, write, write_on};
use super::retention::who;
use super::upkeep::folder_of;
use crate::control::wire::{AuditEntry, AuditKey, AuditPage, AuditProof, MadeCheckpoint};
use crate::control::{AuditWish, OfflineTrail};

/// What is asked for at once.
const PAGE: usize = 500;

/// How often new entries are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Where the answers come from.
enum Source<'c> {
    Daemon(&'c Context),
    Folder(Box<OfflineTrail>),
}

impl<'c> Source<'c> {
    async fn of(context: &'c Context, data_dir: Option<PathBuf>) -> Result<Self, CliError> {
        if data_dir.is_none() && context.client.answers().await {
            return Ok(Self::Daemon(context));
        }
        // Another folder than the configured one has its checkpoints in it.
        let checkpoints = match &data_dir {
            None => context.loaded()?.config.ledger.checkpoints_dir,
            Some(_) => None,
        };
        let folder = folder_of(context, data_dir)?;
        let opened = OfflineTrail::open(&folder, checkpoints.as_deref());
        Ok(Self::Folder(Box::new(opened.map_err(CliError::from)?)))
    }

    async fn page(&self, wish: &AuditWish) -> Result<AuditPage, CliError> {
        match self {
            Self::Daemon(context) => {
                let query = query(&wish.parameters());
                context.client.get(&format!("/audit{query}")).await
            }
            Self::Folder(trail) => trail.page(wish).map_err(CliError::Refused),
        }
    }
}

pub(super) async fn list(context: &Context, wanted: AuditArgs) -> Result<(), CliError> {
    let source = Source::of(context, wanted.data_dir).await?;
    let most = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let mut wish = AuditWish {
        person: wanted.person,
        recording: wanted.recording,
        tenant: wanted.tenant,
        from: wanted.from,
        to: wanted.to,
        kind: wanted.kind,
        cursor: wanted.cursor,
        limit: Some(PAGE),
    };
    if wanted.all {
        return stream(context, &source, wish).await;
    }
    let mut whole = AuditPage {
        items: Vec::new(),
        next: None,
    };
    loop {
        wish.limit = Some(PAGE.min(most - whole.items.len()));
        let page = source.page(&wish).await?;
        whole.items.extend(page.items);
        whole.next.clone_from(&page.next);
        wish.cursor = page.next;
        if wish.cursor.is_none() || whole.items.len() >= most {
            break;
        }
    }
    if wanted.follow {
        return follow(context, &source, whole, wish).await;
    }
    context.output.show(&whole, |page| {
        if page.items.is_empty() {
            return "there are no such entries\n".to_owned();
        }
        let rows: Vec<_> = page.items.iter().map(row).collect();
        let heading = [
            "SEQ", "AT", "KIND", "WHO", "FROM", "TENANT", "RECID", "MORE",
        ];
        let mut text = table(heading, &rows);
        if let Some(next) = &page.next {
            text.push_str(&format!("more: --cursor {next}, or --all\n"));
        }
        text
    })
}

fn row(entry: &AuditEntry) -> [String; 8] {
    [
        entry.seq.to_string(),
        entry.at.clone(),
        entry.kind.clone(),
        or_dash(entry.who.as_ref().map(who).as_deref()),
        or_dash(entry.from.as_deref()),
        or_dash(entry.tenant.as_deref()),
        or_dash(entry.recid.as_deref()),
        more(entry),
    ]
}

/// The details on one line.
fn more(entry: &AuditEntry) -> String {
    let detail = |(name, value): (&String, &serde_json::Value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    };
    entry
        .details
        .iter()
        .map(detail)
        .collect::<Vec<_>>()
        .join(" ")
}

/// An entry on a line of its own: JSON, or text without columns.
fn line(context: &Context, entry: &AuditEntry) -> Result<String, CliError> {
    if context.output.is_json() {
        let json = serde_json::to_string(entry).map_err(CliError::NotJson)?;
        return Ok(format!("{json}\n"));
    }
    Ok(format!("{}\n", printable(&row(entry).join("  "))))
}

/// Prints all of it, page by page, for as long as there is a reader.
async fn stream(
    context: &Context,
    source: &Source<'_>,
    mut wish: AuditWish,
) -> Result<(), CliError> {
    loop {
        let page = source.page(&wish).await?;
        for entry in &page.items {
            if !write_on(&line(context, entry)?)? {
                return Ok(());
            }
        }
        wish.cursor = page.next;
        if wish.cursor.is_none() {
            return Ok(());
        }
    }
}

/// Prints what there is, oldest first, and then what comes.
async fn follow(
    context: &Context,
    source: &Source<'_>,
    whole: AuditPage,
    mut wish: AuditWish,
) -> Result<(), CliError> {
    if !matches!(source, Source::Daemon(_)) {
        // Says why in the words of every other command: nothing answers there.
        let _: AuditPage = context.client.get("/audit").await?;
    }
    let mut fresh = whole.items;
    // By number: the wall clock, by which pages are ordered, may be set back.
    let mut last = 0;
    loop {
        fresh.sort_by_key(|entry| entry.seq);
        for entry in &fresh {
            last = last.max(entry.seq);
            if !write_on(&line(context, entry)?)? {
                return Ok(());
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
        fresh = newer(source, &mut wish, last).await?;
    }
}

/// Entries with higher numbers, as far as the newest pages have them.
async fn newer(
    source: &Source<'_>,
    wish: &mut AuditWish,
    last: u64,
) -> Result<Vec<AuditEntry>, CliError> {
    let mut fresh = Vec::new();
    wish.cursor = None;
    wish.limit = Some(PAGE);
    loop {
        let page = source.page(wish).await?;
        let seen = page.items.iter().any(|entry| entry.seq <= last);
        let new = page.items.into_iter().filter(|entry| entry.seq > last);
        fresh.extend(new);
        wish.cursor = page.next;
        if seen || wish.cursor.is_none() {
            return Ok(fresh);
        }
    }
}

pub(super) async fn run(context: &Context, command: AuditCommand) -> Result<(), CliError> {
    match command {
        AuditCommand::Show { seq, data_dir } => {
            let shown = match Source::of(context, data_dir).await? {
                Source::Daemon(context) => context.client.get(&format!("/audit/{seq}")).await?,
                Source::Folder(trail) => trail.entry(seq).map_err(CliError::Refused)?,
            };
            context.output.show(&shown, describe)
        }
        AuditCommand::Key { data_dir } => {
            let key: AuditKey = match Source::of(context, data_dir).await? {
                Source::Daemon(context) => context.client.get("/audit/key").await?,
                Source::Folder(trail) => trail.key().map_err(CliError::Refused)?,
            };
            // The PEM alone goes to standard output, so that it can be sent to a file.
            let told = format!("key {}, SHA-256 {}", key.key_id, key.sha256);
            context.output.remark(&told);
            context.output.show(&key, |key| key.pem.clone())
        }
        AuditCommand::NewKey { data_dir, output } => new_key(context, data_dir, output),
        AuditCommand::Checkpoint => {
            let nothing = serde_json::json!({});
            let made: MadeCheckpoint = context.client.post("/audit/checkpoint", &nothing).await?;
            if !context.output.is_json() {
                return write(&format!("{}\n", made.line));
            }
            context.output.show(&made, |made| made.line.clone())
        }
    }
}

fn new_key(
    context: &Context,
    data_dir: Option<PathBuf>,
    output: Option<PathBuf>,
) -> Result<(), CliError> {
    let (path, made) = match output {
        Some(path) => {
            let made = SigningKey::create(&path);
            (path, made)
        }
        None => {
            let folder = folder_of(context, data_dir)?;
            let made = SigningKey::create_in(&folder);
            let path = folder.join("keys/ledger.pem");
            (path, made.map(|(_, key)| key))
        }
    };
    let key = made.map_err(|source| CliError::Key {
        path: path.clone(),
        source,
    })?;
    let public = key.public();
    let made = NewKey {
        path: path.display().to_string(),
        key_id: public.id().to_string(),
        pem: public.to_pem(),
    };
    context.output.show(&made, |made| {
        format!(
            "key {} is made in '{}'; the daemon signs with it from its next start on\n{}",
            made.key_id, made.path, made.pem
        )
    })
}

/// A key that was made, as `--json` shows it.
#[derive(Serialize)]
struct NewKey {
    path: String,
    key_id: String,
    pem: String,
}

fn describe(shown: &AuditProof) -> String {
    let entry = &shown.entry;
    let mut rows = vec![
        ("entry", entry.seq.to_string()),
        ("at", entry.at.clone()),
        ("kind", entry.kind.clone()),
        ("who", or_dash(entry.who.as_ref().map(who).as_deref())),
        ("from", or_dash(entry.from.as_deref())),
        ("tenant", or_dash(entry.tenant.as_deref())),
        ("recid", or_dash(entry.recid.as_deref())),
    ];
    let details = entry.details.iter();
    let details: Vec<_> = details
        .map(|(name, value)| match value.as_str() {
            Some(text) => (name.as_str(), text.to_owned()),
            None => (name.as_str(), value.to_string()),
        })
        .collect();
    rows.extend(details);
    rows.push(("hash", shown.hash.clone()));
    let line =
        |(name, value): &(&str, String)| format!("{:<14} {}\n", printable(name), printable(value));
    let mut text: String = rows.iter().map(line).collect();
    match (&shown.proof, &shown.unproved) {
        (Some(proof), _) => text.push_str(&format!(
            "as the ledger has it:\n  {}\n\
             it leads, over the {} entries after it, to the checkpoint of entry {}, signed with \
             key {}:\n  {}\n--json has every hash on the way\n",
            printable(&proof.entry),
            proof.after.len(),
            shown.checkpoint_seq.unwrap_or_default(),
            or_dash(shown.key_id.as_deref()),
            printable(&proof.checkpoint),
        )),
        (None, why) => text.push_str(&format!(
            "NOT PROVED: {}\n",
            printable(why.as_deref().unwrap_or("there is no proof"))
        )),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_whatever_is_in_it() {
        let details = serde_json::json!({ "reason": "a\nb", "hold": 3, "tags": ["x"] });
        let entry = AuditEntry {
            seq: 7,
            at: "2026-11-30T00:00:00.000Z".to_owned(),
            kind: "hold_set".to_owned(),
            who: None,
            from: None,
            tenant: Some("acme".to_owned()),
            recid: Some("65537".to_owned()),
            details: details.as_object().expect("an object").clone(),
        };
        let told = more(&entry);
        for words in ["reason=a\nb", "hold=3", "tags=[\"x\"]"] {
            assert!(told.contains(words), "{told}");
        }
        let proof = AuditProof {
            entry,
            hash: "00".to_owned(),
            proof: None,
            checkpoint_seq: None,
            key_id: None,
            unproved: Some("no checkpoint covers entry 7".to_owned()),
        };
        let text = describe(&proof);
        assert!(text.contains("a\\nb"), "{text}");
        assert!(
            text.ends_with("NOT PROVED: no checkpoint covers entry 7\n"),
            "{text}"
        );
    }
}
