//! `prompt`.

use std::io::Read;
use std::path::{Path, PathBuf};

use storage::ids::TenantName;
use storage::limits::SPEECH_TEXT_MAX;

use super::Context;
use super::args::{NewPromptArgs, PromptCommand};
use super::client::query;
use super::error::CliError;
use super::import::absolute;
use super::output::{length, or_dash, size, table, write_bytes};
use super::partial::Partial;
use crate::control::wire::{AddPrompt, Items, NewPromptSource, Prompt, PromptSource};

pub(super) async fn run(context: &Context, command: PromptCommand) -> Result<(), CliError> {
    match command {
        PromptCommand::List { tenant, deleted } => list(context, tenant, deleted).await,
        PromptCommand::Add { file, prompt } => {
            let path = absolute(&file)?;
            add(context, prompt, NewPromptSource::File { path }, false).await
        }
        PromptCommand::Say {
            text,
            voice,
            now,
            prompt,
        } => {
            let text = spoken(&text)?;
            add(
                context,
                prompt,
                NewPromptSource::Speech { text, voice },
                now,
            )
            .await
        }
        PromptCommand::Fetch { url, now, prompt } => {
            add(context, prompt, NewPromptSource::Url { url }, now).await
        }
        PromptCommand::Delete { id, yes } => delete(context, id, yes).await,
        PromptCommand::Save { id, output, force } => save(context, id, output, force).await,
    }
}

/// The text of `say`: its words, or standard input.
fn spoken(words: &[String]) -> Result<String, CliError> {
    if words != ["-"] {
        return Ok(words.join(" "));
    }
    let mut text = String::new();
    // One byte more than may be, so that what is too long is refused and not cut.
    let most = SPEECH_TEXT_MAX as u64 + 1;
    let read = std::io::stdin().take(most).read_to_string(&mut text);
    read.map_err(CliError::Input)?;
    Ok(text.trim_end().to_owned())
}

async fn add(
    context: &Context,
    prompt: NewPromptArgs,
    origin: NewPromptSource,
    now: bool,
) -> Result<(), CliError> {
    let wish = AddPrompt {
        tenant: prompt.tenant,
        name: prompt.name,
        origin,
        expires: prompt.expires,
        now,
    };
    let added: Prompt = context.client.post("/prompts", &wish).await?;
    context.output.show(&added, |added| {
        let state = added.sound.as_ref().map_or_else(
            || "is made when it is first played".to_owned(),
            |sound| format!("is {} long, {}", length(sound.duration_ms), sound.container),
        );
        let Prompt {
            prompt_id,
            name,
            tenant,
            ..
        } = added;
        format!("prompt {prompt_id} '{name}' of tenant '{tenant}' added; its sound {state}\n")
    })
}

async fn list(
    context: &Context,
    tenant: Option<TenantName>,
    deleted: bool,
) -> Result<(), CliError> {
    let query = query(&[
        ("tenant", tenant.map(String::from)),
        ("deleted", deleted.then(|| "true".to_owned())),
    ]);
    let prompts: Items<Prompt> = context.client.get(&format!("/prompts{query}")).await?;
    context.output.show(&prompts, |prompts| {
        if prompts.items.is_empty() {
            return "there are no prompts; 'callreel prompt say' and 'add' add some\n".into();
        }
        let rows: Vec<_> = prompts.items.iter().map(row).collect();
        let heading = [
            "PROMPT_ID",
            "TENANT",
            "NAME",
            "FROM",
            "LENGTH",
            "SIZE",
            "ADDED",
            "EXPIRES",
            "DELETED",
        ];
        table(heading, &rows)
    })
}

fn row(prompt: &Prompt) -> [String; 9] {
    let sound = prompt.sound.as_ref();
    let origin = match &prompt.origin {
        PromptSource::Upload => "file".to_owned(),
        PromptSource::Recording { recid } => format!("recording {recid}"),
        PromptSource::Url { url } => shortened(url),
        PromptSource::Speech { text, voice } => {
            let voice = voice.as_ref().map(|voice| format!("{voice}: "));
            format!("{}\"{}\"", voice.unwrap_or_default(), shortened(text))
        }
    };
    [
        prompt.prompt_id.clone(),
        prompt.tenant.clone(),
        prompt.name.clone(),
        origin,
        or_dash(sound.map(|sound| length(sound.duration_ms)).as_deref()),
        or_dash(sound.map(|sound| size(sound.size_bytes)).as_deref()),
        prompt.created_at.clone(),
        or_dash(prompt.expires_at.as_deref()),
        or_dash(prompt.deleted_at.as_deref()),
    ]
}

/// The beginning of a text, for a column.
fn shortened(text: &str) -> String {
    if text.chars().count() <= COLUMN_LETTERS {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(COLUMN_LETTERS - 1).collect();
    format!("{beginning}…")
}

const COLUMN_LETTERS: usize = 40;

async fn delete(context: &Context, id: u64, yes: bool) -> Result<(), CliError> {
    let path = format!("/prompts/{id}");
    let prompt: Prompt = context.client.get(&path).await?;
    let question = format!("Delete prompt {id} '{}' for good?", prompt.name);
    if !yes && !context.output.confirm(&question)? {
        context.output.remark("nothing was deleted");
        return Ok(());
    }
    let deleted: Prompt = context.client.delete(&path).await?;
    context.output.show(&deleted, |deleted| {
        format!("prompt {} '{}' deleted\n", deleted.prompt_id, deleted.name)
    })
}

async fn save(context: &Context, id: u64, target: PathBuf, force: bool) -> Result<(), CliError> {
    let path = format!("/prompts/{id}/audio");
    if target == Path::new("-") {
        context.client.download(&path, write_bytes).await?;
        return Ok(());
    }
    let mut file = Partial::create(target, force)?;
    let bytes = context
        .client
        .download(&path, |piece| file.write(piece))
        .await?;
    let target = file.publish(force)?;
    let saved = serde_json::json!({
        "prompt_id": id.to_string(), "file": target, "size_bytes": bytes,
    });
    context.output.show(&saved, |_| {
        format!(
            "prompt {id}: {} written to {}\n",
            size(bytes),
            target.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shortened_between_letters() {
        assert_eq!(shortened("short"), "short");
        let text = shortened(&"é".repeat(41));
        assert_eq!(text.chars().count(), COLUMN_LETTERS);
        assert!(text.ends_with('…'));
    }

    #[test]
    fn words_are_joined_to_a_text() {
        let words = ["We".to_owned(), "are closed.".to_owned()];
        assert_eq!(spoken(&words).unwrap(), "We are closed.");
    }
}
