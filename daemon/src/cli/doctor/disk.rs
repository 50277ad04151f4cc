//! The file system that recordings go to: mounted, writable, large and quick enough.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use audio_io::clock::Clock;
use audio_io::format::{Channels, StreamFormat};
use nix::sys::statvfs::statvfs;
use storage::limits::FREE_BYTES_MIN;

use super::finding::Finding;
use super::scene::Scene;
use crate::cli::exit::Exit;
use crate::cli::output::size;
use crate::config::schema::Config;

/// Syncs of a probe.
const PROBES: u32 = 5;
/// A sync that takes this long is told: recordings stay in memory meanwhile.
const SLOW_MS: u64 = 250;
/// Fewer files than this can be made: nearly none.
const INODES_MIN: u64 = 1_000;
const DAY_S: u64 = 24 * 3_600;

/// File systems that are not on this machine, or go with it.
const REMOTE: [&str; 7] = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "fuse.sshfs"];
const GONE: [&str; 3] = ["tmpfs", "ramfs", "overlay"];

#[derive(Clone, Debug)]
struct Facts {
    folder: PathBuf,
    exists: bool,
    mount: Mount,
    /// A mount point of `/etc/fstab` above the folder that is not mounted.
    unmounted: Option<PathBuf>,
    free_bytes: u64,
    free_inodes: Option<u64>,
    /// What lines that record all day write in a day.
    day_bytes: u64,
    /// Median of a few syncs; none where nothing could be written.
    sync_ms: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    kind: String,
    read_only: bool,
}

pub(super) fn look(scene: &Scene, config: &Config) -> Vec<Finding> {
    let folder = config.storage.data_dir.clone();
    let there = nearest(&folder);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let table = std::fs::read_to_string("/etc/fstab").unwrap_or_default();
    let Ok(space) = statvfs(&there) else {
        return vec![Finding::problem(
            Exit::Disk,
            "disk",
            folder.display().to_string(),
            "the file system does not answer",
            format!("'df {}' and 'dmesg' tell more", there.display()),
        )];
    };
    let lines = config.lines.iter().map(|line| {
        let two = line.plays() || line.capture_agent.is_some();
        let format = StreamFormat {
            rate: line.rate,
            encoding: line.encoding,
            channels: if two { Channels::Stereo } else { line.channels },
        };
        format.bytes_per_second() * DAY_S
    });
    let real = std::fs::canonicalize(&there).unwrap_or(there.clone());
    let mount = mount_of(&mounts, &real);
    judge(&Facts {
        exists: folder.is_dir(),
        unmounted: unmounted(&table, &mounts, &folder),
        // The block size of file systems is a word, of 32 bits on some machines.
        #[allow(clippy::useless_conversion, reason = "of 32 bits on some machines")]
        free_bytes: u64::from(space.blocks_available())
            .saturating_mul(space.fragment_size().into()),
        #[allow(clippy::useless_conversion, reason = "of 32 bits on some machines")]
        free_inodes: (space.files() > 0).then(|| space.files_available().into()),
        day_bytes: lines.sum(),
        sync_ms: sync_ms(&*scene.clock, &there),
        mount,
        folder,
    })
}

