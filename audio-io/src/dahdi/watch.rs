//! What a channel that somebody else owns is doing, looked at from an ordinary thread.

use std::path::{Path, PathBuf};

use super::abi;
use super::device::Control;
use super::status::ChannelStatus;
use crate::channel::HookKind;

/// How the line of a channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookState {
    /// Whether there is a call on it.
    pub off_hook: bool,
    /// Whether it is being rung.
    pub ringing: bool,
}

impl HookState {
    /// How a channel stands. The side that speaks of a call is the telephone's on an FXS port, the
    /// owner's on an FXO port, either's on ear & mouth. `None` for a channel without a hook.
    #[must_use]
    pub fn of(channel: &ChannelStatus) -> Option<Self> {
        let sends = |signal| channel.tx_signal == Some(signal);
        let hears = |signal| channel.rx_signal == Some(signal);
        match channel.signalling.hook()? {
            HookKind::Fxo => Some(Self {
                off_hook: sends(abi::TXSIG_OFFHOOK),
                ringing: hears(abi::RXSIG_RING) || hears(abi::RXSIG_START),
            }),
            HookKind::Fxs => Some(Self {
                off_hook: channel.rx_off_hook,
                ringing: sends(abi::TXSIG_START),
            }),
            HookKind::Em | HookKind::Cas => Some(Self {
                off_hook: channel.rx_off_hook || sends(abi::TXSIG_OFFHOOK),
                ringing: false,
            }),
            HookKind::Clear | HookKind::Socket => None,
        }
    }
}

/// Looks at channels. The control file is open only while it does: the driver could not be
/// unloaded otherwise.
#[derive(Clone, Debug)]
pub struct HookWatch {
    folder: PathBuf,
}

impl HookWatch {
    /// Of the driver whose nodes are in a folder.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
        }
    }

    /// How channels stand, in the order of their numbers: `None` for one that is not there, or has
    /// no hook.
    ///
    /// # Errors
    /// The error number, when the driver cannot be asked; see [`super::control_error`].
    pub fn look(&self, numbers: &[u32]) -> Result<Vec<Option<HookState>>, i32> {
        let control = Control::open(&self.folder)?;
        let state = |number: &u32| {
            let channel = control.channel(*number).ok()?;
            HookState::of(&channel)
        };
        Ok(numbers.iter().map(state).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::signalling::{Law, SignalKind};
    use super::*;

    fn channel(signalling: i32, rx_off_hook: bool, rx: i32, tx: i32) -> ChannelStatus {
        ChannelStatus {
            number: 1,
            span: 1,
            position: 1,
            name: String::new(),
            signalling: SignalKind::of(signalling),
            law: Law::MuLaw,
            alarms: 0,
            rx_off_hook,
            rx_signal: Some(rx),
            tx_signal: Some(tx),
        }
    }

    #[test]
    fn the_owners_hook_counts_on_fxo_and_the_telephones_on_fxs() {
        let state = |off_hook, ringing| Some(HookState { off_hook, ringing });
        let of = |signalling, off, rx, tx| HookState::of(&channel(signalling, off, rx, tx));
        let fxo = abi::SIG_FXSKS;
        assert_eq!(of(fxo, true, abi::RXSIG_OFFHOOK, 0), state(false, false));
        assert_eq!(of(fxo, true, abi::RXSIG_RING, 0), state(false, true));
        assert_eq!(of(fxo, true, 1, abi::TXSIG_OFFHOOK), state(true, false));
        let fxs = abi::SIG_FXOKS;
        assert_eq!(of(fxs, false, 0, abi::TXSIG_START), state(false, true));
        assert_eq!(of(fxs, false, 0, abi::TXSIG_OFFHOOK), state(false, false));
        assert_eq!(of(fxs, true, 1, abi::TXSIG_OFFHOOK), state(true, false));
        assert_eq!(of(abi::SIG_EM, false, 0, 1), state(true, false));
        assert_eq!(of(abi::SIG_EM, true, 1, 0), state(true, false));
        assert_eq!(of(abi::SIG_CLEAR, true, 1, 1), None);
    }
}
