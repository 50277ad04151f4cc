//! Every path below `/api/supervisor/v1/`, in one enum, and what holds for each, in exhaustive
//! matches: an endpoint without methods, a cache rule, a charge and a right does not compile.

use http::Method;

use super::scope::Right;
use crate::http::media::Cache;
use crate::http::route::Charge;

/// A path that exists. Names in it are as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Endpoint<'a> {
    /// `session`: signing in and out, and who one is.
    Session,
    /// `lines`: how the lines stand.
    Lines,
    /// `lines/events`: the same, as it changes.
    LineEvents,
    /// `lines/{name}/listen`: the sound of a call, as it comes.
    LineListen(&'a str),
    /// `recordings`: the search.
    Recordings,
    /// `recordings/{id}`
    Recording(&'a str),
    /// `recordings/{id}/audio`
    Audio(&'a str),
    /// `recordings/{id}/peaks`
    Peaks(&'a str),
    /// `recordings/{id}/tags`
    Tags(&'a str),
    /// `recordings/{id}/notes`
    Notes(&'a str),
    /// `recordings/{id}/notes/{note}`
    Note(&'a str, &'a str),
    /// `recordings/{id}/holds`
    Holds(&'a str),
    /// `recordings/{id}/holds/{hold}/lift`
    LiftHold(&'a str, &'a str),
    /// `recordings/{id}/keep-until`
    KeepUntil(&'a str),
    /// `exports`
    Exports,
    /// `exports/{id}`
    Export(&'a str),
    /// `exports/{id}/events`
    ExportEvents(&'a str),
    /// `exports/{id}/file`
    ExportFile(&'a str),
    /// `audit`
    Audit,
    /// `audit/key`
    AuditKey,
    /// `admin/users`
    Users,
    /// `admin/users/{name}`
    User(&'a str),
    /// `admin/keys`
    Keys,
    /// `admin/keys/{id}/rotate`
    RotateKey(&'a str),
    /// `admin/keys/{id}/revoke`
    RevokeKey(&'a str),
    /// `admin/tenants`
    Tenants,
    /// `admin/tenants/{name}`
    Tenant(&'a str),
    /// `admin/groups`
    Groups,
    /// `health`
    Health,
}

const READ: &str = "GET, HEAD, OPTIONS";
const WRITE: &str = "POST, OPTIONS";
const READ_ADD: &str = "GET, HEAD, POST, OPTIONS";
const READ_DELETE: &str = "GET, HEAD, DELETE, OPTIONS";

impl<'a> Endpoint<'a> {
    /// The endpoint of what follows `/api/supervisor/v1/`.
    pub(in crate::http) fn of(rest: &'a str) -> Option<Self> {
        let mut segments = rest.split('/');
        let mut next = || segments.next();
        let parts = [next(), next(), next(), next(), next(), next()];
        if parts.iter().flatten().any(|part| part.is_empty()) {
            return None;
        }
        Some(match parts {
            [Some("session"), None, ..] => Self::Session,
            [Some("lines"), None, ..] => Self::Lines,
            [Some("lines"), Some("events"), None, ..] => Self::LineEvents,
            [Some("lines"), Some(name), Some("listen"), None, ..] => Self::LineListen(name),
            [Some("recordings"), None, ..] => Self::Recordings,
            [Some("recordings"), Some(id), what @ .., None] => {
                return Self::of_recording(id, what);
            }
            [Some("exports"), None, ..] => Self::Exports,
            [Some("exports"), Some(id), None, ..] => Self::Export(id),
            [Some("exports"), Some(id), Some("events"), None, ..] => Self::ExportEvents(id),
            [Some("exports"), Some(id), Some("file"), None, ..] => Self::ExportFile(id),
            [Some("audit"), None, ..] => Self::Audit,
            [Some("audit"), Some("key"), None, ..] => Self::AuditKey,
            [Some("admin"), what @ .., None] => return Self::of_admin(what),
            [Some("health"), None, ..] => Self::Health,
            _ => return None,
        })
    }

    fn of_recording(id: &'a str, what: [Option<&'a str>; 3]) -> Option<Self> {
        Some(match what {
            [None, ..] => Self::Recording(id),
            [Some("audio"), None, _] => Self::Audio(id),
            [Some("peaks"), None, _] => Self::Peaks(id),
            [Some("tags"), None, _] => Self::Tags(id),
            [Some("notes"), None, _] => Self::Notes(id),
            [Some("notes"), Some(note), None] => Self::Note(id, note),
            [Some("holds"), None, _] => Self::Holds(id),
            [Some("holds"), Some(hold), Some("lift")] => Self::LiftHold(id, hold),
            [Some("keep-until"), None, _] => Self::KeepUntil(id),
            _ => return None,
        })
    }

    fn of_admin(what: [Option<&'a str>; 4]) -> Option<Self> {
        Some(match what {
            [Some("users"), None, ..] => Self::Users,
            [Some("users"), Some(name), None, _] => Self::User(name),
            [Some("keys"), None, ..] => Self::Keys,
            [Some("keys"), Some(id), Some("rotate"), None] => Self::RotateKey(id),
            [Some("keys"), Some(id), Some("revoke"), None] => Self::RevokeKey(id),
            [Some("tenants"), None, ..] => Self::Tenants,
            [Some("tenants"), Some(name), None, _] => Self::Tenant(name),
            [Some("groups"), None, ..] => Self::Groups,
            _ => return None,
        })
    }

    /// What it takes, for `Allow`.
    pub(in crate::http) const fn allow(&self) -> &'static str {
        match self {
            Self::Session => "GET, HEAD, POST, DELETE, OPTIONS",
            Self::LineListen(_) => "GET, OPTIONS",
            Self::Lines
            | Self::LineEvents
            | Self::Recordings
            | Self::Audio(_)
            | Self::Peaks(_)
            | Self::ExportEvents(_)
            | Self::ExportFile(_)
            | Self::Audit
            | Self::AuditKey
            | Self::Groups
            | Self::Health => READ,
            Self::Recording(_) | Self::Export(_) => READ_DELETE,
            Self::Tags(_) => "POST, DELETE, OPTIONS",
            Self::Note(..) => "PUT, DELETE, OPTIONS",
            Self::Notes(_)
            | Self::Holds(_)
            | Self::LiftHold(..)
            | Self::KeepUntil(_)
            | Self::RotateKey(_)
            | Self::RevokeKey(_) => WRITE,
            Self::Exports | Self::Users | Self::Keys | Self::Tenants => READ_ADD,
            Self::User(_) => "PATCH, DELETE, OPTIONS",
            Self::Tenant(_) => "PATCH, OPTIONS",
        }
    }

    /// Reuse of successful answers, where the endpoint itself does not decide.
    pub(in crate::http) const fn cache(&self) -> Cache {
        match self {
            // Sealed sound and its peaks never change: a cheap 304 shows whether they are there.
            Self::Audio(_) | Self::Peaks(_) | Self::ExportFile(_) => Cache::Private,
            _ => Cache::Never,
        }
    }

    /// What its requests count as.
    pub(in crate::http) const fn charge(&self) -> Charge {
        match self {
            Self::Audio(_) | Self::ExportFile(_) => Charge::Media,
            _ => Charge::Request,
        }
    }

    /// What somebody must be allowed to for it. What `HEAD` needs is what `GET` needs.
    pub(super) fn right(&self, method: &Method) -> Right {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match self {
            Self::Session => Right::SignedIn,
            Self::Lines | Self::LineEvents | Self::Recordings => Right::Read,
            Self::LineListen(_) => Right::ListenLive,
            Self::Recording(_) if reads => Right::Read,
            Self::Recording(_) => Right::Delete,
            Self::Audio(_) | Self::Peaks(_) => Right::Play,
            Self::Tags(_) => Right::Tag,
            Self::Notes(_) | Self::Note(..) => Right::Note,
            Self::Holds(_) | Self::LiftHold(..) => Right::Hold,
            Self::KeepUntil(_) => Right::Keep,
            Self::Exports | Self::Export(_) | Self::ExportEvents(_) | Self::ExportFile(_) => {
                Right::Export
            }
            Self::Audit | Self::AuditKey => Right::Audit,
            Self::Users
            | Self::User(_)
            | Self::Keys
            | Self::RotateKey(_)
            | Self::RevokeKey(_)
            | Self::Groups => Right::Admin,
            Self::Tenants if reads => Right::Admin,
            Self::Tenants | Self::Tenant(_) => Right::Tenants,
            Self::Health => Right::Health,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_whole_and_exact() {
        for (path, expected) in [
            ("session", Endpoint::Session),
            ("lines", Endpoint::Lines),
            ("lines/events", Endpoint::LineEvents),
            ("lines/desk/listen", Endpoint::LineListen("desk")),
            ("recordings", Endpoint::Recordings),
            ("recordings/7", Endpoint::Recording("7")),
            ("recordings/7/audio", Endpoint::Audio("7")),
            ("recordings/7/notes/3", Endpoint::Note("7", "3")),
            ("recordings/7/holds/3/lift", Endpoint::LiftHold("7", "3")),
            ("recordings/7/keep-until", Endpoint::KeepUntil("7")),
            ("exports/x/file", Endpoint::ExportFile("x")),
            ("audit/key", Endpoint::AuditKey),
            ("admin/users/a@b", Endpoint::User("a@b")),
            ("admin/keys/7/rotate", Endpoint::RotateKey("7")),
            ("admin/tenants", Endpoint::Tenants),
        ] {
            assert_eq!(Endpoint::of(path), Some(expected), "{path}");
        }
        for path in [
            "",
            "sessions",
            "session/",
            "lines/",
            "lines/desk",
            "lines/desk/listen/",
            "recordings/7/",
            "recordings//audio",
            "recordings/7/holds/3",
            "recordings/7/holds/3/lift/x",
            "recordings/7/holds/3/lift/x/y",
            "recordings/7/audio/x",
            "exports/x/y",
            "admin",
            "admin/keys/7",
            "admin/keys/7/rotate/x",
            "health/x",
        ] {
            assert_eq!(Endpoint::of(path), None, "{path}");
        }
    }
}
