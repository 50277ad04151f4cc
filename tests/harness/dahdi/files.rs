//! The nodes of the double, by FUSE: real system calls come in, the model answers.
//!
//! ```text
//!  FOLDER/ctl  channel  pseudo  timer  chan/SSS/CCC
//! ```
//! Errors are the driver's, `ELAST` too. A file that is closed is closed in the model before
//! close(2) returns, as with the driver, although FUSE's own release comes later.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, IoctlFlags,
    LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier, ReplyAttr, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyIoctl, ReplyOpen, ReplyPoll, ReplyWrite, Request,
    WriteFlags,
};

use super::model::Model;
use super::requests::{self, Answer};

/// The model and the files that are open on it.
pub(super) struct Driver {
    pub(super) model: Model,
    files: HashMap<u64, Open>,
    next: u64,
}

/// One open file.
struct Open {
    what: What,
    /// The process that opened it.
    owner: Option<u32>,
    /// Who waits for it, and for what.
    waiting: Option<(PollNotifier, i16)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Control,
    /// The file on which a channel is specified, perhaps later.
    Unspecified,
    Channel(u32),
    Closed,
}

impl Driver {
    pub(super) fn new(model: Model) -> Self {
        Self {
            model,
            files: HashMap::new(),
            next: 1,
        }
    }

    /// Takes out those whose wait is over.
    pub(super) fn woken(&mut self) -> Vec<PollNotifier> {
        let mut woken = Vec::new();
        for file in self.files.values_mut() {
            let What::Channel(number) = file.what else {
                continue;
            };
            let ready = ready(&self.model, number);
            if matches!(&file.waiting, Some((_, wanted)) if ready & (wanted | BROKEN) != 0) {
                woken.extend(file.waiting.take().map(|(notifier, _)| notifier));
            }
        }
        woken
    }

    fn opened(&mut self, what: What, owner: Option<u32>) -> u64 {
        let handle = self.next;
        self.next += 1;
        let waiting = None;
        self.files.insert(
            handle,
            Open {
                what,
                owner,
                waiting,
            },
        );
        handle
    }

    fn what(&self, handle: FileHandle) -> What {
        self.files
            .get(&handle.0)
            .map_or(What::Closed, |file| file.what)
    }

    fn close(&mut self, handle: FileHandle) {
        if let Some(file) = self.files.get_mut(&handle.0)
            && let What::Channel(number) = std::mem::replace(&mut file.what, What::Closed)
        {
            self.model.close(number);
        }
    }
}

/// A driver that several threads share.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Driver>>);

impl Shared {
    pub(super) fn new(driver: Driver) -> Self {
        Self(Arc::new(Mutex::new(driver)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Driver> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes whoever waits for that.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Model) -> T) -> T {
        let mut driver = self.lock();
        let made = change(&mut driver.model);
        let woken = driver.woken();
        drop(driver);
        for notifier in woken {
            // A file that was closed meanwhile waits no more.
            let _told = notifier.notify();
        }
        made
    }
}

fn ready(model: &Model, number: u32) -> i16 {
    model.lines.get(&number).map_or(BROKEN, |line| line.ready())
}

/// `POLLERR | POLLHUP`
const BROKEN: i16 = 0x18;

/// The tree of nodes.
const ROOT: u64 = 1;
const CTL: u64 = 2;
const CHANNEL: u64 = 3;
const PSEUDO: u64 = 4;
const CHAN: u64 = 5;
const SPAN: u64 = 0x1000;
const NODE: u64 = 0x10_0000;

const NOT_CACHED: Duration = Duration::ZERO;

impl Shared {
    /// Where a name in a folder leads.
    fn find(&self, parent: u64, name: &OsStr) -> Option<u64> {
        let name = name.to_str()?;
        match (parent, name) {
            (ROOT, "ctl") => Some(CTL),
            (ROOT, "channel") => Some(CHANNEL),
            (ROOT, "pseudo") => Some(PSEUDO),
            (ROOT, "chan") => Some(CHAN),
            (CHAN, name) => {
                let span: u32 = name.parse().ok()?;
                let known = self.lock().model.spans.iter().any(|one| one.number == span);
                known.then_some(SPAN + u64::from(span))
            }
            (folder, name) if (SPAN..NODE).contains(&folder) => {
                let position: u32 = name.parse().ok()?;
                let driver = self.lock();
                let mut lines = driver.model.lines.values();
                let line = lines.find(|line| {
                    SPAN + u64::from(line.span) == folder
                        && line.position == position
                        && !line.removed
                        && !line.pseudo
                })?;
                Some(NODE + u64::from(line.number))
            }
            _ => None,
        }
    }

