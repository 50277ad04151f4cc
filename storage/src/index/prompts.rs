//! The prompt library's rows, and which of its files may be on disk without being a row's.

use redb::{ReadableTable as _, StorageError, TableDefinition};

use super::apply::{Applied, Refusal, raise, read_u64};
use super::keys::{self, RecordingKey};
use super::tables::{self, Tables};
use super::values::{self, ValueError};
use super::{Index, read};
use crate::error::ReadError;
use crate::ids::{PromptId, RecordingId, TenantId};
use crate::limits::PROMPT_SCAN_MAX;
use crate::prompt::{NewPrompt, PromptRow, PromptSound};
use crate::record::WallMillis;

/// tenant, id → row.
pub(super) const PROMPTS: TableDefinition<'static, &RecordingKey, &[u8]> =
    TableDefinition::new("prompts");
/// tenant, id of prompts that may have a file which is not their row's.
pub(super) const PROMPT_FILES: TableDefinition<'static, &RecordingKey, ()> =
    TableDefinition::new("prompt_files");
/// In `meta`; u64, big-endian: the highest prompt ever added.
const PROMPT_HIGH: &str = "prompt_high";

/// A change to the library.
#[derive(Clone, Debug)]
pub(crate) enum PromptChange {
    /// A new prompt without a file; its id is given at commit.
    Add(Box<NewPrompt>, WallMillis),
    /// The same for one whose file is about to come: no one finds it before [`Self::Put`].
    Prepare(Box<NewPrompt>, WallMillis),
    /// The row of [`Self::Prepare`], with its file in place.
    Put(Box<PromptRow>),
    /// A file is about to come for a prompt that has none.
    Intend(TenantId, PromptId),
    /// It is in place. Refused when the prompt has one already or is deleted.
    Sound(TenantId, PromptId, Box<PromptSound>),
    /// Deleted at this time; its file goes next.
    Delete(TenantId, PromptId, WallMillis),
    /// No file is there that is not the row's.
    Settled(TenantId, PromptId),
    /// Ids up to this one were given before, for reindexing.
    Pass(PromptId),
}

impl PromptChange {
    pub(super) fn apply(&self, tables: &mut Tables<'_>) -> Result<Applied, StorageError> {
        match self {
            Self::Add(prompt, at) => {
                let Some(row) = number(tables, prompt, *at)? else {
                    return Ok(Applied::Refused(Refusal::NoTenant));
                };
                put(tables, &row)
            }
            Self::Prepare(prompt, at) => {
                let Some(row) = number(tables, prompt, *at)? else {
                    return Ok(Applied::Refused(Refusal::NoTenant));
                };
                tables
                    .rare(PROMPT_FILES)?
                    .insert(&key(row.tenant, row.id), ())?;
                Ok(Applied::Prompt(Box::new(row)))
            }
            Self::Put(row) => {
                tables
                    .rare(PROMPT_FILES)?
                    .remove(&key(row.tenant, row.id))?;
                raise(tables, PROMPT_HIGH, row.id.0)?;
                put(tables, row)
            }
            Self::Intend(tenant, id) => {
                tables.rare(PROMPT_FILES)?.insert(&key(*tenant, *id), ())?;
                Ok(Applied::Done)
            }
            Self::Sound(tenant, id, sound) => change(tables, *tenant, *id, |row| {
                if row.sound.is_some() || row.deleted_at.is_some() {
                    return None;
                }
                row.sound = Some((**sound).clone());
                Some(false)
            }),
            Self::Delete(tenant, id, at) => change(tables, *tenant, *id, |row| {
                row.deleted_at.get_or_insert(*at);
                Some(row.sound.is_some())
            }),
            Self::Settled(tenant, id) => {
                tables.rare(PROMPT_FILES)?.remove(&key(*tenant, *id))?;
                Ok(Applied::Done)
            }
            Self::Pass(id) => raise(tables, PROMPT_HIGH, id.0),
        }
    }
}

