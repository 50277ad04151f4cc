//! An open store as what an export is made of: its rows, its files, and its ledger.

use std::path::Path;

use super::manifest::Hold;
use super::{Item, Proofs};
use crate::error::{ReadError, WriteError};
use crate::handle::StorageHandle;
use crate::ids::{RecordingId, TenantId};
use crate::index::apply::Change;
use crate::ledger::entry::{Act, Kind};
use crate::ledger::key::PublicKey;
use crate::ledger::proof::ChainProof;
use crate::ledger::query::AuditFilter;
use crate::limits::PAGE_MAX;
use crate::record::{Recording, WallMillis};

/// The longest file that is looked at for a public key, in bytes.
const PEM_MAX: u64 = 16 * 1024;

/// Acts that go into one commit.
const ACTS_AT_ONCE: usize = 256;

/// Proofs from a store's own ledger.
#[derive(Clone)]
pub struct OfStore(pub StorageHandle);

impl Proofs for OfStore {
    fn proofs(
        &mut self,
        tenant: TenantId,
        recording: RecordingId,
    ) -> Result<Vec<ChainProof>, Box<dyn std::error::Error + Send + Sync>> {
        let filter = AuditFilter {
            recording: Some(recording),
            tenant: Some(tenant),
            kinds: vec![
                Kind::Sealed,
                Kind::Imported,
                Kind::Exchanged,
                Kind::Undone,
                Kind::Deleted,
            ],
            ..AuditFilter::default()
        };
        let (mut numbers, mut after) = (Vec::new(), None);
        loop {
            let page = self.0.audit(&filter, after, PAGE_MAX)?;
            numbers.extend(page.entries.iter().map(|entry| entry.seq));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        numbers.sort_unstable();
        let mut proofs = Vec::with_capacity(numbers.len());
        for number in numbers {
            proofs.push(self.0.proof_of(number)?);
        }
        Ok(proofs)
    }
}

impl StorageHandle {
    /// A recording as an export takes it, with what keeps it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn export_item(&self, row: Recording) -> Result<Item, ReadError> {
        let (tenant, id) = (row.facts.tenant, row.facts.id);
        let keeping = self.keeping(tenant, id)?.unwrap_or_default();
        let path = self.path_of(&row);
        let mut item = Item::new(row, path, self.shared.tenant_name(tenant));
        item.tags = keeping.tags.iter().map(ToString::to_string).collect();
        let holds = keeping.holds.into_iter().map(|hold| Hold {
            id: hold.id,
            reason: hold.reason,
            by: hold.by,
            at: hold.at,
        });
        item.holds = holds.collect();
        item.keep_until = (keeping.keep_until > 0).then_some(WallMillis(keeping.keep_until));
        Ok(item)
    }

    /// The keys that the ledger's checkpoints were ever signed with, as far as their files are
    /// there: the one of now first.
    #[must_use]
    pub fn export_keys(&self) -> Vec<PublicKey> {
        let mut keys: Vec<PublicKey> = self.ledger_key().into_iter().collect();
        let Ok(files) = std::fs::read_dir(self.checkpoints_dir()) else {
            return keys;
        };
        for file in files.flatten() {
            let Some(key) = key_in(&file.path()) else {
                continue;
            };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// Tells the ledger of several acts; durable when it returns.
    ///
    /// # Errors
    /// [`WriteError`]: some of them may be in the ledger then.
    pub fn record_acts_durably(
        &self,
        acts: impl IntoIterator<Item = Act>,
    ) -> Result<(), WriteError> {
        let mut acts = acts.into_iter().peekable();
        while acts.peek().is_some() {
            let some = acts.by_ref().take(ACTS_AT_ONCE);
            let some = some.map(|act| Change::Tell(Box::new(act))).collect();
            self.commit(Change::All(some))?;
        }
        Ok(())
    }

    /// Where the key is that signs checkpoints and exports.
    #[must_use]
    pub fn ledger_key_file(&self) -> &Path {
        &self.shared.ledger.key_file
    }
}

/// The key of a file that is named by the key's id.
fn key_in(path: &Path) -> Option<PublicKey> {
    let named = path.file_name()?.to_str()?.strip_suffix(".pem")?;
    if path.metadata().ok()?.len() > PEM_MAX {
        return None;
    }
    let key = PublicKey::from_pem(&std::fs::read_to_string(path).ok()?).ok()?;
    (key.id().to_string() == named).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::super::tests::NOW;
    use super::super::{Export, verify, write_file};
    use super::*;
    use crate::ledger::key::SigningKey;
    use crate::record::RecordingState;
    use crate::testing::Store;

    #[test]
    fn recordings_of_a_store_are_exported_with_their_ledger() {
        let store = Store::new();
        let rows = [store.recorded(), store.imported(1), store.imported(2)];
        let handle = &store.handle;
        let (tenant, id) = (store.tenant, rows[1].facts.id);
        let hold = crate::retention::NewHold {
            reason: "case 1".into(),
            by: "counsel".into(),
        };
        handle.set_hold(tenant, id, hold).unwrap();
        handle
            .keep_until(tenant, id, WallMillis(NOW.0 + 1))
            .unwrap();
        let tag = crate::ids::Tag::new("sales").unwrap();
        handle.add_tags(tenant, id, vec![tag]).unwrap();
        let items: Vec<Item> = rows.map(|row| handle.export_item(row).unwrap()).to_vec();
        assert_eq!((items[0].tags.len(), items[0].keep_until), (0, None));
        assert_eq!(items[1].tags, ["sales"]);
        assert_eq!(items[1].keep_until, Some(WallMillis(NOW.0 + 1)));
        let held = &items[1].holds[0];
        assert_eq!(
            (held.id, &*held.reason, &*held.by),
            (1, "case 1", "counsel")
        );
        assert!(
            items
                .iter()
                .all(|item| item.row.state == RecordingState::Stored)
        );
        let key = SigningKey::read(handle.ledger_key_file()).unwrap();
        let keys = handle.export_keys();
        assert_eq!(keys[0], key.public());
        let target = store.folder.path().join("export.tar");
        let export = Export {
            made_by: "callreel test".to_owned(),
            host: "here".to_owned(),
            made_at: NOW,
            note: None,
            items: &items,
            unproved: false,
            key: &key,
            checkpoint_keys: &keys,
            proofs: &mut OfStore(handle.clone()),
        };
        let written = write_file(export, &target, false, &mut |_, _| true).unwrap();
        assert_eq!((written.recordings, written.unproved), (3, 0));
        let archive = std::fs::File::open(&target).unwrap();
        let report = verify(archive, Some(&key.public()), &mut |_| ()).unwrap();
        assert_eq!((report.recordings, report.unproved), (3, 0));
        assert!(report.checkpoints > 0);
        // A file that is exchanged behind the store's back is not exported.
        let path = &items[1].path;
        let mut bytes = std::fs::read(path).unwrap();
        bytes[7] ^= 1;
        std::fs::write(path, bytes).unwrap();
        let export = Export {
            made_by: "callreel test".to_owned(),
            host: "here".to_owned(),
            made_at: NOW,
            note: None,
            items: &items,
            unproved: true,
            key: &key,
            checkpoint_keys: &keys,
            proofs: &mut OfStore(handle.clone()),
        };
        let error = write_file(export, &target, true, &mut |_, _| true).unwrap_err();
        assert!(error.to_string().contains("has been changed"), "{error}");
        let archive = std::fs::File::open(&target).unwrap();
        verify(archive, None, &mut |_| ()).unwrap();
    }
}
