//! `setup`: asks the few questions that a new recorder has, shows what it will write, and writes
//! one file, `conf.d/50-setup.toml` beside the configuration, that `--check` would accept.
//!
//! ```text
//!  flags, --answers ─┐
//!  terminal (ask.rs) ┴▶ Answers ─▶ TOML (render.rs) ─▶ checked ─▶ written (file.rs)
//!                                                                └▶ reload, first user (after.rs)
//! ```

mod after;
mod answers;
mod ask;
mod devices;
mod file;
mod render;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use serde::Serialize;

use self::answers::Answers;
use self::file::Target;
use super::args::{Common, SetupArgs};
use super::error::CliError;
use super::output::Output;
use crate::config::{self, Origin};

/// What was done, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Done {
    file: PathBuf,
    written: bool,
    /// The file's text.
    text: String,
    /// The one it replaced, where there was one.
    backup: Option<PathBuf>,
    /// What became of the rest.
    notes: Vec<String>,
}

pub(super) async fn run(common: Common, wish: SetupArgs) -> Result<(), CliError> {
    let output = Output::new(common.json);
    let origin = Origin::new(common.config.clone());
    let target = Target::beside(origin.file());
    target.refuse_hand_made()?;
    // What holds without the file that is about to be written anew.
    let current = config::load_as_if(&origin, &target.path, "")?.config;
    let asks = !wish.is_unattended();
    if asks && !std::io::stdin().is_terminal() {
        return Err(CliError::SetupNeedsAnswers);
    }
    let mut answers = Answers::given(&wish)?;
    answers.has_certificate = current.http.tls.pair().is_some();
    if asks {
        answers = ask::questions(answers, &current)?;
    }
    let text = file::marked(&render::toml(&answers)?);
    // Refused by the same rules as 'callreeld --check'.
    let new = config::load_as_if(&origin, &target.path, &text)?.config;
    let mut done = Done {
        file: target.path.clone(),
        written: false,
        text,
        backup: None,
        notes: Vec::new(),
    };
    if asks && !wish.dry_run {
        super::output::complain(&format!("\n{}:\n\n{}", target.path.display(), done.text));
        if !wish.yes && !output.confirm("Write this?")? {
            return Err(CliError::Cancelled);
        }
    }
    if !wish.dry_run {
        done.backup = target.write(&done.text)?;
        done.written = true;
        done.notes = after::rest(&common, &wish, &answers, &new, asks).await?;
    }
    output.show(&done, describe)
}

fn describe(done: &Done) -> String {
    if !done.written {
        return done.text.clone();
    }
    let mut text = format!("wrote {}\n", done.file.display());
    if let Some(backup) = &done.backup {
        text.push_str(&format!(
            "the file before is kept as {}\n",
            backup.display()
        ));
    }
    for note in &done.notes {
        text.push_str(&format!("{note}\n"));
    }
    text
}
