//! Typed identities: tenants, recordings and the many names one recording has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A tenant's number. Every index key begins with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub u32);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A recording's number: `recid` on the wire (seed 000), unique over all tenants, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordingId(pub u64);

impl fmt::Display for RecordingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A prompt's number: `cdw_id` on the wire (seed 000), unique over all tenants, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PromptId(pub u64);

impl fmt::Display for PromptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// An ill-formed name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A line name outside `^[a-zA-Z0-9_-]{1,64}$`.
    #[error("a line's name is 1 to 64 letters, digits, '-' or '_'")]
    Line,
    /// A tenant name outside `^[a-zA-Z0-9_-]{1,64}$`.
    #[error("a tenant's name is 1 to 64 letters, digits, '-' or '_'")]
    Tenant,
    /// A `call_sid` that is not `call_` and 1 to 64 letters or digits (seed 002).
    #[error("a call_sid is 'call_' followed by 1 to 64 letters or digits")]
    CallSid,
    /// A `crtObjectId` or `callId` outside 1 to 128 printable ASCII characters.
    #[error("a crtObjectId or callId is 1 to 128 letters, digits or any of '-_.:@'")]
    External,
    /// A user's name outside 1 to 64 letters, digits or any of `-_.@+`.
    #[error("a user's name is 1 to 64 letters, digits or any of '-_.@+'")]
    User,
    /// A group's name outside `^[a-zA-Z0-9_-]{1,64}$`.
    #[error("a group's name is 1 to 64 letters, digits, '-' or '_'")]
    Group,
    /// An application's id outside `^[a-zA-Z0-9_-]{1,64}$`.
    #[error("an application's id is 1 to 64 letters, digits, '-' or '_'")]
    App,
    /// A tag outside 1 to 64 letters, digits or any of `-_.:`.
    #[error("a tag is 1 to 64 letters, digits or any of '-_.:'")]
    Tag,
    /// A retention policy's name outside `^[a-zA-Z0-9_-]{1,64}$`.
    #[error("a retention policy's name is 1 to 64 letters, digits, '-' or '_'")]
    Policy,
    /// An agent's name outside 1 to 64 letters, digits or any of `-_.@+`.
    #[error("an agent's name is 1 to 64 letters, digits or any of '-_.@+'")]
    Agent,
    /// A phone number or SIP user outside 1 to 64 printable characters.
    #[error("a number is 1 to 64 letters, digits or any of '+*#-_.@:'")]
    Number,
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $error:expr, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks and keeps a name.
            ///
            /// # Errors
            /// [`NameError`] says what a name looks like.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err($error) }
            }

            /// A name this crate made itself.
            #[allow(dead_code, reason = "not every kind of name is made here")]
            pub(crate) fn made(text: String) -> Self {
                let valid: fn(&str) -> bool = $valid;
                debug_assert!(valid(&text), "made names are valid");
                Self(text)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

fn within(text: &str, longest: usize, extra: &str) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

text_name! {
    /// A line's name, from the configuration.
    LineName, NameError::Line, |text| within(text, 64, "-_")
}
text_name! {
    /// A tenant's name.
    TenantName, NameError::Tenant, |text| within(text, 64, "-_")
}
text_name! {
    /// The `call_sid` of seed 002: `call_` and letters or digits.
    CallSid, NameError::CallSid,
    |text| text.strip_prefix("call_").is_some_and(|rest| within(rest, 64, ""))
}
text_name! {
    /// A `crtObjectId` or `callId` of seed 003.
    ExternalId, NameError::External, |text| within(text, 128, "-_.:@")
}
text_name! {
    /// A user's name, as it is typed at login (`userId` of seed 003's login).
    UserName, NameError::User, |text| within(text, 64, "-_.@+")
}
text_name! {
    /// A group's name, from the configuration: lines that belong together.
    GroupName, NameError::Group, |text| within(text, 64, "-_")
}
text_name! {
    /// An application's id (`X-App-ID` of seed 001); unique over all tenants.
    AppId, NameError::App, |text| within(text, 64, "-_")
}
text_name! {
    /// A tag of a recording; retention policies may apply to those that have it.
    Tag, NameError::Tag, |text| within(text, 64, "-_.:")
}
text_name! {
    /// A retention policy's name, from the configuration.
    PolicyName, NameError::Policy, |text| within(text, 64, "-_")
}
text_name! {
    /// Who took or made a call: a user's name where there is such a user.
    AgentName, NameError::Agent, |text| within(text, 64, "-_.@+")
}
text_name! {
    /// A caller's or called party's number or SIP user.
    Number, NameError::Number, |text| within(text, 64, "+*#-_.@:")
}

/// Every name a recording has, made when it starts (API section 0).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Seed 002's name.
    pub call_sid: CallSid,
    /// Seed 003's name; unique within its tenant.
    pub crt_object_id: ExternalId,
    /// Seed 003's campaign, checked together with [`Names::crt_object_id`].
    pub campaign_id: u32,
    /// Seed 003's call, given in `filters`.
    pub call_id: ExternalId,
    /// Seed 004's name.
    pub task_id: Uuid,
    /// Seed 001's name of the call the recording belongs to.
    pub session_uuid: Uuid,
}

/// One name to look a recording up by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecordingName {
    /// Seed 000.
    Recid(RecordingId),
    /// Seed 002.
    CallSid(CallSid),
    /// Seed 003.
    CrtObject(ExternalId),
    /// Seed 004.
    Task(Uuid),
    /// Seed 001.
    Session(Uuid),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_the_edge() {
        assert!(CallSid::new("call_abc123").is_ok());
        assert!(CallSid::new("call_").is_err());
        assert!(CallSid::new("abc123").is_err());
        assert!(LineName::new("../etc").is_err());
        assert!(ExternalId::new("d741-6904fad1-vce-daf-638729").is_ok());
        assert!(Number::new("+15559876543").is_ok());
        assert!(Number::new("a\0b").is_err());
    }
}