/// The row of a new prompt; `None` without its tenant.
fn number(
    tables: &mut Tables<'_>,
    prompt: &NewPrompt,
    at: WallMillis,
) -> Result<Option<PromptRow>, StorageError> {
    let tenant = prompt.tenant.0.to_be_bytes();
    if tables.tenants.get(&tenant)?.is_none() {
        return Ok(None);
    }
    let id = PromptId(read_u64(tables, PROMPT_HIGH)? + 1);
    raise(tables, PROMPT_HIGH, id.0)?;
    Ok(Some(PromptRow {
        id,
        tenant: prompt.tenant,
        name: prompt.name.clone(),
        origin: prompt.origin.clone(),
        sound: None,
        created_at: at,
        expires_at: prompt.expires_at,
        deleted_at: None,
    }))
}

fn put(tables: &mut Tables<'_>, row: &PromptRow) -> Result<Applied, StorageError> {
    let bytes = encode(row);
    tables
        .rare(PROMPTS)?
        .insert(&key(row.tenant, row.id), bytes.as_slice())?;
    Ok(Applied::Prompt(Box::new(row.clone())))
}

/// Changes a row. `how` answers whether a file is on its way out, or `None` to refuse.
fn change(
    tables: &mut Tables<'_>,
    tenant: TenantId,
    id: PromptId,
    how: impl FnOnce(&mut PromptRow) -> Option<bool>,
) -> Result<Applied, StorageError> {
    let key = key(tenant, id);
    let held = tables
        .rare(PROMPTS)?
        .get(&key)?
        .map(|guard| decode(guard.value()));
    let mut row = match held {
        None => return Ok(Applied::Refused(Refusal::NoPrompt)),
        Some(Err(_)) => return Ok(Applied::Refused(Refusal::Unreadable)),
        Some(Ok(row)) => row,
    };
    let Some(leaves) = how(&mut row) else {
        return Ok(Applied::Refused(Refusal::NoPrompt));
    };
    if leaves {
        tables.rare(PROMPT_FILES)?.insert(&key, ())?;
    } else {
        tables.rare(PROMPT_FILES)?.remove(&key)?;
    }
    put(tables, &row)
}

/// What a walk over all prompts finds.
pub(crate) type PromptEntry = (TenantId, PromptId, Result<PromptRow, ValueError>);

