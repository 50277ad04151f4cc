//! Answers as the text of a configuration file.

use std::fmt::Write as _;
use std::path::Path;

use super::answers::{Answers, SourceAnswer};
use crate::cli::error::CliError;

/// The file's text, without its first lines.
///
/// # Errors
/// [`CliError::Answer`] for a path that is not UTF-8, which TOML cannot hold.
pub(super) fn toml(answers: &Answers) -> Result<String, CliError> {
    let mut text = String::new();
    if let Some(folder) = &answers.data_dir {
        let _ = writeln!(text, "\n[storage]\ndata_dir = {}", path(folder)?);
    }
    if answers.https.is_some() || answers.public_url.is_some() {
        text.push_str("\n[http]\n");
    }
    if let Some(address) = answers.https {
        let _ = writeln!(text, "listen_tls = [\"{address}\"]");
    }
    if let Some(url) = &answers.public_url {
        let _ = writeln!(text, "public_url = {}", quoted(url));
    }
    match &answers.pair {
        Some((certificate, key)) => {
            let (certificate, key) = (path(certificate)?, path(key)?);
            let _ = writeln!(
                text,
                "\n[http.tls]\ncertificate = {certificate}\nkey = {key}"
            );
        }
        None if answers.https.is_some() && !answers.has_certificate => {
            text.push_str("\n[first_start]\ncertificate = true\n")
        }
        None => {}
    }
    for line in &answers.lines {
        let _ = writeln!(text, "\n[[line]]\nname = {}", quoted(line.name.as_str()));
        if let Some(tenant) = &answers.tenant {
            let _ = writeln!(text, "tenant = {}", quoted(tenant.as_str()));
        }
        let (key, value) = match &line.source {
            SourceAnswer::Capture(pcm) => ("capture", pcm),
            SourceAnswer::Dahdi(channels) => ("dahdi", channels),
            SourceAnswer::AudioSocket(address) => ("audiosocket", address),
        };
        let _ = writeln!(text, "{key} = {}", quoted(value));
        if !line.keys.iter().any(|(key, _)| key == "trigger") {
            let trigger = match line.source {
                SourceAnswer::Capture(_) => "vox",
                SourceAnswer::Dahdi(_) | SourceAnswer::AudioSocket(_) => "hook",
            };
            let _ = writeln!(text, "trigger = \"{trigger}\"");
        }
        for (key, value) in &line.keys {
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
    }
    Ok(text)
}

fn path(path: &Path) -> Result<String, CliError> {
    let text = path.to_str().ok_or_else(|| CliError::Answer {
        key: "path",
        found: path.display().to_string(),
        wanted: "UTF-8, as every configuration is",
    })?;
    Ok(quoted(text))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::answers::line;
    use super::*;

    #[test]
    fn nothing_asked_is_nothing_written_and_strings_are_quoted() {
        assert_eq!(toml(&Answers::default()).expect("text"), "");
        assert_eq!(quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\u000Ad\"");
        let answers = Answers {
            tenant: storage::ids::TenantName::new("acme").ok(),
            lines: vec![line("desk=hw:0").expect("a line")],
            https: "[::]:443".parse().ok(),
            ..Answers::default()
        };
        let text = toml(&answers).expect("text");
        assert!(text.contains("[first_start]\ncertificate = true"), "{text}");
        assert!(
            text.contains("capture = \"hw:0\"\ntrigger = \"vox\""),
            "{text}"
        );
    }
}
