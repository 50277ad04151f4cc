//! The questions, one line each, so that they work over a serial console as well. Questions go to
//! standard error; an empty answer takes what stands in brackets.

use std::io::{BufRead as _, Write as _};

use storage::ids::{LineName, TenantName, UserName};

use super::answers::{Answers, LineAnswer, SourceAnswer, source};
use super::devices::{self, Found};
use crate::cli::error::CliError;
use crate::cli::output::{complain, printable};
use crate::config::schema::Config;

/// Asks for what was not given.
///
/// # Errors
/// [`CliError::Cancelled`] when the terminal has no more answers.
pub(super) fn questions(mut answers: Answers, current: &Config) -> Result<Answers, CliError> {
    complain("Callreel's few questions. Enter takes what stands in brackets; Ctrl-C ends.\n");
    if answers.tenant.is_none() {
        let known = current.lines.first().map(|line| line.tenant.to_string());
        let default = known.unwrap_or_else(|| "main".to_owned());
        answers.tenant = Some(until("Whose calls are these (tenant)", &default, |text| {
            TenantName::new(text).map_err(|_| "1 to 64 letters, digits, '-' or '_'".to_owned())
        })?);
    }
    if answers.lines.is_empty() {
        answers.lines = lines(current)?;
    }
    if answers.data_dir.is_none() {
        let default = current.storage.data_dir.display().to_string();
        let folder = until("Where recordings go", &default, |text| {
            let path = std::path::PathBuf::from(text);
            path.is_absolute()
                .then_some(path)
                .ok_or_else(|| "a folder from / on".to_owned())
        })?;
        answers.data_dir = (folder != current.storage.data_dir).then_some(folder);
    }
    https(&mut answers, current)?;
    if answers.user.is_none() {
        let question = "Name of the first supervisor, who may play recordings ('none' for none)";
        answers.user = until(question, "none", |text| match text {
            "none" => Ok(None),
            text => UserName::new(text)
                .map(Some)
                .map_err(|_| "such a name is not possible; try 'boss'".to_owned()),
        })?;
    }
    Ok(answers)
}

fn https(answers: &mut Answers, current: &Config) -> Result<(), CliError> {
    if answers.https.is_none() {
        let first = current.http.listen_tls.first();
        let default = first.map_or("[::]:443".to_owned(), ToString::to_string);
        let question = "Address and port of HTTPS ('none' for none)";
        answers.https = until(question, &default, |text| match text {
            "none" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| "an address and port such as [::]:443 or 0.0.0.0:8443".to_owned()),
        })?;
    }
    if answers.https.is_none() {
        return Ok(());
    }
    if answers.public_url.is_none() {
        let question = "URL that clients use, such as https://calls.example.org ('none': as they \
                        ask)";
        let default = current.http.public_url.as_deref().unwrap_or("none");
        answers.public_url = until(question, default, |text| match text {
            "none" => Ok(None),
            url if url.starts_with("https://") || url.starts_with("http://") => {
                Ok(Some(url.trim_end_matches('/').to_owned()))
            }
            _ => Err("it begins with https://".to_owned()),
        })?;
    }
    if answers.pair.is_none() && !answers.has_certificate {
        let file = |text: &str| {
            let path = std::path::absolute(text).unwrap_or_else(|_| text.into());
            let there = path.is_file();
            there
                .then_some(path)
                .ok_or_else(|| "there is no such file".to_owned())
        };
        let question = "File of your certificate, PEM ('none': one is made at first start)";
        let certificate = until(question, "none", |text| match text {
            "none" => Ok(None),
            text => file(text).map(Some),
        })?;
        if let Some(certificate) = certificate {
            let key = until("File of its key, PEM", "", file)?;
            answers.pair = Some((certificate, key));
        }
    }
    Ok(())
}

