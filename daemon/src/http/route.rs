//! Every path of the daemon, in one enum, with its policy in one exhaustive match: an endpoint
//! without methods, authentication and cache rule does not compile.

use http::Method;

use super::media::Cache;
use super::metrics::Group;

/// A path that exists. Names in it are as sent: decoding and checking them is the family's
/// business, after authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/`: the plain first page.
    PageIndex,
    /// `/page/app.js`
    PageScript,
    /// `/page/style.css`
    PageStyle,
    /// `/openapi/task_audio.json`
    OpenApiTaskAudio,
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
}

const READ: &str = "GET, HEAD, OPTIONS";
const WRITE: &str = "POST, OPTIONS";

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
        if let Some(rest) = path.strip_prefix("/api/v1/") {
            let mut segments = rest.split('/');
            let parts = [
                segments.next(),
                segments.next(),
                segments.next(),
                segments.next(),
                segments.next(),
            ];
            return match parts {
                [Some("sse"), Some("audio"), Some(task), None, _] => Some(Self::TaskPlay(task)),
                [Some("tasks"), None, ..] => Some(Self::TaskList),
                [Some("tasks"), Some(task), None, ..] if !task.is_empty() => {
                    Some(Self::TaskShow(task))
                }
                [
                    Some("tasks"),
                    Some(task),
                    Some("audio"),
                    Some("export"),
                    None,
                ] => Some(Self::TaskExport(task)),
                [Some("auth"), Some("ticket"), None, ..] => Some(Self::TicketIssue),
                _ => None,
            };
        }
        Some(match path {
            "/" => Self::PageIndex,
            "/page/app.js" => Self::PageScript,
            "/page/style.css" => Self::PageStyle,
            "/openapi/task_audio.json" => Self::OpenApiTaskAudio,
            "/healthz" => Self::Healthz,
            "/readyz" => Self::Readyz,
            "/metrics" => Self::Metrics,
            _ => return None,
        })
    }

    /// Its policy.
    pub(super) const fn policy(&self) -> Policy {
        let (group, allow, access, cache) = match self {
            Self::PageIndex | Self::PageScript | Self::PageStyle => {
                (Group::Page, READ, Access::Public, Cache::Revalidate)
            }
            Self::OpenApiTaskAudio => (Group::TaskAudio, READ, Access::Public, Cache::Revalidate),
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
        };
        Policy {
            group,
            allow,
            access,
            cache,
        }
    }

    /// Whose envelope a path without a route gets.
    pub(super) fn group_of_unrouted(path: &str) -> Group {
        let family = ["/api/v1/sse", "/api/v1/tasks", "/api/v1/auth"];
        if family.iter().any(|prefix| path.starts_with(prefix)) {
            Group::TaskAudio
        } else {
            Group::Unrouted
        }
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
            "/Healthz",
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
    }
}
