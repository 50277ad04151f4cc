//! The example dialplan, read and followed as Asterisk does it: what it hands to AudioSocket is
//! what a call begins with.

use std::collections::HashMap;
use std::path::PathBuf;

use harness::process::{repository, run};
use uuid::Uuid;

use super::rig::Pbx;

/// Where it is.
fn path() -> PathBuf {
    repository().join("packaging/examples/asterisk/extensions.conf")
}

/// One priority of an extension.
#[derive(Debug)]
struct Step {
    label: Option<String>,
    application: String,
    arguments: String,
}

/// The pattern and the steps of a context's only extension.
fn extension(text: &str, context: &str) -> (String, Vec<Step>) {
    let mut current = "";
    let mut pattern = String::new();
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            current = name;
            continue;
        }
        if current != context {
            continue;
        }
        let (key, value) = line.split_once("=>").expect("key => value");
        let value = value.trim();
        let (priority, call) = match key.trim() {
            "exten" => {
                let (own, rest) = value.split_once(',').expect("a pattern");
                assert!(pattern.is_empty(), "a second extension: {line}");
                own.clone_into(&mut pattern);
                rest.split_once(',').expect("a priority")
            }
            "same" => value.split_once(',').expect("a priority"),
            other => panic!("{other}: {line}"),
        };
        let wanted = if steps.is_empty() { "1" } else { "n" };
        let label = priority
            .strip_prefix(wanted)
            .unwrap_or_else(|| panic!("priority {wanted}: {line}"));
        let (application, arguments) = called(call);
        steps.push(Step {
            label: label
                .strip_prefix('(')
                .and_then(|rest| rest.strip_suffix(')'))
                .map(str::to_owned),
            application: application.to_owned(),
            arguments: arguments.to_owned(),
        });
    }
    (pattern, steps)
}

/// `Name(arguments)`
fn called(text: &str) -> (&str, &str) {
    let (name, rest) = text.split_once('(').expect("an application");
    (name, rest.strip_suffix(')').expect("a closed bracket"))
}

/// Replaces `${…}`: variables, parts of them (`${NAME:offset:length}`), and MD5.
fn expand(text: &str, variables: &HashMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let end = closing(after);
        out.push_str(&value_of(&expand(&after[..end], variables), variables));
        rest = &after[end + 1..];
    }
    out + rest
}

/// Where the brace that is open closes.
fn closing(text: &str) -> usize {
    let mut open = 1;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return at;
        }
    }
    panic!("no closing brace in {text}");
}

fn value_of(expression: &str, variables: &HashMap<String, String>) -> String {
    if let Some(argument) = expression.strip_prefix("MD5(") {
        let argument = argument.strip_suffix(')').expect("a closed bracket");
        let digest = run("sh", &["-c", "printf %s \"$1\" | md5sum", "sh", argument]);
        return String::from_utf8_lossy(&digest[..32]).into_owned();
    }
    let mut parts = expression.split(':');
    let name = parts.next().unwrap_or_default();
    let value = variables
        .get(name)
        .unwrap_or_else(|| panic!("no variable {name}"));
    let mut number = || {
        parts
            .next()
            .map(|part| part.parse::<usize>().expect("a place"))
    };
    let (offset, length) = (number().unwrap_or(0), number().unwrap_or(value.len()));
    value[offset..].chars().take(length).collect()
}

/// Follows the steps of a call up to AudioSocket; gives what it is given: UUID and address.
fn handed_over(steps: &[Step], unique_id: &str) -> (String, String) {
    let known = [
        ("SYSTEMNAME", ""),
        ("UNIQUEID", unique_id),
        ("EXTEN", "100"),
        ("CALLERID(num)", "+15550100"),
    ];
    let known = known.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut variables = HashMap::from(known);
    let mut is_answered = false;
    for step in steps {
        let arguments = expand(&step.arguments, &variables);
        match step.application.as_str() {
            "NoOp" => {}
            "Set" => {
                let (name, value) = arguments.split_once('=').expect("name=value");
                let _ = variables.insert(name.to_owned(), value.to_owned());
            }
            "Answer" => is_answered = true,
            "TryExec" => {
                let (application, arguments) = called(&arguments);
                assert_eq!(application, "AudioSocket");
                assert!(is_answered, "AudioSocket does not answer by itself");
                let (uuid, service) = arguments.split_once(',').expect("uuid,service");
                return (uuid.to_owned(), service.to_owned());
            }
            other => panic!("{other} before AudioSocket"),
        }
    }
    panic!("no AudioSocket")
}

/// The `[[line]]` that the example's comment shows.
fn shown_line(text: &str) -> String {
    let comment = text.lines().map_while(|line| line.strip_prefix(';'));
    comment
        .map(str::trim)
        .skip_while(|line| *line != "[[line]]")
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn it_names_each_call_and_connects_where_the_line_listens() {
    let text = std::fs::read_to_string(path()).expect("the example");
    let (pattern, steps) = extension(&text, "callreel");
    assert_eq!(pattern, "_X.", "every number of two digits and more");
    let (uuid, service) = handed_over(&steps, "1638272000.17");
    let (again, _) = handed_over(&steps, "1638272000.17");
    let (other, _) = handed_over(&steps, "1638272000.18");
    assert_eq!(uuid, again, "who knows the channel's id knows the session");
    assert_ne!(uuid, other, "a call of its own");
    let parsed: Uuid = uuid.parse().expect("a UUID as Asterisk reads it");
    assert_eq!(parsed.to_string(), uuid);
    assert_eq!(parsed.get_version_num(), 3, "made of a name, by MD5");
    assert_eq!(parsed.get_variant(), uuid::Variant::RFC4122);
    let line = shown_line(&text);
    assert!(
        line.contains(&format!("audiosocket = \"{service}\"")),
        "{line}"
    );
    let jump = steps.iter().find(|step| step.application == "GotoIf");
    let target = jump.and_then(|step| step.arguments.rsplit_once('?'));
    let label = target.map(|(_, label)| label);
    assert!(
        label.is_some() && steps.iter().any(|step| step.label.as_deref() == label),
        "{steps:?}"
    );
    let last = steps.last().map(|step| step.application.as_str());
    assert_eq!(last, Some("Hangup"), "{steps:?}");
}

/// The line that the comment shows takes the call that the dialplan hands over, under its name.
#[test]
fn its_line_takes_its_call() {
    let text = std::fs::read_to_string(path()).expect("the example");
    let (_, steps) = extension(&text, "callreel");
    let (uuid, service) = handed_over(&steps, "1638272000.99");
    let line = shown_line(&text).replace("[[line]]\n", "");
    let pbx = Pbx::with_line_of(&line, &service);
    let uuid: Uuid = uuid.parse().expect("a UUID");
    let (call, peer) = pbx.call_named(uuid);
    assert_eq!(call.look()["state"], "answered");
    drop(peer);
    let _ = call.wait("call.hangup");
    call.settle();
}
