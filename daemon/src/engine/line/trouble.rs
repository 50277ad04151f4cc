//! What an administrator is told of a telephone line.

use audio_io::channel::{ChannelEvent, HookKind};
use nix::errno::Errno;

use super::core::Core;
use crate::engine::telephony::alarm_words;

impl Core {
    /// What an administrator should know, once.
    pub(super) fn tell_trouble(&mut self, event: ChannelEvent) {
        let name = self.live.config.name.as_str();
        let Some(signals) = &mut self.signals else {
            return;
        };
        let alarms = match event {
            ChannelEvent::Alarm { alarms } | ChannelEvent::Opened { alarms, .. } => alarms,
            ChannelEvent::AlarmOver => 0,
            ChannelEvent::Refused { order, errno } => {
                let reason = Errno::from_raw(errno).desc();
                let remedy = match Errno::from_raw(errno) {
                    Errno::ENODATA => "; load a tone zone (loadzone in system.conf, dahdi_cfg)",
                    _ => "",
                };
                return log::warn!(
                    line = name;
                    "line {name}: its channel refused the order {order:?}: {reason}{remedy}"
                );
            }
            _ => return,
        };
        if alarms == std::mem::replace(&mut signals.alarms, alarms) {
            return;
        }
        if alarms == 0 {
            log::info!(line = name; "line {name}: no alarm any more");
        } else {
            let words = alarm_words(alarms).join(", ");
            log::warn!(line = name; "line {name}: alarm: {words}; it has no calls until it is over");
        }
    }
}

/// How a channel signals, in a word.
pub(super) const fn word(kind: HookKind) -> &'static str {
    match kind {
        HookKind::Fxo => "fxo",
        HookKind::Fxs => "fxs",
        HookKind::Em => "em",
        HookKind::Cas => "cas",
        HookKind::Clear => "clear",
        HookKind::Socket => "socket",
    }
}
