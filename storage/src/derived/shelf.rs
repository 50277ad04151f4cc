//! Which conversions are kept, in which order they were last used, and how many bytes they are.
//! Every file is moved, removed and opened under the shelf's lock, so that the accounts and the
//! folder agree.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use audio_io::units::WallMillis;

use crate::ids::{RecordingId, TenantId};
use crate::limits::{DERIVED_BYTES, DERIVED_FILES_MAX, DERIVED_TAG_MAX, DERIVED_TOUCH_EVERY};
use crate::paths::{Layout, create_dirs, unlink_if_there};
use crate::record::Container;

/// Which conversion of which recording.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) tenant: TenantId,
    pub(super) id: RecordingId,
    pub(super) container: Container,
    pub(super) tag: Arc<str>,
}

/// Last use in milliseconds, and a number that tells apart what was used at once.
type Turn = (u64, u64);

#[derive(Clone, Copy, Debug)]
struct Kept {
    bytes: u64,
    turn: Turn,
    /// The last use that the file's own time tells.
    noted: u64,
}

/// The kept conversions.
pub(super) struct Shelf {
    layout: Layout,
    /// `None` until somebody says: then nothing of an earlier run is thrown away yet.
    limit: Option<u64>,
    bytes: u64,
    files: HashMap<Name, Kept>,
    order: BTreeMap<Turn, Name>,
    /// The one file that is larger than the limit; the first to go.
    oversize: Option<Name>,
    /// The latest turn given: they only grow, whatever the clock does.
    latest: Turn,
    /// Whether everything an earlier run left is in the accounts.
    counted: bool,
}

