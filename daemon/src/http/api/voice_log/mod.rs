//! SKELETON
//! Family `voice_log`: seed 003 and API.md section 4.
use bytes::Bytes;
use http::Response;
use http_body::Body;

use crate::http::auth::Principal;
use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::service::Call;

pub(in crate::http) async fn login<B>(
    call: &Call<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _ = (call, body);
    todo!()
}

pub(in crate::http) async fn terminate_all<B>(
    call: &Call<'_>,
    principal: Principal,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _ = (call, body, principal);
    todo!()
}

pub(in crate::http) async fn download(
    call: &Call<'_>,
    principal: Principal,
) -> Result<Response<Payload>, Problem> {
    let _ = (call, principal);
    todo!()
}

pub(in crate::http) async fn logout(
    call: &Call<'_>,
    principal: Principal,
) -> Result<Response<Payload>, Problem> {
    let _ = (call, principal);
    todo!()
}

pub(in crate::http) async fn keep_alive(
    call: &Call<'_>,
    principal: Principal,
) -> Result<Response<Payload>, Problem> {
    let _ = (call, principal);
    todo!()
}

/// `{"message","code","info","status"}`, for every status alike.
pub(in crate::http) fn envelope(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "message": problem.code, "code": problem.status.as_u16(),
        "info": problem.message, "status": problem.status.as_u16(),
    })
}
