//! `verify`: checks an archive of an export with nothing but the archive and a key.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde::Serialize;
use storage::export::{Flaw, Report};
use storage::ledger::key::PublicKey;

use super::args::VerifyArgs;
use super::error::CliError;
use super::output::{Output, length, printable, size};
use crate::control::wire::Progress;
use crate::logging::rfc3339;

/// The longest file that is taken for a key, in bytes.
const KEY_FILE_MAX: u64 = 64 * 1024;

/// What is read from the archive at once, in bytes.
const BUFFER: usize = 1 << 18;

/// The outcome as JSON; `verify.py` prints the same.
#[derive(Serialize)]
pub(super) struct Told<'r> {
    ok: bool,
    #[serde(flatten)]
    report: Option<&'r Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl<'r> Told<'r> {
    pub(super) const fn good(report: &'r Report) -> Self {
        Self {
            ok: true,
            report: Some(report),
            problem: None,
            member: None,
            message: None,
        }
    }

    fn bad(flaw: &Flaw) -> Self {
        Self {
            ok: false,
            report: None,
            problem: Some(flaw.word()),
            member: flaw.member().map(str::to_owned),
            message: Some(flaw.to_string()),
        }
    }
}

pub(super) fn verify(output: Output, wish: &VerifyArgs) -> Result<(), CliError> {
    let key = wish.key.as_deref().map(key).transpose()?;
    let (archive, total): (Box<dyn Read>, u64) = if wish.archive == Path::new("-") {
        (Box::new(io::stdin().lock()), 0)
    } else {
        let opened = File::open(&wish.archive).map_err(failed("open", &wish.archive))?;
        let total = opened.metadata().map_or(0, |metadata| metadata.len());
        (Box::new(opened), total)
    };
    let archive = BufReader::with_capacity(BUFFER, archive);
    let mut meter = output.meter();
    let checked = storage::export::verify(archive, key.as_ref(), &mut |at| {
        meter.show(&bytes(at, total));
    });
    meter.finish();
    match checked {
        Ok(report) => output.show(&Told::good(&report), |_| describe(&report)),
        Err(flaw) => {
            if output.is_json() {
                output.show(&Told::bad(&flaw), |_| String::new())?;
            }
            Err(CliError::Flawed(flaw))
        }
    }
}

pub(super) fn bytes(done: u64, total: u64) -> Progress {
    Progress {
        stage: "bytes".to_owned(),
        done,
        total,
    }
}

fn failed<'p>(what: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> CliError + 'p {
    move |source| CliError::File {
        what,
        path: path.to_owned(),
        source,
    }
}

pub(super) fn key(path: &Path) -> Result<PublicKey, CliError> {
    let mut pem = String::new();
    File::open(path)
        .and_then(|file| file.take(KEY_FILE_MAX).read_to_string(&mut pem))
        .map_err(failed("read", path))?;
    PublicKey::from_pem(&pem).map_err(|source| CliError::Key {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn describe(report: &Report) -> String {
    let mut text = format!(
        "{} recordings, {} of sound ({}): all of it is what key {} signed\n\
         made by {} on {} at {}\n",
        report.recordings,
        length(report.duration_ms),
        size(report.sound_bytes),
        report.key_id,
        printable(&report.made_by),
        printable(&report.host),
        rfc3339(report.made_at),
    );
    if let Some(note) = &report.note {
        text.push_str(&format!("note: {}\n", printable(note)));
    }
    text.push_str(&format!(
        "{} are proved by the ledger, up to {} signed checkpoints, the last at {}\n",
        report.recordings - report.unproved,
        report.checkpoints,
        report
            .last_checkpoint_at
            .map_or_else(|| "-".to_owned(), rfc3339),
    ));
    if report.unproved > 0 {
        let unproved = report.unproved;
        text.push_str(&format!(
            "{unproved} are not: the ledger tells nothing of them\n"
        ));
    }
    text.push_str(&format!("SHA-256 of the key: {}\n", report.key_sha256));
    if !report.key_expected {
        text.push_str(
            "NOT CHECKED: whether that is the right key; compare its SHA-256 with one from \
             somebody you trust, or verify with --key\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flaw_is_told_as_the_script_tells_it() {
        let told = serde_json::to_value(Told::bad(&Flaw::Truncated)).unwrap();
        assert_eq!(told["ok"], false);
        assert_eq!(told["problem"], "truncated");
        assert!(told["message"].as_str().unwrap().contains("in the middle"));
    }

    #[test]
    fn what_is_no_export_is_refused_and_a_key_must_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tar");
        std::fs::write(&archive, b"hello").unwrap();
        let wish = |key: Option<&Path>| VerifyArgs {
            archive: archive.clone(),
            key: key.map(Path::to_owned),
        };
        let output = Output::new(true);
        let told = verify(output, &wish(None)).unwrap_err();
        assert!(matches!(told, CliError::Flawed(Flaw::NotOne)));
        let told = verify(output, &wish(Some(&archive))).unwrap_err();
        assert!(matches!(told, CliError::Key { .. }), "{told}");
    }
}