impl Index {
    pub(crate) fn prompt(
        &self,
        tenant: TenantId,
        id: PromptId,
    ) -> Result<Option<PromptRow>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, PROMPTS)? else {
            return Ok(None);
        };
        match table.get(&key(tenant, id))? {
            Some(bytes) => decode(bytes.value())
                .map(Some)
                .map_err(|_| ReadError::PromptRow(id)),
            None => Ok(None),
        }
    }

    /// A tenant's prompts, newest first, at most `limit` of those wanted; looks at no more than
    /// [`PROMPT_SCAN_MAX`].
    pub(crate) fn prompts(
        &self,
        tenant: TenantId,
        wanted: &mut dyn FnMut(&PromptRow) -> bool,
        limit: usize,
    ) -> Result<Vec<PromptRow>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, PROMPTS)? else {
            return Ok(Vec::new());
        };
        let (first, last) = (key(tenant, PromptId(0)), key(tenant, PromptId(u64::MAX)));
        let mut found = Vec::new();
        let range = table.range::<&RecordingKey>(&first..=&last)?;
        for entry in range.rev().take(PROMPT_SCAN_MAX) {
            if found.len() >= limit {
                break;
            }
            let (at, bytes) = entry?;
            let (_, id) = split(at.value());
            let row = decode(bytes.value()).map_err(|_| ReadError::PromptRow(id))?;
            if wanted(&row) {
                found.push(row);
            }
        }
        Ok(found)
    }

    /// The rows after a key in key order, at most `limit`.
    pub(crate) fn walk_prompts(
        &self,
        after: Option<(TenantId, PromptId)>,
        limit: usize,
    ) -> Result<Vec<PromptEntry>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, PROMPTS)? else {
            return Ok(Vec::new());
        };
        let after = after.map(|(tenant, id)| key(tenant, id));
        let rows = read::after(&table, after, limit)?.into_iter();
        Ok(rows
            .map(|(at, bytes)| {
                let (tenant, id) = split(&at);
                (tenant, id, decode(&bytes))
            })
            .collect())
    }

    /// Prompts that may have a file which is not their row's.
    pub(crate) fn unsettled_prompts(&self) -> Result<Vec<(TenantId, PromptId)>, ReadError> {
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, PROMPT_FILES)? else {
            return Ok(Vec::new());
        };
        let mut all = Vec::new();
        for entry in table.iter()? {
            all.push(split(entry?.0.value()));
        }
        Ok(all)
    }

    /// Whether a file of this prompt is known to be under way or on its way out.
    pub(crate) fn is_unsettled(&self, tenant: TenantId, id: PromptId) -> Result<bool, ReadError> {
        let reading = self.begin_read()?;
        match tables::rare(&reading, PROMPT_FILES)? {
            Some(table) => Ok(table.get(&key(tenant, id))?.is_some()),
            None => Ok(false),
        }
    }

    /// The highest prompt ever added.
    pub(crate) fn prompt_high(&self) -> Result<PromptId, ReadError> {
        let table = self.begin_read()?.open_table(tables::META)?;
        let high = table.get(PROMPT_HIGH)?;
        Ok(PromptId(high.map_or(0, |guard| keys::be64(guard.value()))))
    }
}

/// A prompt's row as bytes.
pub(crate) fn encode(row: &PromptRow) -> Vec<u8> {
    values::encode(row)
}

/// A prompt's row from bytes; never panics, whatever the bytes are.
pub(crate) fn decode(bytes: &[u8]) -> Result<PromptRow, ValueError> {
    values::decode(bytes)
}

fn key(tenant: TenantId, id: PromptId) -> RecordingKey {
    keys::recording(tenant, RecordingId(id.0))
}

fn split(key: &RecordingKey) -> (TenantId, PromptId) {
    let (tenant, id) = keys::split_recording(key);
    (tenant, PromptId(id.0))
}

#[cfg(test)]
mod tests {
    use audio_io::format::StreamFormat;
    use audio_io::units::Frames;

    use super::*;
    use crate::prompt::{PromptOrigin, Speech};
    use crate::record::Container;

    #[test]
    fn version_1_rows_read_as_ever() {
        let origins = [
            PromptOrigin::Upload,
            PromptOrigin::Url("https://example.org/a.mp3".into()),
            PromptOrigin::Speech(Speech {
                text: "Please hold the line".into(),
                voice: Some("en-us".into()),
            }),
            PromptOrigin::Recording(RecordingId(42)),
        ];
        let mut all = Vec::new();
        for (id, origin) in (1..).zip(origins) {
            let sound = PromptSound {
                container: Container::Mp3,
                format: StreamFormat::TELEPHONE,
                frames: Frames(80_000),
                size_bytes: 40_320,
                content_hash: [0xA5; 32],
                stored_at: WallMillis(1_763_700_000_500),
            };
            let row = PromptRow {
                id: PromptId(id),
                tenant: TenantId(3),
                name: "hold".into(),
                origin,
                sound: (id % 2 == 0).then_some(sound),
                created_at: WallMillis(1_763_700_000_000),
                expires_at: (id == 3).then_some(WallMillis(1_763_900_000_000)),
                deleted_at: (id == 4).then_some(WallMillis(1_763_800_000_000)),
            };
            assert_eq!(decode(&encode(&row)), Ok(row.clone()));
            all.extend(encode(&row));
        }
        let stored = include_bytes!("../../golden/prompts_v1.rows");
        assert_eq!(all, stored);
    }
}
