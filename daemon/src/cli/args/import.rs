//! `recordings import`.

use std::path::PathBuf;

use clap::Args;
use storage::ids::{CallSid, ExternalId, LineName, Number, TenantName};
use uuid::Uuid;

use super::time;

/// `recordings import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Whose they will be
    #[arg(long)]
    pub tenant: TenantName,
    /// Its number (one file only, as with the next five)
    #[arg(long, value_name = "N")]
    pub recid: Option<u64>,
    /// Its call_sid
    #[arg(long, value_name = "call_…")]
    pub call_sid: Option<CallSid>,
    /// Its crtObjectId
    #[arg(long, value_name = "ID")]
    pub crt_object_id: Option<ExternalId>,
    /// Its campaign
    #[arg(long, value_name = "N")]
    pub campaign_id: Option<u32>,
    /// Its callId
    #[arg(long, value_name = "ID")]
    pub call_id: Option<ExternalId>,
    /// Its taskId
    #[arg(long, value_name = "UUID")]
    pub task_id: Option<Uuid>,
    /// The line it came from
    #[arg(long)]
    pub line: Option<LineName>,
    /// The caller's number
    #[arg(long)]
    pub from: Option<Number>,
    /// The called number
    #[arg(long)]
    pub to: Option<Number>,
    /// When it was recorded (RFC 3339) [default: the file's time of last change]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub start: Option<String>,
}

impl ImportArgs {
    /// The first option given that names a single recording.
    #[must_use]
    pub fn single_only(&self) -> Option<&'static str> {
        [
            ("--recid", self.recid.is_some()),
            ("--call-sid", self.call_sid.is_some()),
            ("--crt-object-id", self.crt_object_id.is_some()),
            ("--campaign-id", self.campaign_id.is_some()),
            ("--call-id", self.call_id.is_some()),
            ("--task-id", self.task_id.is_some()),
        ]
        .into_iter()
        .find_map(|(name, given)| given.then_some(name))
    }
}