/// Chooses among the devices there are.
fn lines(current: &Config) -> Result<Vec<LineAnswer>, CliError> {
    let found = devices::find(&current.dahdi.folder);
    complain("What can be recorded here:");
    for (number, device) in found.iter().enumerate() {
        let what = printable(&device.what);
        complain(&format!(
            "  {:>2}  {:<28} {what}",
            number + 1,
            device.source
        ));
    }
    complain("  or the name of a PCM, dahdi:CHANNELS, audiosocket:ADDRESS");
    let chosen = until(
        "What to record (numbers or names, with spaces; 'none')",
        "none",
        |text| {
            if text == "none" {
                return Ok(Vec::new());
            }
            text.split_whitespace()
                .map(|word| choice(word, &found))
                .collect()
        },
    )?;
    let mut lines = Vec::new();
    for device in chosen {
        lines.push(line(&device, lines.len() + 1)?);
    }
    Ok(lines)
}

/// A number of the list, or a name.
fn choice(word: &str, found: &[Found]) -> Result<Found, String> {
    let Ok(number) = word.parse::<usize>() else {
        return Ok(Found::typed(word));
    };
    let device = number.checked_sub(1).and_then(|at| found.get(at));
    device
        .cloned()
        .ok_or_else(|| format!("there is no number {number} in the list"))
}

fn line(device: &Found, count: usize) -> Result<LineAnswer, CliError> {
    let shown = &device.source;
    let suggested = device
        .name
        .clone()
        .unwrap_or_else(|| format!("line-{count}"));
    let name = until(&format!("Name of {shown}"), &suggested, |text| {
        LineName::new(text).map_err(|_| "1 to 64 letters, digits, '-' or '_'".to_owned())
    })?;
    let source = source(&device.source);
    let (default, words): (_, &[&str]) = match source {
        SourceAnswer::Capture(_) => ("vox", &["vox", "always", "api"]),
        SourceAnswer::Dahdi(_) => ("hook", &["hook", "api", "vox", "always"]),
        SourceAnswer::AudioSocket(_) => ("hook", &["hook", "api"]),
    };
    let question = format!("What starts its recordings ({})", words.join(", "));
    let trigger = until(&question, default, |text| {
        let known = words.contains(&text);
        known
            .then(|| text.to_owned())
            .ok_or_else(|| format!("one of {}", words.join(", ")))
    })?;
    let mut keys = vec![("trigger".to_owned(), trigger)];
    if let SourceAnswer::Capture(_) = source {
        let question = "Both parties on it, left the caller and right the agent (yes, no)";
        let stereo = until(question, "no", |text| match text {
            "yes" | "y" => Ok(true),
            "no" | "n" => Ok(false),
            _ => Err("yes or no".to_owned()),
        })?;
        if stereo {
            keys.push(("channels".to_owned(), "stereo".to_owned()));
        }
    }
    if let Some(role) = device.role {
        keys.push(("role".to_owned(), role.to_owned()));
    }
    Ok(LineAnswer { name, source, keys })
}

/// Asks until there is an answer that will do.
fn until<T>(
    question: &str,
    default: &str,
    judge: impl Fn(&str) -> Result<T, String>,
) -> Result<T, CliError> {
    loop {
        let text = ask(question, default)?;
        match judge(&text) {
            Ok(answer) => return Ok(answer),
            Err(wanted) => complain(&format!("  {wanted}")),
        }
    }
}

fn ask(question: &str, default: &str) -> Result<String, CliError> {
    let mut errors = std::io::stderr().lock();
    let shown = if default.is_empty() {
        String::new()
    } else {
        format!(" [{default}]")
    };
    write!(errors, "{question}{shown}: ")
        .and_then(|()| errors.flush())
        .map_err(CliError::Output)?;
    let mut line = String::new();
    let read = std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(CliError::Input)?;
    if read == 0 {
        return Err(CliError::Cancelled);
    }
    let answer = line.trim();
    Ok(if answer.is_empty() { default } else { answer }.to_owned())
}