fn judge(facts: &Facts) -> Vec<Finding> {
    let about = facts.folder.display().to_string();
    let problem =
        |says: String, mend: String| Finding::problem(Exit::Disk, "disk", &about, says, mend);
    let warning = |says: String, mend: &str| Finding::warning("disk", &about, says, mend);
    let point = facts.mount.point.display();
    let mut findings = Vec::new();
    if let Some(unmounted) = &facts.unmounted {
        let unmounted = unmounted.display();
        findings.push(problem(
            format!("{unmounted} is in /etc/fstab but not mounted: recordings would go elsewhere"),
            format!("'mount {unmounted}'; if it fails, 'dmesg' and 'blkid' say why"),
        ));
    }
    if facts.mount.read_only {
        findings.push(problem(
            format!("the file system at {point} is read-only: nothing can be recorded"),
            format!("'dmesg' says why; check the disk, then 'mount -o remount,rw {point}'"),
        ));
    }
    let kind = facts.mount.kind.as_str();
    if REMOTE.contains(&kind) {
        findings.push(warning(
            format!("is on {kind}, a network's file system: calls are lost when the network stops"),
            "use a disk of this machine, with ext4 or XFS",
        ));
    } else if GONE.contains(&kind) {
        findings.push(warning(
            format!("is on {kind}: recordings are gone after a restart"),
            "mount a disk there, with ext4 or XFS, or set storage.data_dir",
        ));
    } else {
        findings.push(Finding::ok(
            "disk",
            &about,
            format!("is on {kind}, mounted at {point}"),
        ));
    }
    if !facts.exists {
        let says = "does not exist yet; the daemon makes it at its first start";
        findings.push(Finding::ok("disk", &about, says));
    }
    findings.extend(room(facts, &about));
    match facts.sync_ms {
        Some(slow) if slow > SLOW_MS => findings.push(warning(
            format!("a write takes {slow} ms to reach the disk"),
            "see what else writes there ('iotop'), and whether the disk is failing ('smartctl -a')",
        )),
        Some(quick) => {
            let says = format!("a write reaches the disk in {quick} ms");
            findings.push(Finding::ok("disk", &about, says));
        }
        None => {}
    }
    findings
}

fn room(facts: &Facts, about: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (free, day) = (facts.free_bytes, facts.day_bytes);
    let mend = "delete old recordings ('callreel recordings delete'), or give it a larger disk";
    let text = size(free);
    findings.push(if free < FREE_BYTES_MIN {
        let says = format!(
            "is full: {text} are free, and recording stops below {}",
            size(FREE_BYTES_MIN)
        );
        Finding::problem(Exit::Disk, "disk", about, says, mend)
    } else if free < day {
        let hours = free.saturating_mul(24).checked_div(day).unwrap_or(0);
        let says =
            format!("{text} are free: enough for {hours} hours if every line records all the time");
        Finding::warning("disk", about, says, mend)
    } else {
        let says = match free.checked_div(day) {
            Some(days) => {
                format!("{text} are free: {days} days if every line records all the time")
            }
            None => format!("{text} are free"),
        };
        Finding::ok("disk", about, says)
    });
    if facts.free_inodes.is_some_and(|free| free < INODES_MIN) {
        findings.push(Finding::problem(
            Exit::Disk,
            "disk",
            about,
            "the file system has no room for more files (inodes)",
            "delete what is not needed ('df -i' shows it), or make the file system anew with more",
        ));
    }
    findings
}

/// The folder, or the nearest one above that exists.
fn nearest(folder: &Path) -> PathBuf {
    let mut above = folder.ancestors();
    above
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

/// The mount that a path is on: the longest mount point above it, the last of several there.
fn mount_of(mounts: &str, path: &Path) -> Mount {
    let mut best = Mount::default();
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else {
            continue;
        };
        let mut words = before.split(' ').skip(4);
        let (Some(point), Some(options)) = (words.next(), words.next()) else {
            continue;
        };
        let point = PathBuf::from(unescaped(point));
        let mut kinds = after.split(' ');
        let kind = kinds.next().unwrap_or_default();
        let above = kinds.nth(1).unwrap_or_default();
        if path.starts_with(&point) && point.as_os_str().len() >= best.point.as_os_str().len() {
            let ro = |options: &str| options.split(',').any(|option| option == "ro");
            best = Mount {
                point,
                kind: kind.to_owned(),
                read_only: ro(options) || ro(above),
            };
        }
    }
    best
}

