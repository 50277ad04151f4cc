//! The paths of the control socket as one enum, so that a path without a handler does not compile.

use std::str::FromStr;

use hyper::Method;
use percent_encoding::percent_decode_str;
use storage::ids::{AppId, NameError, PromptId, TenantName, UserName};
use uuid::Uuid;

pub(super) use self::kept::Kept;
use super::answer::Refusal;
use super::wire::{ErrorCode, PREFIX};
use crate::engine::session::command::CommandKind;

mod kept;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Status,
    Lines,
    Spans,
    Calls,
    OpenCall,
    Call(Uuid),
    CallCommand(Uuid, CommandKind),
    CallEvents,
    Apps,
    App(AppId),
    SetApp(AppId),
    DeadLetters,
    DeadLetter(Uuid),
    Replay,
    Tenants,
    AddTenant,
    SetTenant(TenantName),
    Keys,
    IssueKey,
    RotateKey(u64),
    RevokeKey(u64),
    SigningKeys,
    RotateSigningKey,
    RetireSigningKey(u32),
    Users,
    AddUser,
    SetUser(UserName),
    RemoveUser(UserName),
    Sessions,
    LogOut(UserName),
    Locks,
    ClearLock(String),
    Prompts,
    AddPrompt,
    Prompt(PromptId),
    DeletePrompt(PromptId),
    PromptAudio(PromptId),
    Recordings,
    Recording(String),
    DeleteRecording(String),
    Audio(String),
    Import,
    StartRecording,
    StopRecording,
    Check,
    Backup,
    Export,
    Reload,
    /// What keeps recordings, the clock, the audit trail.
    Kept(Kept),
}