impl Shelf {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            layout,
            limit: None,
            bytes: 0,
            files: HashMap::new(),
            order: BTreeMap::new(),
            oversize: None,
            latest: (0, 0),
            counted: false,
        }
    }

    pub(super) fn usage(&self) -> (u64, u64) {
        (self.bytes, self.files.len() as u64)
    }

    pub(super) fn set_limit(&mut self, bytes: u64) {
        self.limit = Some(bytes);
        self.oversize = None;
        if self.counted {
            self.make_room(None);
        }
    }

    /// Everything is in the accounts now.
    pub(super) fn counted(&mut self) {
        self.counted = true;
        if self.limit.is_some() {
            self.make_room(None);
        }
    }

    /// A kept file and its length; counts as a use.
    pub(super) fn open(&mut self, name: &Name, now: WallMillis) -> io::Result<Option<(File, u64)>> {
        if !self.counted && !self.files.contains_key(name) {
            self.take_in(name.tenant, name.id, now)?;
        }
        let Some(kept) = self.files.get(name).copied() else {
            return Ok(None);
        };
        let file = match File::open(self.path(name, kept.bytes)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.strike(name);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if file.metadata()?.len() != kept.bytes {
            log::warn!("a conversion of recording {} has changed and goes", name.id);
            self.drop_file(name);
            return Ok(None);
        }
        let turn = self.turn(now);
        let every = u64::try_from(DERIVED_TOUCH_EVERY.as_millis()).unwrap_or(u64::MAX);
        let due = now.0.abs_diff(kept.noted) >= every;
        if due && let Err(error) = file.set_modified(time_of(now)) {
            log::debug!("a use of a conversion is not noted: {error}");
        }
        self.order.remove(&kept.turn);
        self.order.insert(turn, name.clone());
        let noted = if due { now.0 } else { kept.noted };
        let bytes = kept.bytes;
        self.files.insert(name.clone(), Kept { bytes, turn, noted });
        Ok(Some((file, bytes)))
    }

    /// Moves a finished file to its place and opens it there; others go for it.
    pub(super) fn keep(
        &mut self,
        name: &Name,
        bytes: u64,
        from: &Path,
        now: WallMillis,
    ) -> io::Result<File> {
        let folder = self.layout.derived_of(name.tenant, name.id);
        create_dirs(self.layout.root(), &folder)?;
        let path = self.path(name, bytes);
        if self.files.get(name).is_some_and(|kept| kept.bytes != bytes) {
            self.drop_file(name);
            create_dirs(self.layout.root(), &folder)?;
        }
        let file = File::open(from)?;
        std::fs::rename(from, &path)?;
        let (_, note) = (self.strike(name), file.set_modified(time_of(now)));
        if let Err(error) = note {
            log::debug!("a use of a conversion is not noted: {error}");
        }
        let turn = self.turn(now);
        self.enter(name.clone(), bytes, turn, now.0);
        if bytes > self.limit() {
            // Nothing that fits goes for what does not; and it is the one that goes next.
            if let Some(other) = self
                .oversize
                .replace(name.clone())
                .filter(|one| one != name)
            {
                self.drop_file(&other);
            }
        } else {
            self.make_room(Some(name));
        }
        Ok(file)
    }

    /// Removes a recording's conversions and their folder.
    pub(super) fn forget(&mut self, tenant: TenantId, id: RecordingId) -> io::Result<()> {
        let folder = self.layout.derived_of(tenant, id);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            unlink_if_there(&entry.path())?;
            if let Some((tag, _, container)) = split(&entry.file_name()) {
                self.strike(&Name {
                    tenant,
                    id,
                    container,
                    tag: tag.into(),
                });
            }
        }
        std::fs::remove_dir(&folder)
    }

    /// Enters what lies in a recording's folder into the accounts. Files of another length than
    /// their name tells are removed.
    pub(super) fn take_in(
        &mut self,
        tenant: TenantId,
        id: RecordingId,
        now: WallMillis,
    ) -> io::Result<()> {
        let folder = self.layout.derived_of(tenant, id);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut empty = true;
        for entry in entries {
            let entry = entry?;
            empty = false;
            let file_name = entry.file_name();
            let Some((tag, bytes, container)) = split(&file_name) else {
                continue;
            };
            let name = Name {
                tenant,
                id,
                container,
                tag: tag.into(),
            };
            let metadata = entry.metadata()?;
            let held = self.files.get(&name).map(|kept| kept.bytes);
            if !metadata.is_file() || metadata.len() != bytes || held.is_some_and(|n| n != bytes) {
                log::warn!(
                    "'{}' is no whole conversion and goes",
                    entry.path().display()
                );
                unlink_if_there(&entry.path())?;
            } else if held.is_none() {
                let used = used_at(&metadata).min(now.0);
                let turn = (used, self.number());
                self.enter(name, bytes, turn, used);
            }
        }
        if empty {
            let _ = std::fs::remove_dir(&folder);
        }
        Ok(())
    }

    /// Removes the file that should go first. False when there is none.
    pub(super) fn evict_oldest(&mut self) -> bool {
        let next = self.oversize.take();
        let next = next.or_else(|| self.order.first_key_value().map(|(_, name)| name.clone()));
        match next {
            Some(name) => {
                self.drop_file(&name);
                true
            }
            None => false,
        }
    }

    /// Removes a file and its entry. What cannot be removed is told and counted no more; the
    /// next start finds it again.
    pub(super) fn drop_file(&mut self, name: &Name) {
        let Some(kept) = self.strike(name) else {
            return;
        };
        let path = self.path(name, kept.bytes);
        if let Err(error) = unlink_if_there(&path) {
            log::warn!("'{}' cannot be removed: {error}", path.display());
        }
        // Refused while others are in it.
        let _ = std::fs::remove_dir(self.layout.derived_of(name.tenant, name.id));
    }

    fn limit(&self) -> u64 {
        self.limit.unwrap_or(DERIVED_BYTES)
    }

    /// Removes the least recently used until the rest fits; never `spared`.
    fn make_room(&mut self, spared: Option<&Name>) {
        while self.bytes > self.limit() || self.files.len() > DERIVED_FILES_MAX {
            let may_go = |name: &&Name| Some(*name) != spared;
            let next = self.oversize.iter().chain(self.order.values()).find(may_go);
            match next.cloned() {
                Some(name) => self.drop_file(&name),
                None => return,
            }
        }
    }

    fn enter(&mut self, name: Name, bytes: u64, turn: Turn, noted: u64) {
        self.bytes += bytes;
        self.order.insert(turn, name.clone());
        self.files.insert(name, Kept { bytes, turn, noted });
    }

    fn strike(&mut self, name: &Name) -> Option<Kept> {
        let kept = self.files.remove(name)?;
        self.order.remove(&kept.turn);
        self.bytes -= kept.bytes;
        if self.oversize.as_ref() == Some(name) {
            self.oversize = None;
        }
        Some(kept)
    }

    fn turn(&mut self, now: WallMillis) -> Turn {
        let number = self.number();
        self.latest = (self.latest.0.max(now.0), number);
        self.latest
    }

    fn number(&mut self) -> u64 {
        self.latest.1 += 1;
        self.latest.1
    }

    fn path(&self, name: &Name, bytes: u64) -> PathBuf {
        let folder = self.layout.derived_of(name.tenant, name.id);
        let extension = name.container.extension();
        folder.join(format!("{}.{bytes}.{extension}", name.tag))
    }
}

/// Whether a text may be a conversion's tag.
pub(super) fn is_tag(tag: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (1..=DERIVED_TAG_MAX).contains(&tag.len()) && tag.bytes().all(digit)
}

/// Whether a file's name is one that a kept conversion has.
pub(crate) fn is_kept_name(name: &std::ffi::OsStr) -> bool {
    split(name).is_some()
}

/// Tag, length and format from a file's name.
fn split(name: &std::ffi::OsStr) -> Option<(&str, u64, Container)> {
    let mut parts = name.to_str()?.splitn(3, '.');
    let (tag, length, extension) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = length.parse::<u64>().ok()?;
    let container = Container::of_extension(extension)?;
    (is_tag(tag) && bytes.to_string() == length).then_some((tag, bytes, container))
}

fn time_of(at: WallMillis) -> SystemTime {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(at.0));
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn used_at(metadata: &std::fs::Metadata) -> u64 {
    let since = metadata.modified().ok();
    let since = since.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
