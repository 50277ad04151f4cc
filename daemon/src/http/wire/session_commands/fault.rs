//! What may be wrong with a command's body: 400, with a message that names the field and a detail
//! that says what to send instead.

use storage::ids::NameError;

use crate::engine::session::command::UrlsError;
use crate::engine::session::limits;
use crate::engine::session::plan::PlanError;
use crate::engine::webhook::sign;

/// Why a body is no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Not JSON, with the place.
    #[error("The body is not valid JSON (line {line}, column {column})")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// JSON, but no object.
    #[error("The body is not a JSON object")]
    NotAnObject,
    /// A field twice.
    #[error("The body has the same field twice")]
    Twice,
    /// A required field is not there, or null.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field of another type.
    #[error("{field} is not {wanted}")]
    Type {
        /// Which.
        field: &'static str,
        /// What it has to be, with its article.
        wanted: &'static str,
    },
    /// A list with something else than a text in it.
    #[error("{field}[{index}] is not a string")]
    Item {
        /// Which list.
        field: &'static str,
        /// Which item, from 0.
        index: usize,
    },
    /// A number out of its range.
    #[error("{field} is out of range")]
    Range {
        /// Which.
        field: &'static str,
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
    /// A list of URLs that cannot be played.
    #[error("{}", urls_error(field, *.error))]
    Urls {
        /// Which list.
        field: &'static str,
        /// Which URL, and why.
        error: UrlsError,
    },
    /// `offset_sec` with several URLs.
    #[error("offset_sec is not allowed with multiple URLs")]
    OffsetWithMany,
    /// `offset_ms`, which never was a field.
    #[error("offset_ms is not supported")]
    OffsetMs,
    /// `position_ms` of 0.
    #[error("position_ms must be non-zero")]
    ZeroPosition,
    /// Numbers of a collection that do not go together.
    #[error("{}", plan_error(*.0))]
    Plan(PlanError),
    /// Other terminators, or too many.
    #[error(
        "terminators may hold only # and *, at most {} characters",
        limits::TERMINATORS
    )]
    Terminators,
    /// A uid of another form.
    #[error("command_uid has an invalid format")]
    CommandUid,
    /// A cause of another form.
    #[error("cause has an invalid format")]
    Cause,
    /// Another mode.
    #[error("mode is neither silence nor skip")]
    Mode,
    /// A line, or a number, of another form.
    #[error("{field} has an invalid format")]
    Name {
        /// Which.
        field: &'static str,
        /// What it looks like.
        error: NameError,
    },
    /// A secret of another form.
    #[error("webhook_secret has an invalid format")]
    Secret,
}

fn urls_error(field: &str, error: UrlsError) -> String {
    match error {
        UrlsError::Empty => format!("{field} is empty"),
        UrlsError::TooMany(count) => format!("{field} has {count} URLs"),
        UrlsError::TooLong { index, chars } => format!("{field}[{index}] has {chars} characters"),
        UrlsError::Scheme(index) => format!("{field}[{index}] is not an http:// or https:// URL"),
        UrlsError::Form(index) => format!("{field}[{index}] is not a valid URL"),
    }
}

fn plan_error(error: PlanError) -> String {
    match error {
        PlanError::MinDigits(_) => "min_digits is out of range".into(),
        PlanError::MaxDigits(_) => "max_digits is out of range".into(),
        PlanError::MinAboveMax { min, max } => {
            format!("min_digits ({min}) is greater than max_digits ({max})")
        }
        PlanError::MaxTries(_) => "max_tries is out of range".into(),
        PlanError::Timeout(_) => "timeout is out of range".into(),
        PlanError::Whole(ms) => format!(
            "timeout * max_tries is {ms} ms; the total timeout may be {} ms",
            limits::TRIES_WHOLE_MS
        ),
    }
}

impl BodyFault {
    /// The remedy, for `detail`.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Syntax { .. } | Self::NotAnObject => {
                "Send a JSON object, for example {}, as application/json".into()
            }
            Self::Twice => "Send each field once".into(),
            Self::Missing(field) => format!("Send {field}"),
            Self::Type { field, wanted } => format!("Send {field} as {wanted}"),
            Self::Item { field, .. } => format!("Send {field} as an array of strings"),
            Self::Range { field, least, most } => range(field, *least, *most),
            Self::Urls { field, error } => match error {
                UrlsError::Empty => format!("Send at least one URL in {field}"),
                UrlsError::TooMany(_) => format!("Send at most {} URLs in {field}", limits::URLS),
                UrlsError::TooLong { .. } => {
                    format!("Send URLs of at most {} characters", limits::URL_CHARS)
                }
                UrlsError::Scheme(_) | UrlsError::Form(_) => {
                    "Send absolute URLs such as https://cdn.example.com/greeting.wav, without \
                     a user name or spaces"
                        .into()
                }
            },
            Self::OffsetWithMany => "Send one URL, or leave offset_sec out".into(),
            Self::OffsetMs => "Send offset_sec, in whole seconds".into(),
            Self::ZeroPosition => {
                "Send milliseconds from the current position: positive is forward, negative \
                 backward"
                    .into()
            }
            Self::Plan(error) => plan_detail(*error),
            Self::Terminators => "Send for example \"#\" or \"#*\"".into(),
            Self::CommandUid => format!(
                "command_uid is 1 to {} letters, digits, '.', '_' or '-'",
                limits::COMMAND_UID_CHARS
            ),
            Self::Cause => format!(
                "cause is 1 to {} of A-Z and '_', for example NORMAL_CLEARING",
                limits::CAUSE_CHARS
            ),
            Self::Name { error, .. } => error.to_string(),
            Self::Secret => sign::SecretError.to_string(),
            Self::Mode => "Send \"silence\" to keep the timeline, or \"skip\"".into(),
        }
    }
}

fn range(field: &str, least: u32, most: u32) -> String {
    format!("Send {field} from {least} to {most}")
}

fn plan_detail(error: PlanError) -> String {
    match error {
        PlanError::MinDigits(_) => range("min_digits", 0, limits::DIGITS),
        PlanError::MaxDigits(_) => range("max_digits", 1, limits::DIGITS),
        PlanError::MinAboveMax { .. } => {
            format!(
                "Send min_digits up to max_digits ({} if left out)",
                limits::DIGITS_MAX_DEFAULT
            )
        }
        PlanError::MaxTries(_) => range("max_tries", 1, limits::TRIES),
        PlanError::Timeout(_) => range("timeout", limits::TRY_MIN_MS, limits::TRY_MAX_MS),
        PlanError::Whole(_) => "Send a smaller timeout or max_tries".into(),
    }
}