impl Route {
    /// Finds the route of a method and path.
    ///
    /// # Errors
    /// `not_found` or `method_not_allowed`, naming the methods that the path knows.
    pub(super) fn find(method: &Method, path: &str) -> Result<Self, Refusal> {
        let nowhere = || {
            Refusal::new(
                ErrorCode::NotFound,
                format!("there is no path {path}; see {PREFIX}/status"),
            )
        };
        let rest = path
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_prefix('/'));
        let parts: Vec<&str> = rest.ok_or_else(nowhere)?.split('/').collect();
        let choices: Vec<(Method, Self)> = match parts.as_slice() {
            ["status"] => vec![(Method::GET, Self::Status)],
            ["lines"] => vec![(Method::GET, Self::Lines)],
            ["spans"] => vec![(Method::GET, Self::Spans)],
            ["calls", ..] => Self::of_calls(&parts)?,
            ["apps" | "webhooks", ..] => Self::of_applications(&parts)?,
            ["tenants"] => vec![
                (Method::GET, Self::Tenants),
                (Method::POST, Self::AddTenant),
            ],
            ["tenants", text] => vec![(Method::PATCH, Self::SetTenant(parsed(text)?))],
            ["keys"] => vec![(Method::GET, Self::Keys), (Method::POST, Self::IssueKey)],
            ["keys", id] => vec![(Method::DELETE, Self::RevokeKey(number(id, "a key's id")?))],
            ["keys", id, "rotate"] => {
                vec![(Method::POST, Self::RotateKey(number(id, "a key's id")?))]
            }
            ["signing-keys" | "users" | "sessions" | "locks", ..] => Self::of_accounts(&parts)?,
            ["prompts", ..] => Self::of_prompts(&parts)?,
            ["recordings"] => vec![(Method::GET, Self::Recordings)],
            ["recordings", "import"] => vec![(Method::POST, Self::Import)],
            ["recordings", text] => {
                let name = name(text)?;
                vec![
                    (Method::GET, Self::Recording(name.clone())),
                    (Method::DELETE, Self::DeleteRecording(name)),
                ]
            }
            ["recordings", text, "audio"] => vec![(Method::GET, Self::Audio(name(text)?))],
            ["record", "start"] => vec![(Method::POST, Self::StartRecording)],
            ["record", "stop"] => vec![(Method::POST, Self::StopRecording)],
            ["check"] => vec![(Method::POST, Self::Check)],
            ["backup"] => vec![(Method::GET, Self::Backup)],
            ["export"] => vec![(Method::POST, Self::Export)],
            ["reload"] => vec![(Method::POST, Self::Reload)],
            _ => kept::of_kept(&parts)?,
        };
        if choices.is_empty() {
            return Err(nowhere());
        }
        let known = choices
            .iter()
            .map(|(method, _)| method.as_str())
            .collect::<Vec<_>>();
        let known = known.join(", ");
        choices
            .into_iter()
            .find(|(known, _)| known == method)
            .map(|(_, route)| route)
            .ok_or_else(|| {
                let message = format!("{path} knows {known}, not {method}");
                Refusal::new(ErrorCode::MethodNotAllowed, message)
            })
    }

    /// What there is below the paths of users and what belongs to them.
    fn of_accounts(parts: &[&str]) -> Result<Vec<(Method, Self)>, Refusal> {
        Ok(match parts {
            ["signing-keys"] => vec![
                (Method::GET, Self::SigningKeys),
                (Method::POST, Self::RotateSigningKey),
            ],
            ["signing-keys", id] => {
                let id = number(id, "a signing key's number")?;
                vec![(Method::DELETE, Self::RetireSigningKey(id))]
            }
            ["users"] => vec![(Method::GET, Self::Users), (Method::POST, Self::AddUser)],
            ["users", text] => {
                let name: UserName = parsed(text)?;
                vec![
                    (Method::PATCH, Self::SetUser(name.clone())),
                    (Method::DELETE, Self::RemoveUser(name)),
                ]
            }
            ["users", text, "sessions"] => vec![(Method::DELETE, Self::LogOut(parsed(text)?))],
            ["sessions"] => vec![(Method::GET, Self::Sessions)],
            ["locks"] => vec![(Method::GET, Self::Locks)],
            ["locks", text] => vec![(Method::DELETE, Self::ClearLock(name(text)?))],
            _ => Vec::new(),
        })
    }

    /// What there is below `/calls`.
    fn of_calls(parts: &[&str]) -> Result<Vec<(Method, Self)>, Refusal> {
        Ok(match parts {
            ["calls"] => vec![(Method::GET, Self::Calls), (Method::POST, Self::OpenCall)],
            ["calls", "events"] => vec![(Method::GET, Self::CallEvents)],
            ["calls", id] => vec![(Method::GET, Self::Call(uuid(id, "a session's UUID")?))],
            ["calls", id, command @ ..] => match CommandKind::from_path(&command.join("/")) {
                Some(kind) => {
                    let id = uuid(id, "a session's UUID")?;
                    vec![(Method::POST, Self::CallCommand(id, kind))]
                }
                None => Vec::new(),
            },
            _ => Vec::new(),
        })
    }

    /// What there is below `/apps` and `/webhooks`.
    fn of_applications(parts: &[&str]) -> Result<Vec<(Method, Self)>, Refusal> {
        Ok(match parts {
            ["apps"] => vec![(Method::GET, Self::Apps)],
            ["apps", text] => {
                let id: AppId = parsed(text)?;
                vec![
                    (Method::GET, Self::App(id.clone())),
                    (Method::POST, Self::SetApp(id)),
                ]
            }
            ["webhooks", "dead"] => vec![(Method::GET, Self::DeadLetters)],
            ["webhooks", "dead", id] => {
                let id = uuid(id, "a dead letter's id")?;
                vec![(Method::GET, Self::DeadLetter(id))]
            }
            ["webhooks", "replay"] => vec![(Method::POST, Self::Replay)],
            _ => Vec::new(),
        })
    }

    /// What there is below `/prompts`.
    fn of_prompts(parts: &[&str]) -> Result<Vec<(Method, Self)>, Refusal> {
        let id = |text: &str| number(text, "a prompt's id").map(PromptId);
        Ok(match parts {
            ["prompts"] => vec![
                (Method::GET, Self::Prompts),
                (Method::POST, Self::AddPrompt),
            ],
            ["prompts", text] => vec![
                (Method::GET, Self::Prompt(id(text)?)),
                (Method::DELETE, Self::DeletePrompt(id(text)?)),
            ],
            ["prompts", text, "audio"] => vec![(Method::GET, Self::PromptAudio(id(text)?))],
            _ => Vec::new(),
        })
    }
}

/// A part of a path, decoded.
fn name(text: &str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(text).decode_utf8();
    let bad = |_| Refusal::new(ErrorCode::BadRequest, "the path is not UTF-8");
    decoded.map(|name| name.into_owned()).map_err(bad)
}

/// A part of a path that has a form.
fn parsed<T: FromStr<Err = NameError>>(text: &str) -> Result<T, Refusal> {
    let bad = |error: NameError| Refusal::new(ErrorCode::BadRequest, error.to_string());
    name(text)?.parse().map_err(bad)
}

fn number<T: FromStr>(text: &str, what: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| {
        let message = format!("'{text}' is not {what}; it is a number");
        Refusal::new(ErrorCode::BadRequest, message)
    })
}

fn uuid(text: &str, what: &str) -> Result<Uuid, Refusal> {
    text.parse().map_err(|_| {
        let message = format!("'{text}' is not {what}");
        Refusal::new(ErrorCode::BadRequest, message)
    })
}

