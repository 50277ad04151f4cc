//! Holds, minimums and tags of recordings, through the store's handle. Each change is durable when
//! it returns, and tells what was kept before and is now.

use crate::error::{ReadError, WriteError};
use crate::handle::StorageHandle;
use crate::ids::{RecordingId, Tag, TenantId};
use crate::index::apply::{Applied, Change, Refusal};
use crate::index::keeping::{Edit, KeepingChange};
use crate::limits::{ACTOR_MAX, HOLDS_MAX, KEEP_MAX_MS, PAGE_MAX, REASON_MAX, TAGS_MAX};
use crate::record::WallMillis;

use super::keeping::{Hold, Keeping, NewHold, time_text};

/// Why what is kept of a recording was not changed; it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The tenant has no such recording.
    #[error("no recording {0}")]
    NotFound(RecordingId),
    /// A hold, or lifting one, without a reason.
    #[error("a hold needs a reason: who will know in ten years why it was set or lifted?")]
    NoReason,
    /// Nobody says who it is.
    #[error("a hold needs the name of whoever sets or lifts it")]
    NoActor,
    /// A reason or a name that is too long, or with control characters in it.
    #[error(
        "a reason has at most {REASON_MAX} characters and a name {ACTOR_MAX}, none of them a \
         control character"
    )]
    Text,
    /// No such hold.
    #[error("recording {0} has no hold {1}")]
    NoHold(RecordingId, u32),
    /// Too many holds.
    #[error("recording {0} has {HOLDS_MAX} holds; lift one that is not needed first")]
    TooManyHolds(RecordingId),
    /// Too many tags.
    #[error("a recording has at most {TAGS_MAX} tags")]
    TooManyTags,
    /// A minimum that would become shorter.
    #[error("recording {id} is kept until {}; that can only grow", time_text(*until))]
    UntilShrinks {
        /// Which.
        id: RecordingId,
        /// The minimum it has.
        until: u64,
    },
    /// A minimum that nobody can mean.
    #[error("{} is more than a hundred years away", time_text(*.0))]
    TooFar(u64),
    /// Without the tag it might be deleted before its present minimum is reached.
    #[error(
        "without that tag recording {0} would be kept for less time than it must be now; confirm \
         that explicitly"
    )]
    TagShrinks(RecordingId),
    /// What is kept of it cannot be read, so it counts as held.
    #[error("what is kept of recording {0} is unreadable; run 'callreel check'")]
    Unreadable(RecordingId),
    /// The index could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl StorageHandle {
    /// What keeps a recording, and its tags; `None` when the tenant has no such recording.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn keeping(&self, tenant: TenantId, id: RecordingId) -> Result<Option<Keeping>, ReadError> {
        self.shared.index.keeping(tenant, id)
    }

    /// Recordings with a tag after a number, in order of numbers, at most `limit` (1 to
    /// [`PAGE_MAX`]).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn tagged(
        &self,
        tenant: TenantId,
        tag: &Tag,
        after: Option<RecordingId>,
        limit: usize,
    ) -> Result<Vec<RecordingId>, ReadError> {
        let limit = limit.clamp(1, PAGE_MAX);
        self.shared.index.tagged(tenant, tag, after, limit)
    }

    /// Holds a recording, one that is being recorded too: while there is a hold, nothing deletes
    /// it.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn set_hold(
        &self,
        tenant: TenantId,
        id: RecordingId,
        hold: NewHold,
    ) -> Result<Hold, KeepError> {
        let hold = checked(hold)?;
        let at = self.shared.clock.wall();
        let (_, after) = self.edit(tenant, id, Edit::Hold(hold, at))?;
        after.holds.last().cloned().ok_or(KeepError::Unreadable(id))
    }

    /// Lifts a hold; answers it. `why` is checked as that of a hold is, and is the ledger's.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn lift_hold(
        &self,
        tenant: TenantId,
        id: RecordingId,
        hold: u32,
        why: NewHold,
    ) -> Result<Hold, KeepError> {
        let why = checked(why)?;
        let (before, _) = match self.edit(tenant, id, Edit::Lift(hold, why)) {
            Err(KeepError::NoHold(id, _)) => return Err(KeepError::NoHold(id, hold)),
            lifted => lifted?,
        };
        let lifted = before.holds.into_iter().find(|held| held.id == hold);
        lifted.ok_or(KeepError::NoHold(id, hold))
    }

    /// Keeps a recording until then at least, by proven time; never less than it was.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn keep_until(
        &self,
        tenant: TenantId,
        id: RecordingId,
        until: WallMillis,
    ) -> Result<(Keeping, Keeping), KeepError> {
        let now = self.shared.clock.wall().0;
        if until
            .0
            .saturating_sub(now.max(crate::limits::CLOCK_FLOOR_MS))
            > KEEP_MAX_MS
        {
            return Err(KeepError::TooFar(until.0));
        }
        match self.edit(tenant, id, Edit::Until(until.0)) {
            Err(KeepError::TagShrinks(id)) => {
                let held = self.keeping(tenant, id)?;
                let until = held.map_or(0, |held| held.keep_until);
                Err(KeepError::UntilShrinks { id, until })
            }
            kept => kept,
        }
    }

    /// Adds tags; those it has already stay.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn add_tags(
        &self,
        tenant: TenantId,
        id: RecordingId,
        tags: Vec<Tag>,
    ) -> Result<(Keeping, Keeping), KeepError> {
        if tags.len() > TAGS_MAX {
            return Err(KeepError::TooManyTags);
        }
        match self.edit(tenant, id, Edit::Tag(tags)) {
            Err(KeepError::TooManyHolds(_)) => Err(KeepError::TooManyTags),
            tagged => tagged,
        }
    }

    /// Removes tags. Refused where a policy's minimum goes with one of them before it is reached,
    /// unless `shrink_confirmed`.
    ///
    /// # Errors
    /// [`KeepError`].
    pub fn remove_tags(
        &self,
        tenant: TenantId,
        id: RecordingId,
        tags: Vec<Tag>,
        shrink_confirmed: bool,
    ) -> Result<(Keeping, Keeping), KeepError> {
        let verdict = match shrink_confirmed {
            true => None,
            false => Some(Box::new(self.shared.keeper.verdict(&self.shared).0)),
        };
        self.edit(tenant, id, Edit::Untag(tags, verdict))
    }

    fn edit(
        &self,
        tenant: TenantId,
        id: RecordingId,
        edit: Edit,
    ) -> Result<(Keeping, Keeping), KeepError> {
        let change = Change::Keeping(KeepingChange::Edit(tenant, id, edit));
        match self.commit(change)? {
            Applied::Keeping(kept) => Ok(*kept),
            Applied::Refused(Refusal::NoHold) => Err(KeepError::NoHold(id, 0)),
            Applied::Refused(Refusal::TooMany) => Err(KeepError::TooManyHolds(id)),
            Applied::Refused(Refusal::WouldShrink) => Err(KeepError::TagShrinks(id)),
            Applied::Refused(Refusal::Unreadable) => Err(KeepError::Unreadable(id)),
            _ => Err(KeepError::NotFound(id)),
        }
    }
}

fn checked(hold: NewHold) -> Result<NewHold, KeepError> {
    if hold.reason.trim().is_empty() {
        return Err(KeepError::NoReason);
    }
    if hold.by.trim().is_empty() {
        return Err(KeepError::NoActor);
    }
    let fits = |text: &str, most: usize| {
        text.chars().count() <= most && !text.chars().any(char::is_control)
    };
    if !fits(&hold.reason, REASON_MAX) || !fits(&hold.by, ACTOR_MAX) {
        return Err(KeepError::Text);
    }
    Ok(hold)
}
