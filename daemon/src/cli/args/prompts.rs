//! Arguments of `prompt`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use storage::ids::TenantName;

use super::values::expiry;
use crate::control::wire::Expiry;

/// `prompt`
#[derive(Debug, Subcommand)]
pub enum PromptCommand {
    /// List prompts, newest first
    #[command(after_help = "EXAMPLE\n  callreel prompt list --tenant acme")]
    List {
        /// Only this tenant's
        #[arg(long)]
        tenant: Option<TenantName>,
        /// Deleted and expired ones too
        #[arg(long)]
        deleted: bool,
    },
    /// Add a sound file: WAV, MP3, M4A, WebM, Ogg or FLAC
    ///
    /// The daemon opens the file itself: it must be readable for its user. It is copied.
    #[command(
        after_help = "EXAMPLE\n  callreel prompt add --tenant acme --name greeting greeting.wav"
    )]
    Add {
        /// The file
        file: PathBuf,
        /// Whose, and under which name.
        #[command(flatten)]
        prompt: NewPromptArgs,
    },
    /// Add a text that is spoken when it is first played
    #[command(
        after_help = "EXAMPLE\n  callreel prompt say --tenant acme --name closed We are closed.\n  \
                      callreel prompt say --tenant acme --name closed --voice es --now Cerrado."
    )]
    Say {
        /// The text; '-' reads it from standard input
        #[arg(required = true, value_name = "TEXT")]
        text: Vec<String>,
        /// The engine's voice or language, such as en-us or es [default: speech.voice of the
        /// daemon's configuration]
        #[arg(long)]
        voice: Option<String>,
        /// Speak it now, and tell if that fails
        #[arg(long)]
        now: bool,
        /// Whose, and under which name.
        #[command(flatten)]
        prompt: NewPromptArgs,
    },
    /// Add a sound that is fetched from a URL when it is first played
    #[command(
        after_help = "EXAMPLE\n  callreel prompt fetch --tenant acme --name tune --now \
                      https://example.org/tune.mp3"
    )]
    Fetch {
        /// Where it is
        url: String,
        /// Fetch it now, and tell if that fails
        #[arg(long)]
        now: bool,
        /// Whose, and under which name.
        #[command(flatten)]
        prompt: NewPromptArgs,
    },
    /// Delete a prompt for good
    #[command(after_help = "EXAMPLE\n  callreel prompt delete 3 --yes")]
    Delete {
        /// The prompt's id, from 'callreel prompt list'
        #[arg(value_name = "PROMPT_ID")]
        id: u64,
        /// Do not ask; needed where there is no terminal to ask on
        #[arg(long)]
        yes: bool,
    },
    /// Copy a prompt's sound out of the library; made now if it was never played
    #[command(after_help = "EXAMPLE\n  callreel prompt save 3 --output greeting.mp3")]
    Save {
        /// The prompt's id, from 'callreel prompt list'
        #[arg(value_name = "PROMPT_ID")]
        id: u64,
        /// Where to write it; '-' for standard output
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// Replace a file that exists
        #[arg(long)]
        force: bool,
    },
}

/// What every new prompt is given.
#[derive(Debug, Args)]
pub struct NewPromptArgs {
    /// Whose it will be
    #[arg(long)]
    pub tenant: TenantName,
    /// A name for people, 1 to 128 characters
    #[arg(long)]
    pub name: String,
    /// When it ends: after a time such as 30d, on a day, or at an RFC 3339 time [default: never]
    #[arg(long, value_name = "WHEN", value_parser = expiry)]
    pub expires: Option<Expiry>,
}
