//! What reindexing takes from the old index because no file tells it: the prompt library's rows,
//! the names of deleted recordings, and the webhook outbox.

use std::sync::Arc;

use crate::error::{ReadError, ReindexError};
use crate::ids::PromptId;
use crate::index::Index;
use crate::index::apply::Change;
use crate::index::keeping::KeepingChange;
use crate::index::outbox::{self, OutboxChange};
use crate::index::prompts::PromptChange;
use crate::index::rows::RowChange;
use crate::index::tables::meta;
use crate::index::whole::{self, WalkError};
use crate::limits::{CHECK_ROWS, COMMIT_GROUP_MAX};
use crate::paths::Layout;
use crate::walk;

/// Copies what can be read; answers the number of prompts. What cannot be read is told and left.
pub(crate) fn carry(
    old: Option<&Index>,
    fresh: &Index,
    layout: &Layout,
) -> Result<u64, ReindexError> {
    let mut prompts = 0;
    if let Some(old) = old {
        prompts = carry_prompts(old, fresh)?;
        carry_purged(old, fresh)?;
        carry_outbox(old, fresh)?;
        carry_keeping(old, fresh)?;
        carry_notes(old, fresh)?;
    }
    // Whatever the old index says, no number is given to a second prompt.
    if let Some(high) = highest(layout) {
        fresh.commit(&[Change::Prompt(PromptChange::Pass(high))])?;
    }
    Ok(prompts)
}

fn carry_prompts(old: &Index, fresh: &Index) -> Result<u64, ReindexError> {
    let mut prompts = 0;
    let mut after = None;
    let high = or_told(old.prompt_high(), PromptId(0));
    let mut group = vec![Change::Prompt(PromptChange::Pass(high))];
    loop {
        let rows = or_told(old.walk_prompts(after, CHECK_ROWS), Vec::new());
        let Some((tenant, id, _)) = rows.last() else {
            break;
        };
        after = Some((*tenant, *id));
        for (_, id, row) in rows {
            match row {
                Ok(row) => {
                    prompts += 1;
                    group.push(Change::Prompt(PromptChange::Put(Box::new(row))));
                }
                Err(error) => log::warn!("prompt {id} is lost: {error}"),
            }
        }
        fresh.commit(&std::mem::take(&mut group))?;
    }
    let unsettled = or_told(old.unsettled_prompts(), Vec::new()).into_iter();
    group.extend(unsettled.map(|(tenant, id)| Change::Prompt(PromptChange::Intend(tenant, id))));
    fresh.commit(&group)?;
    Ok(prompts)
}

fn carry_purged(old: &Index, fresh: &Index) -> Result<(), ReindexError> {
    let mut after = None;
    loop {
        let (rows, last) = or_told(old.walk_purged(after, COMMIT_GROUP_MAX), (Vec::new(), None));
        let group: Vec<_> = rows
            .into_iter()
            .map(|(tenant, id, row)| Change::RestorePurged(tenant, id, Box::new(row)))
            .collect();
        fresh.commit(&group)?;
        if last.is_none() {
            return Ok(());
        }
        after = last;
    }
}

fn carry_outbox(old: &Index, fresh: &Index) -> Result<(), ReindexError> {
    for table in 0..outbox::ALL.len() {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let rows = old.walk_outbox(table, after.as_deref(), CHECK_ROWS);
            let rows = or_told(rows, Vec::new());
            let Some((last, _)) = rows.last() else {
                break;
            };
            after = Some(last.clone());
            let change = OutboxChange::Restore(table, Arc::new(rows));
            fresh.commit(&[Change::Outbox(change)])?;
        }
    }
    let highs = [outbox::APP_HIGH, outbox::EVENT_HIGH, outbox::TIME_HIGH];
    let highs = highs.map(|name| {
        let high = or_told(old.outbox_high(name), 0);
        Change::Outbox(OutboxChange::Pass(name, high))
    });
    fresh.commit(&highs)?;
    Ok(())
}

/// Holds, minimums, tags, policies and what is known of time, byte for byte: what cannot be read
/// goes on counting as a hold.
fn carry_keeping(old: &Index, fresh: &Index) -> Result<(), ReindexError> {
    for name in ["keeping", "by_tag", "births"] {
        if let Err(error) = copy_table(name, old, fresh)? {
            log::warn!("'{name}' of the old index cannot be read to its end: {error}");
            fresh.commit(&[Change::Keeping(KeepingChange::Lost(true))])?;
        }
    }
    let names = [
        meta::RETENTION,
        meta::RETENTION_NUMBER,
        meta::TIME_PROVEN,
        meta::STORE_ID,
        meta::KEEPING_LOST,
    ];
    let mut rows = Vec::new();
    for name in names {
        let held = or_told(old.meta(name), None);
        rows.extend(held.map(|bytes| RowChange::Meta(name, bytes)));
    }
    fresh.commit(&[Change::Rows(rows)])?;
    Ok(())
}

/// Copies what can be read of a table; the answer is what ended it early.
fn copy_table(
    name: &str,
    old: &Index,
    fresh: &Index,
) -> Result<Result<(), WalkError>, ReindexError> {
    let Some(table) = whole::named(name) else {
        return Ok(Ok(()));
    };
    let reading = match old.begin_read() {
        Ok(reading) => reading,
        Err(error) => return Ok(Err(error.into())),
    };
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let walked = table.each(&reading, &mut |key, value| {
        rows.push((key.to_vec(), value.to_vec()));
        Ok(())
    });
    for rows in rows.chunks(COMMIT_GROUP_MAX) {
        let rows: Vec<_> = rows.iter().map(|(k, v)| (&k[..], &v[..])).collect();
        let transaction = fresh.begin_write()?;
        table.put(&transaction, &rows)?;
        transaction.commit()?;
    }
    Ok(walked)
}

/// Notes, byte for byte, and how many changes of them there were.
fn carry_notes(old: &Index, fresh: &Index) -> Result<(), ReindexError> {
    for name in ["notes", "note_counts"] {
        if let Err(error) = copy_table(name, old, fresh)? {
            log::warn!("'{name}' of the old index cannot be read to its end: {error}");
        }
    }
    let high = or_told(old.meta(meta::NOTES_HIGH), None);
    let rows = high.map(|bytes| RowChange::Meta(meta::NOTES_HIGH, bytes));
    fresh.commit(&[Change::Rows(rows.into_iter().collect())])?;
    Ok(())
}

fn or_told<T>(read: Result<T, ReadError>, otherwise: T) -> T {
    read.unwrap_or_else(|error| {
        log::warn!("the old index cannot be read to its end: {error}");
        otherwise
    })
}

/// The highest number of a prompt that has a file.
fn highest(layout: &Layout) -> Option<PromptId> {
    let mut high = None;
    let seen = walk::files(&layout.prompts(), &mut |found| {
        high = high.max(walk::prompt(layout, &found.path).map(|(_, id)| id));
    });
    if let Err(error) = seen {
        log::warn!("prompts cannot be listed: {error}");
    }
    high
}
