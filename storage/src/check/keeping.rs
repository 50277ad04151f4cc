//! The check's part for what keeps recordings, and for the id that tells the store from others.

use super::{Check, Finding};
use crate::error::CheckError;
use crate::retention::store_id_flaws;

impl Check<'_> {
    /// Holds, minimums and tags against rows.
    pub(super) fn keeping(&mut self) -> Result<(), CheckError> {
        let report = &mut self.report;
        self.index.keeping_faults(&mut |_, id, problem| {
            report.found(Finding::Keeping { id, problem });
        })?;
        Ok(())
    }

    /// The id in index and folders.
    pub(super) fn place(&mut self) -> Result<(), CheckError> {
        for problem in store_id_flaws(self.layout, self.index)? {
            self.report.found(Finding::StoreId { problem });
        }
        Ok(())
    }
}
