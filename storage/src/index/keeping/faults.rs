//! What a check finds wrong with holds, minimums and tags: all of it as of one moment.

use redb::ReadableTable as _;

use super::{BY_TAG, KEEPING, decode_keeping, tag_key};
use crate::error::ReadError;
use crate::ids::{RecordingId, Tag, TenantId};
use crate::index::Index;
use crate::index::keys;
use crate::index::tables::{self, RECORDINGS};
use crate::retention::{KeptAfter, KeptRow};

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepingFault {
    /// It counts as a hold.
    #[error("what keeps it (holds, minimum, tags) cannot be read: it is never deleted")]
    Unreadable,
    /// Something is kept of nothing.
    #[error("holds, a minimum or tags are kept of it, and it does not exist")]
    NoRecording,
    /// It is not found by a tag.
    #[error("it has the tag '{0}' and is not found by it")]
    NotFound(Tag),
    /// It is found by a tag that it has not.
    #[error("it is found by the tag '{0}' and does not have it")]
    Stray(String),
}

impl Index {
    /// Rows of what keeps recordings, after a recording, at most `limit`.
    pub(crate) fn kept(
        &self,
        after: Option<KeptAfter>,
        limit: usize,
    ) -> Result<Vec<KeptRow>, ReadError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let reading = self.begin_read()?;
        let Some(table) = tables::rare(&reading, KEEPING)? else {
            return Ok(Vec::new());
        };
        let after = after.map(|(tenant, id)| keys::recording(tenant, id));
        let start = after.as_ref().map_or(Unbounded, Excluded);
        let mut rows = Vec::new();
        for entry in table
            .range::<&keys::RecordingKey>((start, Unbounded))?
            .take(limit)
        {
            let (key, bytes) = entry?;
            let (tenant, id) = keys::split_recording(key.value());
            rows.push((tenant, id, decode_keeping(bytes.value()).ok()));
        }
        Ok(rows)
    }

    /// Tells everything that is wrong with what keeps recordings.
    pub(crate) fn keeping_faults(
        &self,
        told: &mut dyn FnMut(TenantId, RecordingId, KeepingFault),
    ) -> Result<(), ReadError> {
        let reading = self.begin_read()?;
        let rows = reading.open_table(RECORDINGS)?;
        let (kept, by_tag) = (
            tables::rare(&reading, KEEPING)?,
            tables::rare(&reading, BY_TAG)?,
        );
        if let Some(kept) = &kept {
            for entry in kept.iter()? {
                let (key, bytes) = entry?;
                let (tenant, id) = keys::split_recording(key.value());
                if rows.get(key.value())?.is_none() {
                    told(tenant, id, KeepingFault::NoRecording);
                }
                let Ok(keeping) = decode_keeping(bytes.value()) else {
                    told(tenant, id, KeepingFault::Unreadable);
                    continue;
                };
                for tag in keeping.tags {
                    let place = tag_key(tenant, &tag, id);
                    let found = match &by_tag {
                        Some(by_tag) => by_tag.get(place.as_slice())?.is_some(),
                        None => false,
                    };
                    if !found {
                        told(tenant, id, KeepingFault::NotFound(tag));
                    }
                }
            }
        }
        let Some(by_tag) = by_tag else { return Ok(()) };
        for entry in by_tag.iter()? {
            let (key, ()) = {
                let (key, value) = entry?;
                (key, value.value())
            };
            let (tenant, tag, id) = split_tag(key.value());
            let held = match &kept {
                Some(kept) => kept.get(&keys::recording(tenant, id))?,
                None => None,
            };
            let held = held.map(|bytes| decode_keeping(bytes.value()));
            let has = match held {
                // That it cannot be read is told already.
                Some(Err(_)) => true,
                Some(Ok(keeping)) => keeping.tags.iter().any(|own| own.as_str() == tag),
                None => false,
            };
            if !has {
                told(tenant, id, KeepingFault::Stray(tag));
            }
        }
        Ok(())
    }
}

/// Tenant, tag and recording of a key; what is not in it is empty.
fn split_tag(key: &[u8]) -> (TenantId, String, RecordingId) {
    let tenant = key.first_chunk::<4>().copied().unwrap_or_default();
    let id = key.last_chunk::<8>().copied().unwrap_or_default();
    let tag = key.get(4..key.len().saturating_sub(9)).unwrap_or_default();
    (
        TenantId(u32::from_be_bytes(tenant)),
        String::from_utf8_lossy(tag).into_owned(),
        RecordingId(u64::from_be_bytes(id)),
    )
}
