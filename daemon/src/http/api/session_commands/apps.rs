//! `/admin/apps/{app_id}`: applications, set by the administrator.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body;
use storage::error::{ReadError, TenantError};
use storage::handle::StorageHandle;
use storage::ids::{AppId, NameError, TenantId, TenantName};
use storage::outbox::{AppSettings, Application, OutboxError};

use super::{body_of, index_problem};
use crate::engine::webhook::sign;
use crate::http::auth::admin;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::incoming::json;
use crate::http::service::Call;
use crate::http::wire::session_commands::documents::ApplicationDocument;
use crate::http::wire::session_commands::fault::BodyFault;
use crate::http::wire::session_commands::opening;
use crate::http::{limits, request};

/// `POST /admin/apps/{app_id}`: adds an application, and the tenant that it is, or sets it anew.
/// What the body leaves out gets its default; key and secret stay as they are.
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
    let config = call.worker.site.config.load();
    let settings = opening::settings(&bytes, &config.webhooks.allow)?;
    let has_secret = settings.secret.is_some();
    let put = move |storage: &StorageHandle| put(storage, &app_id, settings);
    let put = call.worker.recordings.off_loop(put).await;
    let (row, is_new) = put.map_err(Problem::internal)?.map_err(put_problem)?;
    let made = (is_new && !has_secret).then(|| sign::secret_text(&row.secret));
    let mut response = json(&ApplicationDocument::new(&row, made))?;
    if is_new {
        *response.status_mut() = StatusCode::CREATED;
        log::info!("application '{}' was added over HTTP", row.app_id);
    } else {
        log::info!("application '{}' was set over HTTP", row.app_id);
    }
    Ok(response)
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

/// Why an application was not set.
#[derive(Debug, thiserror::Error)]
enum PutError {
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Tenant(#[from] TenantError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Sets an application; answers whether it is new. Blocks on the disk.
fn put(
    storage: &StorageHandle,
    app_id: &AppId,
    settings: AppSettings,
) -> Result<(Arc<Application>, bool), PutError> {
    let outbox = storage.outbox();
    let held = outbox.application(app_id);
    if held.is_none() && settings.api_key.is_none() {
        return Err(OutboxError::ApiKey.into());
    }
    let tenant = match &held {
        Some(held) => held.key.tenant,
        None => tenant(storage, app_id)?,
    };
    let row = outbox.put_application(tenant, app_id, settings)?;
    Ok((row, held.is_none()))
}

/// The tenant of an application's name, which is added if there is none.
fn tenant(storage: &StorageHandle, app_id: &AppId) -> Result<TenantId, PutError> {
    let find = || {
        let tenants = storage.tenants()?;
        let named = |name: &TenantName| name.as_str() == app_id.as_str();
        let found = tenants.into_iter().find(|tenant| named(&tenant.name));
        Ok::<_, ReadError>(found.map(|tenant| tenant.id))
    };
    if let Some(id) = find()? {
        return Ok(id);
    }
    // Both have the same form.
    let name = TenantName::new(app_id.as_str());
    let name = name.map_err(|_| OutboxError::NoApplication)?;
    match storage.add_tenant(name) {
        Ok(tenant) => Ok(tenant.id),
        // Somebody else added it just now.
        Err(TenantError::Exists(name)) => Ok(find()?.ok_or(TenantError::Exists(name))?),
        Err(error) => Err(error.into()),
    }
}

fn put_problem(error: PutError) -> Problem {
    let conflict = |message: String| Problem::new(StatusCode::CONFLICT, "conflict", message);
    match error {
        PutError::Outbox(OutboxError::ApiKey) => BodyFault::Missing("api_key").into(),
        PutError::Outbox(error @ (OutboxError::Taken(_) | OutboxError::Full(_))) => {
            conflict(error.to_string())
        }
        PutError::Outbox(error @ (OutboxError::Busy | OutboxError::Write(_))) => {
            index_problem().because(error)
        }
        PutError::Tenant(error @ TenantError::Write(_)) => index_problem().because(error),
        other => Problem::internal(other),
    }
}
