//! Sound cards of the configured lines. Where the daemon runs it is asked how they are; otherwise
//! each is opened for a moment.

use std::path::Path;

use audio_io::alsa::hint::{self, Direction};
use audio_io::port::OpenError;

use super::finding::Finding;
use super::scene::{Scene, Who};
use crate::cli::exit::Exit;
use crate::config::schema::{Config, Source};
use crate::control::wire::Line;

/// A PCM of a line, and what opening it gave.
#[derive(Clone, Debug)]
struct Facts {
    line: String,
    pcm: String,
    refused: Option<(i32, String)>,
}

pub(super) fn look(scene: &Scene, config: &Config, running: Option<&[Line]>) -> Vec<Finding> {
    if let Some(lines) = running {
        return lines.iter().map(of_running).collect();
    }
    let mut findings = Vec::new();
    let mut any = false;
    for line in &config.lines {
        let Source::Alsa {
            capture,
            agent,
            playback,
        } = line.source()
        else {
            continue;
        };
        any = true;
        let captures = [Some(capture), agent].into_iter().flatten();
        let captures = captures.map(|pcm| (pcm, Direction::Capture));
        for (pcm, direction) in captures.chain(playback.map(|pcm| (pcm, Direction::Playback))) {
            if scene.daemon.is_some() {
                // It runs but does not answer here: its cards are not to be touched.
                continue;
            }
            let refused = hint::probe(pcm, direction).err();
            findings.push(judge(&Facts {
                line: line.name.to_string(),
                pcm: pcm.to_owned(),
                refused: refused.map(|error: OpenError| (error.errno(), error.to_string())),
            }));
        }
    }
    if any && Path::new("/dev/snd").is_dir() {
        findings.extend(group(&scene.who));
    }
    findings
}

fn of_running(line: &Line) -> Finding {
    let about = format!("line {}", line.name);
    match (line.state.as_str(), &line.error) {
        ("running", _) => Finding::ok("sound", about, "gets sound"),
        (_, Some(error)) => Finding::problem(
            Exit::Device,
            "sound",
            about,
            format!("gets no sound: {error}"),
            "mend what the message says; the daemon tries again by itself",
        ),
        (state, None) => Finding::ok("sound", about, state.to_owned()),
    }
}

fn judge(facts: &Facts) -> Finding {
    let about = format!("line {}, PCM {}", facts.line, facts.pcm);
    let Some((errno, error)) = &facts.refused else {
        return Finding::ok("sound", about, "can be opened");
    };
    match *errno {
        libc::EBUSY => Finding::problem(
            Exit::Device,
            "sound",
            about,
            format!("is in use by another program ({error})"),
            "'sudo fuser -v /dev/snd/*' shows it; stop it, or use a dsnoop PCM",
        ),
        libc::EACCES | libc::EPERM => Finding::problem(
            Exit::Denied,
            "sound",
            about,
            format!("may not be opened by this user ({error})"),
            "'sudo callreel doctor'; the daemon's user must be in group audio",
        ),
        _ => Finding::problem(
            Exit::Device,
            "sound",
            about,
            format!("cannot be opened ({error})"),
            "'callreel devices' lists those there are: plug the card in, load its driver, or \
             correct the name in [[line]]",
        ),
    }
}

fn group(who: &Who) -> Option<Finding> {
    let about = format!("user {}", who.name);
    match who.is_in("audio")? {
        true => None,
        false => Some(Finding::problem(
            Exit::Denied,
            "sound",
            about,
            "is not in group audio and cannot open sound cards",
            format!(
                "'usermod -aG audio {}', then 'systemctl restart callreeld'",
                who.name
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_missing_card_a_busy_one_and_a_forbidden_one_are_told_apart() {
        let facts = |errno: Option<i32>| Facts {
            line: "front".into(),
            pcm: "hw:7".into(),
            refused: errno.map(|errno| (errno, "cannot open hw:7".to_owned())),
        };
        assert_eq!(judge(&facts(None)).state, State::Ok);
        assert_eq!(judge(&facts(Some(libc::ENOENT))).exit, Exit::Device);
        assert_eq!(judge(&facts(Some(libc::EACCES))).exit, Exit::Denied);
        let busy = judge(&facts(Some(libc::EBUSY)));
        assert!(
            busy.says.contains("in use") && busy.about.contains("hw:7"),
            "{busy:?}"
        );
    }
}
