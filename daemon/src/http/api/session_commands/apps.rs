//! `/admin/apps/{app_id}`: applications, set by the administrator.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body;
use storage::error::TenantError;
use storage::handle::StorageHandle;
use storage::ids::{AppId, NameError};
use storage::ledger::entry::Kind;
use storage::outbox::{Application, OutboxError};

use super::{body_of, index_problem};
use crate::engine::webhook::application::{self, AppSetError};
use crate::engine::webhook::sign;
use crate::http::auth::admin;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::service::Call;
use crate::http::wire::session_commands::documents::ApplicationDocument;
use crate::http::wire::session_commands::fault::BodyFault;
use crate::http::wire::session_commands::opening;
use crate::http::{limits, request, trail};

/// `POST /admin/apps/{app_id}`: adds an application, and the tenant that it is, or changes it. What
/// the body leaves out stays as it is.
///
/// # Errors
/// 401, 429, 503, 400, 408, 409, 413, 415.
pub(super) async fn set<B>(
    call: &Call<'_>,
    segment: &str,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    admin::admit(call)?;
    let app_id = app_id(segment)?;
    let bytes = body_of(call, body, limits::JSON_BODY_BYTES).await?;
    let wish = opening::wish(&bytes)?;
    let allow = call.worker.site.config.load().webhooks.allow.clone();
    let changed = wish.given();
    let set = move |storage: &StorageHandle| application::set(storage, &app_id, wish, &allow);
    let set = call.worker.recordings.off_loop(set).await;
    let set = set.map_err(Problem::internal)?.map_err(set_problem)?;
    let row = set.application;
    let made = set.secret_made.then(|| sign::secret_text(&row.secret));
    let mut response = json(&ApplicationDocument::new(&row, made))?;
    if set.added {
        *response.status_mut() = StatusCode::CREATED;
    }
    tell(call, &row, (set.added, set.tenant_added), changed);
    log::info!(
        app = row.app_id.as_str(), added = set.added, tenant_added = set.tenant_added;
        "application set over HTTP"
    );
    Ok(response)
}

/// Tells the ledger of an application, and of the tenant that was added for it.
fn tell(call: &Call<'_>, row: &Application, added: (bool, bool), changed: Vec<&'static str>) {
    let (app_added, tenant_added) = added;
    let storage = &call.worker.site.storage;
    let act = |kind| {
        let act = trail::act(call, kind).by(trail::administrator());
        act.of(row.key.tenant)
    };
    if tenant_added {
        storage.record_act(act(Kind::TenantAdded).with("name", row.app_id.as_str()));
    }
    let act = act(Kind::AppChanged).with("app", row.app_id.as_str());
    storage.record_act(act.with("added", app_added).with("changed", changed));
}

/// `GET|HEAD /admin/apps/{app_id}`: an application without its secrets.
///
/// # Errors
/// 401, 429, 503, 400, 404.
pub(super) fn show(call: &Call<'_>, segment: &str) -> Result<Response<Payload>, Problem> {
    admin::admit(call)?;
    let row = call
        .worker
        .site
        .storage
        .outbox()
        .application(&app_id(segment)?);
    let row = row.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "application_not_found",
            "Application not found",
        )
        .detail("POST to the same path adds it")
    })?;
    json(&ApplicationDocument::new(&row, None))
}

fn app_id(segment: &str) -> Result<AppId, BodyFault> {
    let fault = |error| BodyFault::Name {
        field: "app_id",
        error,
    };
    let text = request::segment(segment).ok_or_else(|| fault(NameError::App))?;
    AppId::new(text).map_err(fault)
}

fn set_problem(error: AppSetError) -> Problem {
    match error {
        AppSetError::Wish(fault) if fault.field().is_some() => {
            let problem = Problem::new(StatusCode::BAD_REQUEST, "invalid_body", fault.to_string());
            problem.detail(fault.detail())
        }
        AppSetError::Outbox(error @ (OutboxError::Taken(_) | OutboxError::Full(_))) => {
            Problem::new(StatusCode::CONFLICT, "conflict", error.to_string())
        }
        AppSetError::Outbox(error @ (OutboxError::Busy | OutboxError::Write(_))) => {
            index_problem().because(error)
        }
        AppSetError::Tenant(error @ TenantError::Write(_)) => index_problem().because(error),
        other => Problem::internal(other),
    }
}
