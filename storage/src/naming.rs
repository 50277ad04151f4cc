//! New ids and names, made in memory: ids from a range that the index has set aside, names from
//! a keyed stream of random bytes. Nothing here waits for the disk.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::OpenError;
use crate::ids::{CallSid, ExternalId, Names, RecordingId};
use crate::limits::ID_RANGE;

/// Makes ids and names.
pub(crate) struct NameMaker {
    seed: [u8; 32],
    drawn: AtomicU64,
    next: AtomicU64,
    reserved: AtomicU64,
}

impl NameMaker {
    /// Ids start at `first`; those below `reserved` are set aside in the index.
    pub(crate) fn new(first: u64, reserved: u64) -> Result<Self, OpenError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(OpenError::Random)?;
        Ok(Self {
            seed,
            drawn: AtomicU64::new(0),
            next: AtomicU64::new(first.max(1)),
            reserved: AtomicU64::new(reserved),
        })
    }

    pub(crate) fn id(&self) -> RecordingId {
        RecordingId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The id that comes next.
    pub(crate) fn peek(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Makes sure that ids after an imported one are not given out twice.
    pub(crate) fn pass(&self, id: RecordingId) {
        if id.0 < crate::limits::ID_MAX {
            self.next.fetch_max(id.0 + 1, Ordering::Relaxed);
        }
    }

    /// The new upper end to set aside, when half of the range is used up. Answers once a range.
    pub(crate) fn wants_range(&self) -> Option<u64> {
        let next = self.next.load(Ordering::Relaxed);
        let reserved = self.reserved.load(Ordering::Relaxed);
        if next + ID_RANGE / 2 < reserved {
            return None;
        }
        let wanted = next + ID_RANGE;
        self.reserved
            .compare_exchange(reserved, wanted, Ordering::Relaxed, Ordering::Relaxed)
            .ok()
            .map(|_| wanted)
    }

    /// The range that [`NameMaker::wants_range`] asked for was not set aside; it asks again.
    pub(crate) fn range_refused(&self) {
        self.reserved.store(self.peek(), Ordering::Relaxed);
    }

    pub(crate) fn names(&self) -> Names {
        let random: [u8; 80] = self.draw();
        let text = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(String::with_capacity(32), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                })
        };
        let task: [u8; 16] = std::array::from_fn(|at| random[32 + at]);
        let session: [u8; 16] = std::array::from_fn(|at| random[48 + at]);
        let node = text(&random[64..66]);
        let run = text(&random[66..72]);
        Names {
            call_sid: CallSid::made(format!("call_{}", text(&random[..16]))),
            crt_object_id: ExternalId::made(format!("{node}-{run}-vce-{}", text(&random[16..24]))),
            campaign_id: DEFAULT_CAMPAIGN,
            call_id: ExternalId::made(format!("{node}-{run}-vcall-{}", text(&random[24..32]))),
            task_id: uuid::Builder::from_random_bytes(task).into_uuid(),
            session_uuid: uuid::Builder::from_random_bytes(session).into_uuid(),
        }
    }

    fn draw<const N: usize>(&self) -> [u8; N] {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; N];
        let mut hasher = blake3::Hasher::new_keyed(&self.seed);
        hasher.update(&number.to_le_bytes());
        hasher.finalize_xof().fill(&mut bytes);
        bytes
    }
}

/// The campaign of recordings that no one gave a campaign.
pub(crate) const DEFAULT_CAMPAIGN: u32 = 1;
