//! Hands requests about what keeps recordings, the clock and the audit trail to their places.

use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;

use super::{Desk, body};
use crate::control::answer::{Answer, Refusal};
use crate::control::route::Kept;
use crate::control::{audit, keeping, retention};

pub(super) async fn dispatch(
    desk: Arc<Desk>,
    route: Kept,
    request: Request<Incoming>,
    user: u32,
) -> Result<Answer, Refusal> {
    let query = request.uri().query().map(str::to_owned);
    let query = query.as_deref();
    match route {
        Kept::Change => keeping::change(desk, body(request).await?, user).await,
        Kept::Holds => keeping::holds(&desk, query).await,
        Kept::Retention => retention::show(&desk).await,
        Kept::Plan => retention::plan(&desk, query).await,
        Kept::Run => retention::run(desk).await,
        Kept::Shrink => retention::shrink(&desk).await,
        Kept::AcceptShrink => retention::accept_shrink(&desk).await,
        Kept::Resume => retention::resume(&desk).await,
        Kept::Clock => retention::clock(&desk).await,
        Kept::ClockPreview => retention::clock_preview(&desk).await,
        Kept::ConfirmClock => retention::confirm_clock(&desk).await,
        Kept::Audit => audit::list(&desk, query).await,
        Kept::AuditEntry(seq) => audit::show(&desk, seq).await,
        Kept::AuditKey => audit::key(&desk).await,
        Kept::Checkpoint => audit::checkpoint(&desk).await,
    }
}
