//! `GetAudiosList.php`: the tenant's prompts, newest first (API.md section 1).

use http::Response;
use storage::prompt::PromptRow;

use super::params::Parameters;
use crate::http::auth::Principal;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::limits;
use crate::http::service::Call;
use crate::http::wire::play_audio_file::{Audio, Audios, Success, kind};

/// Answers `GetAudiosList.php`.
///
/// # Errors
/// 400 naming the parameter, 500.
pub(super) async fn answer(
    call: &Call<'_>,
    principal: Principal,
    parameters: &Parameters,
) -> Result<Response<Payload>, Problem> {
    let wanted = match parameters.get("type") {
        None | Some("todas") => None,
        Some(text) => Some(*KINDS.iter().find(|kind| **kind == text).ok_or_else(|| {
            Problem::parameter("Parameter 'type' is 'todas', 'tts', 'upload' or 'rec'.")
        })?),
    };
    let most = match parameters.get("maxreg") {
        None => limits::AUDIOS_DEFAULT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|most| (1..=limits::AUDIOS).contains(most))
            .ok_or_else(|| {
                let most = limits::AUDIOS;
                Problem::parameter(format!("Parameter 'maxreg' is a number from 1 to {most}."))
            })?,
    };
    let search = parameters.get("search").map(str::to_lowercase);
    let now = call.worker.site.clock.wall();
    let tenant = principal.tenant;
    let mut fits = move |row: &PromptRow| {
        let is_over = row.deleted_at.is_some() || row.expires_at.is_some_and(|at| at <= now);
        let is_kind = wanted.is_none_or(|wanted| kind(&row.origin) == wanted);
        let is_found = |search: &String| row.name.to_lowercase().contains(search.as_str());
        !is_over && is_kind && search.as_ref().is_none_or(is_found)
    };
    let rows = call
        .worker
        .recordings
        .off_loop(move |storage| storage.prompts(tenant, &mut fits, most))
        .await
        .map_err(Problem::internal)?
        .map_err(Problem::internal)?;
    let audios = rows.iter().map(Audio::of).collect();
    json(&Success::of(Audios { audios }))
}

const KINDS: [&str; 3] = ["tts", "upload", "rec"];
