//! What a line is on its channel must be what the channel's port is for: an exchange's line comes
//! in at an FXO port, a telephone hangs on an FXS port. The driver calls them by the signalling of
//! the other end (FXS-signalled, FXO-signalled), so that they are mixed up easily.

use std::path::PathBuf;

use audio_io::channel::{ChannelPort, HookKind};
use audio_io::dahdi::{ChannelStatus, Control};
use audio_io::port::{OpenError, PortOpener};
use nix::errno::Errno;

use crate::config::schema::Role;

/// Opens a channel if its port is of the right kind.
pub(super) struct RoleOpener {
    pub(super) inner: Box<dyn PortOpener<dyn ChannelPort>>,
    pub(super) folder: PathBuf,
    pub(super) number: u32,
    pub(super) role: Role,
}

impl PortOpener<dyn ChannelPort> for RoleOpener {
    fn open(&mut self) -> Result<Box<dyn ChannelPort>, OpenError> {
        // What else is wrong is told by whoever opens it.
        let control = Control::open(&self.folder);
        let status = control.and_then(|control| control.channel(self.number));
        if let Ok(status) = status
            && let Some(error) = mistaken(self.role, &status)
        {
            return Err(error);
        }
        self.inner.open()
    }

    fn folder(&self) -> PathBuf {
        self.inner.folder()
    }
}

/// Why a channel is not what its line takes it for.
fn mistaken(role: Role, status: &ChannelStatus) -> Option<OpenError> {
    let signalling = status.signalling;
    let (doing, remedy) = match (role, signalling.hook()?) {
        (Role::Terminate, HookKind::Fxs) => (
            "answer calls on",
            format!(
                "it is an FXS port ({signalling}), on which a telephone hangs: set \
                 `role = \"station\"`, or name an FXO port (fxsks, fxsls, fxsgs)"
            ),
        ),
        (Role::Station, HookKind::Fxo) => (
            "be the exchange of",
            format!(
                "it is an FXO port ({signalling}), at which an exchange's line ends: set \
                 `role = \"terminate\"`, or name an FXS port (fxoks, fxols, fxogs)"
            ),
        ),
        _ => return None,
    };
    Some(OpenError::Channel {
        channel: status.number,
        span: (status.span > 0).then_some(status.span),
        errno: Errno::EINVAL as i32,
        doing,
        remedy,
    })
}

#[cfg(test)]
mod tests {
    use audio_io::dahdi::{Law, SignalKind, abi};

    use super::*;

    fn status(signalling: i32) -> ChannelStatus {
        ChannelStatus {
            number: 3,
            span: 1,
            position: 3,
            name: String::new(),
            signalling: SignalKind::of(signalling),
            law: Law::MuLaw,
            alarms: 0,
            rx_off_hook: false,
            rx_signal: None,
            tx_signal: None,
        }
    }

    #[test]
    fn ports_that_are_mixed_up_are_told_with_what_to_do() {
        let told = |role, signalling| mistaken(role, &status(signalling));
        let words = told(Role::Terminate, abi::SIG_FXOKS).unwrap().to_string();
        for word in ["channel 3", "span 1", "EINVAL", "FXS port", "station"] {
            assert!(words.contains(word), "{words}");
        }
        let words = told(Role::Station, abi::SIG_FXSKS).unwrap().to_string();
        assert!(words.contains("FXO port") && words.contains("terminate"));
        let right = [
            (Role::Terminate, abi::SIG_FXSKS),
            (Role::Station, abi::SIG_FXOKS),
            (Role::Terminate, abi::SIG_EM),
            (Role::Station, abi::SIG_CLEAR),
            (Role::Tap, abi::SIG_FXOKS),
        ];
        for (role, signalling) in right {
            assert!(told(role, signalling).is_none(), "{role:?}");
        }
    }
}
