//! From a text to a stored sound: the configured upstream or command speaks it, and what came is
//! made an MP3, as seed 000's prompts are, on a thread that gives way to everything else.

use std::io;

use audio_io::codec::encode::EncodeError;
use audio_io::codec::probe::ProbeError;
use audio_io::codec::target::Target;
use audio_io::codec::{decode, encode};
use storage::prompt::Speech as Wish;
use storage::record::Container;
use storage::scratch::Scratch;
use tokio::sync::oneshot;

use super::command::{self, CommandError};
use super::{PromptFailure, Ready, Shared};
use crate::engine::fetch::FetchError;
use crate::engine::sound_file;
use crate::spool::off_loop;

/// Why a text was not spoken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpeechError {
    /// Nothing is configured.
    #[error("no speech engine is configured; set [speech] command or url")]
    NoEngine,
    /// A voice that could be taken for something else.
    #[error(
        "a voice is 1 to {VOICE_CHARS} letters, digits or any of '_+-', and begins with none \
        of '+-'"
    )]
    Voice,
    /// The upstream.
    #[error(transparent)]
    Upstream(#[from] FetchError),
    /// The command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// What came is no sound.
    #[error("the engine gave no sound: {0}")]
    NotSound(#[source] ProbeError),
    /// What came cannot be made an MP3.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A file or a thread.
    #[error("speech: {0}")]
    Io(#[from] io::Error),
    /// The store.
    #[error(transparent)]
    Store(Box<PromptFailure>),
}

/// Whether a voice's name is one that no engine can take for an option or a path: 1 to 32 letters,
/// digits or any of `_+-`, beginning with none of `+-`.
#[must_use]
pub fn is_voice(name: &str) -> bool {
    (1..=VOICE_CHARS).contains(&name.len())
        && !name.starts_with(['-', '+'])
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte))
}

const VOICE_CHARS: usize = 32;

/// Speaks a text into a file.
pub(super) async fn speak(shared: &Shared, wish: &Wish) -> Result<Ready, SpeechError> {
    let config = &shared.speech;
    let voice = wish.voice.as_deref().unwrap_or(&config.voice);
    if !is_voice(voice) {
        return Err(SpeechError::Voice);
    }
    let within = std::time::Duration::from_secs(config.timeout_s);
    let scratch = |extension| async move {
        let made = shared.scratch(extension).await;
        made.map_err(|failure| SpeechError::Store(Box::new(failure)))
    };
    let spoken = scratch("wav").await?;
    let facts = if let Some(url) = &config.url {
        let json = serde_json::json!({ "text": wish.text, "voice": voice }).to_string();
        let asked = shared
            .fetcher
            .ask_upstream(url, json.into(), spoken.path(), within);
        asked.await?
    } else {
        if config.command.is_empty() {
            return Err(SpeechError::NoEngine);
        }
        command::run(&config.command, &wish.text, voice, spoken.path(), within).await?;
        let facts = sound_file::facts(spoken.path()).await;
        facts.map_err(SpeechError::NotSound)?
    };
    if facts.container == Container::Mp3 {
        return Ok((spoken, facts));
    }
    let encoded = encode(spoken, scratch("mp3").await?).await?;
    let facts = sound_file::facts(encoded.path()).await;
    Ok((encoded, facts.map_err(SpeechError::NotSound)?))
}

/// Makes an MP3 of a file.
async fn encode(spoken: Scratch, into: Scratch) -> Result<Scratch, SpeechError> {
    quietly(move || {
        let mut sound = decode::open(spoken.open()?).map_err(EncodeError::from)?;
        let mut progress = |_| std::ops::ControlFlow::Continue(());
        let mut file = into.open()?;
        encode::encode(&mut *sound, Target::Mp3, &mut file, &mut progress)?;
        Ok(into)
    })
    .await?
}

/// Runs something on a thread of its own with the lowest priority, which processes that it starts
/// inherit.
///
/// # Errors
/// There is no thread, or it died.
pub(super) async fn quietly<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (tell, done) = oneshot::channel();
    let thread = std::thread::Builder::new().name("speech".into());
    off_loop(move || {
        thread.spawn(move || {
            storage::segment::lower_priority();
            // Whoever asked may have gone.
            let _ = tell.send(work());
        })
    })
    .await?;
    done.await
        .map_err(|_| io::Error::other("the speech thread died"))
}
