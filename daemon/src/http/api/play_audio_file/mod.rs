//! SKELETON
//! Family `play_audio_file`: seed 000 and API.md section 1.
use bytes::Bytes;
use http::Response;
use http_body::Body;

use crate::http::body::Payload;
use crate::http::error::Problem;
use crate::http::route::Route;
use crate::http::service::Call;

/// Answers one of the family's endpoints.
///
/// # Errors
/// The codes of seed 000 and API.md section 1.
pub(in crate::http) async fn answer<B>(
    call: &Call<'_>,
    route: Route<'_>,
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let _ = (call, route, body);
    todo!()
}

/// `{"return":{"status":"...","status_code":"...","cd_id":"0"}}`, for every status alike.
pub(in crate::http) fn envelope(problem: &Problem) -> serde_json::Value {
    let code = problem.status.as_str();
    serde_json::json!({ "return": {
        "status": problem.message, "status_code": code, "cd_id": "0",
    } })
}