    /// What is in a folder.
    fn list(&self, folder: u64) -> Vec<(u64, String)> {
        let driver = self.lock();
        let names = |names: &[(u64, &str)]| {
            names
                .iter()
                .map(|(node, name)| (*node, (*name).to_owned()))
                .collect()
        };
        match folder {
            ROOT => names(&[
                (CTL, "ctl"),
                (CHANNEL, "channel"),
                (PSEUDO, "pseudo"),
                (CHAN, "chan"),
            ]),
            CHAN => {
                let spans = driver.model.spans.iter();
                let node = |number: u32| (SPAN + u64::from(number), format!("{number:03}"));
                spans.map(|span| node(span.number)).collect()
            }
            span => {
                let lines = driver.model.lines.values();
                let own = lines.filter(|line| SPAN + u64::from(line.span) == span && !line.pseudo);
                let there = own.filter(|line| !line.removed);
                let node = |number: u32, position: u32| {
                    (NODE + u64::from(number), format!("{position:03}"))
                };
                there.map(|line| node(line.number, line.position)).collect()
            }
        }
    }
}

fn is_folder(node: u64) -> bool {
    node == ROOT || node == CHAN || (SPAN..NODE).contains(&node)
}

fn attributes(node: u64) -> FileAttr {
    let folder = is_folder(node);
    FileAttr {
        ino: INodeNo(node),
        size: 0,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: if folder {
            FileType::Directory
        } else {
            // A character device of FUSE would lead to the kernel's own driver.
            FileType::RegularFile
        },
        perm: if folder { 0o755 } else { 0o660 },
        nlink: 1,
        uid: nix::unistd::getuid().as_raw(),
        gid: nix::unistd::getgid().as_raw(),
        rdev: 0,
        blksize: 512,
        flags: 0,
    }
}

/// The process that a thread belongs to.
fn process_of(thread: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    line.trim().parse().ok()
}

impl Filesystem for Shared {
    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.find(parent.0, name) {
            Some(node) => reply.entry(&NOT_CACHED, &attributes(node), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        node: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        reply.attr(&NOT_CACHED, &attributes(node.0));
    }

    fn readdir(
        &self,
        _request: &Request,
        node: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        for (index, (node, name)) in (1..).zip(self.list(node.0)).skip(skip) {
            let kind = attributes(node).kind;
            if reply.add(INodeNo(node), index, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn open(&self, request: &Request, node: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let owner = process_of(request.pid());
        let mut driver = self.lock();
        let what = match node.0 {
            CTL => Ok(What::Control),
            CHANNEL => Ok(What::Unspecified),
            PSEUDO => Ok(What::Channel(driver.model.pseudo())),
            node if node >= NODE => {
                let number = u32::try_from(node - NODE).unwrap_or_default();
                let opened = driver.model.open(number);
                opened.map(|()| What::Channel(number))
            }
            _ => Err(libc_errno::EISDIR),
        };
        match what {
            Ok(what) => {
                let handle = driver.opened(what, owner);
                let flags = FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_NONSEEKABLE;
                reply.opened(FileHandle(handle), flags);
            }
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }

    fn flush(
        &self,
        request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        // Children that are forked and then run something else close it as well: not theirs.
        let closing = process_of(request.pid());
        let mut driver = self.lock();
        let owner = driver.files.get(&handle.0).and_then(|file| file.owner);
        if closing.is_some() && closing == owner {
            driver.close(handle);
        }
        drop(driver);
        reply.ok();
    }

    fn release(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        let mut driver = self.lock();
        driver.close(handle);
        driver.files.remove(&handle.0);
        drop(driver);
        reply.ok();
    }

    fn read(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let mut driver = self.lock();
        let read = match driver.what(handle) {
            What::Channel(number) => match driver.model.lines.get_mut(&number) {
                Some(line) => line.read(usize::try_from(size).unwrap_or_default()),
                None => Err(libc_errno::ENODEV),
            },
            _ => Err(libc_errno::ENOSYS),
        };
        drop(driver);
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }

    fn write(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut driver = self.lock();
        let written = match driver.what(handle) {
            What::Channel(number) => match driver.model.lines.get_mut(&number) {
                Some(line) => line.write(data),
                None => Err(libc_errno::ENODEV),
            },
            _ => Err(libc_errno::ENOSYS),
        };
        drop(driver);
        match written {
            Ok(bytes) => reply.written(u32::try_from(bytes).unwrap_or_default()),
            Err(errno) => reply.error(Errno::from_i32(errno)),
        }
    }

    fn ioctl(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        _flags: IoctlFlags,
        request: u32,
        given: &[u8],
        _out_size: u32,
        reply: ReplyIoctl,
    ) {
        let mut driver = self.lock();
        let answer = match driver.what(handle) {
            What::Control => requests::control(&mut driver.model, request, given),
            What::Channel(number) => requests::channel(&mut driver.model, number, request, given),
            What::Unspecified => match requests::specify(&mut driver.model, request, given) {
                Ok(number) => {
                    if let Some(file) = driver.files.get_mut(&handle.0) {
                        file.what = What::Channel(number);
                    }
                    Answer::DONE
                }
                Err(errno) => Answer::errno(errno),
            },
            What::Closed => Answer::errno(libc_errno::ENODEV),
        };
        let woken = driver.woken();
        drop(driver);
        reply.ioctl(-answer.errno, &answer.bytes);
        for notifier in woken {
            // A file that was closed meanwhile waits no more.
            let _told = notifier.notify();
        }
    }

    fn poll(
        &self,
        _request: &Request,
        _node: INodeNo,
        handle: FileHandle,
        notifier: PollNotifier,
        events: PollEvents,
        flags: PollFlags,
        reply: ReplyPoll,
    ) {
        let mut driver = self.lock();
        let ready = match driver.what(handle) {
            What::Channel(number) => ready(&driver.model, number),
            _ => 0,
        };
        let wanted = i16::try_from(events.bits() & 0x7FFF).unwrap_or_default();
        if flags.contains(PollFlags::FUSE_POLL_SCHEDULE_NOTIFY)
            && let Some(file) = driver.files.get_mut(&handle.0)
        {
            file.waiting = (ready & (wanted | BROKEN) == 0).then_some((notifier, wanted));
        }
        drop(driver);
        reply.poll(PollEvents::from_bits_truncate(u32::from(
            ready.cast_unsigned(),
        )));
    }
}

/// Error numbers of files that are no channels.
mod libc_errno {
    pub(super) const EISDIR: i32 = nix::errno::Errno::EISDIR as i32;
    pub(super) const ENODEV: i32 = nix::errno::Errno::ENODEV as i32;
    pub(super) const ENOSYS: i32 = nix::errno::Errno::ENOSYS as i32;
}
