//! An alarm as a mail (RFC 5322), for `sendmail -t` and whatever else reads one.

use audio_io::units::WallMillis;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::Alarm;
use crate::config::schema::Alarms as Settings;

/// The longest line of the body, in bytes; a mail's lines must be below 998.
const LINE_MAX: usize = 900;

/// The mail's bytes, lines ended as a pipe wants them (`\n`).
pub(super) fn message(alarm: &Alarm, settings: &Settings, host: &str) -> Vec<u8> {
    let from = settings.mail_from.clone();
    let from = from.unwrap_or_else(|| format!("callreel@{host}"));
    let mut mail = format!("From: {from}\n");
    if !settings.mail_to.is_empty() {
        mail.push_str(&format!("To: {}\n", settings.mail_to.join(",\n ")));
    }
    let (kind, state) = (alarm.kind.name(), alarm.state.name());
    mail.push_str(&format!(
        "Subject: [callreel {host}] {state}: {}\nDate: {}\nMessage-ID: <{}@{host}>\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\
         X-Callreel-Alarm: {kind}\nX-Callreel-State: {state}\n\n",
        alarm.kind.title(),
        date(alarm.at),
        alarm.id
    ));
    for line in wrapped(&alarm.text) {
        mail.push_str(&line);
        mail.push('\n');
    }
    mail.push_str(&format!(
        "\nAlarm: {kind}\nState: {state}\nMachine: {host}\n"
    ));
    mail.into_bytes()
}

fn date(at: WallMillis) -> String {
    let seconds = i64::try_from(at.0 / 1_000).unwrap_or(0);
    let time = OffsetDateTime::from_unix_timestamp(seconds);
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let text = time.format(&Rfc2822);
    text.unwrap_or_else(|_| "Thu, 01 Jan 1970 00:00:00 +0000".to_owned())
}

/// A text in lines that a mail may have: no control characters, no line too long.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for c in text.chars() {
        let is_full = lines.last().is_some_and(|line| line.len() >= LINE_MAX);
        if c == '\n' || is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut()
            && !c.is_control()
        {
            line.push(c);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::alarms::{Kind, State};

    #[test]
    fn mails_have_the_headers_that_mailers_want_and_no_others() {
        let alarm = Alarm {
            id: Uuid::nil(),
            kind: Kind::Disk,
            state: State::Error,
            text: format!("12 bytes free\r\nBcc: x{}", "y".repeat(3_000)),
            at: WallMillis(1_795_241_649_123),
        };
        let settings = Settings {
            mail_to: vec!["root".to_owned(), "it@example.org".to_owned()],
            ..Settings::default()
        };
        let mail = String::from_utf8(message(&alarm, &settings, "box")).unwrap();
        let (head, body) = mail.split_once("\n\n").unwrap();
        assert!(
            head.contains("From: callreel@box\nTo: root,\n it@example.org\n"),
            "{head}"
        );
        assert!(
            head.contains("\nDate: Sat, 21 Nov 2026 06:14:09 +0000\n"),
            "{head}"
        );
        assert!(!head.contains("Bcc") && body.contains("Bcc: x"));
        assert!(mail.lines().all(|line| line.len() < 998) && !mail.contains('\r'));
        assert!(head.contains("\nX-Callreel-Alarm: disk\nX-Callreel-State: error"));
    }
}