/// A mount point of `/etc/fstab`, at or above the folder, that nothing is mounted on.
fn unmounted(table: &str, mounts: &str, folder: &Path) -> Option<PathBuf> {
    let mounted: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| Some(PathBuf::from(unescaped(line.split(' ').nth(4)?))))
        .collect();
    let wanted = table
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let points = wanted.filter_map(|line| Some(unescaped(line.split_whitespace().nth(1)?)));
    let mut points = points.map(PathBuf::from).filter(|point| {
        point.is_absolute() && point != Path::new("/") && folder.starts_with(point)
    });
    points.find(|point| !mounted.contains(point))
}

/// Mount tables write a space as `\040`.
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\134", "\\")
}

/// How long a small write takes to be durable, on a file without a name, which leaves nothing.
fn sync_ms(clock: &dyn Clock, folder: &Path) -> Option<u64> {
    let mut times = Vec::new();
    let mut file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_TMPFILE)
        .mode(0o600)
        .open(folder)
        .ok()?;
    for _ in 0..PROBES {
        let before = clock.monotonic();
        file.write_all(&[0; 4_096]).ok()?;
        file.sync_data().ok()?;
        times.push(clock.monotonic().saturating_sub(before));
    }
    times.sort();
    let median = times.get(times.len() / 2)?;
    u64::try_from(median.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::super::finding::{State, worst};
    use super::*;

    const MOUNTS: &str = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                          30 22 8:2 / /var/lib rw,relatime - ext4 /dev/sdb1 rw\n\
                          31 22 8:3 / /srv/my\\040calls ro,relatime - xfs /dev/sdc1 rw\n";

    #[test]
    fn the_longest_mount_above_a_folder_is_its_own() {
        let on = |path: &str| mount_of(MOUNTS, Path::new(path));
        assert_eq!(on("/var/lib/callreel").point, Path::new("/var/lib"));
        assert_eq!(on("/var/library").point, Path::new("/"));
        let calls = on("/srv/my calls/x");
        assert!(calls.read_only && calls.kind == "xfs", "{calls:?}");
        let table = "# /srv\nUUID=1 / ext4 defaults 0 1\n/dev/sdd1 /srv/data ext4 nofail 0 2\n";
        let missing = unmounted(table, MOUNTS, Path::new("/srv/data/calls"));
        assert_eq!(missing.as_deref(), Some(Path::new("/srv/data")));
        assert_eq!(
            unmounted(table, MOUNTS, Path::new("/var/lib/callreel")),
            None
        );
    }

    #[test]
    fn a_full_disk_a_short_one_and_a_read_only_one_are_told_apart() {
        let fine = Facts {
            folder: "/var/lib/callreel".into(),
            exists: true,
            mount: mount_of(MOUNTS, Path::new("/var/lib/callreel")),
            unmounted: None,
            free_bytes: 100 << 30,
            free_inodes: Some(1 << 20),
            day_bytes: 2 << 30,
            sync_ms: Some(4),
        };
        assert!(judge(&fine).iter().all(|found| found.state == State::Ok));
        let judge = |change: &dyn Fn(&mut Facts)| {
            let mut facts = fine.clone();
            change(&mut facts);
            judge(&facts)
        };
        assert_eq!(
            worst(&judge(&|facts| facts.free_bytes = 1 << 20)),
            Exit::Disk
        );
        assert_eq!(
            worst(&judge(&|facts| facts.mount.read_only = true)),
            Exit::Disk
        );
        assert_eq!(
            worst(&judge(&|facts| facts.free_inodes = Some(3))),
            Exit::Disk
        );
        let unmounted = judge(&|facts| facts.unmounted = Some("/var/lib".into()));
        assert!(
            unmounted[0]
                .mend
                .as_ref()
                .is_some_and(|mend| mend.contains("mount /var/lib"))
        );
        let short = judge(&|facts| facts.free_bytes = 1 << 30);
        assert!(
            short.iter().any(|found| found.says.contains("12 hours")),
            "{short:?}"
        );
        let remote = judge(&|facts| facts.mount.kind = "nfs4".into());
        assert_eq!(
            (worst(&remote), remote[0].state),
            (Exit::Ok, State::Warning)
        );
    }
}
