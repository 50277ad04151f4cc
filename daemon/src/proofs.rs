//! The ways out of the appliance for checkpoints of the ledger: the journal, a syslog server, and a
//! command such as a printer. Whoever signs them never waits for any of these.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arc_swap::ArcSwap;
use audio_io::clock::Clock;
use audio_io::units::WallMillis;

use crate::alarms::command::{self, CommandError};
use crate::alarms::{Alarms, Kind};
use crate::catalog;
use crate::config::schema::{Config, SyslogTarget};
use crate::logging::rfc3339;

/// Checkpoints that wait for a way out.
const QUEUE_MAX: usize = 256;

/// Facility "log audit", severity "notice" (RFC 5424 section 6.2.1).
const PRIORITY: u8 = 13 * 8 + 5;

/// Why a checkpoint did not get out.
#[derive(Debug, thiserror::Error)]
enum OutletError {
    #[error("checkpoints do not reach {target}: {source}")]
    Syslog {
        target: SyslogTarget,
        source: io::Error,
    },
    #[error("checkpoints do not reach the command of [ledger]: {0}")]
    Command(#[from] CommandError),
}

/// Takes checkpoints; the thread behind it ends when it is dropped.
pub(crate) struct Outlets(SyncSender<String>);

impl Outlets {
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(
        config: Arc<ArcSwap<Config>>,
        clock: Arc<dyn Clock>,
        alarms: Option<Alarms>,
    ) -> io::Result<Self> {
        let (lines, told) = sync_channel(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("proofs".into());
        thread.spawn(move || run(&told, &config, &*clock, alarms.as_ref()))?;
        Ok(Self(lines))
    }

    /// Takes a checkpoint's line, without its end.
    pub(crate) fn offer(&self, line: &str) {
        log::info!(
            message_id = catalog::CHECKPOINT, checkpoint = line;
            "a checkpoint of the ledger was signed"
        );
        if self.0.try_send(line.to_owned()).is_err() {
            log::error!("a checkpoint is not sent on: too many wait");
        }
    }
}

fn run(
    lines: &Receiver<String>,
    config: &ArcSwap<Config>,
    clock: &dyn Clock,
    alarms: Option<&Alarms>,
) {
    let name = nix::unistd::gethostname().ok();
    let name = name.and_then(|name| name.into_string().ok());
    let host = name.filter(|name| !name.is_empty());
    let host = host.unwrap_or_else(|| "-".to_owned());
    while let Ok(line) = lines.recv() {
        let ledger = config.load().ledger.clone();
        let by_syslog = ledger.syslog.as_ref().map(|target| {
            let message = message(&line, clock.wall(), &host);
            send(target, message.as_bytes()).map_err(|source| OutletError::Syslog {
                target: target.clone(),
                source,
            })
        });
        let by_command = (!ledger.command.is_empty()).then(|| {
            let line = format!("{line}\n");
            command::run(&ledger.command, line.as_bytes(), command::COMMAND_WITHIN)
        });
        let failed = by_syslog.and_then(Result::err);
        let failed = failed.or_else(|| by_command.and_then(Result::err).map(OutletError::from));
        if let Some(alarms) = alarms {
            let shown = failed.as_ref().map(|error| error as &dyn std::fmt::Display);
            alarms.set(Kind::Outlet, shown);
        } else if let Some(error) = failed {
            log::error!("{error}");
        }
    }
}

/// A message of RFC 5424.
fn message(line: &str, at: WallMillis, host: &str) -> String {
    let (time, process) = (rfc3339(at), std::process::id());
    format!("<{PRIORITY}>1 {time} {host} callreeld {process} checkpoint - {line}")
}

fn send(target: &SyslogTarget, message: &[u8]) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in (target.host.as_str(), target.port).to_socket_addrs()? {
        let own: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let sent = UdpSocket::bind(own).and_then(|socket| socket.send_to(message, address));
        match sent {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use audio_io::clock::ManualClock;

    use super::*;

    #[test]
    fn checkpoints_reach_syslog_and_command() {
        let folder = tempfile::tempdir().unwrap();
        let (ready, printed) = (folder.path().join("ready"), folder.path().join("printed"));
        // The command opens the pipe only when it has the whole line.
        nix::unistd::mkfifo(&ready, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let script = format!(
            "cat > '{}'; echo > '{}'",
            printed.display(),
            ready.display()
        );
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let mut config = Config::default();
        config.ledger.syslog = Some(SyslogTarget {
            host: "127.0.0.1".to_owned(),
            port: server.local_addr().unwrap().port(),
        });
        config.ledger.command = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
        let config = Arc::new(ArcSwap::from_pointee(config));
        let clock = Arc::new(ManualClock::at(WallMillis(1_795_241_649_123)));
        let outlets = Outlets::start(config, clock, None).unwrap();
        outlets.offer("callreel-checkpoint-1 x");
        let mut buffer = [0; 2_048];
        let count = server.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..count]).unwrap();
        assert!(
            text.starts_with("<109>1 2026-11-21T06:14:09.123Z "),
            "{text}"
        );
        assert!(
            text.ends_with(" checkpoint - callreel-checkpoint-1 x"),
            "{text}"
        );
        std::fs::read(&ready).unwrap();
        let printed = std::fs::read_to_string(&printed).unwrap();
        assert_eq!(printed, "callreel-checkpoint-1 x\n");
    }
}
