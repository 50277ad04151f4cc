//! The prompt library: adding files, URLs and texts, listing, deleting, and taking the sound out.

use std::path::Path;

use storage::handle::StorageHandle;
use storage::ids::{PromptId, TenantName};
use storage::limits::SPEECH_TEXT_MAX;
use storage::prompt::{NewPrompt, PromptOrigin, PromptRow, SoundFacts, Speech};
use storage::record::Tenant;

use super::answer::{Answer, Refusal, ok};
use super::limits::PAGE_MAX;
use super::route::Query;
use super::serve::{Desk, blocking};
use super::wire::{AddPrompt, ErrorCode, Items, NewPromptSource};
use super::{convert, import, keys, recordings, tenants};
use crate::config;
use crate::engine::sound_file;

pub(super) async fn list(desk: &Desk, query: Option<&str>) -> Result<Answer, Refusal> {
    let query = Query::parse(query, &["tenant", "deleted"])?;
    let wanted = query.get("tenant", |text| TenantName::new(text))?;
    let deleted = query.get("deleted", str::parse::<bool>)?.unwrap_or(false);
    let now = desk.app.clock.wall();
    let storage = desk.app.storage.clone();
    let items = blocking(move || {
        let tenants = storage.tenants()?;
        let mut rows = Vec::new();
        for tenant in searched(&tenants, wanted.as_ref())? {
            let mut keep = |row: &PromptRow| deleted || is_there(row, now);
            rows.extend(storage.prompts(tenant.id, &mut keep, PAGE_MAX)?);
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.id));
        rows.truncate(PAGE_MAX);
        let prompts = rows.iter().map(|row| convert::prompt(row, &tenants));
        Ok::<_, Refusal>(prompts.collect())
    });
    ok(&Items {
        items: items.await?,
    })
}

pub(super) async fn add(desk: &Desk, wish: AddPrompt) -> Result<Answer, Refusal> {
    check_origin(&wish.origin)?;
    let expires_at = keys::expiry(wish.expires.as_ref(), desk.app.clock.wall())?;
    let storage = desk.app.storage.clone();
    let now = wish.now;
    let (mut row, tenants) = blocking(move || {
        let tenants = storage.tenants()?;
        let prompt = NewPrompt {
            tenant: tenants::by_name(&tenants, &wish.tenant)?.id,
            name: wish.name,
            origin: PromptOrigin::Upload,
            expires_at,
        };
        Ok::<_, Refusal>((store(&storage, prompt, wish.origin)?, tenants))
    })
    .await?;
    let tenant = convert::tenant_name(row.tenant, &tenants);
    log::info!(prompt = row.id.0, tenant = tenant.as_str(); "prompt added");
    if now && row.sound.is_none() {
        row = desk.app.prompts.with_sound(row).await?;
    }
    ok(&convert::prompt(&row, &tenants))
}

fn store(
    storage: &StorageHandle,
    mut prompt: NewPrompt,
    source: NewPromptSource,
) -> Result<PromptRow, Refusal> {
    let file = match source {
        NewPromptSource::File { path } => {
            let probed = import::probe(Path::new(&path))?;
            let facts = SoundFacts {
                container: sound_file::container(probed.kind),
                format: probed.format,
                frames: probed.frames,
            };
            Some((path, facts))
        }
        NewPromptSource::Url { url } => {
            prompt.origin = PromptOrigin::Url(url);
            None
        }
        NewPromptSource::Speech { text, voice } => {
            prompt.origin = PromptOrigin::Speech(Speech { text, voice });
            None
        }
    };
    let file = file.as_ref().map(|(path, facts)| (Path::new(path), *facts));
    Ok(storage.add_prompt(prompt, file)?)
}

pub(super) async fn delete(desk: &Desk, id: PromptId) -> Result<Answer, Refusal> {
    let (row, tenants) = find(desk, id).await?;
    let storage = desk.app.storage.clone();
    let row = blocking(move || storage.delete_prompt(row.tenant, row.id)).await?;
    log::info!(prompt = row.id.0; "prompt deleted by command");
    ok(&convert::prompt(&row, &tenants))
}

pub(super) async fn show(desk: &Desk, id: PromptId) -> Result<Answer, Refusal> {
    let (row, tenants) = find(desk, id).await?;
    ok(&convert::prompt(&row, &tenants))
}

/// The sound, made now if it was not yet.
pub(super) async fn audio(desk: &Desk, id: PromptId) -> Result<Answer, Refusal> {
    let (row, _) = find(desk, id).await?;
    let row = desk.app.prompts.with_sound(row).await?;
    let storage = desk.app.storage.clone();
    let view = blocking(move || storage.view_prompt(&row)).await?;
    Ok(recordings::stream(view))
}

/// Finds a prompt that is neither deleted nor expired, whose ever it is.
async fn find(desk: &Desk, id: PromptId) -> Result<(PromptRow, Vec<Tenant>), Refusal> {
    let now = desk.app.clock.wall();
    let storage = desk.app.storage.clone();
    blocking(move || {
        let tenants = storage.tenants()?;
        for tenant in &tenants {
            let row = storage.prompt(tenant.id, id)?;
            if let Some(row) = row.filter(|row| is_there(row, now)) {
                return Ok((row, tenants));
            }
        }
        let message = format!("no prompt {id}; 'callreel prompt list' shows those there are");
        Err(Refusal::new(ErrorCode::NotFound, message))
    })
    .await
}

fn searched<'a>(
    tenants: &'a [Tenant],
    wanted: Option<&TenantName>,
) -> Result<&'a [Tenant], Refusal> {
    Ok(match wanted {
        Some(name) => std::slice::from_ref(tenants::by_name(tenants, name)?),
        None => tenants,
    })
}

fn is_there(row: &PromptRow, now: audio_io::units::WallMillis) -> bool {
    row.deleted_at.is_none() && row.expires_at.is_none_or(|at| at > now)
}

/// What can be told to be wrong before anything is stored.
fn check_origin(source: &NewPromptSource) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::BadRequest, message));
    match source {
        NewPromptSource::File { .. } => Ok(()),
        NewPromptSource::Url { url } if config::is_url(url) => Ok(()),
        NewPromptSource::Url { url } => refuse(format!(
            "url: '{url}' is not an http or https URL without user and fragment"
        )),
        NewPromptSource::Speech { text, voice } => {
            if text.trim().is_empty() || text.len() > SPEECH_TEXT_MAX || text.contains('\0') {
                return refuse(format!("text: 1 to {SPEECH_TEXT_MAX} bytes without NUL"));
            }
            match voice {
                Some(voice) if !config::is_voice(voice) => refuse(format!(
                    "voice: '{voice}' is not 1 to 64 letters, digits or any of '-_.+'"
                )),
                _ => Ok(()),
            }
        }
    }
}
