//! Errors of channels: which channel, which span, which error number, and what to do about it.

use std::fs;
use std::path::{Path, PathBuf};

use super::device::Control;
use super::status::{ChannelStatus, alarm_words};
use crate::port::OpenError;

/// What is known of a channel that cannot be used.
pub(super) struct Trouble<'a> {
    pub(super) folder: &'a Path,
    pub(super) number: u32,
}

impl Trouble<'_> {
    /// The error of something that was being done to the channel.
    pub(super) fn error(&self, errno: i32, doing: &'static str) -> OpenError {
        let status = self.status();
        let remedy = self.remedy(errno, status.as_ref());
        self.with_remedy(errno, doing, remedy, status.as_ref())
    }

    /// The same, where the remedy is known better.
    pub(super) fn known(&self, errno: i32, doing: &'static str, remedy: String) -> OpenError {
        self.with_remedy(errno, doing, remedy, self.status().as_ref())
    }

    fn with_remedy(
        &self,
        errno: i32,
        doing: &'static str,
        mut remedy: String,
        status: Option<&ChannelStatus>,
    ) -> OpenError {
        if let Some(alarms) = self.alarms(status) {
            remedy.push_str("; its alarms: ");
            remedy.push_str(&alarm_words(alarms));
        }
        OpenError::Channel {
            channel: self.number,
            span: status.map(|status| status.span),
            errno,
            doing,
            remedy,
        }
    }

    fn status(&self) -> Option<ChannelStatus> {
        let control = Control::open(self.folder).ok()?;
        control.channel(self.number).ok()
    }

    /// Alarms of the channel and its span, if there are any.
    fn alarms(&self, status: Option<&ChannelStatus>) -> Option<u32> {
        let status = status?;
        let control = Control::open(self.folder).ok()?;
        let span = control.span(status.span).map_or(0, |span| span.alarms);
        Some(status.alarms | span).filter(|alarms| *alarms != 0)
    }

    fn remedy(&self, errno: i32, status: Option<&ChannelStatus>) -> String {
        let folder = self.folder.display();
        match errno {
            libc::ENOENT => format!(
                "{folder} has no DAHDI nodes: load the card's driver (`modprobe dahdi` and the \
                 card's module), or set `[dahdi] folder`"
            ),
            libc::EINVAL if status.is_none() => {
                "no card has a channel of that number; `lsdahdi` lists those there are".to_owned()
            }
            libc::ENXIO => "it is not configured: give it a signalling in \
                            /etc/dahdi/system.conf and run `dahdi_cfg`"
                .to_owned(),
            libc::ENODEV => "its card is gone; it is opened again when it is back".to_owned(),
            libc::EBUSY => self.busy(status),
            libc::EACCES | libc::EPERM => {
                "the daemon's user must be in the group `dialout`".to_owned()
            }
            libc::ENODATA => "no tone zone is loaded: put `loadzone` and `defaultzone` into \
                              /etc/dahdi/system.conf and run `dahdi_cfg`"
                .to_owned(),
            libc::ENOMEM => "the driver has no memory or no timing; `dahdi_test` shows which, and \
                             it is tried again"
                .to_owned(),
            libc::ENOSYS | libc::ENOTTY => {
                "its driver cannot do that; a newer DAHDI may".to_owned()
            }
            _ => "it is tried again until it opens".to_owned(),
        }
    }

    /// Who has it, as far as that can be seen, and what can be done.
    fn busy(&self, status: Option<&ChannelStatus>) -> String {
        let mut nodes = vec![self.folder.join("channel")];
        nodes.push(self.folder.join(self.number.to_string()));
        if let Some(status) = status {
            let node = format!("chan/{:03}/{:03}", status.span, status.position);
            nodes.push(self.folder.join(node));
        }
        let owners = holders(&nodes);
        let who = if owners.is_empty() {
            "another process owns it".to_owned()
        } else {
            format!("owned by {}", owners.join(" or "))
        };
        format!("{who}; stop that, or listen to it with `role = \"tap\"`")
    }
}

/// An error of the control file, in words with a remedy.
#[must_use]
pub fn control_error(folder: &Path, errno: i32) -> String {
    let reason = nix::errno::Errno::from_raw(errno).desc();
    let remedy = match errno {
        libc::ENOENT => "load the card's driver, or set `[dahdi] folder`",
        libc::EACCES | libc::EPERM => "the daemon's user must be in the group `dialout`",
        _ => "it is tried again",
    };
    let node = folder.join("ctl");
    format!("cannot ask {}: {reason} ({remedy})", node.display())
}

/// Processes that have one of some nodes open: `asterisk (process 812)`. A file of several
/// channels does not tell which one it is used for, so each of them is only a guess.
fn holders(nodes: &[PathBuf]) -> Vec<String> {
    let nodes: Vec<PathBuf> = nodes
        .iter()
        .map(|node| fs::canonicalize(node).unwrap_or_else(|_| node.clone()))
        .collect();
    let own = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let open = fs::read_dir(entry.path().join("fd"));
        let has = open
            .into_iter()
            .flatten()
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|target| nodes.contains(&target)));
        if !has {
            continue;
        }
        if id == own {
            found.push("another line of this daemon".to_owned());
        } else {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            found.push(format!("{} (process {id})", name.trim()));
        }
    }
    // This daemon's other channels say nothing while somebody else has the driver open too.
    if found.len() > 1 {
        found.retain(|who| who != "another line of this daemon");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_channel_error_and_remedy() {
        let nowhere = Path::new("/nonexistent/dahdi");
        let trouble = Trouble {
            folder: nowhere,
            number: 31,
        };
        let text = trouble.error(libc::ENOENT, "open").to_string();
        assert_eq!(
            text,
            "cannot open DAHDI channel 31: ENOENT (No such file or directory); \
             /nonexistent/dahdi has no DAHDI nodes: load the card's driver (`modprobe dahdi` and \
             the card's module), or set `[dahdi] folder`"
        );
        let text = trouble.error(libc::EBUSY, "open").to_string();
        assert!(
            text.contains("another process owns it; stop that"),
            "{text}"
        );
        assert!(text.contains("role = \"tap\""), "{text}");
        let text = trouble.error(libc::EINVAL, "open").to_string();
        assert!(
            text.contains("no card has a channel of that number"),
            "{text}"
        );
        let text = trouble.error(libc::ENXIO, "open").to_string();
        assert!(text.contains("`dahdi_cfg`"), "{text}");
        let text = control_error(nowhere, libc::EACCES);
        assert!(text.contains("/nonexistent/dahdi/ctl"), "{text}");
        assert!(text.contains("`dialout`"), "{text}");
    }

    #[test]
    fn an_owner_that_can_be_seen_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let owners = holders(&[file.path().to_path_buf()]);
        assert_eq!(owners, ["another line of this daemon"]);
        assert!(holders(&[PathBuf::from("/nonexistent/node")]).is_empty());
    }
}
