//! JSON of family `voice_log` (API.md section 4; seed 003 has binary answers only).
//! `openapi/voice_log.json` describes the same.

use serde::{Deserialize, Serialize};

/// Body of `POST /ameyorestapi/session/userLogin`. Other keys are nobody's business: the vendor's
/// clients send more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct LoginRequest {
    /// The user's name.
    pub(in crate::http) user_id: Option<String>,
    /// The password.
    pub(in crate::http) token: Option<String>,
    /// Whether the user's other sessions end.
    pub(in crate::http) force_login: Option<Flag>,
}

/// A yes or no as clients write it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(in crate::http) enum Flag {
    /// `true`
    Plain(bool),
    /// `"true"`
    Text(String),
}

impl Flag {
    /// What it says; `None` if that is neither yes nor no.
    pub(in crate::http) fn value(&self) -> Option<bool> {
        match self {
            Self::Plain(value) => Some(*value),
            Self::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => Some(true),
                "false" | "0" | "" => Some(false),
                _ => None,
            },
        }
    }
}

/// Body of `POST /ameyorestapi/session/terminateAllSessionsForUser`; may be left out.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct TerminateRequest {
    /// Whose sessions end; by default those of whoever asks.
    pub(in crate::http) user_id: Option<String>,
}

/// A session that was opened. The token is shown here and nowhere else.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct LoginAnswer {
    /// For the header `Sessionid`.
    pub(in crate::http) session_id: String,
    /// The same, with its user.
    pub(in crate::http) user_session_info: UserSessionInfo,
}

/// A session and its user.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct UserSessionInfo {
    /// For the header `Sessionid`.
    pub(in crate::http) session_id: String,
    /// The user's name as it was added.
    pub(in crate::http) user_id: String,
}

/// Something was done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Done {
    /// `success`
    pub(in crate::http) message: &'static str,
    /// 200
    pub(in crate::http) status: u16,
    /// Sessions that ended, where some were to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) terminated_sessions: Option<usize>,
}

impl Done {
    /// A success; with how many sessions ended, where that is the answer.
    pub(in crate::http) const fn new(terminated_sessions: Option<usize>) -> Self {
        Self {
            message: "success",
            status: 200,
            terminated_sessions,
        }
    }
}

/// An error, for every status alike.
#[derive(Serialize)]
pub(in crate::http) struct ErrorAnswer<'a> {
    /// A key for programs.
    pub(in crate::http) message: &'a str,
    /// A number for programs.
    pub(in crate::http) code: u32,
    /// What a person reads: the parameter, and the remedy.
    pub(in crate::http) info: &'a str,
    /// The HTTP status again.
    pub(in crate::http) status: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_taken_as_clients_write_them() {
        let flag = |text| {
            let request: LoginRequest = serde_json::from_str(text).unwrap();
            request.force_login.map(|flag| flag.value())
        };
        assert_eq!(flag("{}"), None);
        assert_eq!(flag("{\"forceLogin\":null}"), None);
        assert_eq!(flag("{\"forceLogin\":true,\"more\":1}"), Some(Some(true)));
        assert_eq!(flag("{\"forceLogin\":\"FALSE\"}"), Some(Some(false)));
        assert_eq!(flag("{\"forceLogin\":\"maybe\"}"), Some(None));
        let twice = "{\"userId\":\"a\",\"userId\":\"b\"}";
        assert!(serde_json::from_str::<LoginRequest>(twice).is_err());
    }
}
