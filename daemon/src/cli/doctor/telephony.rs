//! Telephone cards: the driver, spans in alarm, and the channels that lines want.

use audio_io::dahdi::{self, Control, SignalKind};

use super::finding::Finding;
use crate::cli::exit::Exit;
use crate::config::schema::{Config, Source};
use crate::engine::telephony::alarm_words;

/// A channel that a line wants.
#[derive(Clone, Debug)]
struct Facts {
    line: String,
    channel: u32,
    /// The error number, or whether it is configured, and the alarms of it and its span.
    state: Result<(bool, Vec<&'static str>), i32>,
}

pub(super) fn look(config: &Config) -> Vec<Finding> {
    let wanted: Vec<(String, u32)> = config
        .lines
        .iter()
        .filter_map(|line| match line.source() {
            Source::Dahdi { channel, .. } => Some((line.name.to_string(), channel)),
            _ => None,
        })
        .collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let folder = &config.dahdi.folder;
    let control = match Control::open(folder) {
        Ok(control) => control,
        Err(errno) => {
            let about = folder.display().to_string();
            let says = dahdi::control_error(folder, errno);
            let (exit, mend) = match errno {
                libc::EACCES | libc::EPERM => (
                    Exit::Denied,
                    "let the daemon's user into group dahdi: 'usermod -aG dahdi callreel'",
                ),
                _ => (
                    Exit::Device,
                    "'modprobe dahdi', the card's driver, then 'dahdi_cfg -v'",
                ),
            };
            return vec![Finding::problem(exit, "telephony", about, says, mend)];
        }
    };
    let spans = control.spans();
    let mut findings = Vec::new();
    for span in &spans {
        let about = format!("span {} ({})", span.number, span.name);
        let alarms = alarm_words(span.alarms);
        findings.push(if alarms.is_empty() {
            Finding::ok("telephony", about, "has no alarm")
        } else {
            let says = format!("is in alarm: {}", alarms.join(", "));
            let mend = "check the cable and what is at its other end; 'callreel devices' shows all";
            Finding::warning("telephony", about, says, mend)
        });
    }
    findings.extend(wanted.into_iter().filter_map(|(line, channel)| {
        let state = control.channel(channel).map(|status| {
            let configured = status.signalling != SignalKind::None;
            (configured, alarm_words(status.alarms))
        });
        judge(&Facts {
            line,
            channel,
            state,
        })
    }));
    findings
}

fn judge(facts: &Facts) -> Option<Finding> {
    let about = format!("line {}, channel {}", facts.line, facts.channel);
    match &facts.state {
        Err(_) => Some(Finding::problem(
            Exit::Device,
            "telephony",
            about,
            "there is no such channel",
            "'callreel devices' lists those there are; is the card's driver loaded?",
        )),
        Ok((false, _)) => Some(Finding::problem(
            Exit::Device,
            "telephony",
            about,
            "is not configured",
            "give it a signalling in /etc/dahdi/system.conf, then 'dahdi_cfg -v'",
        )),
        Ok((true, alarms)) if !alarms.is_empty() => Some(Finding::warning(
            "telephony",
            about,
            format!("is in alarm: {}", alarms.join(", ")),
            "check the cable and what is at its other end",
        )),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn channels_that_are_missing_unconfigured_or_in_alarm_are_told_apart() {
        let judge = |state| {
            let line = "trunk-1".to_owned();
            judge(&Facts {
                line,
                channel: 1,
                state,
            })
        };
        assert!(judge(Ok((true, Vec::new()))).is_none());
        let missing = judge(Err(libc::ENXIO)).expect("a finding");
        assert_eq!(missing.exit, Exit::Device);
        let bare = judge(Ok((false, Vec::new()))).expect("a finding");
        assert!(bare.mend.is_some_and(|mend| mend.contains("dahdi_cfg")));
        let alarm = judge(Ok((true, vec!["red"]))).expect("a finding");
        assert_eq!(alarm.state, State::Warning);
    }
}
