//! Every path of the daemon, in one enum, with its policy in one exhaustive match: an endpoint
//! without methods, authentication and cache rule does not compile.

use http::Method;
use storage::record::Family;

use super::api::supervisor::Endpoint;
use super::media::Cache;
use super::metrics::Group;
use crate::engine::session::command::CommandKind;

/// A path that exists. Names in it are as sent: decoding and checking them is the family's
/// business, after authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/`: the page.
    PageIndex,
    /// `/page/{file}`: what the page consists of.
    PageFile(&'a str),
    /// `/api/supervisor/v1/…`: what the page works with.
    Supervisor(Endpoint<'a>),
    /// `/openapi/{family}.json`
    OpenApi(Family),
    /// `/docs`: the documents to browse.
    DocsIndex,
    /// `/docs/app.js`
    DocsScript,
    /// `/docs/style.css`
    DocsStyle,
    /// `/healthz`: the process answers.
    Healthz,
    /// `/readyz`: it can record and serve.
    Readyz,
    /// `/metrics`: Prometheus text.
    Metrics,
    /// `/api/v1/sse/audio/{taskId}` (seed 004)
    TaskPlay(&'a str),
    /// `/api/v1/tasks/{taskId}/audio/export` (seed 004)
    TaskExport(&'a str),
    /// `/api/v1/tasks` (API.md section 5)
    TaskList,
    /// `/api/v1/tasks/{taskId}`
    TaskShow(&'a str),
    /// `/api/v1/auth/ticket` (API.md section 5)
    TicketIssue,
    /// `/api/v1/sessions` (API.md section 2, as are the next five)
    Sessions,
    /// `/api/v1/sessions/{uuid}`
    Session(&'a str),
    /// `/api/v1/sessions/{uuid}/commands/…` (seed 001)
    SessionCommand(&'a str, CommandKind),
    /// `/api/v1/sessions/{uuid}/events`
    SessionEvents(&'a str),
    /// `/api/v1/events`
    ApplicationEvents,
    /// `/admin/apps/{app_id}`
    AdminApp(&'a str),
    /// `/api/v2/PlayAudioFile.php` (seed 000)
    PlayAudioFile,
    /// `/api/v2/GetUserID.php` (API.md section 1, as are the next three)
    GetUserId,
    /// `/api/v2/GetAudiosList.php`
    GetAudiosList,
    /// `/api/v2/CreateAudioFile.php`
    CreateAudioFile,
    /// `/api/v2/GetCallStatus.php`
    GetCallStatus,
    /// `/api/calls/{call_sid}/recording/stream` (seed 002)
    CallStream(&'a str),
    /// `/api/calls/{call_sid}/recording/download` (seed 002)
    CallDownload(&'a str),
    /// `/media/{id}`: a signed link of seed 002's stream
    SignedMedia(&'a str),
    /// `/ameyorestapi/cc/downloadVoiceLog` (seed 003)
    VoiceLogDownload,
    /// `/ameyorestapi/session/userLogin` (API.md section 4, as are the next three)
    UserLogin,
    /// `/ameyorestapi/session/userLogout`
    UserLogout,
    /// `/ameyorestapi/session/keepAliveWithPingPush`
    KeepAlive,
    /// `/ameyorestapi/session/terminateAllSessionsForUser`
    TerminateSessions,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody.
    Public,
    /// Peers on this machine that did not come through a proxy.
    Local,
    /// `X-API-Key` of family `task_audio`.
    TaskKey,
    /// The same, or `?api_key=`, or `?ticket=`: for `<audio src>` (API.md section 5).
    TaskKeyOrTicket,
    /// The token of seed 000, which may be in the body: the family looks for it, first of all.
    PlayToken,
    /// `X-API-Key` or a bearer token of family `call_recording`, with `X-Organization-Id` if sent.
    OrganizationKey,
    /// A signed link: the family checks it, first of all.
    Signature,
    /// The `Sessionid` of seed 003.
    UserSession,
    /// `X-App-ID` and `X-API-Key` of family `session_commands`: the family checks them, first of
    /// all.
    Application,
    /// The same, or `?app_id=` and `?api_key=`: for `EventSource`.
    ApplicationInQuery,
    /// `X-Admin-API-Key`: the family checks it, first of all.
    Admin,
    /// A session of Callreel's own page, as a cookie or a bearer token: the family checks it, first
    /// of all, with whatever guards against forged requests.
    Supervisor,
    /// Name and password, in the body or by HTTP Basic: the family checks them, first of all.
    Password,
}

/// What a request counts as for the rate limits (`ratelimit.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charge {
    /// Nothing: who watches over the daemon asks as often as need be.
    Nothing,
    /// A request.
    Request,
    /// A request that is answered with sound.
    Media,
    /// A request of an application, whose own limit the family counts.
    Application,
}

/// What holds for all requests to a route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// Whose envelope errors take, and where requests are counted.
    pub(super) group: Group,
    /// What it takes, for `Allow`.
    pub(super) allow: &'static str,
    /// Who may use it.
    pub(super) access: Access,
    /// Reuse of successful answers, where the endpoint itself does not decide.
    pub(super) cache: Cache,
    /// What its requests count as.
    pub(super) charge: Charge,
}

const READ: &str = "GET, HEAD, OPTIONS";
const WRITE: &str = "POST, OPTIONS";
const BOTH: &str = "GET, HEAD, POST, OPTIONS";

impl Policy {
    /// Whether the method is one of [`Policy::allow`].
    pub(super) fn allows(&self, method: &Method) -> bool {
        self.allow
            .split(", ")
            .any(|allowed| allowed == method.as_str())
    }
}

impl<'a> Route<'a> {
    /// The route of a path.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/api/supervisor/v1/") {
            return Endpoint::of(rest).map(Self::Supervisor);
        }
        if let Some(name) = path.strip_prefix("/page/") {
            return (!name.is_empty() && !name.contains('/')).then_some(Self::PageFile(name));
        }
        if let Some(rest) = path.strip_prefix("/api/v1/sessions/") {
            return Self::of_session(rest);
        }
        if let Some(rest) = path.strip_prefix("/api/v1/") {
            return Self::of_v1(rest);
        }
        if let Some(rest) = path.strip_prefix("/api/calls/") {
            let (call_sid, what) = rest.split_once('/')?;
            return match what {
                "recording/stream" => Some(Self::CallStream(call_sid)),
                "recording/download" => Some(Self::CallDownload(call_sid)),
                _ => None,
            };
        }
        if let Some(app_id) = path.strip_prefix("/admin/apps/") {
            return (!app_id.contains('/')).then_some(Self::AdminApp(app_id));
        }
        if let Some(id) = path.strip_prefix("/media/") {
            return (!id.contains('/')).then_some(Self::SignedMedia(id));
        }
        Some(match path {
            "/api/v2/PlayAudioFile.php" => Self::PlayAudioFile,
            "/api/v2/GetUserID.php" => Self::GetUserId,
            "/api/v2/GetAudiosList.php" => Self::GetAudiosList,
            "/api/v2/CreateAudioFile.php" => Self::CreateAudioFile,
            "/api/v2/GetCallStatus.php" => Self::GetCallStatus,
            "/ameyorestapi/cc/downloadVoiceLog" => Self::VoiceLogDownload,
            "/ameyorestapi/session/userLogin" => Self::UserLogin,
            "/ameyorestapi/session/userLogout" => Self::UserLogout,
            "/ameyorestapi/session/keepAliveWithPingPush" => Self::KeepAlive,
            "/ameyorestapi/session/terminateAllSessionsForUser" => Self::TerminateSessions,
            "/" => Self::PageIndex,
            "/openapi/play_audio_file.json" => Self::OpenApi(Family::PlayAudioFile),
            "/openapi/session_commands.json" => Self::OpenApi(Family::SessionCommands),
            "/openapi/call_recording.json" => Self::OpenApi(Family::CallRecording),
            "/openapi/voice_log.json" => Self::OpenApi(Family::VoiceLog),
            "/openapi/task_audio.json" => Self::OpenApi(Family::TaskAudio),
            "/openapi/supervisor.json" => Self::OpenApi(Family::Supervisor),
            "/docs" => Self::DocsIndex,
            "/docs/app.js" => Self::DocsScript,
            "/docs/style.css" => Self::DocsStyle,
            "/healthz" => Self::Healthz,
            "/readyz" => Self::Readyz,
            "/metrics" => Self::Metrics,
            _ => return None,
        })
    }

    /// The route of what follows `/api/v1/`, sessions left out.
    fn of_v1(rest: &'a str) -> Option<Self> {
        let mut segments = rest.split('/');
        let parts = [
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
            segments.next(),
        ];
        match parts {
            [Some("sse"), Some("audio"), Some(task), None, _] => Some(Self::TaskPlay(task)),
            [Some("sessions"), None, ..] => Some(Self::Sessions),
            [Some("events"), None, ..] => Some(Self::ApplicationEvents),
            [Some("tasks"), None, ..] => Some(Self::TaskList),
            [Some("tasks"), Some(task), None, ..] if !task.is_empty() => Some(Self::TaskShow(task)),
            [
                Some("tasks"),
                Some(task),
                Some("audio"),
                Some("export"),
                None,
            ] => Some(Self::TaskExport(task)),
            [Some("auth"), Some("ticket"), None, ..] => Some(Self::TicketIssue),
            _ => None,
        }
    }

    /// The route of what follows `/api/v1/sessions/`.
    fn of_session(rest: &'a str) -> Option<Self> {
        let (session, what) = match rest.split_once('/') {
            None => (rest, None),
            Some((session, what)) => (session, Some(what)),
        };
        if session.is_empty() {
            return None;
        }
        match what {
            None => Some(Self::Session(session)),
            Some("events") => Some(Self::SessionEvents(session)),
            Some(what) => {
                let kind = CommandKind::from_path(what.strip_prefix("commands/")?)?;
                Some(Self::SessionCommand(session, kind))
            }
        }
    }

    /// Its policy.
    pub(super) const fn policy(&self) -> Policy {
        let (group, allow, access, cache) = match self {
            Self::PageIndex
            | Self::PageFile(_)
            | Self::DocsIndex
            | Self::DocsScript
            | Self::DocsStyle
            | Self::OpenApi(_) => (Group::Page, READ, Access::Public, Cache::Revalidate),
            Self::Supervisor(endpoint) => (
                Group::Supervisor,
                endpoint.allow(),
                Access::Supervisor,
                endpoint.cache(),
            ),
            Self::PlayAudioFile => (
                Group::PlayAudioFile,
                BOTH,
                Access::PlayToken,
                Cache::Private,
            ),
            Self::GetUserId => (Group::PlayAudioFile, BOTH, Access::Password, Cache::Never),
            Self::GetAudiosList | Self::CreateAudioFile | Self::GetCallStatus => {
                (Group::PlayAudioFile, BOTH, Access::PlayToken, Cache::Never)
            }
            Self::CallStream(_) => (
                Group::CallRecording,
                READ,
                Access::OrganizationKey,
                Cache::Never,
            ),
            Self::CallDownload(_) => (
                Group::CallRecording,
                READ,
                Access::OrganizationKey,
                Cache::Private,
            ),
            Self::SignedMedia(_) => (
                Group::CallRecording,
                READ,
                Access::Signature,
                Cache::Private,
            ),
            Self::VoiceLogDownload => (Group::VoiceLog, READ, Access::UserSession, Cache::Private),
            Self::UserLogin => (Group::VoiceLog, WRITE, Access::Password, Cache::Never),
            Self::UserLogout | Self::TerminateSessions => {
                (Group::VoiceLog, WRITE, Access::UserSession, Cache::Never)
            }
            Self::KeepAlive => (Group::VoiceLog, BOTH, Access::UserSession, Cache::Never),
            Self::Healthz | Self::Readyz => (Group::Operations, READ, Access::Public, Cache::Never),
            Self::Metrics => (Group::Operations, READ, Access::Local, Cache::Never),
            Self::TaskPlay(_) => (
                Group::TaskAudio,
                READ,
                Access::TaskKeyOrTicket,
                Cache::Revalidate,
            ),
            Self::TaskExport(_) => (Group::TaskAudio, READ, Access::TaskKey, Cache::Private),
            Self::TaskList | Self::TaskShow(_) => {
                (Group::TaskAudio, READ, Access::TaskKey, Cache::Never)
            }
            Self::TicketIssue => (Group::TaskAudio, WRITE, Access::TaskKey, Cache::Never),
            Self::Sessions
            | Self::Session(_)
            | Self::SessionCommand(..)
            | Self::SessionEvents(_)
            | Self::ApplicationEvents
            | Self::AdminApp(_) => self.of_sessions(),
        };
        Policy {
            group,
            allow,
            access,
            cache,
            charge: self.charge(),
        }
    }

    /// What holds for family `session_commands`.
    const fn of_sessions(&self) -> (Group, &'static str, Access, Cache) {
        let (allow, access) = match self {
            Self::Sessions => (BOTH, Access::Application),
            Self::SessionCommand(..) => (WRITE, Access::Application),
            Self::SessionEvents(_) | Self::ApplicationEvents => (READ, Access::ApplicationInQuery),
            Self::AdminApp(_) => (BOTH, Access::Admin),
            _ => (READ, Access::Application),
        };
        (Group::SessionCommands, allow, access, Cache::Never)
    }

    const fn charge(&self) -> Charge {
        match self {
            Self::Sessions
            | Self::Session(_)
            | Self::SessionCommand(..)
            | Self::SessionEvents(_)
            | Self::ApplicationEvents
            | Self::AdminApp(_) => Charge::Application,
            Self::Healthz | Self::Readyz | Self::Metrics => Charge::Nothing,
            Self::TaskPlay(_)
            | Self::TaskExport(_)
            | Self::PlayAudioFile
            | Self::CallDownload(_)
            | Self::SignedMedia(_)
            | Self::VoiceLogDownload => Charge::Media,
            Self::Supervisor(endpoint) => endpoint.charge(),
            Self::PageIndex
            | Self::PageFile(_)
            | Self::DocsIndex
            | Self::DocsScript
            | Self::DocsStyle
            | Self::OpenApi(_)
            | Self::TaskList
            | Self::TaskShow(_)
            | Self::TicketIssue
            | Self::GetUserId
            | Self::GetAudiosList
            | Self::CreateAudioFile
            | Self::GetCallStatus
            | Self::CallStream(_)
            | Self::UserLogin
            | Self::UserLogout
            | Self::KeepAlive
            | Self::TerminateSessions => Charge::Request,
        }
    }

    /// Whose envelope a path without a route gets.
    pub(super) fn group_of_unrouted(path: &str) -> Group {
        const PREFIXES: [(&str, Group); 11] = [
            ("/api/supervisor", Group::Supervisor),
            ("/api/v1/sessions", Group::SessionCommands),
            ("/api/v1/events", Group::SessionCommands),
            ("/admin", Group::SessionCommands),
            ("/api/v1/sse", Group::TaskAudio),
            ("/api/v1/tasks", Group::TaskAudio),
            ("/api/v1/auth", Group::TaskAudio),
            ("/api/v2", Group::PlayAudioFile),
            ("/api/calls", Group::CallRecording),
            ("/media", Group::CallRecording),
            ("/ameyorestapi", Group::VoiceLog),
        ];
        PREFIXES
            .iter()
            .find(|(prefix, _)| {
                path.strip_prefix(prefix)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .map_or(Group::Unrouted, |(_, group)| *group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_whole_and_exact() {
        assert_eq!(Route::of("/api/v1/sse/audio/x"), Some(Route::TaskPlay("x")));
        assert_eq!(Route::of("/api/v1/sse/audio/"), Some(Route::TaskPlay("")));
        assert_eq!(
            Route::of("/api/v1/tasks/x/audio/export"),
            Some(Route::TaskExport("x"))
        );
        assert_eq!(Route::of("/api/v1/tasks/x"), Some(Route::TaskShow("x")));
        assert_eq!(Route::of("/api/v1/tasks"), Some(Route::TaskList));
        assert_eq!(Route::of("/api/v1/sessions/x"), Some(Route::Session("x")));
        assert_eq!(
            Route::of("/api/v1/sessions/x/commands/playback/stop"),
            Some(Route::SessionCommand("x", CommandKind::PlaybackStop))
        );
        assert_eq!(Route::of("/admin/apps/x"), Some(Route::AdminApp("x")));
        for path in [
            "",
            "//",
            "/api/v1/sse/audio",
            "/api/v1/sse/audio/x/",
            "/api/v1/sse/audio/x/y/z/w",
            "/api/v1/tasks/",
            "/api/v1/tasks/x/audio",
            "/api/v1/tasks/x/audio/export/",
            "/api/v1/tasks/x/audio/export/y",
            "/api/v1/../v1/tasks",
            "/page/../app.js",
            "/page/",
            "/api/supervisor/v1/",
            "/api/supervisor/v1/recordings/",
            "/api/supervisor/v1/recordings/1/",
            "/Healthz",
            "/api/v1/sessions/",
            "/api/v1/sessions//events",
            "/api/v1/sessions/x/events/",
            "/api/v1/sessions/x/commands/",
            "/api/v1/sessions/x/commands/playback",
            "/api/v1/sessions/x/commands/playback/stop/",
            "/admin/apps",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }

    #[test]
    fn nothing_of_a_tenant_is_public() {
        for path in [
            "/api/v1/sse/audio/x",
            "/api/v1/tasks/x/audio/export",
            "/api/v1/tasks",
            "/api/v1/tasks/x",
            "/api/v1/auth/ticket",
        ] {
            let access = Route::of(path).map(|route| route.policy().access);
            assert!(
                matches!(access, Some(Access::TaskKey | Access::TaskKeyOrTicket)),
                "{path}"
            );
        }
        for (path, expected) in [
            ("/api/v1/sessions", Access::Application),
            ("/api/v1/sessions/x", Access::Application),
            ("/api/v1/sessions/x/commands/answer", Access::Application),
            ("/api/v1/sessions/x/events", Access::ApplicationInQuery),
            ("/api/v1/events", Access::ApplicationInQuery),
            ("/admin/apps/x", Access::Admin),
        ] {
            let access = Route::of(path).map(|route| route.policy().access);
            assert_eq!(access, Some(expected), "{path}");
        }
    }
}
