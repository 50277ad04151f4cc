//! What an administrator is told of a line: whether it has its device, and what troubles a
//! telephone line.

use audio_io::capture::DeviceState;
use audio_io::channel::{ChannelEvent, HookKind};
use audio_io::units::Frames;
use nix::errno::Errno;

use super::core::Core;
use crate::catalog;
use crate::engine::telephony::alarm_words;

impl Core {
    /// The real-time threads never log; what their counters show is told here.
    pub(super) fn tell_device(&mut self, state: DeviceState) {
        if state == self.told {
            return;
        }
        let name = self.live.config.name.as_str();
        let tenant = self.live.config.tenant.as_str();
        let lost = self.live.lost_frames();
        match state {
            DeviceState::Running => {
                let lost = Frames(lost.saturating_sub(self.lost_before));
                let gap = self.format.rate.duration_of(lost);
                log::info!(
                    message_id = catalog::DEVICE_BACK, line = name, tenant = tenant,
                    lost_ms = gap.0;
                    "line {name} has its device; lost {gap}"
                );
            }
            DeviceState::Lost => {
                let reason = self.live.error();
                let reason = reason.unwrap_or_else(|| "no reason given".into());
                log::warn!(
                    message_id = catalog::DEVICE_LOST, line = name, tenant = tenant;
                    "line {name} has no device: {reason}"
                );
                self.lost_before = lost;
            }
            DeviceState::Opening => {}
        }
        self.told = state;
    }

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
            let calls = match signals.heeds_calls() {
                true => "; it has no calls until it is over",
                false => "",
            };
            log::warn!(line = name; "line {name}: alarm: {words}{calls}");
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
