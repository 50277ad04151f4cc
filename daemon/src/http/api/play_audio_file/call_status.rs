//! `GetCallStatus.php`: where a call's recording stands and is played from (API.md section 1). A
//! call's id is its recording's.

use http::Response;
use storage::ids::{RecordingId, RecordingName};

use super::params::Parameters;
use super::{AssetError, number};
use crate::http::auth::Principal;
use crate::http::auth::play_token::{Code, refused};
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::service::Call;
use crate::http::wire::play_audio_file::{CallStatus, Success};

/// Answers `GetCallStatus.php`; `recid` counts before `cd_id`.
///
/// # Errors
/// 220, 230, 240, 123, 500.
pub(super) async fn answer(
    call: &Call<'_>,
    principal: Principal,
    parameters: &Parameters,
) -> Result<Response<Payload>, Problem> {
    let id = parameters.get("recid").or_else(|| parameters.get("cd_id"));
    let id = number(id.ok_or(AssetError::NoId)?)?;
    if !principal.role.reads_all() {
        return Err(refused(Code::Permission));
    }
    let tenant = principal.tenant;
    let name = RecordingName::Recid(RecordingId(id));
    let (row, purged) = call
        .worker
        .recordings
        .off_loop(move |storage| {
            let row = storage.find(tenant, &name)?;
            let purged = match &row {
                Some(_) => None,
                None => storage.purged_at(tenant, &name)?,
            };
            Ok::<_, storage::error::ReadError>((row, purged))
        })
        .await
        .map_err(Problem::internal)?
        .map_err(Problem::internal)?;
    match (row, purged) {
        (Some(row), _) => {
            // Not what the clock says since its start: that may have been set to another time.
            let recorded = call.worker.site.engine.recorded(row.facts.id);
            json(&Success::of(CallStatus::of(
                &row,
                recorded.unwrap_or_default(),
            )))
        }
        (None, Some(_)) => Err(AssetError::OutOfDate.into()),
        (None, None) => Err(AssetError::NotValid.into()),
    }
}
