//! SKELETON
//! Family `call_recording`: seed 002 and API.md section 3.
use http::Response;

use crate::http::auth::Principal;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::service::Call;

/// `GET /api/calls/{call_sid}/recording/stream`
pub(in crate::http) async fn stream(
    call: &Call<'_>,
    principal: Principal,
    call_sid: &str,
) -> Result<Response<Payload>, Problem> {
    let _ = (call, principal, call_sid);
    todo!()
}

/// `GET /api/calls/{call_sid}/recording/download`
pub(in crate::http) async fn download(
    call: &Call<'_>,
    principal: Principal,
    call_sid: &str,
) -> Result<Response<Payload>, Problem> {
    let _ = (call, principal, call_sid);
    todo!()
}

/// `GET /media/{id}`
pub(in crate::http) async fn media(
    call: &Call<'_>,
    id: &str,
) -> Result<Response<Payload>, Problem> {
    let _ = (call, id);
    todo!()
}

/// `{"success":false,"error":{"code","message"}}`, for every status alike.
pub(in crate::http) fn envelope(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "success": false, "error": { "code": problem.code, "message": problem.message },
    })
}