/// The parameters of a query, decoded. Each may be given once.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Takes a query apart; only `known` parameters are allowed.
    ///
    /// # Errors
    /// `bad_request` names the parameter.
    pub(super) fn parse(text: Option<&str>, known: &[&str]) -> Result<Self, Refusal> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = percent_decode_str(value).decode_utf8().map_err(|_| {
                Refusal::new(
                    ErrorCode::BadRequest,
                    format!("parameter '{name}' is not UTF-8"),
                )
            })?;
            if !known.contains(&name) {
                let known = known.join(", ");
                let message = format!("there is no parameter '{name}' here; known: {known}");
                return Err(Refusal::new(ErrorCode::BadRequest, message));
            }
            if pairs.iter().any(|(given, _)| given == name) {
                let message = format!("parameter '{name}' is given twice");
                return Err(Refusal::new(ErrorCode::BadRequest, message));
            }
            pairs.push((name.to_owned(), decoded.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// A parameter, parsed.
    ///
    /// # Errors
    /// `bad_request` with the parameter's name and the parser's words.
    pub(super) fn get<T, E: std::fmt::Display>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Refusal> {
        let Some((_, value)) = self.0.iter().find(|(given, _)| given == name) else {
            return Ok(None);
        };
        parse(value).map(Some).map_err(|error| {
            Refusal::new(
                ErrorCode::BadRequest,
                format!("parameter '{name}': {error}"),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_methods_find_their_route() {
        let find = |method, path: &str| Route::find(&method, &format!("{PREFIX}{path}"));
        assert_eq!(find(Method::GET, "/status").expect("known"), Route::Status);
        assert_eq!(
            find(Method::DELETE, "/keys/7").expect("known"),
            Route::RevokeKey(7)
        );
        assert_eq!(
            find(Method::GET, "/recordings/a%40b/audio").expect("known"),
            Route::Audio("a@b".into())
        );
        assert_eq!(
            find(Method::POST, "/recordings/import").expect("known"),
            Route::Import
        );
        let code = |method, path: &str| find(method, path).map_err(|refusal| refusal.0.code);
        assert_eq!(code(Method::GET, "/nope"), Err(ErrorCode::NotFound));
        assert_eq!(
            code(Method::PUT, "/tenants"),
            Err(ErrorCode::MethodNotAllowed)
        );
        assert_eq!(code(Method::DELETE, "/keys/x"), Err(ErrorCode::BadRequest));
        assert_eq!(
            find(Method::PATCH, "/users/a%40b").expect("known"),
            Route::SetUser(UserName::new("a@b").expect("a name"))
        );
        assert_eq!(
            find(Method::GET, "/prompts/7/audio").expect("known"),
            Route::PromptAudio(PromptId(7))
        );
        let id = Uuid::from_u128(7);
        assert_eq!(
            find(Method::POST, &format!("/calls/{id}/playback/start")).expect("known"),
            Route::CallCommand(id, CommandKind::PlaybackStart)
        );
        assert_eq!(
            find(Method::GET, "/calls/events").expect("known"),
            Route::CallEvents
        );
        let nowhere = code(Method::POST, &format!("/calls/{id}/playback"));
        assert_eq!(nowhere, Err(ErrorCode::NotFound));
        for (method, path) in [
            (Method::GET, "/calls/7"),
            (Method::POST, "/apps/a%2Fb"),
            (Method::GET, "/webhooks/dead/7"),
            (Method::PATCH, "/users/a%20b"),
            (Method::DELETE, "/signing-keys/-1"),
            (Method::GET, "/prompts/x"),
            (Method::PATCH, "/tenants/%2e%2e%2f"),
        ] {
            assert_eq!(code(method, path), Err(ErrorCode::BadRequest), "{path}");
        }
        assert_eq!(code(Method::GET, "/users/a/b"), Err(ErrorCode::NotFound));
        assert_eq!(
            code(Method::GET, "/recordings/%FF"),
            Err(ErrorCode::BadRequest)
        );
        let refusal = find(Method::PUT, "/tenants").expect_err("refused");
        assert!(
            refusal.0.message.contains("GET, POST"),
            "{}",
            refusal.0.message
        );
    }

    #[test]
    fn queries_are_decoded_and_unknown_or_repeated_parameters_refused() {
        let query = Query::parse(Some("line=a%2Db&limit=5"), &["line", "limit"]).expect("valid");
        let line = query.get("line", |text| {
            Ok::<_, std::convert::Infallible>(text.to_owned())
        });
        assert_eq!(line.expect("given").as_deref(), Some("a-b"));
        assert_eq!(
            query.get("limit", str::parse::<usize>).expect("a number"),
            Some(5)
        );
        assert!(query.get("line", str::parse::<usize>).is_err());
        assert!(Query::parse(Some("x=1"), &["line"]).is_err());
        assert!(Query::parse(Some("line=1&line=2"), &["line"]).is_err());
    }
}
