//! What `setup` needs to know, from flags and from a file of answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ::config::{File, FileFormat};
use serde::Deserialize;
use storage::ids::{LineName, TenantName, UserName};

use crate::cli::args::SetupArgs;
use crate::cli::error::CliError;

/// Everything that is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) tenant: Option<TenantName>,
    pub(super) lines: Vec<LineAnswer>,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) https: Option<SocketAddr>,
    pub(super) public_url: Option<String>,
    /// Certificate and key of one's own.
    pub(super) pair: Option<(PathBuf, PathBuf)>,
    pub(super) user: Option<UserName>,
    /// Whether another file names a certificate already.
    pub(super) has_certificate: bool,
}

/// A line to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineAnswer {
    pub(super) name: LineName,
    pub(super) source: SourceAnswer,
    /// Further keys of the table and their words: trigger, channels, role, playback.
    pub(super) keys: Vec<(String, String)>,
}

/// Where its sound comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SourceAnswer {
    /// A PCM.
    Capture(String),
    /// Channels.
    Dahdi(String),
    /// An address.
    AudioSocket(String),
}

/// The keys that `--line` takes behind the source.
const LINE_KEYS: [&str; 6] = [
    "trigger",
    "channels",
    "role",
    "playback",
    "encoding",
    "capture_agent",
];

/// A file of answers: the flags' names as keys.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct AnswersFile {
    tenant: Option<String>,
    line: Vec<String>,
    data_dir: Option<PathBuf>,
    https: Option<String>,
    public_url: Option<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    user: Option<String>,
}

impl Answers {
    /// Those of the command line, and behind them those of the file that it names.
    ///
    /// # Errors
    /// [`CliError::Answer`], with the key and what it must be; [`CliError::File`].
    pub(super) fn given(wish: &SetupArgs) -> Result<Self, CliError> {
        let from_file = match &wish.answers {
            Some(path) => read(path)?,
            None => AnswersFile::default(),
        };
        let tenant = wish.tenant.clone().map_or_else(
            || {
                parsed("tenant", from_file.tenant.as_deref(), |text| {
                    TenantName::new(text).ok()
                })
            },
            |tenant| Ok(Some(tenant)),
        )?;
        let user = wish.user.clone().map_or_else(
            || {
                parsed("user", from_file.user.as_deref(), |text| {
                    UserName::new(text).ok()
                })
            },
            |user| Ok(Some(user)),
        )?;
        let https = wish.https.map_or_else(
            || {
                parsed("https", from_file.https.as_deref(), |text| {
                    text.parse().ok()
                })
            },
            |https| Ok(Some(https)),
        )?;
        let given = if wish.line.is_empty() {
            from_file.line
        } else {
            wish.line.clone()
        };
        let lines: Result<Vec<_>, _> = given.iter().map(|text| line(text)).collect();
        let certificate = wish.certificate.clone().or(from_file.certificate);
        let key = wish.key.clone().or(from_file.key);
        let pair = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((absolute(certificate), absolute(key))),
            (None, None) => None,
            _ => return Err(refused("certificate", "", "given together with key")),
        };
        let answers = Self {
            tenant,
            lines: lines?,
            data_dir: wish.data_dir.clone().or(from_file.data_dir).map(absolute),
            https,
            public_url: wish.public_url.clone().or(from_file.public_url),
            pair,
            user,
            has_certificate: false,
        };
        let needs_tenant = !answers.lines.is_empty() || answers.user.is_some();
        if wish.is_unattended() && needs_tenant && answers.tenant.is_none() {
            return Err(refused(
                "tenant",
                "",
                "given with --tenant: lines and users belong to one",
            ));
        }
        Ok(answers)
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn read(path: &Path) -> Result<AnswersFile, CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| CliError::File {
        what: "read",
        path: path.to_owned(),
        source,
    })?;
    ::config::Config::builder()
        .add_source(File::from_str(&text, FileFormat::Toml))
        .build()
        .and_then(::config::Config::try_deserialize)
        .map_err(|source| CliError::AnswersFile {
            path: path.to_owned(),
            source,
        })
}

fn parsed<T>(
    key: &'static str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, CliError> {
    let Some(text) = text else { return Ok(None) };
    let wanted = match key {
        "https" => "an address and port such as \"[::]:443\"",
        _ => "1 to 64 letters, digits, '-' or '_'",
    };
    parse(text)
        .map(Some)
        .ok_or_else(|| refused(key, text, wanted))
}

/// `NAME=SOURCE KEY=WORD …`; a source is a PCM, `dahdi:1-4` or `audiosocket:ADDRESS`.
pub(super) fn line(text: &str) -> Result<LineAnswer, CliError> {
    let wanted = "'NAME=SOURCE KEY=WORD …': a source is a PCM, dahdi:CHANNELS or \
                  audiosocket:ADDRESS; keys are trigger, channels, role, playback, encoding and \
                  capture_agent";
    let wrong = || refused("line", text, wanted);
    let mut words = text.split_whitespace();
    let (name, from) = words
        .next()
        .and_then(|word| word.split_once('='))
        .ok_or_else(wrong)?;
    let name = LineName::new(name).map_err(|_| wrong())?;
    if from.is_empty() {
        return Err(wrong());
    }
    let mut keys = Vec::new();
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(wrong)?;
        if !LINE_KEYS.contains(&key) || value.is_empty() {
            return Err(wrong());
        }
        keys.push((key.to_owned(), value.to_owned()));
    }
    Ok(LineAnswer {
        name,
        source: source(from),
        keys,
    })
}

/// A source as it is typed.
pub(super) fn source(text: &str) -> SourceAnswer {
    match text.split_once(':') {
        Some(("dahdi", channels)) => SourceAnswer::Dahdi(channels.to_owned()),
        Some(("audiosocket", address)) => SourceAnswer::AudioSocket(address.to_owned()),
        _ => SourceAnswer::Capture(text.to_owned()),
    }
}

fn refused(key: &'static str, found: &str, wanted: &'static str) -> CliError {
    CliError::Answer {
        key,
        found: found.to_owned(),
        wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_named_sources_with_keys() {
        let found = line("desk=plughw:1,0 trigger=vox channels=stereo").expect("a line");
        assert_eq!(found.name.as_str(), "desk");
        assert_eq!(found.source, SourceAnswer::Capture("plughw:1,0".to_owned()));
        assert_eq!(found.keys.len(), 2);
        let trunk = line("trunk=dahdi:1-4 role=terminate").expect("a line");
        assert_eq!(trunk.source, SourceAnswer::Dahdi("1-4".to_owned()));
        let pbx = line("pbx=audiosocket:[::1]:9092").expect("a line");
        assert_eq!(
            pbx.source,
            SourceAnswer::AudioSocket("[::1]:9092".to_owned())
        );
        for bad in [
            "",
            "desk",
            "a b=c",
            "../a=hw:0",
            "desk=",
            "desk=hw:0 rate=9",
            "desk=hw:0 vox",
        ] {
            assert!(line(bad).is_err(), "{bad}");
        }
    }
}
